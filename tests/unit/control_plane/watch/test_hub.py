"""Who gets which event: live, from the ring, from the store's history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest
from structlog.testing import capture_logs

from fairlead_control_plane.store.contract import Delete, Event, Put, Store
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.watch import subscription
from fairlead_control_plane.watch.hub import Hub
from fairlead_control_plane.watch.subscription import Broken, Delivery, SlowWatcher, Subscription


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(":memory:")
    yield opened
    await opened.close()


def name(delivery: Delivery) -> bytes:
    event = delivery.event
    return f"{event.key}@{event.revision} ".encode()


def watch(hub: Hub, prefix: str, after: int, limit_bytes: int = 1 << 20) -> Subscription:
    return hub.watch(prefix, after=after, frame=name, key="names", limit_bytes=limit_bytes)


async def seen(subscription: Subscription, until: str) -> str:
    """Take until the last key awaited has come."""
    text = ""
    async with asyncio.timeout(5):
        while f"{until}@" not in text:
            text += b"".join(await subscription.take()).decode()
    return " ".join(part.split("@")[0] for part in text.split())


async def test_prefixes_tell_neighbours_apart(store: SqliteStore) -> None:
    """A watcher of ``a`` sees neither ``a-b`` nor ``b``; a watcher of one key sees that key alone."""
    hub = Hub(store)
    one, key = watch(hub, "/g/r/-/a/", hub.revision), watch(hub, "/g/r/-/a/n/x", hub.revision)
    for where in ("/g/r/-/a-b/n/x", "/g/r/-/b/n/x", "/g/r/-/a/n/x", "/g/r/-/a/n/xy"):
        await store.commit([Put(where, b"v")])
    assert await seen(one, "/g/r/-/a/n/xy") == "/g/r/-/a/n/x /g/r/-/a/n/xy"
    assert await seen(key, "/g/r/-/a/n/x") == "/g/r/-/a/n/x"
    await one.close()
    await key.close()
    hub.close()


@pytest.mark.parametrize("ring_events", [1000, 3, 0])
async def test_a_start_in_the_past_misses_and_doubles_nothing(store: SqliteStore, ring_events: int) -> None:
    """From the ring, from history, or from both: the same events, in order, each once."""
    hub = Hub(store, ring_events=ring_events)
    start = store.revision
    for number in range(10):
        await store.commit([Put(f"/g/r/-/a/n/{number}", b"v"), Put(f"/g/r/-/b/n/{number}", b"v")])
    late = watch(hub, "/g/r/-/a/", start)
    await asyncio.sleep(0)
    await store.commit([Put("/g/r/-/a/n/last", b"v")])
    wanted = " ".join(f"/g/r/-/a/n/{end}" for end in [*range(10), "last"])
    assert await seen(late, "/g/r/-/a/n/last") == wanted
    await store.commit([Delete("/g/r/-/a/n/last")])
    assert await seen(late, "/g/r/-/a/n/last") == "/g/r/-/a/n/last"
    await late.close()
    hub.close()


async def test_history_keeps_to_one_key(store: SqliteStore) -> None:
    """A watcher of one key gets no event of a key that begins like it, from the ring either."""
    hub = Hub(store)
    start = store.revision
    await store.commit([Put("/g/r/-/a/n/x-1", b"v")])
    await store.commit([Put("/g/r/-/a/n/x", b"v")])
    one = watch(hub, "/g/r/-/a/n/x", start)
    assert await seen(one, "/g/r/-/a/n/x") == "/g/r/-/a/n/x"
    await one.close()
    hub.close()


async def test_a_slow_watcher_is_cut_and_the_others_go_on(store: SqliteStore) -> None:
    """Who lets too much pile up is told so; a neighbour that reads loses nothing."""
    hub = Hub(store)
    slow, quick = watch(hub, "/g/", hub.revision, limit_bytes=40), watch(hub, "/g/", hub.revision)
    for number in range(5):
        await store.commit([Put(f"/g/r/-/a/n/{number}", b"v")])
    assert not slow.is_closed, "or its owner would not ask why"
    with pytest.raises(SlowWatcher):
        await slow.take()
    assert (await seen(quick, "/g/r/-/a/n/4")).count("/g/r") == 5
    await slow.close()
    await quick.close()
    hub.close()


async def test_equal_watchers_share_frames(store: SqliteStore) -> None:
    """What a thousand watchers are sent is made once."""
    hub = Hub(store)
    made = 0

    def counted(delivery: Delivery) -> bytes:
        nonlocal made
        made += 1
        return name(delivery)

    watchers = [hub.watch("/g/", after=hub.revision, frame=counted, key="same") for _ in range(1000)]
    await store.commit([Put("/g/r/-/a/n/x", b"v")])
    frames = [(await watcher.take())[0] for watcher in watchers]
    assert made == 1
    assert all(frame is frames[0] for frame in frames)
    for watcher in watchers:
        await watcher.close()
    assert not hub._feeds
    hub.close()


async def test_closing_the_hub_ends_watches(store: SqliteStore) -> None:
    """A watcher that waits is woken and told that nothing will come any more; what waited is still handed out."""
    hub = Hub(store)
    waiting, filled = watch(hub, "/g/", hub.revision), watch(hub, "/h/", hub.revision)
    await store.commit([Put("/h/r/-/a/n/x", b"v")])
    task = asyncio.create_task(waiting.take())
    await asyncio.sleep(0)
    hub.close()
    assert await task == []
    assert waiting.is_closed
    assert len(await filled.take()) == 1
    await waiting.close()
    await filled.close()


async def test_take_times_out_empty(store: SqliteStore) -> None:
    """With nothing to send, a timed take comes back empty and the watcher is current."""
    hub = Hub(store)
    quiet = watch(hub, "/g/", hub.revision)
    assert await quiet.take(0.001) == []
    assert quiet.is_current
    await quiet.close()
    hub.close()


async def test_what_many_follow_is_sent_in_one_piece(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first event goes out at once, those right behind it together, and nobody gets one twice."""
    monkeypatch.setattr(subscription, "PAUSE_PER_MEMBER_S", 3600.0)  # the test says when the pause is over
    monkeypatch.setattr(subscription, "PAUSE_AT_MOST_S", 3600.0)
    hub = Hub(store)
    watchers = [watch(hub, "/g/", hub.revision) for _ in range(20)]
    await store.commit([Put("/g/r/-/a/n/0", b"v")])
    firsts = [(await watcher.take())[0] for watcher in watchers]
    assert firsts[0] == b"/g/r/-/a/n/0@2 "
    for number in (1, 2):
        await store.commit([Put(f"/g/r/-/a/n/{number}", b"v")])
    # It has seen what is held; a bookmark may not yet tell the others of it.
    late = watch(hub, "/g/", hub.revision)
    assert not watchers[0].is_current
    await store.commit([Put("/g/r/-/a/n/3", b"v")])
    feed = watchers[0].feed
    assert feed is not None
    feed.flush()
    pieces = [await watcher.take() for watcher in watchers]
    assert pieces[0] == [b"/g/r/-/a/n/1@3 /g/r/-/a/n/2@4 /g/r/-/a/n/3@5 "]
    assert all(piece[0] is pieces[0][0] for piece in pieces)
    assert watchers[0].is_current
    assert await late.take() == [b"/g/r/-/a/n/3@5 "]
    for watcher in [*watchers, late]:
        await watcher.close()
    hub.close()


async def test_what_is_held_is_handed_out_at_the_end(store: SqliteStore) -> None:
    """A hub that closes ends its watches after all they were to see."""
    hub = Hub(store)
    watchers = [watch(hub, "/g/", hub.revision) for _ in range(20)]
    for number in range(3):
        await store.commit([Put(f"/g/r/-/a/n/{number}", b"v")])
    hub.close()
    for watcher in watchers:
        assert b"".join(await watcher.take()).count(b"/g/r") == 3
        await watcher.close()


class SlowHistory:
    """A store that reads history only once told to."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.begin = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def watch(self, start: str, end: str, *, after: int) -> AsyncIterator[Sequence[Event]]:
        await self.begin.wait()
        async for events in self._store.watch(start, end, after=after):
            yield events


async def test_what_happens_during_the_history_is_not_told_ahead_of_it(store: SqliteStore) -> None:
    """What comes while a watcher still reads history comes after it and once, also for who collects the events."""
    start = store.revision
    for number in range(3):
        await store.commit([Put(f"/g/r/-/a/n/{number}", b"v")])
    slow = SlowHistory(store)
    hub = Hub(cast(Store, slow))
    late, collected = watch(hub, "/g/", start), hub.events("/g/", after=start)
    following = asyncio.ensure_future(anext(collected))
    await store.commit([Put("/g/r/-/a/n/live", b"v")])
    slow.begin.set()
    wanted = [f"/g/r/-/a/n/{end}" for end in [0, 1, 2, "live"]]
    assert await seen(late, "/g/r/-/a/n/live") == " ".join(wanted)
    keys = [event.key for event in await following]
    while "/g/r/-/a/n/live" not in keys:
        keys += [event.key for event in await anext(collected)]
    assert keys == wanted
    await late.close()
    hub.close()


async def test_a_change_in_the_turn_of_the_start_does_not_overtake_history(store: SqliteStore) -> None:
    """A watcher is behind from the moment it starts, not from when its history begins to be read."""
    start = store.revision
    await store.commit([Put("/g/r/-/a/n/old", b"v")])
    hub = Hub(store)
    written = asyncio.ensure_future(store.commit([Put("/g/r/-/a/n/new", b"v")]))
    await asyncio.sleep(0)  # submitted: the next turn of the loop commits it, before a task made now begins
    late = watch(hub, "/g/", start)
    await written
    assert await seen(late, "/g/r/-/a/n/new") == "/g/r/-/a/n/old /g/r/-/a/n/new"
    await late.close()
    hub.close()


async def test_a_watcher_of_what_never_changes_becomes_current(store: SqliteStore) -> None:
    """After a restart a client comes back from before the ring; with nothing to tell it is still given bookmarks."""
    await store.commit([Put("/g/r/-/a/n/x", b"v")])
    after = store.revision
    await store.commit([Put("/other/y", b"v")])
    hub = Hub(store)
    quiet = watch(hub, "/g/", after)
    assert not quiet.is_current
    assert quiet.behind is not None
    await asyncio.wait_for(quiet.behind, 5)
    assert quiet.is_current
    await store.commit([Put("/g/r/-/a/n/x", b"w")])
    assert await seen(quiet, "/g/r/-/a/n/x") == "/g/r/-/a/n/x"
    await quiet.close()
    hub.close()


def refuses_x(delivery: Delivery) -> bytes:
    if delivery.event.key.endswith("/x"):
        raise KeyError("spec")
    return name(delivery)


@pytest.mark.parametrize("ring_events", [1000, 0])
async def test_what_cannot_be_shown_ends_the_watch_of_the_past(store: SqliteStore, ring_events: int) -> None:
    """From the ring or from history: the watcher is told instead of waiting for ever; its neighbour goes on."""
    hub = Hub(store, ring_events=ring_events)
    start = store.revision
    await store.commit([Put("/g/r/-/a/n/x", b"v")])
    quick = watch(hub, "/g/", start)
    with capture_logs() as logs:
        broken = hub.watch("/g/", after=start, frame=refuses_x, key="broken")
        with pytest.raises(Broken):
            await broken.take(5)
    assert [log["log_level"] for log in logs] == ["error"]
    assert not broken.is_closed, "or its owner would not ask why"
    await store.commit([Put("/g/r/-/a/n/y", b"v")])
    assert await seen(quick, "/g/r/-/a/n/y") == "/g/r/-/a/n/x /g/r/-/a/n/y"
    await broken.close()
    await quick.close()
    assert not hub._feeds
    hub.close()


async def test_what_cannot_be_shown_harms_neither_the_writer_nor_others(store: SqliteStore) -> None:
    """Live, all who share the feed are told; other feeds get the event, and the store goes on."""
    hub = Hub(store)
    broken = [hub.watch("/g/", after=hub.revision, frame=refuses_x, key="broken") for _ in range(2)]
    quick = watch(hub, "/g/", hub.revision)
    with capture_logs() as logs:
        for key in ("w", "x", "y"):
            await asyncio.wait_for(store.commit([Put(f"/g/r/-/a/n/{key}", b"v")]), 5)
    assert [log["log_level"] for log in logs] == ["error"]
    for one in broken:
        with pytest.raises(Broken):
            await one.take(5)
        await one.close()
    assert await seen(quick, "/g/r/-/a/n/y") == "/g/r/-/a/n/w /g/r/-/a/n/x /g/r/-/a/n/y"
    await quick.close()
    hub.close()


async def test_what_waits_is_sent_before_the_end(store: SqliteStore) -> None:
    """A watch whose owner is busy sending when the server stops is not closed before it has taken the rest."""
    hub = Hub(store)
    busy = watch(hub, "/g/", hub.revision)
    await store.commit([Put("/g/r/-/a/n/x", b"v")])
    hub.close()
    assert not busy.is_closed
    assert len(await busy.take()) == 1
    assert busy.is_closed
    await busy.close()
