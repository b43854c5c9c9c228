"""Which token Secrets are ours: by the proof that only our key makes, or by the uid that was recorded upstream."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_syncer.tokens import TOKENS, CannotMint, Tokens
from tests.support.owned import created

HOME = Key("", "namespaces", "team", "", "default")
PLACE = ("team", "default", "builder")


class Both:
    """The control plane, which keeps what is recorded in the namespace's view, and a cluster with one Secret."""

    def __init__(self) -> None:
        self.found: JsonObject | None = None
        self.recorded: JsonObject = {}
        self.writes = 0

    async def mint(self, *_: object) -> JsonObject:
        return {"token": "t"}

    async def report(self, gvr: object, key: Key, uid: str, status: object, report: JsonObject) -> str:
        assert (key, uid, status) == (HOME, "u1", None), gvr
        self.recorded = report["tokens"]
        return "2"

    async def find(self, *_: object, **__: object) -> JsonObject | None:
        return self.found

    async def create(self, gvr: object, body: JsonObject, *, query: Any, **_: object) -> JsonObject:
        del gvr
        self.writes += 1
        self.found = created(body, "s1", query["fieldManager"])
        return self.found

    async def patch(self, gvr: object, name: str, body: JsonObject, **_: object) -> JsonObject:
        del gvr, name
        self.writes += 1
        assert self.found is not None
        self.found = {**self.found, "metadata": {**self.found["metadata"], **body["metadata"]}}
        return self.found


def agent(both: Any, key: bytes) -> Tokens:
    """Start an agent with a key."""
    state = State(SyncTarget("root", "east", "t1", "host", "443", key))
    state.homes[state.target.namespace("team", "default")] = ("team", "default")
    marks = {TOKENS: orjson.dumps(both.recorded).decode()}
    state.put_view(HOME, {"metadata": {"name": "default", "uid": "u1", "annotations": marks}})
    return Tokens(state, both, both, lambda: 1000.0)


async def test_an_agent_that_lost_its_key_knows_its_secrets_again() -> None:
    """By what was recorded."""
    both = Both()
    await agent(both, b"first").ensure(*PLACE)
    assert both.recorded == {"kcp-token-builder": "s1"}
    await agent(both, b"second").ensure(*PLACE)
    assert both.writes == 1


async def test_what_a_crash_kept_from_being_recorded_is_recorded() -> None:
    """Until then the proof tells."""
    both = Both()
    await agent(both, b"first").ensure(*PLACE)
    both.recorded = {}
    await agent(both, b"first").ensure(*PLACE)
    assert both.writes == 1
    assert both.recorded == {"kcp-token-builder": "s1"}


async def test_a_copy_of_a_secret_that_was_never_recorded_stays_as_it_is() -> None:
    """It bears the proof that is good until then, but it was another who wrote it."""
    both = Both()
    await agent(both, b"first").ensure(*PLACE)
    assert both.found is not None
    both.recorded, both.found = {}, created(both.found, "theirs", "kubectl-create")
    with pytest.raises(CannotMint):
        await agent(both, b"first").ensure(*PLACE)
    assert (both.writes, both.recorded) == (1, {})


async def test_no_secret_is_made_before_it_is_known_what_was_recorded() -> None:
    """Its proof is of that: with another one it would count as somebody's as soon as the view is here."""
    both = Both()
    tokens = agent(both, b"first")
    tokens._state.drop_view(HOME)
    with pytest.raises(Conflict):
        await tokens.ensure(*PLACE)
    assert both.writes == 0


@pytest.mark.parametrize("key", [b"first", b"second"])
async def test_a_secret_of_somebody_stays_as_it_is(key: bytes) -> None:
    """Neither a recorded name nor marks copied from another make it ours."""
    both = Both()
    await agent(both, b"first").ensure(*PLACE)
    assert both.found is not None
    both.found = {**both.found, "metadata": {**both.found["metadata"], "uid": "theirs"}}
    with pytest.raises(CannotMint):
        await agent(both, key).ensure(*PLACE)
    assert both.writes == 1


async def test_no_secret_goes_into_a_namespace_that_is_not_ours_any_more() -> None:
    """It is gone, and somebody may have made another with its name: a renewal that finds no Secret writes none."""
    both = Both()
    tokens = agent(both, b"first")
    tokens._state.homes.clear()
    with pytest.raises(Conflict):
        await tokens.ensure(*PLACE)
    assert both.writes == 0
