"""The checker gives cel-go's types, references and messages (recorded by scripts/record_cel.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import CompileError, Ident, walk
from fairlead_schema.cel.checker import Checked, check
from fairlead_schema.cel.declarations import Environment, Library
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.parser import parse
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.unifying import shown

Line = dict[str, Any]
RECORDED: list[Line] = [
    json.loads(line) for line in Path(__file__).with_name("check.jsonl").read_text().splitlines()[1:]
]
TYPED = [line for line in RECORDED if "type" in line]
REFUSED = [line for line in RECORDED if "issues" in line]
LIBRARIES = (STANDARD, *KUBERNETES)
VARIABLES: dict[str, t.AnyType] = {
    "i": t.INT,
    "u": t.UINT,
    "d": t.DOUBLE,
    "s": t.STRING,
    "b": t.BOOL,
    "y": t.BYTES,
    "x": t.DYN,
    "l": t.list_of(t.INT),
    "ls": t.list_of(t.STRING),
    "lx": t.list_of(t.DYN),
    "m": t.map_of(t.STRING, t.INT),
    "ml": t.map_of(t.STRING, t.list_of(t.STRING)),
    "ts": t.TIMESTAMP,
    "du": t.DURATION,
    "o": t.optional_of(t.INT),
    "om": t.optional_of(t.map_of(t.STRING, t.INT)),
    "n": t.NULL,
    "t": t.Type("type"),
    "a.b.c": t.INT,
    "a.b": t.map_of(t.STRING, t.STRING),
}
ENVIRONMENT = Environment(VARIABLES, LIBRARIES)


PARTS = 8
"""Recorded lines are checked in so many tests: one for each line would take most of the time."""


def parts(lines: list[Line]) -> list[list[Line]]:
    return [lines[first::PARTS] for first in range(PARTS)]


def checked(text: str, environment: Environment = ENVIRONMENT) -> Checked:
    return check(parse(text, environment.libraries), environment)


def noted(result: Checked) -> list[list[Any]]:
    """Return place, type and reference of each node, as the recording has them."""
    lines = []
    for node in walk(result.source.root):
        reference = result.references.get(node.number)
        name = "" if reference is None else reference.name or ",".join(sorted(reference.overloads))
        lines.append([node.at, shown(result.types.get(node.number, t.DYN)), name])
    return sorted(lines)


def refusal(text: str) -> str:
    try:
        checked(text)
    except CompileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("lines", parts(TYPED), ids=range(PARTS))
def test_types_and_references_are_cel_gos(lines: list[Line]) -> None:
    for line in lines:
        result = checked(line["text"])
        assert shown(result.result) == line["type"], line["text"]
        assert noted(result) == sorted(line["types"]), line["text"]


@pytest.mark.parametrize("lines", parts(REFUSED), ids=range(PARTS))
def test_what_does_not_fit_is_said_as_cel_go_says_it(lines: list[Line]) -> None:
    for line in lines:
        assert refusal(line["text"]) == line["issues"], line["text"]


SPEC = t.ObjectType("object.spec", fields={"replicas": t.Field("replicas", t.INT), "any": t.Field("any", t.DYN)})
OBJECT = t.ObjectType("object", fields={"spec": t.Field("spec", SPEC)})
OBJECTS = Environment({"self": OBJECT}, (*LIBRARIES, Library("objects", types={"Spec": SPEC})))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("self.spec.replicas", "int"),
        ("has(self.spec.replicas)", "bool"),
        ("self.spec.any.thing", "dyn"),
        ("self.spec", "object.spec"),
        ("self.?spec.?replicas", "optional_type(int)"),
        ("self == null", "bool"),
        ("self.spec == self.spec", "bool"),
        ("[self.spec][0].replicas", "int"),
        ("Spec{replicas: 1}.replicas", "int"),
        ("Spec{replicas: null}", "found no"),
    ],
)
def test_fields_of_objects_have_the_types_of_their_schema(text: str, result: str) -> None:
    if result == "found no":
        with pytest.raises(CompileError, match="field 'replicas' is 'int' but provided type is 'null'"):
            checked(text, OBJECTS)
    else:
        assert shown(checked(text, OBJECTS).result) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self.status", "1:5: undefined field 'status'"),
        ("has(self.status)", "1:4: undefined field 'status'"),
        ("self.spec.replicas.x", "1:19: type 'int' does not support field selection"),
        ("self.spec + 1", r"1:11: found no matching overload for '_\+_' applied to '\(object.spec, int\)'"),
        ("Spec{x: 1}", "1:7: undefined field 'x'"),
    ],
)
def test_fields_that_a_schema_does_not_have_are_refused(text: str, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        checked(text, OBJECTS)


def test_a_variable_with_dots_becomes_one_name() -> None:
    result = checked("a.b.c + 1")
    assert [node.name for node in walk(result.source.root) if isinstance(node, Ident)] == ["a.b.c"]


def test_a_list_of_a_schema_stays_one() -> None:
    """What a schema says of a list (that it is a set) is lost neither by names nor by resolving parameters."""
    of = t.ListType("list", (t.STRING,), kind="set")
    result = checked("true ? self : self", Environment({"self": of}, LIBRARIES))
    assert result.result is of


def test_types_cannot_grow_without_end() -> None:
    text = "[1]" + "".join(f".map(a{index}, {{a{index}: a{index}}})" for index in range(40))
    with pytest.raises(CompileError, match="type of expression is too large"):
        checked(text)


def test_many_parameters_take_linear_time() -> None:
    text = " && ".join(["[] == []"] * 500)
    assert shown(checked(text).result) == "bool"


def test_deep_trees_are_checked() -> None:
    assert shown(checked("[1].map(x, " * 40 + "x" + ")" * 40).result).startswith("list(list(")
