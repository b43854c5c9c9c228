"""The side of the Unix socket that owns the store: answers any number of :mod:`remote` clients."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from pathlib import Path

import structlog

from fairlead_control_plane.store.contract import Compare, Event, Store, StoreError, Unavailable, seen_of
from fairlead_control_plane.store.frames import (
    Header,
    Incoming,
    Outgoing,
    encode_batch,
    encode_error,
    encode_range,
    read_frame,
)
from fairlead_machinery import failpoints

log = structlog.get_logger(__name__)

UNSENT_BYTES = 64 << 20
"""Answers one client may leave unread before it is disconnected."""


@contextlib.asynccontextmanager
async def serve_store(store: Store, path: str | Path) -> AsyncIterator[None]:
    """
    Serve ``store`` on a Unix socket at ``path`` (mode 0600) until left; the store stays open.

    The store's own lock makes sure that a socket file found there belongs to nobody.

    Raises:
        OSError: The socket cannot be made.
    """
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _Connection(store, reader, writer).run()
        except asyncio.CancelledError:
            if not is_closing:  # else: the server ends this task, and nobody waits for it but the lines below
                raise
        finally:
            connections.discard(task)

    is_closing = False
    server = await asyncio.start_unix_server(connected, sock=await asyncio.to_thread(_bind, str(path)))
    try:
        yield
    finally:
        is_closing = True
        server.close()
        for task in list(connections):
            task.cancel()
        if connections:
            await asyncio.wait(connections)
        await asyncio.to_thread(_unlink, str(path))


def _bind(path: str) -> socket.socket:
    _unlink(path)
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(path)
        os.chmod(path, 0o600)  # nobody can connect before, as it does not listen yet
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class _Connection:
    """One client: its requests run side by side, each in a task that ends with the connection."""

    def __init__(self, store: Store, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        try:
            self._send(Outgoing({"id": 0, "revision": self._store.revision}).encode())
            while True:
                self._start(await read_frame(self._reader))
        except (asyncio.IncompleteReadError, OSError):
            pass  # the client left; what it began is ended below
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            self._writer.close()
            if tasks:
                await asyncio.wait(tasks)

    def _start(self, frame: Incoming) -> None:
        call = int(frame.header["id"])
        if frame.header["call"] == "cancel":
            if (task := self._tasks.get(call)) is not None:
                task.cancel()
            return
        task = asyncio.create_task(self._answer(call, frame), name=f"store-call-{frame.header['call']}")
        self._tasks[call] = task
        task.add_done_callback(lambda _: self._tasks.pop(call, None))

    async def _answer(self, call: int, frame: Incoming) -> None:
        try:
            if frame.header["call"] == "watch":
                await self._watch(call, frame.header)
            else:
                for part in await self._call(call, frame):
                    failpoints.hit("before-reply")
                    self._send(part)
                    failpoints.hit("after-reply")
                    await self._writer.drain()
        except (StoreError, ValueError) as error:
            self._send(encode_error(call, error))
        except OSError:
            self._writer.close()

    async def _call(self, call: int, frame: Incoming) -> Iterable[bytes]:
        store, header = self._store, frame.header
        match header["call"]:
            case "commit":
                compares = [Compare(key, revision) for key, revision in header["if"]]
                revision = await store.commit(frame.operations(header["do"]), compares)
                return [Outgoing({"id": call, "revision": revision}).encode()]
            case "get":
                answer = Outgoing({"id": call})
                answer.header["row"] = answer.row(await store.get(header["key"], revision=header["at"]))
                return [answer.encode()]
            case "range":
                found = await store.range(*header["in"], limit=header["limit"], revision=header["at"])
                return encode_range(call, found)
            case "count":
                return [Outgoing({"id": call, "count": await store.count(*header["in"])}).encode()]
            case "current":
                return [Outgoing({"id": call, "revision": await store.current_revision()}).encode()]
            case "compact":
                await store.compact(header["at"])
                return [Outgoing({"id": call}).encode()]
        raise ValueError(f"unknown call {header['call']!r}")

    async def _watch(self, call: int, header: Header) -> None:
        async with contextlib.aclosing(_generator(self._store, header)) as batches:
            async for batch in batches:
                if seen_of(batch):
                    self._send(encode_batch(call, batch))
                    await self._writer.drain()
        raise Unavailable("the store is closed")

    def _send(self, frame: bytes) -> None:
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES:
            log.warning("store client does not read, disconnecting it")
            self._writer.transport.abort()
            return
        self._writer.write(frame)


async def _generator(store: Store, header: Header) -> AsyncGenerator[Sequence[Event], None]:
    async for batch in store.watch(*header["in"], after=header["after"]):
        yield batch
