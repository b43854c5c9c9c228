"""What is the socket's own: its mode, several clients, lost connections, going on without a gap."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead_control_plane.store.contract import Compacted, Put, Unavailable
from fairlead_control_plane.store.opening import open_store
from fairlead_control_plane.store.remote import RemoteStore
from fairlead_control_plane.store.serving import serve_store
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from tests.unit.control_plane.store.contract_suite import events_of


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "store.db", SqliteSettings(history_s=0))
    yield store
    await store.close()


async def reached(store: RemoteStore, revision: int) -> None:
    """Wait until the client's feed has come to ``revision``."""
    async with asyncio.timeout(5):
        await store._follower.reach(revision)


async def test_socket_is_private(tmp_path: Path, owner: SqliteStore) -> None:
    """Whoever may connect may read every secret."""
    async with serve_store(owner, tmp_path / "socket"):
        status = await asyncio.to_thread((tmp_path / "socket").stat)
        assert stat.S_IMODE(status.st_mode) == 0o600


async def test_nobody_at_the_socket(tmp_path: Path) -> None:
    """The error names the place."""
    with pytest.raises(Unavailable, match=r"no store answers at .*socket"):
        await RemoteStore.open(tmp_path / "socket")


async def test_clients_hear_of_each_other(tmp_path: Path, owner: SqliteStore) -> None:
    """What one writes reaches the listeners and the revision of the other."""
    async with serve_store(owner, tmp_path / "socket"):
        one = await open_store(f"unix:{tmp_path / 'socket'}")
        other = await RemoteStore.open(tmp_path / "socket")
        heard: list[int] = []
        other.listen(lambda _events, revision: heard.append(revision))
        revisions = [await one.commit([Put("/a", b"")]) for _ in range(3)]
        await reached(other, revisions[-1])
        assert heard == revisions
        await one.close()
        await other.close()


async def test_lost_connection_is_told_and_mended(tmp_path: Path, owner: SqliteStore) -> None:
    """Calls fail while nobody serves, then work again; listeners and watches have missed nothing."""
    heard: list[int] = []
    async with serve_store(owner, tmp_path / "socket"):
        store = await RemoteStore.open(tmp_path / "socket")
        store.listen(lambda _events, revision: heard.append(revision))
        start = store.revision
        watching = asyncio.create_task(events_of(store, 3, start))
        await store.commit([Put("/a", b"1")])
    async with asyncio.timeout(5):
        while store._writer is not None:  # noqa: ASYNC110 - the client tells nobody
            await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="nothing was written"):
        await store.commit([Put("/a", b"never")])
    missed = await owner.commit([Put("/a", b"2")])
    async with serve_store(owner, tmp_path / "socket"):
        await reached(store, missed)
        last = await store.commit([Put("/a", b"3")])
        assert [event.revision for event in await watching] == [missed - 1, missed, last]
        assert heard == [missed - 1, missed, last]
        await store.close()


async def test_commit_whose_answer_is_lost_has_an_unknown_outcome(
    tmp_path: Path, owner: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is not told that nothing happened, because something did."""
    entered = asyncio.Event()
    commit = owner.commit

    async def commit_without_end(*arguments: object) -> int:
        await commit(*arguments)  # type: ignore[arg-type]  # passed on as they came
        entered.set()
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(owner, "commit", commit_without_end)
    async with serve_store(owner, tmp_path / "socket"):
        store = await RemoteStore.open(tmp_path / "socket")
        committing = asyncio.create_task(store.commit([Put("/a", b"1")]))
        await entered.wait()
    with pytest.raises(Unavailable, match=r"outcome .* unknown"):
        await committing
    assert await owner.get("/a") is not None
    await store.close()


async def test_client_with_a_hole_in_its_feed_gives_up(tmp_path: Path, owner: SqliteStore) -> None:
    """When what it missed is compacted its caches would be wrong for ever; it says so instead."""
    async with serve_store(owner, tmp_path / "socket"):
        store = await RemoteStore.open(tmp_path / "socket")
        watching = asyncio.create_task(events_of(store, 1, store.revision))
        await store.commit([Put("/b", b"")])
        await watching
        watching = asyncio.create_task(events_of(store, 1, store.revision))
    for _ in range(3):
        await owner.commit([Put("/a", b"")])
    await owner.compact(owner.revision)
    async with serve_store(owner, tmp_path / "socket"):
        with pytest.raises(Unavailable, match="changes were missed"):
            await watching
        with pytest.raises(Unavailable, match="changes were missed"):
            await store.get("/a")
    await store.close()


async def test_watch_from_before_the_client_began(tmp_path: Path, owner: SqliteStore) -> None:
    """The owner knows more history than the client does; its Compacted comes through."""
    start = owner.revision
    revisions = [await owner.commit([Put("/a", b"")]) for _ in range(5)]
    async with serve_store(owner, tmp_path / "socket"):
        store = await RemoteStore.open(tmp_path / "socket")
        watching = asyncio.create_task(events_of(store, 6, start))
        revisions.append(await store.commit([Put("/b", b"")]))
        assert [event.revision for event in await watching] == revisions
        await store.compact(revisions[2])
        with pytest.raises(Compacted) as caught:
            await events_of(store, 1, revisions[0])
        assert caught.value.compacted == revisions[2]
        await store.close()


@pytest.mark.parametrize(("where", "path"), [("sqlite", None), ("etcd", None), ("postgres", "x")])
async def test_unknown_store_is_refused(where: str, path: str | None) -> None:
    """The message says what there is."""
    with pytest.raises(ValueError, match="use sqlite with a path, etcd with endpoints, or unix:PATH"):
        await open_store(where, path=path)
