"""What an agent deleted of late is not forgotten with it: told, or only asked about before it was killed."""

from __future__ import annotations

import pytest

from fairlead_control_plane.controllers.allowances import Allowances
from fairlead_control_plane.views import rows


def tombstone(cause: str) -> rows.View:
    return rows.View("u", "v1", "ConfigMap", state=rows.REMOVED, cause=cause)


class Room:
    """Allowances of one target, in time that is set."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.allowances = Allowances(lambda: self.now_s)

    def ask(self, count: int = 1, cause: str = "Unassigned") -> None:
        for _ in range(count):
            self.allowances.asked("t", tombstone(cause))

    def count(self) -> int:
        return sum(int(one["count"]) for one in self.allowances.of("t"))


@pytest.fixture
def room() -> Room:
    return Room()


def test_what_was_asked_counts_though_it_was_never_told(room: Room) -> None:
    """An agent that is killed in a burst leaves all of it behind, as old as it is."""
    room.ask(30)
    assert room.allowances.of("t") == [{"count": 30, "ageSeconds": 0}]
    room.now_s += 70
    room.ask(2)
    assert room.allowances.of("t") == [{"count": 30, "ageSeconds": 70}, {"count": 2, "ageSeconds": 0}]


def test_what_is_told_takes_the_place_of_what_was_asked(room: Room) -> None:
    """But for what was asked just now, which may not be in it."""
    room.ask(3)
    room.now_s += 60
    room.ask(2)
    room.allowances.told("t", [{"count": 3, "ageSeconds": 60}])
    assert room.count() == 5
    room.now_s += 6
    room.allowances.told("t", [{"count": 5, "ageSeconds": 6}])
    assert room.allowances.of("t") == [{"count": 5, "ageSeconds": 6}]


def test_what_agents_do_not_count_is_not_counted(room: Room) -> None:
    """Single words, moves, and what is only replaced: its row says that it must run."""
    room.ask(cause="Deleted")
    room.ask(cause="Moved")
    room.allowances.asked("t", rows.View("u", "v1", "ConfigMap"))
    assert room.count() == 0


def test_it_is_forgotten(room: Room) -> None:
    """After a day, and with the SyncTarget."""
    room.ask()
    room.now_s += 86401
    assert room.count() == 0
    room.ask()
    room.allowances.told("t", [{"count": 1, "ageSeconds": 1}])
    room.allowances.keep(set())
    assert room.count() == 0
