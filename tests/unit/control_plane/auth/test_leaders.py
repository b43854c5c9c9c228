"""F32: of several agents for one SyncTarget one is at work, whatever their clocks, pauses and copies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict
from fairlead_control_plane.auth.leaders import LEADER_ANNOTATION, LEASE_S, Claim, Leader, Leaders


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def claim(process: str, instance: str = "", *, restarted: bool = False) -> Claim:
    return Claim(instance or process, process, f"host-{process}", restarted)


def target(leader: Leader | None) -> JsonObject:
    annotations = {} if leader is None else {LEADER_ANNOTATION: leader.text()}
    return {"metadata": {"name": "east", "uid": "u", "annotations": annotations}}


class Plane:
    """The control plane as :class:`AgentDoor` uses it, for one SyncTarget."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.leaders = Leaders(self.clock)
        self.leader: Leader | None = None

    def ask(self, wish: Claim) -> int:
        """Return the epoch that was granted; 0 for none."""
        granted = self.leaders.judge("u", self.leader, wish)
        if granted is None:
            return 0
        self.leader = granted
        self.leaders.renew("u", granted)
        return granted.epoch

    def takes(self, epoch: int | None, *, removes: bool = True) -> bool:
        """Tell whether something of an epoch is taken."""
        try:
            self.leaders.check(target(self.leader), None if epoch is None else str(epoch), removes=removes)
        except Conflict:
            return False
        return True


def test_f32_the_second_waits_until_the_first_was_silent_for_a_lease() -> None:
    """And from then on whatever the first says or asks is refused."""
    plane = Plane()
    assert plane.ask(claim("a")) == 1
    plane.clock.now += LEASE_S - 1
    assert plane.ask(claim("b")) == 0
    assert plane.ask(claim("a")) == 1
    plane.clock.now += LEASE_S - 1
    assert plane.ask(claim("b")) == 0
    plane.clock.now += 1
    assert plane.ask(claim("b")) == 2
    assert (plane.takes(1), plane.takes(2)) == (False, True)
    assert plane.ask(claim("a")) == 0


def test_f32_who_restarts_from_its_directory_need_not_wait() -> None:
    """It holds the directory's lock: who led from there is dead. A copy is another instance and waits."""
    plane = Plane()
    plane.ask(claim("a", "dir"))
    assert plane.ask(claim("copy", "other", restarted=True)) == 0
    assert plane.ask(claim("a2", "dir", restarted=True)) == 2
    assert plane.ask(claim("a", "dir")) == 0


def test_f32_a_released_lease_is_free_at_once_and_a_restarted_server_waits() -> None:
    """Nobody has renewed with a server that has just started; whoever led gets a whole lease to."""
    plane = Plane()
    plane.ask(claim("a"))
    assert plane.leader is not None
    plane.leaders.release("u", plane.leader)
    assert plane.ask(claim("b")) == 2
    plane.leaders = Leaders(plane.clock)
    assert plane.ask(claim("a")) == 0
    assert plane.ask(claim("b")) == 2
    plane.clock.now += LEASE_S
    assert plane.ask(claim("a")) == 3


def test_agents_from_before_there_were_epochs_speak_but_remove_nothing_beside_another() -> None:
    """So an upgrade stops nobody, and an old agent that was forgotten somewhere harms nobody."""
    plane = Plane()
    assert plane.takes(None)
    plane.ask(claim("a"))
    assert plane.takes(None, removes=False)
    assert not plane.takes(None, removes=True)


@pytest.mark.parametrize("epoch", ["", "-1", "x", "9" * 400, "1.0", "0"])
def test_senseless_epochs_are_stale(epoch: str) -> None:
    """Nothing of them is taken, and nothing breaks."""
    plane = Plane()
    plane.ask(claim("a"))
    with pytest.raises(Conflict) as refused:
        plane.leaders.check(target(plane.leader), epoch, removes=False)
    assert refused.value.causes[0].reason == "StaleEpoch"


@pytest.mark.parametrize("body", [{}, {"instance": "i", "process": 1, "host": "h"}, {"instance": "i" * 300}])
def test_senseless_claims_are_refused(body: Any) -> None:
    """Names are text of a bounded length."""
    with pytest.raises(BadRequest):
        Claim.of(body)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from("abc"), st.floats(0, 4)),
        st.tuples(st.just("pass"), st.just(""), st.floats(0, 20)),
        st.tuples(st.just("server restarts"), st.just(""), st.just(0.0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_f32_at_most_one_believes_that_it_may_write(steps: list[tuple[str, str, float]]) -> None:
    """
    An agent writes for a lease counted from before it asked; answers take time. Epochs only grow, and who believes
    that it may write is the one whose epoch is taken.
    """
    plane, until, epochs = Plane(), dict.fromkeys("abc", 0.0), dict.fromkeys("abc", 0)
    last = 0
    for what, who, seconds in steps:
        asked_s = plane.clock.now
        if what == "server restarts":
            plane.leaders = Leaders(plane.clock)
        elif what == "pass":
            plane.clock.now += seconds
        elif granted := plane.ask(claim(who)):
            assert granted >= last
            last = epochs[who] = granted
            until[who] = asked_s + LEASE_S
            plane.clock.now += seconds  # the answer is on its way
        else:
            until[who] = 0.0
        writing = [one for one in "abc" if plane.clock.now < until[one]]
        assert len(writing) <= 1
        assert all(plane.takes(epochs[one]) for one in writing)
