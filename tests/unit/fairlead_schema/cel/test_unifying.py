"""Properties of how types stand for one another; what they decide in expressions is in ``test_checker``."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_schema.cel import types as t
from fairlead_schema.cel.unifying import Bindings, is_exact, most_general, shown

PLAIN = (t.DYN, t.NULL, t.BOOL, t.INT, t.UINT, t.DOUBLE, t.STRING, t.BYTES, t.DURATION, t.TIMESTAMP)
NAMED = (t.Type("kubernetes.Quantity"), t.ObjectType("object.spec"), t.Type("type"))
PARAMETERS = tuple(t.Parameter(name) for name in "ABC")


def grown(below: st.SearchStrategy[t.AnyType]) -> st.SearchStrategy[t.AnyType]:
    one = st.sampled_from((t.list_of, t.optional_of, t.type_of))
    return st.one_of(
        st.builds(lambda make, of: make(of), one, below),
        st.builds(t.map_of, below, below),
        st.builds(lambda of: t.ListType("list", (of,), kind="set"), below),
    )


GROUND = st.recursive(st.sampled_from(PLAIN + NAMED), grown, max_leaves=4)
OPEN = st.recursive(st.sampled_from(PLAIN + NAMED + PARAMETERS), grown, max_leaves=4)


PAIRS = st.tuples(OPEN, OPEN)
Pairs = list[tuple[t.AnyType, t.AnyType]]


def known(bindings: Bindings) -> list[str]:
    return [shown(bindings.resolved(parameter)) for parameter in PARAMETERS]


@settings(max_examples=50, deadline=None)
@given(GROUND)
def test_a_type_stands_for_itself(of: t.AnyType) -> None:
    assert Bindings().assign((of,), (of,))
    assert most_general(of, of) is of


@settings(max_examples=50, deadline=None)
@given(OPEN)
def test_anything_stands_for_a_parameter_and_dyn(of: t.AnyType) -> None:
    assert Bindings().assign((of,), (t.Parameter("X"),))
    assert Bindings().assign((of,), (t.DYN,))


@settings(max_examples=50, deadline=None)
@given(st.lists(PAIRS, max_size=4), st.lists(PAIRS, min_size=1, max_size=3))
def test_what_does_not_fit_binds_nothing(
    before: list[tuple[t.AnyType, t.AnyType]], tried: list[tuple[t.AnyType, t.AnyType]]
) -> None:
    bindings = Bindings()
    for value, to in before:
        bindings.assign((value,), (to,))
    found = known(bindings)
    values, wanted = zip(*tried, strict=True)
    if not bindings.assign(values, wanted):
        assert known(bindings) == found


@settings(max_examples=50, deadline=None)
@given(st.lists(PAIRS, max_size=6), OPEN)
def test_what_is_known_is_known_once_and_ends(pairs: Pairs, of: t.AnyType) -> None:
    """However parameters met types and each other, no type contains itself."""
    bindings = Bindings()
    for value, to in pairs:
        bindings.assign((value,), (to,))
    resolved = bindings.resolved(of)
    assert is_exact(bindings.resolved(resolved), resolved)
    final = bindings.final(of)
    assert bindings.final(final) is final


@settings(max_examples=50, deadline=None)
@given(GROUND)
def test_a_parameter_becomes_what_it_met(of: t.AnyType) -> None:
    bindings = Bindings()
    assert bindings.assign((of,), (t.A,))
    assert bindings.resolved(t.list_of(t.A)) == t.list_of(of)


def test_a_parameter_becomes_the_more_general_of_two() -> None:
    bindings = Bindings()
    assert bindings.assign((t.INT, t.DYN), (t.A, t.A))
    assert bindings.resolved(t.A) is t.DYN
    assert not Bindings().assign((t.INT, t.STRING), (t.A, t.A))


def test_null_stands_for_what_can_be_absent() -> None:
    can = [of for of in PLAIN + NAMED if Bindings().assign((t.NULL,), (of,))]
    assert [shown(of) for of in can] == ["dyn", "null", "duration", "timestamp", "kubernetes.Quantity", "object.spec"]


def test_messages_name_times_as_cel_go_does() -> None:
    assert shown(t.map_of(t.TIMESTAMP, t.optional_of(t.DURATION))) == "map(timestamp, optional_type(duration))"
