"""Two upstream namespaces that meet in one downstream name: the second is refused, and nothing is written (S67)."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fairlead_api import JsonObject
from fairlead_machinery.client import Gvr
from fairlead_syncer import target as targets
from fairlead_syncer.namespaces import Namespaces, NamespaceTaken
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from tests.support.owned import created
from tests.support.rights import granted


class _Cluster:
    """A cluster with room for one namespace; counts writes."""

    def __init__(self) -> None:
        self.held: dict[str, JsonObject] = {}
        self.writes = 0

    async def find(self, gvr: Gvr, name: str, **_: object) -> JsonObject | None:
        return self.held.get(name) if gvr.resource == "namespaces" else None

    async def create(self, gvr: Gvr, body: JsonObject, *, query: JsonObject) -> JsonObject:
        del gvr
        self.writes += 1
        made = created(body, "d1", query["fieldManager"])
        self.held[body["metadata"]["name"]] = made
        return made


class _Nothing:
    """Stands for what is not asked here, or asked in vain."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def test_s67_a_hash_collision_gives_nobody_anothers_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hash so short that all names are one: the first has it, whoever comes second hears so, also later."""
    monkeypatch.setattr(targets, "downstream_namespace", lambda _: "kcp-1")
    targets._namespace.cache_clear()
    cluster = _Cluster()
    state = State(SyncTarget("root", "east", "t1", "host", "443", b"secret"))
    state.put_view(Key("", "namespaces", "team-a", "", "shop"), {"metadata": {"name": "shop", "uid": "u1"}})
    nothing = cast(Any, _Nothing())
    parts = (state, cast(Any, cluster), nothing, nothing, nothing)
    namespaces = Namespaces(*parts, listable=nothing, enqueue=lambda _: None, rights=granted(), enter=lambda _: None)
    assert await namespaces.ensure("team-a", "shop") == "kcp-1"
    again = Namespaces(
        *parts, listable=nothing, enqueue=lambda _: None, rights=granted(), enter=lambda _: None
    )  # after a restart
    for cluster_name, namespace in (("team-b", "shop"), ("team-a", "other")):
        with pytest.raises(NamespaceTaken, match="not of this workspace"):
            await again.ensure(cluster_name, namespace)
    assert cluster.writes == 1
    assert state.homes == {"kcp-1": ("team-a", "shop")}
    targets._namespace.cache_clear()
