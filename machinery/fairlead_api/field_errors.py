"""
What is wrong with a field, in Kubernetes' words.

Each function returns a :class:`~fairlead_api.errors.Cause`, whose message leaves the field's path out; :func:`listed`
makes the sentence of a 422 from several.

Source: k8s.io/apimachinery/pkg/util/validation/field/errors.go v0.36.3.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from fairlead_api.errors import Cause, Invalid

_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
            '"': '\\"', "\\": "\\\\"}  # fmt: skip


def quoted(text: str) -> str:
    """Quote a string as Go's ``%q`` does."""
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _escaped(c)) for c in text) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shown(value: object) -> str:
    """Write a value as it stands in messages: strings quoted, numbers and booleans bare, the rest as JSON."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def shown_in_order(value: object) -> str:
    """Write a value as JSON with its members in the order they have: Go structs, not maps."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _with_value(title: str, value: object, detail: str) -> str:
    return f"{title}: {shown(value)}" + (f": {detail}" if detail else "")


def _bare(title: str, detail: str) -> str:
    return f"{title}: {detail}" if detail else title


def invalid(field: str, value: object, detail: str) -> Cause:
    """Return the cause of a malformed value."""
    return Cause("FieldValueInvalid", _with_value("Invalid value", value, detail), field)


def type_invalid(field: str, value: object, detail: str) -> Cause:
    """Return the cause of a value of the wrong type."""
    return Cause("FieldValueTypeInvalid", _with_value("Invalid value", value, detail), field)


def required(field: str, detail: str = "") -> Cause:
    """Return the cause of a missing or empty value."""
    return Cause("FieldValueRequired", _bare("Required value", detail), field)


def forbidden(field: str, detail: str) -> Cause:
    """Return the cause of a value that is not allowed here and now."""
    return Cause("FieldValueForbidden", _bare("Forbidden", detail), field)


def duplicate(field: str, value: object) -> Cause:
    """Return the cause of a value that must be unique and is not."""
    return Cause("FieldValueDuplicate", _with_value("Duplicate value", value, ""), field)


def not_found(field: str, value: object) -> Cause:
    """Return the cause of a value that refers to nothing."""
    return Cause("FieldValueNotFound", _with_value("Not found", value, ""), field)


def not_supported(field: str, value: object, supported: Sequence[str]) -> Cause:
    """Return the cause of a value outside its enumeration; the order of ``supported`` is kept."""
    detail = "supported values: " + ", ".join(quoted(one) for one in supported) if supported else ""
    return Cause("FieldValueNotSupported", _with_value("Unsupported value", value, detail), field)


def too_long(field: str, limit: int) -> Cause:
    """Return the cause of a text over ``limit`` bytes."""
    detail = f"may not be more than {limit} byte{'' if limit == 1 else 's'}" if limit >= 0 else "value is too long"
    return Cause("FieldValueTooLong", f"Too long: {detail}", field)


def too_many(field: str, actual: int, limit: int) -> Cause:
    """Return the cause of a list over ``limit`` items."""
    message = f"Too many: {actual}: must have at most {limit} item{'' if limit == 1 else 's'}"
    return Cause("FieldValueTooMany", message, field)


def listed(causes: Sequence[Cause]) -> str:
    """Join causes as Kubernetes does: one as it is, several in brackets, doubles left out."""
    texts = list(dict.fromkeys(f"{cause.field or '<nil>'}: {cause.message}" for cause in causes))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def invalid_object(group: str, kind: str, name: str, causes: Sequence[Cause]) -> Invalid:
    """
    Return the 422 for an object.

    Args:
        group, kind: Of the object, ``Deployment`` in ``apps``; Kubernetes names the kind here, not the resource.
        name: Empty when it has none yet.
        causes: At least one.
    """
    title = f"{kind}.{group}" if group else kind
    message = f'{title} "{name}" is invalid: {listed(causes)}'
    return Invalid(message, group=group, kind=kind, name=name, causes=causes)
