"""The runner of the controllers when its store fails, and how far its cursor may go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from fairlead_control_plane.controllers import runner
from fairlead_control_plane.controllers.cursor import Cursor, Position, position
from fairlead_control_plane.controllers.queue import NO_EVENT, Queue
from fairlead_control_plane.controllers.runner import Controller, Key, Runner
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
    assert list(queue.waiting()) == [(5, "a")]
    queue.done("a")
    assert list(queue.waiting()) == [(7, "a")]
    await queue.take()
    queue.done("a")
    assert not len(queue)


class Poisoned:
    """A controller that cannot read the events of some keys, and lists what it could not read."""

    name = "poisoned"

    def __init__(self, refused: str) -> None:
        self.seen: asyncio.Queue[str] = asyncio.Queue()
        self._refused = refused

    def keys(self, event: Event) -> Iterable[Key]:
        """See the protocol."""
        if event.key == self._refused:
            raise KeyError("spec")
        return [(event.key,)]

    async def all_keys(self) -> AsyncIterator[Key]:
        """See the protocol."""
        yield ("listed",)

    async def reconcile(self, key: Key) -> float | None:
        """See the protocol."""
        self.seen.put_nowait(key[0])
        return None


class Stubborn(Recorder):
    """A controller whose keys all fail, or all ask to be looked at again."""

    name = "stubborn"

    async def all_keys(self) -> AsyncIterator[Key]:
        """See the protocol."""
        yield ("listed",)

    async def reconcile(self, key: Key) -> float | None:
        """See the protocol."""
        await super().reconcile(key)
        if key[0].endswith("fails"):
            raise KeyError("spec")
        return 3600.0


@asynccontextmanager
async def running(store: SqliteStore, *controllers: Controller) -> AsyncIterator[Runner]:
    """Run controllers over a store."""
    hub = Hub(store)
    runner = Runner(store, hub, controllers, cursor_s=0.001)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        assert not task.done(), task
        task.cancel()
        await asyncio.wait([task])
        hub.close()


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(":memory:")
    yield opened
    await opened.close()


async def saved(store: SqliteStore, revision: int) -> Position:
    """Wait until the cursor has come to a revision; return what the row says."""
    async with asyncio.timeout(5):
        async for _ in store.watch("/meta/", "/meta0", after=revision):
            if (found := await Cursor(store, "main").load()).revision >= revision:
                return found
    raise AssertionError


async def test_an_event_that_cannot_be_read_ends_nothing(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others hear of it, its controller hears of what comes after, and lists later what it could not be told."""
    monkeypatch.setattr(runner, "_LIST_S", 0.01)
    poisoned, other = Poisoned("/g/r/-/a/n/bad"), Poisoned("")
    other.name = "other"
    with capture_logs() as logs:
        async with asyncio.timeout(5), running(store, poisoned, other) as ran:
            assert await poisoned.seen.get() == await other.seen.get() == "listed"
            await store.commit([Put("/g/r/-/a/n/bad", b"v")])
            last = await store.commit([Put("/g/r/-/a/n/good", b"v")])
            assert [await poisoned.seen.get() for _ in range(2)] == ["/g/r/-/a/n/good", "listed"]
            assert [await other.seen.get() for _ in range(2)] == ["/g/r/-/a/n/bad", "/g/r/-/a/n/good"]
            assert ran.failures == 1
            await saved(store, last)
    assert [(log["log_level"], log["key"], log["exc_info"]) for log in logs] == [("error", "/g/r/-/a/n/bad", True)]


async def test_keys_that_are_never_done_do_not_hold_the_cursor(store: SqliteStore) -> None:
    """They stand in its row, so that a restart that misses their events still looks at them, and only at them."""
    stubborn = Stubborn()
    with capture_logs():
        async with asyncio.timeout(5), running(store, stubborn):
            assert await stubborn.seen.get() == "listed"
            for key in ("again", "fails"):
                await store.commit([Put(f"/g/r/-/a/n/{key}", b"v")])
                assert await stubborn.seen.get() == f"/g/r/-/a/n/{key}"
            found = await saved(store, store.revision)
        wanted = {("stubborn", (key,)) for key in ("listed", "/g/r/-/a/n/fails", "/g/r/-/a/n/again")}
        assert set(found.waiting) == wanted
        await store.compact(store.revision)
        restarted = Stubborn()
        async with asyncio.timeout(5), running(store, restarted):
            assert {await restarted.seen.get() for _ in range(3)} == {key[0] for _, key in wanted}


async def test_a_listing_begun_is_not_forgotten(store: SqliteStore) -> None:
    """Killed while keys of a listing wait, which no event asks for again, the next process has them from the row."""
    stubborn = Stubborn()
    listed = Poisoned("")
    listed.name = "stubborn"
    listed.reconcile = stubborn.reconcile  # type: ignore[method-assign]  # the listing of one, the work of the other
    async with asyncio.timeout(5), running(store, listed):
        assert await stubborn.seen.get() == "listed"
        last = await store.commit([Put("/g/r/-/a/n/x", b"v")])
        found = await saved(store, last)
    assert ("stubborn", ("listed",)) in found.waiting


async def test_another_controller_lists_and_the_others_go_on(store: SqliteStore) -> None:
    """A controller that the cursor was not kept for looks at everything, those it was kept for do not."""
    old, new = Poisoned(""), Poisoned("")
    async with asyncio.timeout(5), running(store, old):
        assert await old.seen.get() == "listed"
        await saved(store, await store.commit([Put("/g/r/-/a/n/x", b"v")]))
        await old.seen.get()
    new.name = "new"
    async with asyncio.timeout(5), running(store, old, new):
        assert await new.seen.get() == "listed"
        await store.commit([Put("/g/r/-/a/n/y", b"v")])
        assert await old.seen.get() == "/g/r/-/a/n/y"


@given(
    waiting=st.dictionaries(st.integers(0, 2_000), st.integers(0, 15_000), max_size=700),
    seen=st.integers(0, 15_000),
    names=st.lists(st.sampled_from("cde"), min_size=1, max_size=3),
)
def test_each_key_is_in_the_row_or_asked_for_after_it(waiting: dict[int, int], seen: int, names: list[str]) -> None:
    """The invariant of the row, and that its size has a bound; of a controller that is left out all is listed."""
    items = [
        (min(since, seen), (names[number % len(names)], (str(number),))) for number, since in sorted(waiting.items())
    ]
    found = position(seen, names, items)
    assert len(found.waiting) <= 500
    held = [(since, item) for since, item in items if item[0] in found.controllers]
    assert found.controllers <= set(names)
    assert {item for since, item in held if since <= found.revision} <= set(found.waiting)
    assert not any(since == NO_EVENT and item not in found.waiting for since, item in held)


@pytest.mark.parametrize("first", [NO_EVENT, 1])
def test_who_has_many_keys_that_wait_for_days_holds_nobody_back(first: int) -> None:
    """A bin in each of a thousand workspaces: the row goes on without that controller, which lists after a restart."""
    crowd = [(first * number, ("bin", (str(number),))) for number in range(1_000)]
    found = position(50_000, ["bin", "views"], [*crowd, (7, ("views", ("a",)))])
    assert found == Position(50_000, frozenset({"views"}), (("views", ("a",)),))


def test_a_burst_is_waited_for() -> None:
    """What will be done in a moment is no reason to list."""
    crowd = [(1_000 + number, ("views", (str(number),))) for number in range(600)]
    found = position(1_700, ["views"], crowd)
    assert (found.revision, found.controllers) == (1_499, frozenset({"views"}))


async def test_a_pause_is_kept() -> None:
    """What may wait waits, though it is asked for again; a key without a pause goes first."""
    queue: Queue[str] = Queue()
    queue.add("later", 1, pause_s=3600)
    queue.add("later", 2, pause_s=3600)
    assert queue.ready == 0
    queue.add("later", 3)
    assert (queue.ready, await queue.take()) == (1, "later")
    queue.add("later", 4, pause_s=3600)
    queue.done("later")
    assert (queue.ready, list(queue.waiting())) == (0, [(4, "later")])
