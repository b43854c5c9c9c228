"""
Sentences about wrong fields, as Kubernetes prints them.

A problem's text holds its field's path at ``PATH`` until the walk is over, so that valid objects build no paths.

Source: k8s.io/apimachinery/pkg/util/validation/field (Error.ErrorBody), k8s.io/kube-openapi/pkg/validation/errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fairlead_api.errors import Cause

PATH = "\0"


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One wrong value.

    Attributes:
        suffix: Path below the value under check: ``.name``, ``[0].name`` or empty.
        reason: The cause's reason.
        text: The cause's message with ``PATH`` where the whole path belongs.
        is_whole: The cause names no field (composite errors: oneOf and so on).
    """

    suffix: str
    reason: str
    text: str
    is_whole: bool = False

    def below(self, prefix: str) -> Problem:
        """Return the problem as seen from the parent."""
        return Problem(prefix + self.suffix, self.reason, self.text, self.is_whole)

    def cause(self) -> Cause:
        """Return the entry of ``details.causes``."""
        path = self.suffix.removeprefix(".")
        return Cause(self.reason, self.text.replace(PATH, path), "<nil>" if self.is_whole else path)


def quote(text: str) -> str:
    """Return ``text`` as Go's ``%q`` prints it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")


def compact(value: Any) -> str:
    """Return JSON as Go's encoder prints it: sorted keys, no spaces, HTML characters escaped."""
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for char, escaped in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028")):
        text = text.replace(char, escaped)
    return text


def json_type(value: Any) -> str:
    """Return what Go's JSON decoder calls a value."""
    names = {bool: "bool", str: "string", int: "number", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "null")


def go_type_of(value: Any) -> str:
    """Return what Go calls the type of a decoded JSON value."""
    names = {
        str: "string", bool: "bool", int: "int64", float: "float64", dict: "map[string]interface {}",
        list: "[]interface {}",
    }  # fmt: skip
    return names.get(type(value), "<nil>")


def _plain(value: Any) -> Any:
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    if type(value) is list:
        return [_plain(item) for item in value]
    return value


def number(value: float) -> str:
    """Return a number as Go's ``%v`` prints a float64 or an int64."""
    if type(value) is float and not value.is_integer():
        return repr(value)
    if type(value) is float and abs(value) >= 1e21:
        return f"{value:g}"
    return str(int(value))


def invalid(value: Any, detail: str) -> Problem:
    """``Invalid value``."""
    return Problem("", "FieldValueInvalid", f"Invalid value: {_bad(value)}: {detail}")


def type_invalid(value: Any, detail: str) -> Problem:
    """``Invalid value``, for a wrong type."""
    return Problem("", "FieldValueTypeInvalid", f"Invalid value: {_bad(value)}: {detail}")


def required(suffix: str) -> Problem:
    """``Required value``."""
    return Problem(suffix, "FieldValueRequired", "Required value")


def not_supported(value: Any, allowed: Iterable[Any]) -> Problem:
    """``Unsupported value`` with the list of what is."""
    names = ", ".join(quote(item if isinstance(item, str) else compact(item)) for item in allowed)
    return Problem("", "FieldValueNotSupported", f"Unsupported value: {_bad(value)}: supported values: {names}")


def too_long(limit: int) -> Problem:
    """``Too long``; ``limit`` counts what Kubernetes calls bytes."""
    unit = "byte" if limit == 1 else "bytes"
    return Problem("", "FieldValueTooLong", f"Too long: may not be more than {limit} {unit}")


def too_many(count: int, limit: int) -> Problem:
    """``Too many`` items or properties."""
    unit = "item" if limit == 1 else "items"
    return Problem("", "FieldValueTooMany", f"Too many: {count}: must have at most {limit} {unit}")


def duplicate(suffix: str, value: Any) -> Problem:
    """``Duplicate value``."""
    return Problem(suffix, "FieldValueDuplicate", f"Duplicate value: {_bad(value)}")


def composite(detail: str) -> Problem:
    """Build what oneOf, anyOf, allOf and not report: no field, the path quoted in the text."""
    return Problem("", "FieldValueInvalid", f'Invalid value: "": "{PATH}" {detail}', is_whole=True)


def _bad(value: Any) -> str:
    return quote(value) if isinstance(value, str) else compact("" if value is None else value)
