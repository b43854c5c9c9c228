"""What an agent says of held deletions is checked, shown, and answered with what was approved."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_control_plane.controllers.heartbeats import Heartbeats
from fairlead_control_plane.controllers.synctargets import SyncTargetReports

HELD = {"digest": "abc", "count": 40, "examples": ["configmaps a/b of c"]}
KIND = {"resource": "configmaps", "namespace": "kcp-a", "count": 2}
LEFTOVERS = {
    "count": 3,
    "kinds": [KIND, {"resource": "namespaces", "namespace": "", "count": 1}],
    "examples": ["configmaps kcp-a/x"],
}
NO_LEFTOVERS: JsonObject = {"count": 0, "kinds": [], "examples": []}
NONE_HELD = {"digest": "", "count": 0, "examples": []}


class Room:
    """One SyncTarget and where its heartbeats go."""

    def __init__(self) -> None:
        self.target: JsonObject = {"metadata": {"name": "east", "uid": "t"}, "spec": {}}
        self.writes = 0
        self.now = "1"
        surroundings: Any = SimpleNamespace(modify=self._modify, cluster_of=lambda _: "root")
        resource: Any = None
        beats = Heartbeats(lambda: 0.0)
        self.reports = SyncTargetReports(surroundings, surroundings, resource, beats, lambda *_: None, lambda: self.now)

    async def _modify(self, *arguments: Any, subresource: str) -> JsonObject:
        assert subresource == "status"
        new = arguments[-1]({**self.target})
        if new is not None:
            self.target, self.writes = new, self.writes + 1
        return self.target

    async def beat(self, **body: object) -> JsonObject:
        return await self.reports.heartbeat(self.target, body)

    def condition(self, kind: str = "DeletionsHeld") -> JsonObject:
        return next((one for one in self.target["status"]["conditions"] if one["type"] == kind), {})


@pytest.fixture
def room() -> Room:
    return Room()


async def test_held_deletions_are_shown(room: Room) -> None:
    """As status and condition, with the command that approves; Ready stays what it was."""
    answer = await room.beat(held=HELD)
    assert answer["deletionsHeld"]
    assert answer["intervalSeconds"] == 5
    assert room.target["status"]["heldDeletions"] == HELD
    shown = room.condition()
    assert (shown["status"], shown["severity"], shown["reason"]) == ("True", "Warning", "BurstOfDeletions")
    assert shown["message"].startswith("40 deletions came in a burst and wait for approval, among them configmaps a/b")
    assert shown["message"].endswith("kubectl fairlead cluster approve east --set abc")
    assert room.condition("Ready")["status"] == "True"


async def test_it_is_gone_when_nothing_is_held(room: Room) -> None:
    """Only when the agent says so: one that does not speak of it has just started."""
    await room.beat(held=HELD)
    writes = room.writes
    assert (await room.beat())["deletionsHeld"]
    assert room.writes == writes
    assert room.condition()
    answer = await room.beat(held=NONE_HELD)
    assert (answer["deletionsHeld"], answer["intervalSeconds"]) == (False, 20)
    assert not room.condition()
    assert "heldDeletions" not in room.target["status"]


async def test_approval_is_passed_on_and_judged(room: Room) -> None:
    """The agent hears what was approved; of another set than the one held the condition says so."""
    room.target["spec"]["approvedDeletions"] = "old"
    assert (await room.beat(held=HELD))["approvedDeletions"] == "old"
    assert "set old was approved, which is another" in room.condition()["message"]
    room.target["spec"]["approvedDeletions"] = "abc"
    await room.beat(held=HELD)
    assert "another" not in room.condition()["message"]


async def test_a_message_that_changes_keeps_its_time(room: Room) -> None:
    """The condition is as old as the burst."""
    await room.beat(held=HELD)
    room.now = "2"
    await room.beat(held={**HELD, "digest": "abd", "count": 41})
    assert room.condition()["lastTransitionTime"] == "1"
    assert "41 deletions" in room.condition()["message"]


@pytest.mark.parametrize(
    "held",
    [
        [],
        {},
        {**HELD, "more": 1},
        {**HELD, "digest": 1},
        {**HELD, "digest": ""},
        {**NONE_HELD, "digest": "abc"},
        {**HELD, "count": True},
        {**HELD, "count": -1},
        {**HELD, "examples": "abc"},
        {**HELD, "examples": ["a"] * 6},
        {**HELD, "examples": [1]},
        {**HELD, "examples": ["a" * 1025]},
    ],
)
async def test_nonsense_is_refused(room: Room, held: object) -> None:
    """Fields that are missing, unknown, mistyped or too long."""
    with pytest.raises(BadRequest, match="heartbeat"):
        await room.beat(held=held)


def _inventory(room: Room) -> JsonObject | None:
    found = room.target["status"]["conditions"]
    return next((one for one in found if one["type"] == "InventoryConsistent"), None)


async def test_what_nothing_explains_is_a_condition(room: Room) -> None:
    """With counts, places, examples and the command; it stays until the agent says otherwise."""
    await room.beat()
    assert _inventory(room) is None
    await room.beat(leftovers=NO_LEFTOVERS)
    assert (_inventory(room) or {})["status"] == "True"
    await room.beat(leftovers=LEFTOVERS)
    await room.beat()
    found = _inventory(room) or {}
    assert (found["status"], found["severity"], found["reason"]) == ("False", "Warning", "UnexplainedObjects")
    for part in (
        "3 objects",
        "2 configmaps in kcp-a",
        "1 namespaces;",
        "configmaps kcp-a/x",
        "fairlead leftovers east",
    ):
        assert part in found["message"]
    await room.beat(leftovers=NO_LEFTOVERS)
    assert (_inventory(room) or {})["status"] == "True"


@pytest.mark.parametrize(
    "leftovers",
    [
        3,
        {},
        {**LEFTOVERS, "more": 1},
        {**LEFTOVERS, "count": -1},
        {**LEFTOVERS, "count": True},
        {**LEFTOVERS, "kinds": [KIND] * 21},
        {**LEFTOVERS, "kinds": [{**KIND, "more": 1}]},
        {**LEFTOVERS, "kinds": [{**KIND, "resource": "a" * 321}]},
        {**LEFTOVERS, "kinds": [1]},
        {**LEFTOVERS, "examples": ["a"] * 6},
        {**LEFTOVERS, "examples": ["a" * 321]},
    ],
)
async def test_an_inventory_is_bounded(room: Room, leftovers: object) -> None:
    """An agent cannot fill its SyncTarget with what it says."""
    with pytest.raises(BadRequest):
        await room.beat(leftovers=leftovers)


async def test_what_has_passed_is_kept_for_the_next_life(room: Room) -> None:
    """An agent's own word, which a life that has just begun does not say yet."""
    passed = [{"count": 4, "ageSeconds": 30}]
    assert (await room.beat())["deletionsPassed"] == []
    assert (await room.beat(passed=passed))["deletionsPassed"] == passed
    assert (await room.beat())["deletionsPassed"] == passed
    assert (await room.beat(passed=[]))["deletionsPassed"] == []


@pytest.mark.parametrize(
    "passed", [{}, [1], [{"count": 1}], [{"count": -1, "ageSeconds": 1}], [{"count": 1, "ageSeconds": 1.5}]]
)
async def test_senseless_counts_are_refused(room: Room, passed: object) -> None:
    """What is not a list of counts and ages is none."""
    with pytest.raises(BadRequest):
        await room.beat(passed=passed)
    with pytest.raises(BadRequest):
        await room.beat(passed=[{"count": 1, "ageSeconds": 1}] * 21)
