"""What users write is looked at in linear time, however it is meant: told by what is done, not by the clock."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_schema import decoding, formats
from fairlead_schema.cel import types as t
from fairlead_schema.cel.conversions import to_double
from fairlead_schema.cel.declarations import Environment
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.program import compile_program
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.values import EvaluationError
from fairlead_schema.fieldset import FieldSet, key_element, order, ordered, value_element
from fairlead_schema.ruled import TakesLong
from fairlead_schema.structural import compile_schema
from fairlead_schema.validation import MOST

SCALARS = st.one_of(st.booleans(), st.integers(-50, 50), st.text('ab/"é', max_size=4))
ELEMENTS = st.one_of(
    st.text("abc.", min_size=1, max_size=4).map("f:{}".format),
    SCALARS.map(value_element),
    st.tuples(st.sampled_from(["name", "port"]), SCALARS).map(lambda pair: key_element(*pair)),
    st.tuples(SCALARS, SCALARS).map(lambda pair: key_element("name", pair[0], "port", pair[1])),
    st.integers(0, 300).map("i:{}".format),
)


@given(st.sets(ELEMENTS, max_size=30), st.sampled_from(["", "f", "k", "v"]))
def test_many_elements_are_sorted_like_few(some: set[str], kind: str) -> None:
    """Whatever they have in common."""
    many = some | {f"f:x{number}" for number in range(120)} if not kind else {one for one in some if one[0] == kind}
    more = {f'k:{{"name":"{number}"}}' for number in range(120)} if kind == "k" else set()
    more |= {f'v:"{number}"' for number in range(120)} if kind == "v" else set()
    elements = many | more
    assert ordered(elements) == sorted(elements, key=order)
    assert list(FieldSet(set(elements)).encode()) == sorted(elements, key=order)


@pytest.mark.parametrize("check", [formats._GO_DURATION, formats._WORD_DURATION])
def test_durations_are_matched_by_an_engine_that_never_goes_back(check: object) -> None:
    """The standard library's would try every way to cut a long run of digits."""
    assert not isinstance(check, re.Pattern)


@pytest.mark.parametrize(
    ("text", "valid"),
    [("1h2m3.5s", True), ("-.5h", True), ("0", True), ("3 days", True), (" 1 wk ", True), ("1", False), ("1x", False)],
)
def test_durations(text: str, *, valid: bool) -> None:
    """Go's and words."""
    check = formats.check_of("duration")
    assert check is not None
    assert check(text) is valid
    assert not check("1" * 2_000_000 + "!")


@pytest.mark.parametrize("count", [10, MOST + 1, 4 * MOST])
def test_problems_of_many_items_are_bounded(count: int) -> None:
    """Each may be as long as the list of values that would be allowed."""
    node = compile_schema(
        {"type": "object", "properties": {"l": {"type": "array", "items": {"type": "string", "enum": ["a"]}}}}
    )
    assert len(node.validate({"l": ["b"] * count})) == min(count, MOST + 1)


def test_rules_that_cost_much_are_not_run_in_one_turn() -> None:
    """Nor are those that have to be compiled first; what they find is the same in the end."""
    rule = {"rule": "self.l.all(x, self.l.exists(y, y == x + 1000))"}
    node = compile_schema(
        {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {"l": {"type": "array", "maxItems": 500, "items": {"type": "integer"}}},
                    "x-kubernetes-validations": [rule],
                }
            },
        }
    )
    small, large = ({"spec": {"l": list(range(1001 - count, 1001))}} for count in (3, 400))
    with pytest.raises(TakesLong):
        node.check_rules(small, None, (), is_brief=True)
    (cause,) = node.check_rules(small, None, ()).causes
    assert list(node.check_rules(small, None, (), is_brief=True).causes) == [cause]
    whole = {"spec": {"l": [*range(400), *range(1000, 1400)]}}
    with pytest.raises(TakesLong):
        node.check_rules(whole, None, (), is_brief=True)
    assert node.check_rules(large, None, ()).causes
    for wordy in ({"t": "x" * 5_000}, {"t": ["x" * 500] * 10}):
        with pytest.raises(TakesLong):
            node.check_rules({**small, **wordy}, None, (), is_brief=True)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("double(s) > 0.0", "1_" * 200_000),
        ("double(s) > 0.0", "9" * 200_000 + "!"),
        ("double(s) > 0.0", "0x" + "f" * 200_000),
        ("duration(s) > duration('1s')", "9" * 200_000),
        ("duration(s) > duration('1s')", "9" * 200_000 + "h"),
        ("isQuantity(s)", "0" * 200_000 + "!"),
    ],
)
def test_texts_that_nearly_are_numbers(expression: str, text: str) -> None:
    """The square of their length, or its cube, would not end here."""
    program = compile_program(expression, Environment({"s": t.STRING}, (STANDARD, *KUBERNETES)))
    with suppress(EvaluationError):
        value, _ = program.evaluate({"s": text})
        assert value is False


@pytest.mark.parametrize(
    ("text", "number"),
    [("1_000.5", 1000.5), ("0x_1p_4", None), ("0x_1p4", 16.0), ("0x1_fp1_0", 31744.0), ("1_e3", None), ("1__0", None)],
)
def test_numbers_with_underscores(text: str, number: float | None) -> None:
    """Between digits, and in hexadecimal numbers also behind the x."""
    if number is None:
        with pytest.raises(EvaluationError):
            to_double(text)
    else:
        assert to_double(text) == number


def test_quantities_of_bodies_are_read_once() -> None:
    """Nearly any object of a built-in kind may have one."""
    assert decoding._quantity("1" * 1_000_000 + "!", "", "")
    assert decoding._quantity("-1.5e+3", "", "") is None
