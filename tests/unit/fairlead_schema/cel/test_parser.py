"""The parser gives cel-go's trees, positions and messages (recorded by scripts/record_cel.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fairlead_schema.cel.ast import (
    Call,
    CompileError,
    Comprehension,
    Const,
    Expr,
    Ident,
    ListLiteral,
    MapLiteral,
    Select,
    StructLiteral,
)
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.parser import parse
from fairlead_schema.cel.values import UInt

LIBRARIES = KUBERNETES
Line = dict[str, Any]
RECORDED: list[Line] = [
    json.loads(line) for line in Path(__file__).with_name("parse.jsonl").read_text().splitlines()[1:]
]
TREES = [line for line in RECORDED if "ast" in line]
REFUSED = [line for line in RECORDED if "issues" in line]


PARTS = 8
"""Recorded lines are checked in so many tests: one for each line would take most of the time."""


def parts(lines: list[Line]) -> list[list[Line]]:
    return [lines[first::PARTS] for first in range(PARTS)]


NAMES = {bool: "bool", UInt: "uint", int: "int", float: "double", bytes: "bytes", str: "string"}


def literal(value: Any) -> list[Any]:
    """Return a constant's type and text; a double stays a number."""
    if value is None:
        return ["null_type", "NULL_VALUE"]
    shown = value
    if isinstance(value, bool):
        shown = json.dumps(value)
    elif isinstance(value, int):
        shown = str(int(value))
    elif isinstance(value, bytes):
        shown = value.hex()
    return [NAMES[type(value)], shown]


def shape(node: Expr) -> list[Any]:
    """Return a tree as the recording has it."""
    match node:
        case Const():
            parts = ["const", node.at, *literal(node.value)]
        case Ident():
            parts = ["ident", node.at, node.name]
        case Select():
            parts = ["select", node.at, shape(node.operand), node.field, node.test]
        case Call():
            target = None if node.target is None else shape(node.target)
            parts = ["call", node.at, node.function, target, [shape(each) for each in node.arguments]]
        case ListLiteral():
            parts = ["list", node.at, [shape(each) for each in node.elements], sorted(node.optional)]
        case MapLiteral():
            entries = [[entry.at, shape(entry.key), shape(entry.value), entry.optional] for entry in node.entries]
            parts = ["map", node.at, entries]
        case StructLiteral():
            fields = [[entry.at, shape(entry.key)[-1], shape(entry.value), entry.optional] for entry in node.entries]
            parts = ["struct", node.at, node.type_name, fields]
        case Comprehension():
            variables = [node.variable, node.second, shape(node.iterated), node.accumulator]
            parts = ["fold", node.at, *variables, *map(shape, (node.initial, node.condition, node.step, node.result))]
    return parts


def numbers(tree: Any) -> Any:
    """Return a recorded tree with its doubles, which it has as text, as numbers."""
    if isinstance(tree, list) and tree[:1] == ["const"] and tree[2] == "double":
        return [*tree[:3], float(tree[3])]
    return [numbers(each) for each in tree] if isinstance(tree, list) else tree


def refusal(text: str) -> str:
    try:
        parse(text, LIBRARIES)
    except CompileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("lines", parts(TREES), ids=range(PARTS))
def test_the_tree_is_cel_gos(lines: list[Line]) -> None:
    for line in lines:
        assert shape(parse(line["text"], LIBRARIES).root) == numbers(line["ast"]), line["text"]


@pytest.mark.parametrize("lines", parts(REFUSED), ids=range(PARTS))
def test_what_is_wrong_is_said_as_cel_go_says_it(lines: list[Line]) -> None:
    for line in lines:
        assert refusal(line["text"]) == line["issues"], line["text"]


def test_every_node_has_a_number_of_its_own() -> None:
    """Copies that macros make too, or the checker would mix up their types."""
    source = parse("a.?b.optMap(x, [x].all(y, y > 1 && y in {1: 2})).optMap(z, z)", LIBRARIES)
    seen: list[int] = []

    def walk(node: Any) -> None:
        if isinstance(node, tuple):
            for each in node:
                walk(each)
        elif hasattr(node, "number"):
            seen.append(node.number)
            for name in node.__slots__:
                walk(getattr(node, name))

    walk(source.root)
    assert len(seen) == len(set(seen)) > 40


def test_macros_remember_the_call_they_were() -> None:
    source = parse("[1].map(x, x)", LIBRARIES)
    assert source.macros[source.root.number].function == "map"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * 251 + "1" + ")" * 251, "expression recursion limit exceeded: 250"),
        ("1" + "+1" * 251, "max recursion depth exceeded"),
        ("a" + ".b" * 251, "max recursion depth exceeded"),
        ("1" * 100_001, "expression code point size exceeds limit: size: 100001, limit 100000"),
        ("a" + ".?b.optMap(x, x)" * 40, "expression size exceeds limit once its macros are expanded"),
    ],
)
def test_depth_and_size_are_bounded(text: str, message: str) -> None:
    with pytest.raises(CompileError) as refused:
        parse(text, LIBRARIES)
    assert str(refused.value) == f"ERROR: <input>:-1:0: {message}"


@pytest.mark.parametrize(
    "text", ["(" * 249 + "1" + ")" * 249, "1" + "+1" * 250, "a" + ".b" * 250, "[" * 249 + "]" * 249]
)
def test_trees_within_the_bounds_are_read(text: str) -> None:
    assert parse(text, LIBRARIES).text == text


def test_optional_syntax_takes_the_library() -> None:
    with pytest.raises(CompileError, match=r"unsupported syntax '\.\?'"):
        parse("a.?b", ())
