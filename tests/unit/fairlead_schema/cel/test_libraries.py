"""Kubernetes' libraries give its results, messages, costs and estimates (see scripts/record_cel_libraries.py)."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import CompileError
from fairlead_schema.cel.declarations import Environment
from fairlead_schema.cel.libraries import MUTATING
from fairlead_schema.cel.libraries.addresses import CIDR, IP
from fairlead_schema.cel.libraries.authz import AUTHORIZER_TYPE, Authorizer, Decision, Question
from fairlead_schema.cel.libraries.format import Format
from fairlead_schema.cel.libraries.quantity import Quantity
from fairlead_schema.cel.libraries.semver import Semver
from fairlead_schema.cel.libraries.urls import URL
from fairlead_schema.cel.program import Program, ProgramError, compile_program
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.values import (
    CostExceeded,
    Duration,
    EvaluationError,
    LibraryValue,
    Optional,
    Timestamp,
    UInt,
    Value,
)

RECORDED = [json.loads(line) for line in Path(__file__).with_name("libraries.jsonl").read_text().splitlines()[1:]]
REFUSED = [line for line in RECORDED if "issues" in line]
UNBUILT = [line for line in RECORDED if line.get("error", "").startswith("program: ")]
RUN = [line for line in RECORDED if line not in REFUSED and line not in UNBUILT]
SIZES = {"s": 20, "ls": 5, "ls.@items": 7, "li": 6, "ms": 4, "ms.@keys": 3, "ms.@values": 9}
"""What the oracle says of its variables; without relation to their values."""


def _decide(asked: Question) -> Decision:
    """Answer as the oracle's judge does: only ``get`` is allowed."""
    who = "ann" if asked.service_account is None else "system:serviceaccount:{}:{}".format(*asked.service_account)
    parts = (asked.group, asked.resource, asked.subresource, asked.namespace, asked.name, asked.path)
    reason = f"{who} {asked.verb} " + " ".join(f'"{part}"' for part in parts)
    return Decision(asked.verb == "get", reason, "no answer" if asked.verb == "fail" else "")


VALUES: dict[str, Value] = {
    "s": "hello wörld",
    "ls": ["b", "a", "b"],
    "li": [3, 1, 2],
    "ms": {"k": "v", "a": "b"},
    "d": {"x": 1, "l": ["y", 2.5, None]},
    "ld": [1, "a", True],
    "authorizer": Authorizer(_decide),
}
ENVIRONMENT = Environment(
    {
        "s": t.STRING,
        "ls": t.list_of(t.STRING),
        "li": t.list_of(t.INT),
        "ms": t.map_of(t.STRING, t.STRING),
        "d": t.DYN,
        "ld": t.list_of(t.DYN),
        "authorizer": AUTHORIZER_TYPE,
    },
    (STANDARD, *MUTATING),
)


def _double(number: float) -> str:
    if not math.isfinite(number):
        return "double(NaN)" if math.isnan(number) else f"double({number:+})".replace("inf", "Inf")
    return f"double({f'{Decimal(repr(number)):f}'.removesuffix('.0')})"


def _entries(entries: dict[Value, Value]) -> str:
    return "{" + ", ".join(sorted(f"{written(key)}: {written(held)}" for key, held in entries.items())) + "}"


_WRITTEN: dict[type, Callable[[Any], str]] = {
    int: str,
    UInt: lambda number: f"{int(number)}u",
    float: _double,
    bytes: lambda data: f"bytes({base64.b64encode(data).decode()})",
    Duration: lambda span: f"duration({span.nanoseconds})",
    Timestamp: lambda moment: f"timestamp({moment.seconds}, {moment.nanoseconds})",
    Optional: lambda optional: f"optional({written(optional.value)})" if optional.present else "none",
    list: lambda values: f"[{', '.join(map(written, values))}]",
    dict: _entries,
    Format: lambda found: f"format({found.name})",
    **{kind: lambda found: f"{type(found).__name__.lower()}({found})" for kind in (IP, CIDR, Quantity, Semver, URL)},
}


def written(value: Value) -> str:
    """Write a value as the oracle does."""
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f").replace("\u2028", "\\u2028")
    write = next((_WRITTEN[kind] for kind in type(value).__mro__ if kind in _WRITTEN), None)
    if write is not None:
        return write(value)
    return str(value.cel_type) if isinstance(value, LibraryValue) else f"type({value.name})"


def _outcome(run: Callable[[dict[str, Value]], tuple[Value, int]]) -> tuple[str, str, int]:
    try:
        value, cost = run(VALUES)
    except EvaluationError as error:
        return "error", str(error), error.cost
    return "v", written(value), cost


def _compiled(expression: str) -> Program:
    return compile_program(expression, ENVIRONMENT)


@pytest.mark.parametrize("line", RUN, ids=[line["e"] for line in RUN])
def test_gives_what_kubernetes_gives(line: dict[str, Any]) -> None:
    """Value or error, cost and estimate; compiled and interpreted."""
    program = _compiled(line["e"])
    kind = "error" if "error" in line else "v"
    for run in (program.evaluate, program.interpret):
        assert _outcome(run) == (kind, line[kind], line["cost"])
    estimate = program.estimate(lambda path: SIZES.get(".".join(path)))
    assert (estimate.least, estimate.most) == (line["least"], line["most"])


@pytest.mark.parametrize("line", REFUSED, ids=[line["e"] for line in REFUSED])
def test_refuses_what_kubernetes_refuses(line: dict[str, Any]) -> None:
    """With its messages."""
    with pytest.raises(CompileError) as refused:
        _compiled(line["e"])
    assert str(refused.value) == line["issues"]


@pytest.mark.parametrize("line", UNBUILT, ids=[line["e"] for line in UNBUILT])
def test_makes_no_program_where_kubernetes_makes_none(line: dict[str, Any]) -> None:
    """A constant pattern that is none is told before anything runs."""
    with pytest.raises(ProgramError) as refused:
        _compiled(line["e"])
    assert f"program: {refused.value}" == line["error"]


@pytest.mark.parametrize(
    "expression",
    [
        "lists.range(li[0] * 1000000000)",
        "lists.range(2000).distinct()",
        "sets.contains(lists.range(2000), lists.range(2000))",
        "sets.intersects(lists.range(2000), lists.range(2000))",
    ],
)
def test_work_that_would_cost_too_much_is_not_begun(expression: str) -> None:
    """Its cost, counted only after it, would be over the limit of a call anyway."""
    with pytest.raises(CostExceeded, match=r"^operation cancelled: actual cost limit exceeded$"):
        _compiled(expression).evaluate(VALUES)
