"""What is remembered of a cluster ends with what a complete list of it shows."""

from __future__ import annotations

from typing import Any, cast

from fairlead_machinery.client import Gvr
from fairlead_machinery.reflector import Delta
from fairlead_syncer.feeds import Feeds
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget

MAPS, SECRETS = Gvr("", "v1", "configmaps"), Gvr("", "v1", "secrets")
KEY, OTHER = (Key("", plural, "team", "default", "settings") for plural in ("configmaps", "secrets"))


async def test_what_no_watch_ever_showed_is_forgotten_and_looked_at() -> None:
    """We made it, and it went, between two looks of the watch: no event of its end will ever come."""
    state = State(SyncTarget("root", "east", "t1", "host", "443", b"secret"))
    looked: list[Key] = []
    nothing = cast(Any, None)
    feeds = Feeds(state, nothing, nothing, nothing, looked.append)
    state.actual = {KEY: {"metadata": {"name": "settings"}}, OTHER: {"metadata": {"name": "settings"}}}
    feeds._below(MAPS)(Delta("complete"))
    assert list(state.actual) == [OTHER], "of another resource this list says nothing"
    assert looked == [KEY]
