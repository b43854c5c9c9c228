"""
Connections: TLS, HTTP/1.1, limits, streams.

The parser is aiohttp's (llhttp); the protocol around it is ours, because answers to malformed requests must be
``Status`` objects without a banner, because a request needs no task of its own, and because slow senders and slow
readers are to be cut. The rest of the server sees :class:`Request` and :class:`Response` only.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser, HttpVersion10, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from fairlead_api.errors import ApiError, BadRequest, RequestTooLarge, Timeout, UnsupportedMediaType
from fairlead_control_plane.http.target import parse_target
from fairlead_machinery.web import Handler, Request, Response, error_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)

_QUEUE = 16
"""Pipelined requests held per connection before reading stops."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a client may cost.

    Attributes:
        body_bytes: Kubernetes' limit for a request body.
        header_bytes: Request line and headers together; large tokens and selectors fit.
        header_s: From the first byte of a request to its last header.
        body_s: Longest pause inside a body.
        idle_s: Quiet time between requests; longer than client-go's own 90 s, so that the client closes first.
        write_s: Longest time without any progress while a client does not read; then it is cut.
        connections: More are closed at once.
    """

    body_bytes: int = 3 * 1024 * 1024
    header_bytes: int = 256 * 1024
    header_s: float = 15.0
    body_s: float = 30.0
    idle_s: float = 180.0
    write_s: float = 30.0
    connections: int = 20_000


class Listener:
    """Accepts connections, hands their requests to ``handler`` one after the other, and ends them in order."""

    def __init__(self, handler: Handler, *, limits: Limits | None = None) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self.connections: set[Connection] = set()
        self.is_stopping = False
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._date = (0, b"")

    async def start(self, bound: socket.socket, context: ssl.SSLContext | None) -> int:
        """Listen on a bound socket, which is the listener's from now on; return its port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self, loop),
            sock=bound,
            ssl=context,
            backlog=1024,
            ssl_handshake_timeout=self.limits.header_s if context else None,
        )
        self._sweep()
        port: int = bound.getsockname()[1]
        return port

    async def stop(self, grace_s: float) -> None:
        """Stop accepting, end streams, let requests under way finish within ``grace_s`` seconds, then cut the rest."""
        self.is_stopping = True
        if self._server is not None:
            self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        tasks = [task for connection in list(self.connections) if (task := connection.end()) is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                log.warning("cut %d connections that did not end in time", len(late))
                await asyncio.wait(late, timeout=1)
        for connection in list(self.connections):
            connection.cut()

    def date(self) -> bytes:
        """Return the ``Date`` header line, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, f"Date: {formatdate(now, usegmt=True)}\r\n".encode())
        return self._date[1]

    def _sweep(self) -> None:
        """Cut connections that are idle or send headers too slowly; runs every few seconds."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self.connections):
            connection.check(now)
        self._sweeper = loop.call_later(min(5.0, self.limits.header_s / 2), self._sweep)


class Connection(BaseProtocol):
    """One client connection; a single task answers its requests in order."""

    __slots__ = (
        "_certificate", "_closing", "_ending", "_header_bytes", "_header_since", "_idle_since", "_listener", "_queue",
        "_remote", "_streaming", "_task", "_waiter",
    )  # fmt: skip

    def __init__(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        limits = listener.limits
        parser = HttpRequestParser(
            self,
            loop,
            2**16,
            max_line_size=limits.header_bytes,
            max_field_size=limits.header_bytes,
            max_headers=128,
            auto_decompress=False,
            max_msg_queue_size=_QUEUE,
        )
        super().__init__(loop, parser)
        self._listener = listener
        self._queue: deque[tuple[RawRequestMessage | HttpProcessingError, StreamReader]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._ending = False
        self._streaming = False
        self._header_bytes = 0
        self._header_since = 0.0
        self._idle_since = loop.time()
        self._certificate: bytes | None = None
        self._remote = ""

    @property
    def is_streaming(self) -> bool:
        """True while an answer goes on until somebody ends it: a watch."""
        return self._streaming

    @property
    def is_answering(self) -> bool:
        """True while a request is being answered in one piece."""
        return self._waiter is None and not self._streaming

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start answering; refuse when there are too many connections."""
        super().connection_made(transport)
        if self._listener.is_stopping or len(self._listener.connections) >= self._listener.limits.connections:
            cast("asyncio.Transport", transport).abort()
            return
        self._listener.connections.add(self)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._certificate = tls.getpeercert(True)
        peer = transport.get_extra_info("peername")
        self._remote = str(peer[0]) if peer else ""
        self._task = self._loop.create_task(self._serve(), name="connection")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancel the request under way: nobody waits for its answer."""
        super().connection_lost(exc)
        self._listener.connections.discard(self)
        self._closing = True
        if self._task is not None:
            self._task.cancel()
        self._parser = None

    def eof_received(self) -> bool | None:
        """Close when the client has finished sending: a half-open peer cannot be told from a dead one."""
        return None

    def data_received(self, data: bytes) -> None:
        """Parse; wake the task when a request's headers are complete."""
        if self._closing or self._parser is None or self._upgraded:
            return
        try:
            messages, self._upgraded, _ = self._parser.feed_data(data)
        except HttpProcessingError as error:
            messages, self._closing = [(error, EMPTY_PAYLOAD)], True
        if messages:
            self._header_bytes = 0
            self._queue.extend(messages)
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
            if not self._buffer_paused and len(self._queue) >= _QUEUE:
                self._pause_reading_for_buffer()
        elif self._waiter is not None and data:
            if not self._header_bytes:
                self._header_since = self._loop.time()
            self._header_bytes += len(data)
            if self._header_bytes > self._listener.limits.header_bytes:
                self.cut()

    def check(self, now: float) -> None:
        """Cut the connection when nothing, or only half of a request's head, has come for too long."""
        if self._waiter is None:
            return
        limits = self._listener.limits
        if self._header_bytes:
            if now - self._header_since > limits.header_s:
                self.cut()
        elif now - self._idle_since > limits.idle_s and self.transport is not None:
            self.transport.close()

    def end(self) -> asyncio.Task[None] | None:
        """Finish the request under way and close; return the task to wait for."""
        self._ending = True
        if self._task is not None and (self._waiter is not None or self._streaming):
            self._task.cancel()
        return self._task

    def cut(self) -> None:
        """Drop the connection and whatever is unsent."""
        if self.transport is not None:
            self.transport.abort()

    async def _serve(self) -> None:
        try:
            while await self._next():
                pass
        except (ConnectionError, TimeoutError):
            self.cut()
        except Exception:
            log.exception("connection failed")
            self.cut()
        finally:
            if self.transport is not None:
                self.transport.close()

    async def _next(self) -> bool:
        """Answer one request; return whether another may follow."""
        if not self._queue:
            if self._closing or self._ending:
                return False
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, payload = self._queue.popleft()
        if isinstance(message, HttpProcessingError):
            await self._send(None, error_response(BadRequest("malformed HTTP request")), keep=False)
            return False
        self._make_room()
        keep = not (message.should_close or message.upgrade)
        body = _Body(self, message, payload, self._listener.limits)
        try:
            request = self._request(message, body.read)
        except ApiError as error:
            await self._send(message, error_response(error), keep=False)
            return False
        response = await self._listener.handler(request)
        keep = keep and payload.is_eof() and not self._ending
        await self._send(message, response, keep=keep)
        if not payload.is_eof():
            await _discard(payload)
        self._idle_since = self._loop.time()
        return keep

    def _make_room(self) -> None:
        """Let the parser go on with pipelined requests."""
        parser = self._parser
        if parser is None:
            return
        parser.message_consumed()
        if self._buffer_paused and len(self._queue) <= _QUEUE // 2:
            self.data_received(b"")
            if len(self._queue) < _QUEUE:
                self._resume_reading_for_buffer()

    def _request(self, message: RawRequestMessage, read: Callable[[], Awaitable[bytes]]) -> Request:
        raw = message.path
        target = parse_target(raw)
        headers: dict[str, str] = {}
        for name, value in message.headers.items():
            lower = name.lower()
            if lower in headers:
                value = headers[lower] + ("\n" if lower.startswith("impersonate-") else ",") + value  # noqa: PLW2901
            headers[lower] = value
            if not value.isascii():
                _check_text(value)
        return Request(
            message.method,
            raw,
            target.path,
            target.query,
            headers,
            read,
            target.query_all,
            self._certificate,
            self._remote,
        )

    async def _send(self, message: RawRequestMessage | None, response: Response, *, keep: bool) -> None:
        """Write an answer; a stream until it ends, the client goes, or the server stops."""
        transport = self.transport
        if transport is None:
            if response.stream is not None:
                await _close(response.stream)
            raise ConnectionResetError
        head = [_status_line(response.code, response.content_type), self._listener.date()]
        head.append(_extra_headers(response) if response.headers or response.warnings else _NO_CACHE_LINE)
        if response.stream is not None:
            await self._send_stream(message, response.stream, head)
            return
        if not keep:
            head.append(b"Connection: close\r\n")
        body = response.body
        head.append(b"Content-Length: %d\r\n\r\n" % len(body))
        if message is None or message.method != "HEAD":
            head.append(body)
        transport.write(b"".join(head))
        if self._paused:
            await self._drain()

    async def _send_stream(
        self, message: RawRequestMessage | None, stream: AsyncIterator[bytes], head: list[bytes]
    ) -> None:
        """Send chunks as they come; each carries whole frames, so none is held back to be joined with the next."""
        chunked = message is not None and message.version != HttpVersion10
        head.append(b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Connection: close\r\n\r\n")
        self._write(b"".join(head))
        self._streaming = True
        try:
            async for chunk in stream:
                if chunk:
                    self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
                if self._paused:
                    await self._drain()
        except asyncio.CancelledError:
            task = self._task
            if not self._ending or self.transport is None or task is None:
                raise
            task.uncancel()
        finally:
            self._streaming = False
            await _close(stream)
        self._write(b"0\r\n\r\n" if chunked else b"")
        if not chunked:
            self._closing = True

    def _write(self, data: bytes) -> None:
        if self.transport is None:
            raise ConnectionResetError
        self.transport.write(data)

    async def _drain(self) -> None:
        """Wait until the client has read; cut it when it reads nothing for ``write_s`` seconds."""
        while self._paused and (transport := self.transport) is not None:
            before = transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(self._listener.limits.write_s):
                    await self._drain_helper()
            except TimeoutError:
                if transport.get_write_buffer_size() >= before:
                    raise


class _Body:
    """Reads a request's body once, when somebody asks for it."""

    __slots__ = ("_connection", "_limits", "_message", "_payload")

    def __init__(
        self, connection: Connection, message: RawRequestMessage, payload: StreamReader, limits: Limits
    ) -> None:
        self._connection = connection
        self._message = message
        self._payload = payload
        self._limits = limits

    async def read(self) -> bytes:
        """
        Return the whole body.

        Raises:
            RequestTooLarge: It is longer than the limit; nothing more is read.
            UnsupportedMediaType: It is compressed.
            Timeout: It stopped coming.
        """
        headers, limit = self._message.headers, self._limits.body_bytes
        if headers.get("Content-Encoding", "identity") != "identity":
            raise UnsupportedMediaType("compressed request bodies are not accepted")
        if int(headers.get("Content-Length", "0")) > limit:
            raise _too_large(limit)
        if headers.get("Expect", "").lower() == "100-continue" and self._connection.transport is not None:
            self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        parts: list[bytes] = []
        size = 0
        try:
            while not self._payload.at_eof():
                async with asyncio.timeout(self._limits.body_s):
                    part = await self._payload.readany()
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
        except TimeoutError as error:
            raise Timeout("the request body did not arrive in time") from error
        except HttpProcessingError as error:
            raise BadRequest("malformed request body") from error
        return b"".join(parts) if len(parts) != 1 else parts[0]


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Request entity too large: limit is {limit}")


async def _discard(payload: StreamReader) -> None:
    """Read on for a moment: closing with unread bytes would reset the connection before our answer is read."""
    try:
        async with asyncio.timeout(2.0):
            while not payload.at_eof():
                await payload.readany()
    except (TimeoutError, HttpProcessingError):
        return


async def _close(stream: AsyncIterator[bytes]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("a header is not UTF-8") from error


_NO_CACHE = "Cache-Control: no-cache, private\r\n"
_NO_CACHE_LINE = _NO_CACHE.encode()
_LINES: dict[tuple[int, str], bytes] = {}


def _status_line(code: int, content_type: str) -> bytes:
    """Return status line and the headers every answer has; made once per (code, type), of which there are few."""
    line = _LINES.get((code, content_type))
    if line is None:
        try:
            phrase = HTTPStatus(code).phrase
        except ValueError:
            phrase = "Unknown"
        text = f"HTTP/1.1 {code} {phrase}\r\n"
        if content_type:
            text += f"Content-Type: {_one_line(content_type)}\r\n"
        line = text.encode()
        if len(_LINES) < 256:
            _LINES[code, content_type] = line
    return line


def _extra_headers(response: Response) -> bytes:
    lines = [] if "Cache-Control" in response.headers else [_NO_CACHE]
    lines += [f"{_one_line(name)}: {_one_line(value)}\r\n" for name, value in response.headers.items()]
    for warning in response.warnings:
        text = _one_line(warning).replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'Warning: 299 - "{text}"\r\n')
    return "".join(lines).encode()


def _one_line(text: str) -> str:
    """Replace control characters, so that no header can be smuggled into an answer."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
