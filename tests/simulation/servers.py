"""The product's servers, whole, over stores in memory; what a crash leaves is what was committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from fairlead_control_plane.auth.authenticate import TokenTable
from fairlead_control_plane.main import compute, server
from fairlead_control_plane.main.kubeconfigs import Tokens
from fairlead_control_plane.main.settings import Settings
from fairlead_control_plane.store.compaction import Schedule
from fairlead_control_plane.store.contract import Compare, Event, Operation, Put, Row
from fairlead_control_plane.store.database import newest_revision, open_database
from fairlead_control_plane.store.reading import RangeReader
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from fairlead_machinery import lease
from fairlead_machinery.web import Request, Response
from tests.simulation.clock import VirtualDatetime
from tests.simulation.mood import Mood
from tests.simulation.network import ACTOR, LIFE, PART, Network

ADMIN, SCHEDULER = "shard-admin", "scheduler"
Hears = Callable[[Sequence[Event], dict[int, str]], None]
"""Hears each transaction, with the actors by revision, which are complete once the history is read."""


class MemoryStore(SqliteStore):
    """The product's SQLite store in memory, with what was in another one, and with who writes what noted."""

    actors: dict[int, str]

    @classmethod
    async def begin(cls, data: bytes | None, heard: Hears | None, history_s: float) -> MemoryStore:
        """Open a store with the content of another."""
        database = open_database(":memory:")
        if data is not None:
            database.connection.deserialize("main", data)
        store = cls(database, SqliteSettings(history_s=history_s))
        store.actors = {}
        schedule = Schedule(history_s, 1 << 30)
        loop = asyncio.get_running_loop()
        store._compaction = loop.create_task(
            store._compactor.run(schedule, lambda: store._written_bytes, loop.time, 60.0), name="store-compaction"
        )
        if heard is not None:
            store.listen(lambda events, _: heard(events, store.actors))
        return store

    def content(self) -> bytes:
        """Return all that is committed."""
        return self._database.connection.serialize("main")

    async def commit(self, operations: Sequence[Operation], compares: Sequence[Compare] = ()) -> int:
        """See the contract; who is cut off here has written all the same."""
        actor = ACTOR.get()
        writing = asyncio.ensure_future(super().commit(operations, compares))

        def note(done: asyncio.Future[int]) -> None:
            if not done.cancelled() and done.exception() is None:
                self.actors.setdefault(done.result(), actor)

        writing.add_done_callback(note)
        return await asyncio.shield(writing)


@lru_cache(8)
def rows_of(data: bytes) -> tuple[Row, ...]:
    """Return all rows of a store's content."""
    database = open_database(":memory:")
    database.connection.deserialize("main", data)
    reader = RangeReader(database.connection, "/", "0", limit=0, revision=newest_revision(database.connection))
    reader.read(1 << 40, 1 << 40)
    found = tuple(reader.answer().rows)
    reader.close()
    database.close()
    return found


class Server:
    """
    One server that can crash and come back.

    Args:
        host: Its name in the network.
        profile: ``workspaces`` or ``cluster``.
        data: What its store holds.
        heard: Hears what it writes.
    """

    def __init__(self, network: Network, host: str, profile: str, data: bytes | None, heard: Hears | None) -> None:
        self._network = network
        self.host = host
        self._profile = profile
        self._data = data
        self._heard = heard
        self._revision = 0
        self._stack: AsyncExitStack | None = None
        self._failures: tuple[asyncio.Task[None], ...] = ()
        self.store: MemoryStore | None = None
        self.mood = Mood()

    @property
    def is_up(self) -> bool:
        """Tell whether it runs."""
        return self._stack is not None

    async def start(self) -> None:
        """Start over what the store held when it was last up."""
        ACTOR.set("system")
        LIFE.set(None)
        PART.set(f"server:{self.host}")
        store = await MemoryStore.begin(self._data, self._heard, self.mood.history_s)
        if self._revision:
            store._writer._revision = self._revision
            await store.compact(await store.commit([Put("/meta/restored", b"")]))
            self._revision = 0
        self._stack, self.store = AsyncExitStack(), store
        settings = Settings.model_validate(
            {
                "profile": self._profile,
                "root_directory": "/nowhere",
                "with_scheduler": False,
                "external_url": f"https://{self.host}:6443",
                "bin_retention_hours": self.mood.bin_hours,
            }
        )
        running = await server._compose(settings, store, _credentials(self._profile), self._stack)
        self._failures = running.failures
        self._network.hosts[self.host] = _LISTENERS.pop().handler

    def crash(self) -> bytes:
        """End it like a power cut; return what was committed."""
        stack, store = self._stack, self.store
        if stack is None or store is None:
            return self._data or b""
        self._data = store.content()
        self._network.hosts[self.host] = None
        self._stack = self.store = None
        store._feed._listeners = []  # the dead are not heard
        self._network.disconnect(self.host)
        self._network.start(_bury(stack, store), f"end of {self.host}")
        return self._data

    def content(self) -> bytes:
        """Return all that is committed now."""
        return self.store.content() if self.store is not None else self._data or b""

    def become(self, data: bytes, *, revision: int) -> None:
        """
        Have other data from the next start on: a restored backup, or nothing.

        Args:
            data: What the store holds then.
            revision: Begins there with its history forgotten, as ``etcdutl snapshot restore --bump-revision
                --mark-compacted`` does; 0 leaves the revisions of the backup.
        """
        self._data = data
        self._revision = revision

    def check(self) -> None:
        """Raise what has ended a part of it that must not end."""
        for task in self._failures:
            if task.done() and not task.cancelled():
                task.result()


async def _bury(stack: AsyncExitStack, store: MemoryStore) -> None:
    await stack.aclose()
    await store.close()


class _Listener:
    """In place of the listener with its sockets."""

    def __init__(self, handler: Callable[[Request], Any], **_: Any) -> None:
        self.handler = handler
        self.connections: set[Any] = set()

    async def start(self, bound: Any, context: Any) -> int:
        """Be found by the server that composes it."""
        del context
        _LISTENERS.append(self)
        return int(bound.getsockname()[1])

    async def stop(self, grace_s: float) -> None:
        """Nothing is open here."""


_LISTENERS: list[_Listener] = []


class _Bound:
    def getsockname(self) -> tuple[str, int]:
        """Return an address."""
        return ("10.0.0.1", 6443)

    def close(self) -> None:
        """Nothing is open."""


def key_of(number: int) -> ec.EllipticCurvePrivateKey:
    """Return a private key that is the same in every run."""
    return ec.derive_private_key(1_000_003 + number, ec.SECP256R1())


_ACCOUNTS_KEY = key_of(0)


def _credentials(profile: str) -> Any:
    tokens = Tokens({name: name for name in ("shard-admin", "kcp-admin", "scheduler")})
    users = tokens.users(workspaces=profile == "workspaces")
    certificates = SimpleNamespace(ca=b"simulated CA")
    return SimpleNamespace(
        certificates=certificates, context=None, tokens=tokens, accounts_key=_ACCOUNTS_KEY, static=TokenTable(users)
    )


def install() -> None:
    """Take sockets and files out of the server's composition; for the life of this process."""
    replaced: dict[str, Any] = {
        "Listener": _Listener,
        "_bind": lambda settings: _Bound(),
        "_write_kubeconfigs": lambda settings, url, credentials: Path("/nowhere"),
    }
    for name, value in replaced.items():
        if not hasattr(server, name):
            raise AttributeError(f"the server has no {name} any more")
        setattr(server, name, value)
    for module in (compute, lease):
        if not hasattr(module, "datetime"):
            raise AttributeError(f"{module.__name__} asks another for the time now")
        setattr(module, "datetime", VirtualDatetime)  # noqa: B010 - a module's own name, not its interface


__all__ = ["ADMIN", "SCHEDULER", "MemoryStore", "Response", "Server", "install", "key_of"]
