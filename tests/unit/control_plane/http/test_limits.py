"""Who has to go when there are too many strangers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_control_plane.http.limits import Limits, Strangers

LIMITS = Limits(strangers=6, strangers_each=2, strangers_local=4)
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "127.0.0.1", "2001:db8::1", "2001:db8::2", "::1", ""]


def test_the_oldest_of_a_remote_goes_for_its_next() -> None:
    """Others' connections are let be while there is room for all together."""
    strangers = Strangers(LIMITS)
    assert strangers.enter("other", "10.0.0.2") is None
    assert [strangers.enter(name, "10.0.0.1") for name in "abcd"] == [None, None, "a", "b"]


def test_the_oldest_of_all_goes_when_all_are_too_many() -> None:
    """However few it has itself: it has had the longest time to say who it is."""
    strangers = Strangers(LIMITS)
    gone = [strangers.enter(number, f"10.0.0.{number}") for number in range(9)]
    assert gone == [None] * 6 + [0, 1, 2]
    assert len(strangers) == 6


def test_who_is_known_takes_no_room() -> None:
    """Neither its remote's nor all strangers'; and is not put out later."""
    strangers = Strangers(LIMITS)
    for number in range(20):
        assert strangers.enter(number, "10.0.0.1") is None
        strangers.leave(number)
    assert (len(strangers), strangers.oldest()) == (0, None)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8::1", "2001:db8::ffff:0:0:2"), ("::ffff:10.0.0.1", "10.0.0.1"), ("127.0.0.1", "::1")],
)
def test_addresses_of_one_site_count_together(one: str, other: str) -> None:
    """An IPv6 network of /64 is one; so are the two ways to write one IPv4 address."""
    strangers = Strangers(Limits(strangers_each=1, strangers_local=1))
    assert strangers.enter("a", one) is None
    assert strangers.enter("b", other) == "a"


def test_shares_of_what_is_set() -> None:
    """The default is what the settings' default makes; nobody is left without a place."""
    assert Limits.for_strangers(1024) == Limits()
    assert Limits.for_strangers(4).strangers_each == 1


def test_this_machine_may_have_more() -> None:
    """Proxies and probes run beside the server."""
    strangers = Strangers(LIMITS)
    assert [strangers.enter(number, "127.0.0.1") for number in range(5)] == [None] * 4 + [0]


@given(st.lists(st.tuples(st.sampled_from(ADDRESSES), st.booleans()), max_size=60))
def test_never_more_than_allowed_and_nobody_is_lost(steps: list[tuple[str, bool]]) -> None:
    """Whatever comes and goes: who is inside is exactly who entered, was not put out and has not left."""
    strangers = Strangers(LIMITS)
    inside: list[int] = []
    for number, (address, leaves) in enumerate(steps):
        gone = strangers.enter(number, address)
        inside = [each for each in inside if each != gone] + [number]
        if leaves:
            strangers.leave(inside.pop(0))
        assert len(strangers) == len(inside) <= LIMITS.strangers
        assert strangers.oldest() == (inside[0] if inside else None)
