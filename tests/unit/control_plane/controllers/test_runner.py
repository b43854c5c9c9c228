"""The runner of the controllers when its store fails, and how far its cursor may go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from fairlead_control_plane.controllers import runner
from fairlead_control_plane.controllers.queue import Queue
from fairlead_control_plane.controllers.runner import Key, Runner
from fairlead_control_plane.store.contract import Event, Put, Row, Unavailable
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.watch.hub import Hub


class Recorder:
    """Notes the keys of the store it is to look at; its first listing fails."""

    name = "recorder"

    def __init__(self) -> None:
        self.seen: asyncio.Queue[str] = asyncio.Queue()
        self.listings = 0

    def keys(self, event: Event) -> Iterable[Key]:
        """See the protocol."""
        return [(event.key,)]

    async def all_keys(self) -> AsyncIterator[Key]:
        """See the protocol."""
        self.listings += 1
        if self.listings == 1:
            raise Unavailable("the leader is lost")
        yield ("everything",)

    async def reconcile(self, key: Key) -> float | None:
        """See the protocol."""
        self.seen.put_nowait(key[0])
        return None


async def test_a_store_that_fails_at_the_start_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the cursor that cannot be read nor a listing that breaks ends the controllers."""
    monkeypatch.setattr(runner, "_PAUSE_S", 0.0)
    store = await SqliteStore.open(":memory:")
    hub, controller, read = Hub(store), Recorder(), store.get
    failures = [Unavailable("not yet")]

    async def get(key: str, *, revision: int = 0) -> Row | None:
        if failures:
            raise failures.pop()
        return await read(key, revision=revision)

    monkeypatch.setattr(store, "get", get)
    task = asyncio.create_task(Runner(store, hub, [controller]).run())
    try:
        async with asyncio.timeout(5):
            assert await controller.seen.get() == "everything"
            await store.commit([Put("/g/r/-/a/n/x", b"v")])
            assert await controller.seen.get() == "/g/r/-/a/n/x"
    finally:
        task.cancel()
        await asyncio.wait([task])
        hub.close()
        await store.close()


async def test_a_key_asked_for_all_the_time_does_not_hold_the_cursor() -> None:
    """What asked before a look began is done with it; what asked during it is what the next look is for."""
    queue: Queue[str] = Queue()
    queue.add("a", 5)
    await queue.take()
    queue.add("a", 7)
    queue.add("a", 9)
    assert queue.oldest == 5
    queue.done("a")
    assert queue.oldest == 7
    await queue.take()
    queue.done("a")
    assert queue.oldest is None
