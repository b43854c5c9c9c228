"""
Removals before the brake: what is held stays, is said once for each set, and goes when exactly that set is approved.

Aspects: objects; namespaces; what the heartbeat says and hears; what is assigned again; a restart.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_machinery.client import Gvr
from fairlead_syncer.brake import Brake
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.down import Down
from fairlead_syncer.heartbeat import Heartbeat
from fairlead_syncer.namespaces import Namespaces
from fairlead_syncer.plan import SEAL
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.downstream import LOCATOR
from tests.support.rights import granted

MAPS = Gvr("", "v1", "configmaps")
HOME = Key("", "namespaces", "c", "", "default")


def key(number: int) -> Key:
    return Key("", "configmaps", "c", "default", f"m{number}")


class Above:
    """Remembers what is reported; answers heartbeats."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, JsonObject]] = []
        self.confirmed: list[str] = []
        self.beats: list[JsonObject] = []
        self.answer: JsonObject = {"intervalSeconds": 20}

    async def check(self, gvr: Gvr, key: Key, view: JsonObject, actual: JsonObject) -> None:
        """Agree: a view is what upstream says."""

    async def report(self, gvr: Gvr, key: Key, uid: str, status: Any, report: JsonObject) -> None:
        self.reports.append((key.name, report))

    async def confirm(self, gvr: Gvr, key: Key, uid: str) -> None:
        self.confirmed.append(key.name)

    async def resources(self) -> list[JsonObject]:
        return []

    async def heartbeat(self, body: JsonObject) -> JsonObject:
        self.beats.append(body)
        return self.answer


class Cluster:
    """Has objects by name until they are deleted."""

    def __init__(self) -> None:
        self.objects: dict[str, JsonObject] = {}
        self.deleted: list[str] = []

    async def find(self, gvr: Gvr, name: str, namespace: str = "") -> JsonObject | None:
        del gvr, namespace
        return self.objects.get(name)

    async def delete(self, gvr: Gvr, name: str, **_: object) -> None:
        del self.objects[name]
        self.deleted.append(name)

    async def request(self, method: str, path: str, headers: Any = None) -> Any:
        return SimpleNamespace(json=dict)


class Room:
    """One agent's parts around one brake."""

    def __init__(self, **brake: Any) -> None:
        self.above, self.cluster = Above(), Cluster()
        self.state = State(SyncTarget("root", "east", "t1", "host", "443", b"secret"))
        self.state.gvrs["", "configmaps"] = MAPS
        self.queue: list[Key] = []
        self.now_s = 0.0
        self.deletions = Deletions(self.state, Brake(**brake), lambda: self.now_s, self.queue.append)
        ignored: Any = SimpleNamespace(
            look_again=lambda *_: None, forget=lambda *_: None, mend=lambda *_: asyncio.sleep(0)
        )
        above: Any = self.above
        cluster: Any = self.cluster
        rights = granted()
        self.namespaces = Namespaces(
            self.state,
            cluster,
            above,
            ignored,
            self.deletions,
            listable=self._nothing,
            enqueue=self.queue.append,
            rights=rights,
            enter=lambda _: None,
        )
        self.down = Down(self.state, above, cluster, ignored, ignored, self.deletions)
        feeds: Any = SimpleNamespace(follow=lambda _: asyncio.sleep(0), leftovers=lambda: None)
        self.heartbeat = Heartbeat(
            above, cluster, feeds, self.deletions, refused=lambda: None, enforce=lambda _: None, rights=rights
        )

    async def _nothing(self) -> list[Gvr]:
        return []

    def tombstone(self, number: int, cause: str = "Unassigned", row: str = "1") -> Key:
        """Have an object in the cluster whose view says that it must go."""
        name = key(number).name
        marks = {"kcp.io/cluster": "c", "internal.workload.kcp.io/cause": cause, "internal.workload.kcp.io/row": row}
        marks["internal.workload.kcp.io/downstream-uid"] = f"d{number}"
        metadata = {"name": name, "namespace": "default", "uid": f"u{number}", "annotations": marks}
        self.state.put_view(key(number), {"metadata": {**metadata, "deletionTimestamp": "then"}})
        self.cluster.objects[name] = {"metadata": {"name": name, "uid": f"d{number}", "resourceVersion": "1"}}
        return key(number)

    async def look(self, at: Key) -> None:
        """Reconcile as the queue would: until it is done, or waits."""
        try:
            await self.down.reconcile(at)
        except Conflict:
            await self.down.reconcile(at)


@pytest.fixture
async def room() -> Room:
    """An agent that may delete one object in a window, and has begun."""
    made = Room(share=0.0, floor=1)
    await made.heartbeat.beat()
    return made


async def held(room: Room, count: int = 3) -> str:
    """Have that many removals held, and told; return the digest."""
    for number in range(count + 1):
        await room.look(room.tombstone(number))
    await room.heartbeat.beat()
    return str(room.above.beats[-1]["held"]["digest"])


async def test_what_is_held_stays_and_is_told(room: Room) -> None:
    """One object goes; the others stay, and each says which set it waits with, once the set has been told."""
    digest = await held(room)
    assert room.cluster.deleted == ["m0"]
    assert room.above.confirmed == ["m0"]
    assert room.above.reports == []
    told = [f"configmaps default/m{number} of c" for number in (1, 2, 3)]
    assert room.above.beats[-1]["held"] == {"digest": digest, "count": 3, "examples": told}
    assert room.queue == [key(1), key(2), key(3)]
    for one in room.queue:
        assert await room.down.reconcile(one) is None
    assert [name for name, _ in room.above.reports] == ["m1", "m2", "m3"]
    report = room.above.reports[0][1]
    assert (report["synced"], report["reason"]) == (False, "DeletionHeld")
    assert digest in report["message"]


async def test_exactly_the_approved_set_goes(room: Room) -> None:
    """A digest of another set lets nothing go; the right one all of it, also when a deletion must be tried again."""
    stale = await held(room, 2)
    await room.look(room.tombstone(3))
    room.above.answer["approvedDeletions"] = stale
    await room.heartbeat.beat()
    assert room.above.beats[-1]["held"]["count"] == 3
    assert len(room.cluster.objects) == 3
    room.above.answer["approvedDeletions"] = room.above.beats[-1]["held"]["digest"]
    room.queue.clear()
    await room.heartbeat.beat()
    assert room.queue == [key(1), key(2), key(3)]
    assert all(room.deletions.allows(one, room.state.views[one], "Unassigned") for one in room.queue)
    for one in room.queue:
        await room.look(one)
    assert room.cluster.objects == {}
    await room.heartbeat.beat()
    assert room.above.beats[-1]["held"] == {"digest": "", "count": 0, "examples": []}


async def test_what_is_assigned_again_needs_no_approval_and_has_none(room: Room) -> None:
    """A view that must run again leaves the set; removed once more it is another removal than the one approved."""
    digest = await held(room, 1)
    tombstone = room.state.views[key(1)]
    live = {"metadata": {name: value for name, value in tombstone["metadata"].items() if name != "deletionTimestamp"}}
    room.state.put_view(key(1), live)
    assert room.deletions.summary()["count"] == 0
    await room.look(room.tombstone(1, row="2"))
    assert room.deletions.summary()["digest"] not in {"", digest}


async def test_moves_and_single_words_pass(room: Room) -> None:
    """What has a ready replacement, and what a user deleted, is never held."""
    for number in range(60):
        await room.look(room.tombstone(number, "Moved" if number % 2 else "Deleted"))
    assert len(room.cluster.deleted) == 60
    assert room.deletions.summary()["count"] == 0


async def test_a_namespace_is_held_like_its_objects(room: Room) -> None:
    """Its own removal is one more; what it says goes into its own row."""
    name = room.state.target.namespace("c", "default")
    marks = {LOCATOR: room.state.target.locator("c", "default").to_json()}
    marks[SEAL] = room.state.target.seal(name, "n")
    metadata = {"name": name, "uid": "n", "resourceVersion": "1", "annotations": marks}
    room.cluster.objects[name] = {"metadata": metadata}
    cause = {"internal.workload.kcp.io/cause": "NamespaceDeleted"}
    view = {"metadata": {"name": "default", "uid": "u", "deletionTimestamp": "then", "annotations": cause}}
    await room.look(room.tombstone(0))  # uses up the allowance
    room.state.put_view(HOME, view)
    assert await room.namespaces.reconcile(HOME, view) is None
    assert name in room.cluster.objects
    await room.heartbeat.beat()
    assert room.above.beats[-1]["held"]["examples"] == ["namespaces default of c"]
    await room.namespaces.reconcile(HOME, view)
    assert room.above.reports[-1][1]["reason"] == "DeletionHeld"
    room.above.answer["approvedDeletions"] = room.above.beats[-1]["held"]["digest"]
    await room.heartbeat.beat()
    await room.namespaces.reconcile(HOME, view)
    assert name not in room.cluster.objects


async def test_nothing_goes_before_the_first_answer() -> None:
    """An agent that left held deletions behind has no allowance; none is taken before that is known."""
    room = Room(share=0.0, floor=1, window_s=60.0)
    with pytest.raises(Conflict):
        await room.down.reconcile(room.tombstone(1))
    room.above.answer["deletionsHeld"] = True
    await room.heartbeat.beat()
    assert "held" not in room.above.beats[0]
    await room.look(key(1))
    await room.heartbeat.beat()
    assert room.above.beats[1]["held"]["count"] == 1
    assert room.cluster.deleted == []


async def test_news_are_told_at_once(room: Room) -> None:
    """The next heartbeat comes early when other deletions are held than were told, and as usual when they are."""
    await held(room, 0)
    assert not room.deletions.news.is_set()
    await room.look(room.tombstone(5))
    assert room.deletions.news.is_set()
    await room.heartbeat.beat()
    assert not room.deletions.news.is_set()


async def test_what_has_passed_is_told_soon_and_answered() -> None:
    """The next life goes on with what is left."""
    room = Room(share=0.0, floor=3, window_s=60.0)
    room.above.answer["deletionsPassed"] = [{"count": 1, "ageSeconds": 50}]
    await room.heartbeat.beat()
    await room.look(room.tombstone(1))
    assert room.deletions.news.is_set()
    room.now_s = 5.0
    await room.heartbeat.beat()
    assert not room.deletions.news.is_set()
    assert room.above.beats[-1]["passed"] == [{"count": 1, "ageSeconds": 55}, {"count": 1, "ageSeconds": 5}]
    await room.look(room.tombstone(2))
    await room.look(room.tombstone(3))
    assert room.cluster.deleted == ["m1", "m2"]
    assert room.deletions.summary()["count"] == 1
