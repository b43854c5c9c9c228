"""
A client so thin that it is not what is measured: prepared requests out, statuses and counts back.

HTTP/1.1 over TLS on plain asyncio protocols. A general client in Python spends more on one request than the servers
compared here do; both sides get this one.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

CONNECTIONS = 32
_HEAD_END = b"\r\n\r\n"
_SHOWN_BYTES = 400
_EVENT_START = b'{"type":"'
ADDED = b'{"type":"ADDED"'


class BadAnswer(Exception):
    """A server answered what the measurement does not expect, so that its number would mean nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where to connect and as whom.

    Attributes:
        prefix: Path before every API path (``/clusters/root`` or nothing).
    """

    host: str
    port: int
    token: str
    tls: ssl.SSLContext
    prefix: str = ""

    def request(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
        """Prepare a whole request."""
        lines = [
            f"{method} {self.prefix}{path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            f"Authorization: Bearer {self.token}",
            "Accept: application/json",
            "User-Agent: bench",
        ]
        if body:
            lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode() + _HEAD_END + body


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request on its way at a time."""

    def __init__(self) -> None:
        self.body = bytearray()
        self._is_kept = False
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._buffer = bytearray()
        self._status = 0
        self._in_body = False
        self._is_chunked = False
        # Of the body, or of the current chunk with its line end.
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's does what asyncio's does without being of its class.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request on its way, if there is one."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BadAnswer(f"connection lost: {exc}"))

    def send(self, request: bytes, *, keep: bool) -> asyncio.Future[int]:
        """Send a prepared request; the result is the status, ``body`` is all of the body or enough to show."""
        assert self._transport is not None
        self.body.clear()
        self._is_kept = keep
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in what came, which may be any part of an answer."""
        if self._in_body and not self._is_chunked:
            # The body of a long list, which must not be copied more than once.
            self._left -= len(data)
            self._keep(data)
            finished = self._left <= 0
        else:
            self._buffer += data
            if not self._in_body and not self._read_head():
                return
            finished = self._read_chunks() if self._is_chunked else self._read_rest()
        if finished and self._answer is not None and not self._answer.done():
            self._in_body = False
            self._answer.set_result(self._status)

    def _keep(self, part: bytes | bytearray) -> None:
        if self._is_kept or len(self.body) < _SHOWN_BYTES:
            self.body += part

    def _read_head(self) -> bool:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        del self._buffer[: end + len(_HEAD_END)]
        self._status = int(head[9:12])
        length = head.find(b"\r\ncontent-length:")
        self._is_chunked = length < 0 and b"\r\ntransfer-encoding: chunked" in head
        self._left = 0 if length < 0 else int(head[length + 17 :].split(b"\r\n", 1)[0])
        self._in_body = True
        return True

    def _read_rest(self) -> bool:
        """Take what came behind the head of an answer with a length."""
        self._left -= len(self._buffer)
        self._keep(self._buffer)
        self._buffer.clear()
        return self._left <= 0

    def _read_chunks(self) -> bool:
        """Take whole chunks and parts of one; true after the last."""
        while True:
            if self._left:
                taken = min(self._left, len(self._buffer))
                # The line end behind a chunk is counted in, and not kept.
                self._keep(self._buffer[: min(taken, max(self._left - 2, 0))])
                del self._buffer[:taken]
                self._left -= taken
                if self._left:
                    return False
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return False
            size = int(bytes(self._buffer[:end]), 16)
            if size == 0:
                if len(self._buffer) < end + 4:
                    return False
                self._buffer.clear()
                return True
            del self._buffer[: end + 2]
            self._left = size + 2


class Watcher(asyncio.Protocol):
    """
    A watch that counts its events; it does not look into them, so that many fit into one process.

    Args:
        request: Asks for the watch.
        mark: What each event that counts begins with.
    """

    def __init__(self, request: bytes, mark: bytes = _EVENT_START) -> None:
        self.count = 0
        self._mark = mark
        self._request = request
        self._tail = b""
        self._wanted = 0
        self._reached: asyncio.Future[float] | None = None
        self._transport: asyncio.Transport | None = None
        self.is_open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the watch."""
        # uvloop's does what asyncio's does without being of its class.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits for more events."""
        for waiting in (self._reached, self.is_open):
            if waiting is not None and not waiting.done():
                waiting.set_exception(BadAnswer(f"watch ended after {self.count} events: {exc}"))

    def data_received(self, data: bytes) -> None:
        """Count the events that begin in here."""
        if not self.is_open.done():
            if not data.startswith(b"HTTP/1.1 200"):
                self.is_open.set_exception(BadAnswer(data[:400].decode(errors="replace")))
                return
            self.is_open.set_result(None)
        joined = self._tail + data
        self.count += joined.count(self._mark)
        # A start may be split over two reads; one that is whole must not be counted twice.
        self._tail = joined[-(len(self._mark) - 1) :]
        if self._reached is not None and self.count >= self._wanted and not self._reached.done():
            self._reached.set_result(time.perf_counter())

    def reach(self, count: int) -> asyncio.Future[float]:
        """Return a future of the moment (``perf_counter`` seconds) at which ``count`` events have come in all."""
        self._wanted = count
        self._reached = asyncio.get_running_loop().create_future()
        if self.count >= count:
            self._reached.set_result(time.perf_counter())
        return self._reached

    def close(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()


async def connect(target: Target, count: int = CONNECTIONS) -> list[Connection]:
    """Open connections."""
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(Connection, target.host, target.port, ssl=target.tls) for _ in range(count)]
    return [connection for _, connection in opened]


async def watch(target: Target, path: str, count: int, mark: bytes = _EVENT_START) -> list[Watcher]:
    """Open that many watches of one path, and wait until the server has begun to answer each; see :class:`Watcher`."""
    loop = asyncio.get_running_loop()
    request = target.request("GET", path)
    opened = [
        await loop.create_connection(lambda: Watcher(request, mark), target.host, target.port, ssl=target.tls)
        for _ in range(count)
    ]
    watchers = [watcher for _, watcher in opened]
    await asyncio.gather(*(watcher.is_open for watcher in watchers))
    return watchers


async def ask(connection: Connection, request: bytes, expected: Iterable[int], *, keep: bool = False) -> bytes:
    """Send one request and return the body, whole with ``keep``; ``BadAnswer`` for a status not expected."""
    status = await connection.send(request, keep=keep)
    if status not in expected:
        shown = connection.body[:_SHOWN_BYTES].decode(errors="replace")
        raise BadAnswer(f"{request[:200].split(b' HTTP')[0].decode()}: {status} {shown}")
    return bytes(connection.body)


async def hammer(
    connections: list[Connection], make_request: Callable[[int], bytes], expected: Iterable[int], duration_s: float
) -> float:
    """
    Send requests on all connections as fast as answers come, and return answers per second.

    Args:
        connections: One request at a time on each.
        make_request: Gives the request for a running number that no two requests share.
        expected: Statuses that count as done; any other ends the measurement.
        duration_s: Seconds after which no new request is sent.
    """
    numbers = itertools.count()
    started = time.perf_counter()
    until = started + duration_s

    async def work(connection: Connection) -> int:
        done = 0
        while time.perf_counter() < until:
            await ask(connection, make_request(next(numbers)), expected)
            done += 1
        return done

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(connection)) for connection in connections]
    return sum(task.result() for task in tasks) / (time.perf_counter() - started)
