"""
Named formats: ``format.dns1123Label().validate(name)`` gives optional complaints.

Source: k8s.io/apiserver/pkg/cel/library/format.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from fairlead_api import validation
from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Function, Library, Overload, Sized
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.libraries.go_urls import BadURL, check_request
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import NONE, EvaluationError, LibraryValue, Optional, Value
from fairlead_schema.formats import CHECKS

FORMAT_TYPE = Type("kubernetes.NamedFormat")
_LONGEST_PATTERN = 128
"""Characters of a pattern, for estimates (cel.MaxNameFormatRegexSize)."""


@dataclass(frozen=True, slots=True)
class Format(LibraryValue):
    """
    A format.

    Attributes:
        check: Returns what is wrong with a text.
        pattern_size: Characters of the regular expression that it is taken for, for costs.
    """

    cel_type: ClassVar[Type] = FORMAT_TYPE

    name: str
    check: Callable[[str], list[str]] = field(repr=False)
    pattern_size: int

    def equals(self, other: Value) -> bool:
        """Compare names."""
        if not isinstance(other, Format):
            raise EvaluationError("no such overload")
        return self.name == other.name


def _prefix(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Check what names will begin with: its last dash will be followed by more."""
    return lambda text: check(text[:-2] + "a" if len(text) > 1 and text.endswith("-") else text)


def _of_schema(name: str, complaint: str) -> Callable[[str], list[str]]:
    check = CHECKS[name]
    return lambda text: [] if check(text) else [complaint]


def _uri(text: str) -> list[str]:
    try:
        check_request(text)
    except BadURL as error:
        return [str(error)]
    return []


FORMATS = {
    "dns1123Label": Format("DNS1123Label", validation.dns1123_label, 30),
    "dns1123Subdomain": Format("DNS1123Subdomain", validation.dns1123_subdomain, 60),
    "dns1035Label": Format("DNS1035Label", validation.dns1035_label, 30),
    "qualifiedName": Format("QualifiedName", validation.qualified_name, 60),
    "dns1123LabelPrefix": Format("DNS1123LabelPrefix", _prefix(validation.dns1123_label), 30),
    "dns1123SubdomainPrefix": Format("DNS1123SubdomainPrefix", _prefix(validation.dns1123_subdomain), 60),
    "dns1035LabelPrefix": Format("DNS1035LabelPrefix", _prefix(validation.dns1035_label), 30),
    "labelValue": Format("LabelValue", validation.label_value, 40),
    "uri": Format("URI", _uri, 1103),
    "uuid": Format("uuid", _of_schema("uuid", "does not match the UUID format"), 70),
    "byte": Format("byte", _of_schema("byte", "invalid base64"), 84),
    "date": Format("date", _of_schema("date", "invalid date"), 71),
    "datetime": Format("datetime", _of_schema("datetime", "invalid datetime"), 71),
}


def _named(name: str) -> Optional:
    found = FORMATS.get(name)
    return NONE if found is None else Optional(found, True)


def _validate(of: Format, text: str) -> Optional:
    complaints = of.check(text)
    return Optional(complaints, True) if complaints else NONE


def _cost(arguments: Sequence[Value], _result: Value) -> int | None:
    if not isinstance(arguments[0], Format):
        return None
    return costs.matching(size_of(arguments[1]), arguments[0].pattern_size)


def _estimate(arguments: Sequence[Sized]) -> CallEstimate:
    read = arguments[1].size.by(costs.STRING_FACTOR)
    return CallEstimate(read.by(_LONGEST_PATTERN * costs.REGEX_FACTOR))


def _constant(name: str, value: Format) -> Function:
    return Function(f"format.{name}", (Overload(f"format.{name}", (), FORMAT_TYPE, lambda: value),))


_COMPLAINTS = t.optional_of(t.list_of(t.STRING))

NAMED_FORMATS = Library(
    "kubernetes.format",
    (
        *(_constant(name, value) for name, value in FORMATS.items()),
        Function(
            "validate",
            (Overload("format-validate", (FORMAT_TYPE, t.STRING), _COMPLAINTS, _validate, True, _estimate, _cost),),
        ),
        Function("format.named", (Overload("format-named", (t.STRING,), t.optional_of(FORMAT_TYPE), _named),)),
    ),
)
