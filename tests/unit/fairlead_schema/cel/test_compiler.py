"""Compiled code and the interpreter agree, whatever the expression."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import CompileError
from fairlead_schema.cel.declarations import Environment
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.program import Program, compile_program
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.types import Field, ListType, ObjectType
from fairlead_schema.cel.values import CostExceeded, EvaluationError, Value

_ITEM = ObjectType("self.items.@idx", fields={"name": Field("name", t.STRING), "n": Field("n", t.INT)})
_SELF = ObjectType(
    "self",
    fields={
        "n": Field("n", t.INT),
        "name": Field("name", t.STRING),
        "items": Field("items", ListType("list", (_ITEM,))),
        "labels": Field("labels", t.map_of(t.STRING, t.STRING)),
    },
)
_ENVIRONMENT = Environment({"self": _SELF, "x": t.DYN}, (STANDARD, *KUBERNETES))
_WORDS = st.sampled_from(("", "a", "b", "aaaaaaaaaaaaaaaaa"))
_OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-3, 3),
        "name": _WORDS,
        "items": st.lists(st.fixed_dictionaries({}, optional={"n": st.integers(-2, 2), "name": _WORDS}), max_size=4),
        "labels": st.dictionaries(_WORDS, _WORDS, max_size=3),
    },
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)

_NUMBERS = st.sampled_from(("0", "1", "-2", "self.n", "self.items[0].n", "self.items.size()", "x", "x.n", "size(x)"))
_TEXTS = st.sampled_from(("''", "'a'", "self.name", "self.labels.a", "self.labels['b']", "x", "x.name", "x[0]"))


def _both(operator: str, left: str, right: str) -> str:
    return f"({left} {operator} {right})"


def _truths(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    quantifier = st.sampled_from(("all", "exists", "exists_one"))
    return st.one_of(
        st.builds(_both, st.sampled_from(("&&", "||")), inner, inner),
        st.builds("!{}".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("self.items.{}(i, i.n > 0 || {})".format, quantifier, inner),
        st.builds("self.items.{}(i, i.name != self.name && {})".format, quantifier, inner),
        st.builds("x.{}(i, i == {})".format, quantifier, _NUMBERS),
        st.builds("self.labels.{}(k, self.labels[k] == {})".format, quantifier, _TEXTS),
    )


_SIMPLE = st.one_of(
    st.sampled_from(("has(self.name)", "has(x.a)", "'a' in self.labels", "x == self.items", "self.?name.hasValue()")),
    st.builds(_both, st.sampled_from(("<", "<=", "==", "!=")), _NUMBERS, _NUMBERS),
    st.builds(_both, st.sampled_from(("<", ">=", "==", "!=")), _TEXTS, _TEXTS),
    st.builds("{}.startsWith({})".format, _TEXTS, _TEXTS),
    st.builds("({} + {}).size() > {}".format, _TEXTS, _TEXTS, _NUMBERS),
    st.builds("{} / {} * 2 - {} == 1".format, _NUMBERS, _NUMBERS, _NUMBERS),
    st.builds("{} in self.items.map(i, i.n)".format, _NUMBERS),
    st.builds("self.items.filter(i, i.n >= {}).size() > 1".format, _NUMBERS),
    st.builds("self.?n.orValue({}) > self.?items[?0].n.orValue(1)".format, _NUMBERS),
    st.builds("self.?name.optMap(n, n + n).orValue('') == {}".format, _TEXTS),
)
_EXPRESSIONS = st.recursive(_SIMPLE, _truths, max_leaves=6)


def _outcome(program: Program, values: dict[str, Value], limit: int, *, interpreted: bool) -> tuple[str, Value, int]:
    run = program.interpret if interpreted else program.evaluate
    try:
        value, cost = run(values, limit)
    except CostExceeded:
        return "exceeded", None, limit
    except EvaluationError as error:
        return "error", str(error), error.cost
    return "value", value, cost


@given(_EXPRESSIONS, _OBJECTS, _ANYTHING, st.integers(0, 30))
def test_compiled_code_does_what_the_interpreter_does(text: str, of_schema: Value, anything: Value, limit: int) -> None:
    """Values, errors and costs are the same; both stop if and only if the cost is above the limit."""
    try:
        program = compile_program(text, _ENVIRONMENT)
    except CompileError:
        return
    values = {"self": of_schema, "x": anything}
    plenty = _outcome(program, values, 10**6, interpreted=True)
    assert plenty == _outcome(program, values, 10**6, interpreted=False)
    assert plenty[0] == "error" or type(plenty[1]) is bool
    for interpreted in (True, False):
        wanted = ("exceeded", None, limit) if plenty[2] > limit else plenty
        assert _outcome(program, values, limit, interpreted=interpreted) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "self.n <= 3 && self.n >= 0",
        "self.items.all(i, i.name.startsWith('a'))",
        "has(self.name) ? self.name == 'a' : true",
        "self.items.map(i, i.name).exists(n, n == 'a')",
        "x.n <= 3 && has(x.name)",
        "self.labels.all(k, self.labels[k].size() < 63)",
    ],
)
def test_common_rules_are_compiled(text: str) -> None:
    """What rules do as a rule does not need the interpreter."""
    program = compile_program(text, _ENVIRONMENT)
    of_schema = {"n": 2, "name": "a", "items": [{"name": "a", "n": 1}], "labels": {"a": "b"}}
    assert program.compiled is not None
    assert program.compiled({"self": of_schema, "x": of_schema}, 1000)[0] is True
