"""Programs give the values, errors and costs that cel-go gave when it was asked (see scripts/record_cel_runs.py)."""

from __future__ import annotations

import base64
import functools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from fairlead_schema.cel import schema_types
from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import Environment
from fairlead_schema.cel.estimate import Sizes
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.ordering import equal
from fairlead_schema.cel.program import Program, ProgramError, compile_program
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.times import parse_duration, parse_timestamp
from fairlead_schema.cel.types import AnyType, Type
from fairlead_schema.cel.values import NONE, CostExceeded, Duration, EvaluationError, Optional, Timestamp, UInt, Value

_HERE = Path(__file__).parent
_NAMED = {"timestamp": t.TIMESTAMP, "duration": t.DURATION}
_MADE: dict[str, Any] = {
    "timestamp": parse_timestamp,
    "duration": parse_duration,
    "bytes": str.encode,
    "uint": UInt,
    "double": float,
}
_READ: dict[str, Any] = {
    "int": int,
    "uint": lambda text: UInt(int(text)),
    "double": float,
    "bytes": base64.b64decode,
    "duration": lambda text: Duration(int(text)),
    "type": Type,
    "list": lambda values: [_read(value) for value in values],
    "map": lambda entries: {_read(key): _read(value) for key, value in entries},
}


def _type(text: str) -> AnyType:
    """Read a type as the recordings name it: ``map(string,int)``."""
    name, _, inner = text.partition("(")
    if not inner:
        return _NAMED.get(name) or Type(name)
    parts = inner[:-1].split(",") if name == "map" else [inner[:-1]]
    return Type("optional_type" if name == "optional" else name, tuple(map(_type, parts)))


def _given(value: Any, kind: str) -> Value:
    """Make the value of a variable from JSON."""
    if kind.startswith("optional("):
        return NONE if value is None else Optional(_given(value, kind[9:-1]), True)
    return _MADE.get(kind, lambda plain: plain)(value)


def _read(answer: Any) -> Value:
    """Read a recorded value."""
    kind, *rest = answer
    if kind == "timestamp":
        return Timestamp(int(rest[0]), rest[1])
    if kind == "optional":
        return Optional(_read(rest[0]), True) if rest else NONE
    if kind == "other":
        return Type(rest[0])
    return _READ.get(kind, lambda plain: plain)(rest[0])


def _same(found: Value, wanted: Value) -> bool:
    """Tell whether two values are the same, types included; of a library's value only the type is recorded."""
    if isinstance(found, float) and math.isnan(found):
        return isinstance(wanted, float) and math.isnan(wanted)
    if isinstance(wanted, Type) and hasattr(found, "cel_type"):
        return bool(equal(found.cel_type, wanted))
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(value, wanted[key]) for key, value in found.items())
    return type(found) is type(wanted) and equal(found, wanted)


class _Recording:
    """What was recorded in one file, with the environment in which it was."""

    def __init__(self, name: str) -> None:
        header, *self.lines = map(json.loads, (_HERE / name).read_text().splitlines())
        libraries = (STANDARD, *KUBERNETES)
        self.sizes: Sizes | None = None
        if "schema" in header:
            declared = schema_types.declare(header["schema"], "self")
            assert declared is not None
            self.values = header["values"]
            self.environment = Environment(dict.fromkeys(self.values, declared.type), (*libraries, schema_types.NAMES))
            self.sizes = schema_types.limits(dict.fromkeys(self.values, declared))
        else:
            self.values = {key: _given(value, header["vars"][key]) for key, value in header["values"].items()}
            kinds = {key: _type(kind) for key, kind in header["vars"].items()}
            self.environment = Environment(kinds, libraries)


_recording = functools.cache(_Recording)
_NAMES = ("runs.jsonl", "library_runs.jsonl", "rules.jsonl")
_CASES = [(name, line) for name in _NAMES for line in _recording(name).lines]


def _outcome(program: Program, values: dict[str, Value], *, interpreted: bool) -> tuple[str, Value, int]:
    run = program.interpret if interpreted else program.evaluate
    try:
        value, cost = run(values)
    except EvaluationError as error:
        return "error", str(error), error.cost
    return "value", value, cost


@pytest.mark.parametrize(("name", "line"), _CASES, ids=[line["expr"] for _, line in _CASES])
def test_runs_as_cel_go(name: str, line: dict[str, Any]) -> None:
    """Value or error, cost and estimate are those recorded, compiled as well as interpreted."""
    recording = _recording(name)
    if "program" in line:
        with pytest.raises(ProgramError) as refused:
            compile_program(line["expr"], recording.environment)
        assert str(refused.value) == line["program"]
        return
    program = compile_program(line["expr"], recording.environment)
    for interpreted in (False, True):
        kind, found, cost = _outcome(program, recording.values, interpreted=interpreted)
        wanted = line["error"] if "error" in line else _read(line["value"])
        assert kind == ("error" if "error" in line else "value")
        assert _same(found, wanted), (found, wanted)
        assert cost == line["cost"]
    estimate = program.estimate(recording.sizes)
    assert [str(estimate.least), str(estimate.most)] == line["estimate"]


def test_stops_when_it_costs_too_much() -> None:
    """Work ends near the limit, however much there would be to do."""
    program = compile_program("l.all(a, l.all(b, l.all(c, true)))", Environment({"l": t.list_of(t.INT)}, (STANDARD,)))
    for run in (program.evaluate, program.interpret):
        with pytest.raises(CostExceeded, match=r"^operation cancelled: actual cost limit exceeded$") as exceeded:
            run({"l": list(range(1000))}, 5000)
        assert 5000 < exceeded.value.cost < 5100


def test_doubling_strings_stop_at_the_limit() -> None:
    """A string that doubles with each level is not built once its cost is too much."""
    text = "s"
    for level in range(40):
        text = f"[{text}].map(x{level}, x{level} + x{level})[0]"
    program = compile_program(text, Environment({"s": t.STRING}, (STANDARD,)))
    with pytest.raises(CostExceeded):
        program.evaluate({"s": "x" * 100})


@pytest.mark.parametrize("levels", [30, 200])
def test_doubling_lists_stop(levels: int) -> None:
    """A list that doubles with each level costs little, as in cel-go, but is not built for ever."""
    text = "[l]" + ".map(x, x + x)" * levels + "[0].size() > 0 || true"
    program = compile_program(text, Environment({"l": t.list_of(t.INT)}, (STANDARD,)))
    for run in (program.evaluate, program.interpret):
        with pytest.raises(CostExceeded):
            run({"l": [1]})


def test_errors_forgiven_by_logic_are_left_to_the_interpreter() -> None:
    """Compiled code gives up on an error, and the answer is right nevertheless."""
    program = compile_program("x.a == 1 || true", Environment({"x": t.DYN}, (STANDARD,)))
    assert program.evaluate({"x": {}}) == program.interpret({"x": {}}) == (True, 3)


def test_names_variables() -> None:
    """A program tells which variables it mentions, not those of its comprehensions alone."""
    program = compile_program("a + b.size() > 1", Environment({"a": t.INT, "b": t.STRING, "c": t.INT}, (STANDARD,)))
    assert program.variables() == {"a", "b"}


def test_deep_comprehensions_are_interpreted() -> None:
    """Python nests no more than twenty loops; deeper ones are evaluated all the same."""
    text = "".join(f"l.all(i{level}, " for level in range(24)) + "true" + ")" * 24
    program = compile_program(text, Environment({"l": t.list_of(t.INT)}, (STANDARD,)))
    assert program.evaluate({"l": [1]})[0] is True


def test_missing_variables_are_errors() -> None:
    """A variable without a value is an error that can be forgiven like others."""
    program = compile_program("a == 1 || b", Environment({"a": t.INT, "b": t.BOOL}, (STANDARD,)))
    assert program.evaluate({"b": True})[0] is True
    with pytest.raises(EvaluationError, match=r"^no such attribute\(s\): a$"):
        program.evaluate({"b": False})
