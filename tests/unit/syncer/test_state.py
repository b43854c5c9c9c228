"""What an agent remembers: of two answers about one object the later state counts, however late it came."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget

KEY = Key("", "configmaps", "team", "default", "settings")


def _of(uid: str, version: str) -> JsonObject:
    return {"metadata": {"uid": uid, "resourceVersion": version}}


@pytest.mark.parametrize(
    ("known", "answer", "is_taken"),
    [
        (None, _of("a", "5"), True),
        (_of("a", "4"), _of("a", "5"), True),
        (_of("a", "10"), _of("a", "9"), False),  # as numbers
        (_of("a", "10"), _of("b", "9"), True),  # another object: the first is gone
        (_of("a", "?"), _of("a", "9"), True),
    ],
)
def test_a_late_answer_hides_no_newer_event(known: JsonObject | None, answer: JsonObject, is_taken: bool) -> None:
    """The answer to a write may arrive after the event of somebody's later edit."""
    state = State(SyncTarget("root", "east", "uid", "host", "443", b"secret"))
    if known is not None:
        state.actual[KEY] = known
    state.learn(KEY, answer)
    assert (state.actual[KEY] is answer) == is_taken
