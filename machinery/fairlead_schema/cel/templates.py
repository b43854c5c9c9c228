"""Lines of Python for what is done most: checks of types, arithmetic and comparisons of known types."""

from __future__ import annotations

import ast as python
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairlead_schema.cel import types as t
from fairlead_schema.cel.arithmetic import quotient, remainder
from fairlead_schema.cel.schema_values import converter
from fairlead_schema.cel.types import AnyType, ObjectType, Type
from fairlead_schema.cel.values import Duration, EvaluationError, Optional, Timestamp, UInt, Value


class Unusual(EvaluationError):
    """The interpreter must decide."""


@dataclass(frozen=True, slots=True)
class Template:
    """
    Code of a call.

    Attributes:
        cost: When it is always the same.
        lines: What comes before it.
        grows: Whether its cost depends on sizes, so that it has to be looked at at once.
    """

    text: str
    cost: int = 1
    lines: tuple[str, ...] = ()
    grows: bool = False


def _convert(shape: str, kind: Type, wanted: type) -> Value:
    found = converter(kind, shape)

    def convert(value: Value) -> Value:
        made = found(value) if found is not None else value
        if type(made) is not wanted:
            raise Unusual
        return made

    return convert


GLOBALS: Mapping[str, Value] = {
    "int": int,
    "float": float,
    "str": str,
    "list": list,
    "dict": dict,
    "UInt": UInt,
    "Optional": Optional,
    "quotient": quotient,
    "remainder": remainder,
    "double": _convert("", t.DOUBLE, float),
    "as_bytes": _convert("", t.BYTES, bytes),
    "as_duration": _convert("", t.DURATION, Duration),
    "as_time": _convert("", t.TIMESTAMP, Timestamp),
    "as_date_time": _convert("date-time", t.TIMESTAMP, Timestamp),
    "as_date": _convert("date", t.TIMESTAMP, Timestamp),
}
_CLASSES = {
    "int": "int",
    "uint": "UInt",
    "string": "str",
    "list": "list",
    "map": "dict",
    "optional_type": "Optional",
}
_CONVERTED = {
    "double": "double",
    "bytes": "as_bytes",
    t.DURATION.name: "as_duration",
    t.TIMESTAMP.name: "as_time",
    "date-time": "as_date_time",
    "date": "as_date",
}


def shaped(kind: AnyType, conversion: str) -> AnyType:
    """Return the type to check a field by: dates and times are told apart by their format."""
    return Type(conversion) if conversion in ("date-time", "date") else kind


def check(name: str, kind: AnyType) -> str:
    """Return the line that makes sure a value is of a type, converting what a schema writes otherwise; "" for none."""
    if isinstance(kind, ObjectType):
        return f"if {name}.__class__ is not dict: raise Unusual" if kind.fields else ""
    if kind.name == "bool":
        return f"if {name} is not True and {name} is not False: raise Unusual"
    if kind.name in _CONVERTED:
        convert = _CONVERTED[kind.name]
        if kind.name == "double":
            return f"if {name}.__class__ is not float: {name} = {convert}({name})"
        return f"{name} = {convert}({name})"
    expected = _CLASSES.get(kind.name)
    return "" if expected is None else f"if {name}.__class__ is not {expected}: raise Unusual"


_RANGE = "if not -9223372036854775808 <= {} <= 9223372036854775807: raise Unusual"
_COMPARISONS = {"_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}
_WHOLE = {"_+_": "+", "_-_": "-", "_*_": "*"}
_ALIKE = frozenset(("int", "string", "bool"))


def call(function: str, overload: str, kinds: Sequence[str], arguments: Sequence[str]) -> Template | None:
    """Return the code of a call whose arguments' types are known, None when there is none."""
    if len(kinds) == 2:
        return _binary(function, overload, kinds, arguments)
    if function == "size" and kinds[0] in ("string", "list", "map", "bytes"):
        return Template(f"len({arguments[0]})")
    return None


def _binary(function: str, overload: str, kinds: Sequence[str], arguments: Sequence[str]) -> Template | None:
    left, right = arguments
    if function in ("_==_", "_!=_"):
        return _equality(function, kinds, left, right)
    if function in _COMPARISONS:
        return _comparison(function, kinds, left, right)
    if kinds[0] == kinds[1] == "int":
        return _whole(function, left, right)
    form = _FORMS.get(overload)
    if form is None or tuple(kinds) != form.kinds:
        return None
    spends = (f"c += {form.cost.format(left, right)}",) if form.cost else ()
    return Template(form.text.format(left, right), 0 if form.cost else 1, spends, bool(form.cost))


@dataclass(frozen=True, slots=True)
class _Form:
    """Code of an overload, and of its cost when that is not 1."""

    kinds: tuple[str, str]
    text: str
    cost: str = ""


_STRINGS, _DOUBLES = ("string", "string"), ("double", "double")
_FORMS = {
    "starts_with_string": _Form(_STRINGS, "{0}.startswith({1})", "ceil(len({0}) * 0.1)"),
    "ends_with_string": _Form(_STRINGS, "{0}.endswith({1})", "ceil(len({0}) * 0.1)"),
    "contains_string": _Form(_STRINGS, "({1} in {0})", "ceil(len({0}) * 0.1) * ceil(len({1}) * 0.1)"),
    "add_string": _Form(_STRINGS, "({0} + {1})", "ceil((len({0}) + len({1})) * 0.1)"),
    "in_list": _Form(("string", "list"), "({0} in {1})", "len({1})"),
    "in_map": _Form(("string", "map"), "({0} in {1})"),
    "add_double": _Form(_DOUBLES, "({0} + {1})"),
    "subtract_double": _Form(_DOUBLES, "({0} - {1})"),
    "multiply_double": _Form(_DOUBLES, "({0} * {1})"),
}


def loose(function: str, kinds: Sequence[str], arguments: Sequence[str]) -> tuple[str, Template] | None:
    """Return what to ask of a value of unknown type, and the code of a comparison when that is so; None for none."""
    if len(kinds) != 2 or "dyn" not in kinds:
        return None
    known, unknown = (kinds[1], arguments[0]) if kinds[0] == "dyn" else (kinds[0], arguments[1])
    found = call(function, "", (known, known), arguments)
    if (
        not unknown.isidentifier()
        or found is None
        or known not in ("int", "string")
        or function not in {*_COMPARISONS, "_==_", "_!=_"}
    ):
        return None
    return f"{unknown}.__class__ is {_CLASSES[known]}", found


def _whole(function: str, left: str, right: str) -> Template | None:
    if function in _WHOLE:
        text = f"{left} {_WHOLE[function]} {right}"
        return Template(f"({text})", 1, (_RANGE.format(text),))
    if function == "_/_":
        return Template(f"quotient({left}, {right})")
    return Template(f"remainder({left}, {right})") if function == "_%_" else None


def _comparison(function: str, kinds: Sequence[str], left: str, right: str) -> Template | None:
    text = f"({left} {_COMPARISONS[function]} {right})"
    if kinds[0] != kinds[1]:
        return None
    if kinds[0] == "int":
        return Template(text)
    if kinds[0] == "double":
        return Template(text, 1, (f"if {left} != {left} or {right} != {right}: raise Unusual",))
    return Template(text, 0, (_shorter(left, right),)) if kinds[0] == "string" else None


def _equality(function: str, kinds: Sequence[str], left: str, right: str) -> Template | None:
    if kinds[0] != kinds[1] or kinds[0] not in _ALIKE:
        return None
    text = f"({left} {function[1:3]} {right})"
    return Template(text, 0, (_shorter(left, right),)) if kinds[0] == "string" else Template(text)


def _shorter(left: str, right: str) -> str:
    """Return the line that counts reading the shorter of two strings."""
    for literal, other in ((left, right), (right, left)):
        if literal[0] in "'\"":
            size = len(_literal(literal))
            if size == 0:
                return "c += 0"
            if size <= 10:
                return f"if {other}: c += 1"
    return f"c += ceil(min(len({left}), len({right})) * 0.1)"


def _literal(text: str) -> str:
    value = python.literal_eval(text)
    assert isinstance(value, str)
    return value
