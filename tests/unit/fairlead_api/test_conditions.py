"""Conditions."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api import conditions as c

CONDITIONS = st.lists(
    st.builds(
        lambda name, make: make(name),
        st.sampled_from(["A", "B", "Ready"]),
        st.sampled_from(
            [
                c.true,
                lambda name: c.false(name, "Broken", c.ERROR, "is broken"),
                lambda name: c.unknown(name, "Lost", "nobody knows"),
            ]
        ),
    ),
    max_size=6,
)


@given(CONDITIONS)
def test_setting_twice_changes_nothing(new: list[JsonObject]) -> None:
    once: list[JsonObject] = []
    for condition in new:
        once = c.set_condition(once, condition, "2026-01-01T00:00:00Z")
        assert c.set_condition(once, condition, "2027-01-01T00:00:00Z") == once
    assert len({condition["type"] for condition in once}) == len(once)


def test_the_time_moves_only_with_the_status() -> None:
    first = c.set_condition(None, c.false("A", "One", c.ERROR, "x"), "t1")
    second = c.set_condition(first, c.false("A", "Two", c.ERROR, "y"), "t2")
    assert second[0]["lastTransitionTime"] == "t1"
    assert second[0]["reason"] == "Two"
    assert c.set_condition(second, c.true("A"), "t3")[0]["lastTransitionTime"] == "t3"
    assert c.set_meta_condition(first, {"type": "A", "status": "False"}, "t2")[0]["lastTransitionTime"] == "t1"


def test_ready_comes_first() -> None:
    conditions = c.set_condition([c.true("A")], c.true("Ready"), "t")
    assert [condition["type"] for condition in conditions] == ["Ready", "A"]


def test_the_summary_takes_false_over_true_over_unknown_and_errors_first() -> None:
    warning, error = c.false("A", "W", c.WARNING, "w"), c.false("B", "E", c.ERROR, "e")
    assert c.summary([warning, error, c.true("C")]) == {**error, "type": "Ready"}
    assert c.summary([c.unknown("A", "U", "u"), c.true("B")]) == c.true("Ready")
    assert c.summary([c.unknown("A", "U", "u")], ["A"]) == c.unknown("Ready", "U", "u")
    assert c.summary([error], ["A"]) is None
    assert c.is_true([c.true("A")], "A")
    assert c.is_false([error], "B")
    assert c.remove([error], "B") == []
