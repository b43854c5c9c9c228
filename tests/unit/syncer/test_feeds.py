"""
What an agent watches below, when it acts on a view, and what it forgets by a complete list.

The agents here are of narrow mode unless said otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_machinery.client import Event, Gvr
from fairlead_machinery.reflector import Delta
from fairlead_syncer.feeds import PODS, Feeds
from fairlead_syncer.plan import SEAL
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.downstream import LOCATOR

MAPS = Gvr("", "v1", "configmaps")
TARGET = SyncTarget("root", "east", "t1", "host", "443", b"secret")
HOME = TARGET.namespace("c", "default")
KEY = Key("", "configmaps", "c", "default", "m")
SECRET = KEY._replace(resource="secrets")


class Side:
    """
    One side: lists what it has, then streams what it is told.

    Attributes:
        open: Namespaces and kinds that are watched now.
        barred: Lists of these wait until it is set.
    """

    def __init__(self) -> None:
        self.objects: dict[Gvr, list[JsonObject]] = {}
        self.streams: dict[tuple[str, Gvr], asyncio.Queue[Event]] = {}
        self.open: set[tuple[str, Gvr]] = set()
        self.barred: dict[Gvr, asyncio.Event] = {}
        self.refused = 0

    async def list(self, gvr: Gvr, *, namespace: str = "", query: Any = None) -> tuple[list[JsonObject], str]:
        if gvr in self.barred:
            await self.barred[gvr].wait()
        if self.refused and namespace:
            self.refused -= 1
            raise Forbidden("not now")
        return list(self.objects.get(gvr, ())), "1"

    async def watch(self, gvr: Gvr, *, namespace: str = "", **_: object) -> AsyncGenerator[Event, None]:
        stream = self.streams.setdefault((namespace, gvr), asyncio.Queue())
        self.open.add((namespace, gvr))
        try:
            while True:
                yield await stream.get()
        finally:
            self.open.discard((namespace, gvr))

    def tell(self, kind: str, gvr: Gvr, obj: JsonObject, namespace: str = "") -> None:
        self.streams[namespace, gvr].put_nowait(Event(kind, obj))


class Holding:
    """Notes where rights are held, and where they are doubted."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.doubted: list[str] = []

    async def hold(self, namespace: str) -> None:
        self.held.append(namespace)

    def forget(self, namespace: str) -> None:
        self.doubted.append(namespace)


class Ignored:
    """Takes in Pods."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def view() -> JsonObject:
    metadata = {"name": "m", "namespace": "default", "uid": "u", "resourceVersion": "2"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, "annotations": {"kcp.io/cluster": "c"}}}


def namespace() -> JsonObject:
    marks = {LOCATOR: TARGET.locator("c", "default").to_json(), SEAL: TARGET.seal(HOME, "n")}
    return {"metadata": {"name": HOME, "uid": "n", "resourceVersion": "2", "annotations": marks}}


def _as_any(stand_in: object) -> Any:
    return stand_in


class Room:
    """Both sides and the feeds between them."""

    def __init__(self) -> None:
        self.above, self.below, self.rights = Side(), Side(), Holding()
        self.state = State(TARGET)
        self.asked: list[Key] = []
        above, below, pods, rights = map(_as_any, (self.above, self.below, Ignored(), self.rights))
        self.feeds = Feeds(self.state, above, below, pods, self.asked.append, rights=rights)

    async def settle(self) -> None:
        """Let everything happen that can."""
        for _ in range(50):
            await asyncio.sleep(0)


@asynccontextmanager
async def started(room: Room) -> AsyncIterator[Room]:
    try:
        await room.feeds.start()
        yield room
    finally:
        await room.feeds.stop()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    """Nothing anywhere, and what is synced is ConfigMaps."""
    async with started(Room()) as made:
        await made.feeds.follow([MAPS])
        await made.settle()
        yield made


async def test_what_no_event_tells_of_is_looked_at_now_and_then(room: Room) -> None:
    """What holds tenants in each namespace is not watched; and a refusal is said again as long as it is one."""
    room.below.tell("ADDED", NAMESPACES, namespace())
    await room.settle()
    room.asked.clear()
    room.state.refused.add(KEY)
    room.feeds.look_again()
    assert room.asked == [Key("", "namespaces", "c", "", "default"), KEY]


async def test_a_namespace_is_watched_for_what_is_in_it(room: Room) -> None:
    """For Pods as soon as it is ours, for a kind with the first view of it, with rights held; and no more once gone."""
    assert room.below.open == {("", NAMESPACES)}
    room.below.tell("ADDED", NAMESPACES, namespace())
    await room.settle()
    assert room.below.open == {("", NAMESPACES), (HOME, PODS)}
    room.above.tell("ADDED", MAPS, view())
    await room.settle()
    assert room.below.open == {("", NAMESPACES), (HOME, PODS), (HOME, MAPS)}
    assert set(room.rights.held) == {HOME}
    ours = {"metadata": {"name": "m", "namespace": HOME, "uid": "d", "resourceVersion": "3"}}
    room.below.tell("ADDED", MAPS, ours, HOME)
    await room.settle()
    assert room.state.actual == {KEY: ours}
    room.asked.clear()
    room.below.tell("DELETED", NAMESPACES, namespace())
    await room.settle()
    assert room.below.open == {("", NAMESPACES)}
    assert room.state.actual == {}
    assert KEY in room.asked


async def test_what_is_not_ours_is_not_watched(room: Room) -> None:
    """A namespace without the proof is somebody's, whatever its name."""
    forged = namespace()
    forged["metadata"]["annotations"][SEAL] = "forged"
    room.below.tell("ADDED", NAMESPACES, forged)
    room.above.tell("ADDED", MAPS, view())
    await room.settle()
    assert room.below.open == {("", NAMESPACES)}
    assert KEY in room.asked, "it is looked at all the same: its user has to hear why"


async def test_a_start_waits_until_what_is_there_was_seen() -> None:
    """Else everything would be created again; what comes later is not kept waiting."""
    room = Room()
    room.below.objects[NAMESPACES] = [namespace()]
    room.above.objects[MAPS] = [view()]
    room.below.barred[MAPS] = asyncio.Event()
    async with started(room):
        await room.feeds.follow([MAPS])
        await room.settle()
        assert KEY in room.state.views
        assert KEY not in room.asked
        later = view()
        later["metadata"] |= {"name": "later", "uid": "u2"}
        room.above.tell("ADDED", MAPS, later)
        await room.settle()
        assert KEY._replace(name="later") in room.asked
        room.below.barred[MAPS].set()
        await room.settle()
        assert KEY in room.asked


async def test_a_refused_list_doubts_the_rights() -> None:
    """They are looked at anew before it is asked again."""
    room = Room()
    room.below.objects[NAMESPACES] = [namespace()]
    room.below.refused = 1
    async with started(room):
        await room.settle()
        assert room.rights.doubted == [HOME]
        assert any("pods" in one for one in room.feeds.failures)


async def test_what_no_watch_ever_showed_is_forgotten_and_looked_at() -> None:
    """We made it, and it went, between two looks of the watch: no event of its end will ever come."""
    state = State(TARGET)
    looked: list[Key] = []
    nothing = cast(Any, None)
    feeds = Feeds(state, nothing, nothing, nothing, looked.append)
    state.actual = {KEY: {"metadata": {"name": "settings"}}, SECRET: {"metadata": {"name": "settings"}}}
    feeds.take_in(MAPS, Delta("complete"), {})
    assert list(state.actual) == [SECRET], "of another resource this list says nothing"
    assert looked == [KEY]
    state.actual = {KEY: {"metadata": {"name": "m"}}}
    state.homes = {"kcp-other": ("c", "other"), HOME: ("c", "default")}
    feeds.take_in(MAPS, Delta("complete"), {}, "kcp-other")
    assert KEY in state.actual, "of another namespace this list says nothing"
    feeds.take_in(MAPS, Delta("complete"), {}, HOME)
    assert not state.actual


async def test_a_copy_of_a_namespace_is_forgotten_at_once() -> None:
    """Whether or not the watch has shown the end of ours: nothing more goes into what has its name."""
    room = Room()
    room.below.objects[NAMESPACES] = [namespace()]
    room.above.objects[MAPS] = [view()]
    async with started(room):
        await room.feeds.follow([MAPS])
        await room.settle()
        assert room.state.homes == {HOME: ("c", "default")}
        room.asked.clear()
        copy = namespace()
        copy["metadata"] |= {"uid": "n2", "resourceVersion": "9"}
        room.below.tell("MODIFIED", NAMESPACES, copy)
        await room.settle()
        assert room.state.homes == {}
        assert room.below.open == {("", NAMESPACES)}
        assert {KEY, Key("", "namespaces", "c", "", "default")} <= set(room.asked)


async def test_kinds_of_which_nothing_must_be_there_are_looked_for() -> None:
    """An agent that starts sees what a restored control plane knows nothing of, and says so after a while."""
    room = Room()
    room.below.objects[NAMESPACES] = [namespace()]
    left = {"metadata": {"name": "m", "namespace": HOME, "uid": "d", "resourceVersion": "3"}}
    room.below.objects[MAPS] = [left]
    async with started(room):
        assert room.feeds.leftovers() is None
        await room.feeds.follow([MAPS])
        await room.settle()
        assert (HOME, MAPS) in room.below.open
        assert room.state.actual == {KEY: left}
        assert room.feeds.leftovers() is None, "it was read only now"
        assert room.feeds._leftovers._since_s
