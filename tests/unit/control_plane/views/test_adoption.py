"""What is handed over is recorded once for a namespace, adds up, and is told by the view of the namespace."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict
from fairlead_control_plane.store.contract import Put
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.views import adoption, build, rows

_BODY: JsonObject = {"cluster": "w", "namespace": "shop", "home": "kcp-x", "uid": "n1", "objects": ["a"]}
_KEY = rows.namespace_row_key("t1", "w", "shop")


async def _store(report: JsonObject | None = None) -> SqliteStore:
    store = await SqliteStore.open(":memory:")
    if report is not None:
        await store.commit([Put(_KEY, rows.View("u1", "v1", "Namespace", rows.REMOVED, report=report).encode())])
    return store


async def test_it_adds_up_and_the_agent_is_told() -> None:
    """The row gets a new revision, and its view says what was given."""
    store = await _store({"downstreamUID": "n1"})
    before = await store.get(_KEY)
    await adoption.record(store, "t1", _BODY)
    await adoption.record(store, "t1", {**_BODY, "objects": ["b", "a"], "restart": True})
    assert await adoption.read(store, "t1", "w", "shop") == adoption.Adoption("kcp-x", "n1", ("a", "b"), restart=True)
    row = await store.get(_KEY)
    assert row is not None
    assert before is not None
    assert row.mod_revision > before.mod_revision
    shown = await build.view_object(store, row, "k")
    assert shown is not None
    assert '"home":"kcp-x"' in shown["metadata"]["annotations"][adoption.ANNOTATION]
    await store.close()


async def test_a_namespace_has_one_home() -> None:
    """Neither the one it runs in nor one that was given before is exchanged."""
    store = await _store({"downstreamUID": "n2"})
    with pytest.raises(Conflict, match="by now"):
        await adoption.record(store, "t1", _BODY)
    await store.close()
    store = await _store()
    await adoption.record(store, "t1", _BODY)
    with pytest.raises(Conflict, match="before"):
        await adoption.record(store, "t1", {**_BODY, "uid": "n3"})
    await adoption.drop(store, "t1")
    assert await adoption.read(store, "t1", "w", "shop") is None
    await store.close()


async def test_what_has_the_name_of_a_lost_namespace_is_handed_over() -> None:
    """The agent says that what it made, or was given, is no more; by that word alone, and under that name alone."""
    lost = {"downstreamUID": "n2", "synced": False, "reason": "NamespaceTaken"}
    store = await _store(lost)
    await adoption.record(store, "t1", {**_BODY, "objects": ["a"]})
    row = await store.get(_KEY)
    assert row is not None
    shown = await build.view_object(store, row, "k")
    assert shown is not None
    assert shown["metadata"]["annotations"][build.REASON] == "NamespaceTaken"
    with pytest.raises(Conflict, match="before"):
        await adoption.record(store, "t1", {**_BODY, "home": "kcp-other", "uid": "n3"})
    await adoption.record(store, "t1", {**_BODY, "uid": "n3", "objects": ["b"]})
    assert await adoption.read(store, "t1", "w", "shop") == adoption.Adoption("kcp-x", "n3", ("b",))
    await store.close()


@pytest.mark.parametrize(
    "change", [{"home": ""}, {"uid": None}, {"objects": "a"}, {"objects": [1]}, {"restart": "yes"}, {"cluster": "a/b"}]
)
async def test_what_cannot_be_recorded(change: JsonObject) -> None:
    """Every field is looked at; a name can lead nowhere else."""
    store = await _store()
    with pytest.raises(BadRequest):
        await adoption.record(store, "t1", {**_BODY, **change})
    await store.close()
