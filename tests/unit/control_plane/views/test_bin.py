"""
What is deleted is kept, and what is created from it again is what was deleted.

Aspects: delete and restore over any labels, annotations and data; what a namespace takes with it and who asked for
that; what is never kept; what a cluster had.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.request import User
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.store.contract import CompareFailed, Put, Row, Store, prefix_end
from fairlead_control_plane.views import bin as bins
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.bin import Bin
from tests.unit.control_plane.in_process import MAPS, Api, config_map, in_process
from tests.unit.control_plane.in_process import known as builtin

ANN = User("ann")
_names = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
_label = st.from_regex(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9])?)?", fullmatch=True)
_text = st.text(max_size=40)
_JOB: JsonObject = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "once"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}},
}


@asynccontextmanager
async def _api() -> AsyncIterator[Api]:
    """Run an API that keeps what goes."""
    effects: list[Bin] = []

    async def keep(change: Change) -> Effect:
        return await effects[0](change) if effects else Effect()

    async with in_process(effects=[keep]) as api:
        effects.append(Bin(api.store, lambda: "2026-01-01T00:00:00Z"))
        yield api


async def _kept(store: Store) -> dict[str, Row]:
    """Return all rows by resource, name and part."""
    found = await store.range(bins.PREFIX, prefix_end(bins.PREFIX))
    places = [(bins.place_of(row.key), row) for row in found.rows]
    return {f"{place.resource}/{place.name}/{place.part}": row for place, row in places}


def _manifest(row: Row, group: str = "", resource: str = "configmaps") -> JsonObject:
    obj = bins.object_of(row)
    assert obj is not None
    return bins.restorable(group, resource, obj)


def _user_part(obj: JsonObject) -> JsonObject:
    metadata = obj["metadata"]
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != "kcp.io/cluster"}
    rest = {key: value for key, value in obj.items() if key not in {"metadata", "status"}}
    return {**rest, "labels": metadata.get("labels") or {}, "annotations": annotations, "name": metadata["name"]}


@given(
    name=_names,
    labels=st.dictionaries(_names, _label, max_size=3),
    annotations=st.dictionaries(_names, _text, max_size=3),
    data=st.dictionaries(_names, _text, max_size=3),
)
@settings(max_examples=20, deadline=None)
def test_restored_is_what_was_deleted(
    name: str, labels: Mapping[str, str], annotations: Mapping[str, str], data: Mapping[str, str]
) -> None:
    """The same data, labels and annotations, in an object of another uid."""

    async def run() -> None:
        async with _api() as api:
            body = {**config_map(name, labels=labels, annotations=annotations), "data": data}
            before = await api.ask("POST", MAPS, body, user=ANN)
            await api.ask("DELETE", f"{MAPS}/{name}", user=ANN)
            row = (await _kept(api.store))[f"configmaps/{name}/object"]
            after = await api.ask("POST", MAPS, _manifest(row), user=ANN)
            assert _user_part(after) == _user_part(before)
            assert after["metadata"]["uid"] != before["metadata"]["uid"]

    asyncio.run(run())


def test_what_the_system_wrote_is_not_restored() -> None:
    """Users may not write it, and it says where something ran: the scheduler writes it anew."""
    metadata = {
        "name": "shop",
        "labels": {"state.workload.kcp.io/41RM": "Sync", "team": "a"},
        "annotations": {"internal.workload.kcp.io/x": "y", "kcp.io/cluster": "c", "scheduling.kcp.io/placement": ""},
        "finalizers": ["workload.kcp.io/syncer-41RM", "example.com/mine"],
    }
    restored = bins.restorable("", "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert restored["metadata"] == {"name": "shop", "labels": {"team": "a"}, "finalizers": ["example.com/mine"]}


async def test_who_and_when() -> None:
    """The one who asked is told, also when a finalizer held the object and another let it go."""
    async with _api() as api:
        await api.ask("POST", MAPS, config_map("held", finalizers=["a.b/c"]), user=ANN)
        await api.ask("DELETE", f"{MAPS}/held", user=ANN)
        assert set(await _kept(api.store)) == {"configmaps/held/asked"}
        merge = {"kind": "application/merge-patch+json"}
        await api.ask("PATCH", f"{MAPS}/held", {"metadata": {"finalizers": None}}, user=User("bob"), **merge)
        kept = await _kept(api.store)
        asked, gone = bins.note_of(kept["configmaps/held/asked"]), bins.note_of(kept["configmaps/held/object"])
        assert (asked.by, gone.by, gone.cause) == ("ann", "bob", "Deleted")


async def test_a_namespace_takes_its_content_along() -> None:
    """What goes with it names it; what was deleted before does not."""
    async with _api() as api:
        await api.add_namespace("shop")
        maps = "/api/v1/namespaces/shop/configmaps"
        for name in ("before", "with"):
            await api.ask("POST", maps, config_map(name), user=ANN)
        await api.ask("DELETE", f"{maps}/before", user=ANN)
        namespace = await api.ask("DELETE", "/api/v1/namespaces/shop", user=ANN)
        await api.ask("DELETE", f"{maps}/with")
        kept = await _kept(api.store)
        assert bins.note_of(kept["namespaces/shop/asked"]).by == "ann"
        taken, before = bins.note_of(kept["configmaps/with/object"]), bins.note_of(kept["configmaps/before/object"])
        assert (taken.cause, taken.namespace_uid) == ("NamespaceDeleted", namespace["metadata"]["uid"])
        assert (before.cause, before.namespace_uid) == ("Deleted", "")


async def test_a_job_can_be_made_again() -> None:
    """What the server filled in is left out, else it would refuse it."""
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    async with _api() as api:
        await api.ask("POST", jobs, _JOB, user=ANN)
        await api.ask("DELETE", f"{jobs}/once", user=ANN, propagationPolicy="Background")
        row = (await _kept(api.store))["jobs/once/object"]
        answer = await api.send("POST", jobs, _manifest(row, "batch", "jobs"), user=ANN)
        assert answer.code == 201, answer.body


@pytest.mark.parametrize(
    ("group", "resource", "obj"),
    [
        ("", "events", {}),
        ("coordination.k8s.io", "leases", {}),
        ("", "configmaps", {"metadata": {"name": "kube-root-ca.crt"}}),
        ("", "secrets", {"type": "kubernetes.io/service-account-token"}),
        ("apps", "replicasets", {"metadata": {"name": "a", "ownerReferences": [{"controller": True}]}}),
        ("", "configmaps", {"metadata": {"name": "a", "annotations": {"bin.fairlead.io/keep": "false"}}}),
        ("", "pods", {"metadata": {"name": "a", "labels": {"internal.workload.kcp.io/origin": "u"}}}),
        ("", "nodes", {}),
    ],
)
def test_what_is_not_kept(group: str, resource: str, obj: JsonObject) -> None:
    """What others make again, what is of the moment, and what its owner does not want kept."""
    assert not bins.keeps(builtin(group, resource), {"metadata": {"name": "a"}, **obj})


def test_what_is_kept() -> None:
    """What a user wrote."""
    assert bins.keeps(builtin("", "secrets"), {"metadata": {"name": "a"}, "type": "helm.sh/release.v1"})
    assert bins.keeps(builtin("", "namespaces"), {"metadata": {"name": "a"}})


async def test_a_workspace_that_goes_leaves_no_bin() -> None:
    """Nobody could restore to it."""
    async with _api() as api:
        await api.ask("POST", MAPS, config_map("a"))
        value = encoding.encode(
            {
                "apiVersion": "core.kcp.io/v1alpha1",
                "kind": "LogicalCluster",
                "metadata": {"uid": "w", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            }
        )
        await api.store.commit([Put("/core.kcp.io/logicalclusters/-/root/-/cluster", value)])
        await api.ask("DELETE", f"{MAPS}/a")
        assert await _kept(api.store) == {}


async def test_what_a_cluster_had() -> None:
    """Kept beside the object, and only while the view is the one by which it is deleted."""
    async with _api() as api:
        key = rows.view_key("t1", "/core/configmaps/-/root/default/a")
        view = rows.View("u1", "v1", "ConfigMap", rows.REMOVED, "Unassigned")
        await api.store.commit([Put(key, view.encode())])
        row = await api.store.get(key)
        assert row is not None
        keeper = Bin(api.store, lambda: "2026-01-01T00:00:00Z")
        await keeper.keep_last_seen(row, "east", config_map("a"))
        kept = (await _kept(api.store))["configmaps/a/t1"]
        assert bins.object_of(kept) == config_map("a")
        assert (bins.note_of(kept).by, bins.note_of(kept).cause) == ("east", "Unassigned")
        await api.store.commit([Put(key, rows.View("u1", "v1", "ConfigMap").encode())])
        with pytest.raises(CompareFailed):
            await keeper.keep_last_seen(row, "east", config_map("a"))


async def test_too_large_to_keep() -> None:
    """The deletion is known all the same."""
    note = bins.Note("2026-01-01T00:00:00Z", "ann", "Deleted")
    value = await bins.encode(note, {"data": "".join(map(chr, range(0x4E00, 0x9FA5))) * 40 + "x"})
    small = Row("k", value, 1, 1)
    assert bins.note_of(small) == note
    import random  # noqa: PLC0415 - incompressible text for this test alone

    noise = random.Random(1).randbytes(2 * bins.MAX_BYTES).hex()
    assert bins.object_of(Row("k", await bins.encode(note, {"data": noise}), 1, 1)) is None
