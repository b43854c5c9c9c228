"""Joined items belong to the very rows they were made of, and are bounded."""

from __future__ import annotations

from fairlead_control_plane.registry.joined import JoinedItems
from fairlead_control_plane.store.contract import Row

ROWS = [Row("/a/1", b"v", 1, 1)]


def test_items_are_those_of_the_same_sequence_only() -> None:
    joined = JoinedItems()
    joined.keep("key", ROWS, b"items")
    assert joined.get("key", ROWS) == b"items"
    assert joined.get("key", list(ROWS)) is None
    assert joined.get("other", ROWS) is None


def test_what_was_not_asked_for_longest_goes_first() -> None:
    joined = JoinedItems(4_000)
    for name in ("one", "two", "three", "four"):
        joined.keep(name, ROWS, b"v" * 500)
    joined.get("one", ROWS)
    joined.keep("five", ROWS, b"v" * 500)
    joined.keep("large", ROWS, b"v" * 1_001)
    assert joined.size == 4_000
    assert [name for name in ("one", "two", "three", "four", "five", "large") if joined.get(name, ROWS)] == [
        "one",
        "three",
        "four",
        "five",
    ]


def test_keeping_again_replaces() -> None:
    joined = JoinedItems()
    joined.keep("key", ROWS, b"items")
    newer = list(ROWS)
    joined.keep("key", newer, b"others")
    assert joined.get("key", ROWS) is None
    assert joined.get("key", newer) == b"others"
    assert joined.size == 506
