"""The contract on a real etcd, and what is etcd's own: resuming, sharing, several servers."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from fairlead_control_plane.store.contract import Compacted, Put, Store, Unavailable
from fairlead_control_plane.store.etcd import EtcdSettings, EtcdStore
from fairlead_control_plane.store.feed import FeedLimits
from tests.support.binaries import binary
from tests.unit.control_plane.store.contract_suite import ALL, StoreContract, events_of

pytestmark = pytest.mark.integration


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


class Etcd:
    """An etcd process of one member."""

    def __init__(self, directory: Path) -> None:
        client, peer = free_ports(2)
        self.endpoint = f"http://127.0.0.1:{client}"
        peers = f"http://127.0.0.1:{peer}"
        self._command = [
            str(binary("etcd")),
            f"--data-dir={directory / 'data'}",
            f"--listen-client-urls={self.endpoint}",
            f"--advertise-client-urls={self.endpoint}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
        ]
        self._log = (directory / "etcd.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self.kill()
        self._log.close()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    server = Etcd(tmp_path_factory.mktemp("etcd"))
    server.start()
    yield server
    server.stop()


async def open_when_ready(settings: EtcdSettings, limits: FeedLimits | None = None) -> EtcdStore:
    """Open the store, waiting for etcd to come up."""
    async with asyncio.timeout(15):
        while True:
            try:
                return await EtcdStore.open(settings, limits)
            except Unavailable:
                await asyncio.sleep(0.1)


async def wait_for_revision(store: EtcdStore, revision: int) -> None:
    """Ask for the current revision, as a consistent read does, until the feed has come so far."""
    async with asyncio.timeout(15):
        while store.revision < revision:
            with suppress(Unavailable):  # still connecting again
                assert await store.current_revision() >= revision
            await asyncio.sleep(0.05)


def _is_of_grpc(task: asyncio.Task[object]) -> bool:
    return "_AioCall" in str(getattr(task.get_coro(), "__qualname__", ""))


@pytest.fixture(autouse=True)
async def _grpc_at_rest() -> AsyncIterator[None]:
    """Wait for gRPC's own tasks: one ends a moment after its call was cancelled, when its core has said so."""
    yield
    async with asyncio.timeout(5):
        while any(map(_is_of_grpc, asyncio.all_tasks())):  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.005)


@pytest.fixture
def settings(etcd: Etcd, request: pytest.FixtureRequest) -> EtcdSettings:
    return EtcdSettings([etcd.endpoint], prefix=f"/{abs(hash(request.node.nodeid))}")


@pytest.fixture
async def store(settings: EtcdSettings) -> AsyncIterator[Store]:
    store = await open_when_ready(settings)
    yield store
    await store.close()


class TestEtcd(StoreContract):
    """etcd."""

    @pytest.fixture
    async def store(self, settings: EtcdSettings, limits: FeedLimits) -> AsyncIterator[Store]:
        store = await open_when_ready(settings, limits)
        yield store
        await store.close()


async def test_two_servers_share_one_store(store: EtcdStore, settings: EtcdSettings) -> None:
    """What one writes the other is told, and its consistent read names the revision."""
    other = await EtcdStore.open(settings)
    heard = asyncio.Event()
    other.listen(lambda _events, _revision: heard.set())
    revision = await store.commit([Put("/a", b"1")])
    async with asyncio.timeout(10):
        await heard.wait()
    assert other.revision == revision == await other.current_revision()
    await other.close()


async def test_prefixes_do_not_meet(store: EtcdStore, settings: EtcdSettings) -> None:
    """Another store in the same etcd is invisible, and its writes do not stop the revision from growing."""
    other = await EtcdStore.open(EtcdSettings(settings.endpoints, prefix=settings.prefix + "-b"))
    revision = await other.commit([Put("/a", b"other")])
    assert (await store.range(*ALL)).rows == []
    await wait_for_revision(store, revision)
    await other.close()


async def test_watch_from_before_opening(store: EtcdStore, settings: EtcdSettings) -> None:
    """A server that starts later can watch from a revision it has not seen, unless that is compacted."""
    start = store.revision
    revisions = [await store.commit([Put("/a", b"x" * 1_000)]) for _ in range(50)]
    later = await EtcdStore.open(settings)
    watching = asyncio.create_task(events_of(later, 51, start))
    last = await store.commit([Put("/a", b"")])
    assert [event.revision for event in await watching] == [*revisions, last]
    await store.compact(revisions[10])
    with pytest.raises(Compacted):
        await events_of(later, 1, revisions[9])
    events = await events_of(later, 40, revisions[10])
    assert [event.revision for event in events] == [*revisions[11:], last]
    assert all(event.previous is not None for event in events)
    await later.close()


async def test_feed_resumes_after_a_restart_of_etcd(tmp_path: Path) -> None:
    """Calls fail with Unavailable while etcd is down; afterwards nothing is missing and nothing comes twice."""
    server = Etcd(tmp_path)
    server.start()
    try:
        settings = EtcdSettings([server.endpoint], timeout_s=2)
        store = await open_when_ready(settings)
        heard: list[int] = []
        store.listen(lambda _events, revision: heard.append(revision))
        before = [await store.commit([Put("/a", b"1")]) for _ in range(3)]
        server.kill()
        with pytest.raises(Unavailable):
            await store.commit([Put("/a", b"2")])
        server.start()
        other = await open_when_ready(settings)
        missed = await other.commit([Put("/b", b"3")])
        await wait_for_revision(store, missed)
        after = await store.commit([Put("/a", b"4")])
        assert heard == [*before, *range(before[-1] + 1, after + 1)]
        await other.close()
        await store.close()
    finally:
        server.stop()
