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
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser, HttpVersion10, RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from fairlead_api.errors import ApiError, BadRequest
from fairlead_control_plane.auth.subprotocols import is_websocket
from fairlead_control_plane.http.bodies import Body, discard
from fairlead_control_plane.http.doorway import Doorway, Served
from fairlead_control_plane.http.heads import NO_CACHE_LINE, extra_headers, status_line
from fairlead_control_plane.http.limits import Limits
from fairlead_control_plane.http.target import parse_target
from fairlead_control_plane.http.websockets import Messages, handshake
from fairlead_machinery.web import Handler, Request, Response, error_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)

_HEAD_END = b"\r\n\r\n"
_QUEUE = 16
"""Pipelined requests held per connection before reading stops."""


class Listener:
    """Accepts connections, hands their requests to ``handler`` one after the other, and ends them in order."""

    def __init__(self, handler: Handler, *, limits: Limits | None = None) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self.connections: set[Connection] = set()
        self.is_stopping = False
        self._doorway: Doorway | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._date = (0, b"")

    async def start(self, bound: socket.socket, context: ssl.SSLContext | None) -> int:
        """Listen on a bound socket, which is the listener's from now on; return its port."""
        loop = asyncio.get_running_loop()
        port: int = bound.getsockname()[1]
        self._doorway = Doorway(bound, context, self.limits, lambda known: Connection(self, loop, known))
        self._doorway.open(lambda: len(self.connections))
        self._sweep()
        return port

    async def stop(self, grace_s: float) -> None:
        """Stop accepting, end streams, let requests under way finish within ``grace_s`` seconds, then cut the rest."""
        self.is_stopping = True
        if self._doorway is not None:
            await self._doorway.close()
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


class Connection(BaseProtocol, Served):
    """One client connection; a single task answers its requests in order."""

    __slots__ = (
        "_body", "_certificate", "_closing", "_ending", "_header_bytes", "_header_since", "_idle_since", "_is_new",
        "_known", "_listener", "_messages", "_queue", "_remote", "_streaming", "_tail", "_task", "_waiter",
    )  # fmt: skip

    def __init__(self, listener: Listener, loop: asyncio.AbstractEventLoop, known: Callable[[], None]) -> None:
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
        self._known = known
        self._is_new = True
        self._body: StreamReader = EMPTY_PAYLOAD
        self._header_bytes = 0
        self._header_since = 0.0
        self._idle_since = loop.time()
        self._certificate: bytes | None = None
        self._remote = ""
        self._messages: Messages | None = None
        self._tail = b""

    @property
    def is_streaming(self) -> bool:
        """True while an answer goes on until somebody ends it: a watch."""
        return self._streaming

    @property
    def is_answering(self) -> bool:
        """True while a request is being answered in one piece."""
        return self._waiter is None and not self._streaming

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start answering."""
        super().connection_made(transport)
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
        self._known()  # or gone: no stranger any more
        self._closing = True
        if self._task is not None:
            self._task.cancel()
        self._parser = None

    def eof_received(self) -> bool | None:
        """Close when the client has finished sending: a half-open peer cannot be told from a dead one."""
        return None

    def data_received(self, data: bytes) -> None:
        """Parse; wake the task when a request's headers are complete."""
        if self._upgraded:
            self._hear(data)
            return
        if self._closing or self._parser is None:
            return
        in_body = not self._body.is_eof()
        try:
            messages, self._upgraded, self._tail = self._parser.feed_data(data)
        except HttpProcessingError as error:
            messages, self._closing = [(error, EMPTY_PAYLOAD)], True
        if messages:
            self._header_bytes = 0
            self._body = messages[-1][1]
            if self._body is EMPTY_PAYLOAD and not data.endswith(_HEAD_END) and not self._closing:
                messages += self._count_head(len(data) - data.rfind(_HEAD_END) - len(_HEAD_END))
        elif data and not in_body:
            messages = self._count_head(len(data))
        if messages:
            self._queue.extend(messages)
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
            if not self._buffer_paused and len(self._queue) >= _QUEUE:
                self._pause_reading_for_buffer()

    def _hear(self, data: bytes) -> None:
        """Take what is for another protocol; before the answer a client has nothing to say in it, but may."""
        if self._messages is not None:
            self._messages.feed(data)
            return
        self._tail += data
        if len(self._tail) > self._listener.limits.header_bytes:
            self.cut()

    def _count_head(self, size: int) -> list[tuple[HttpProcessingError, StreamReader]]:
        """Count bytes of a head that has not ended; return the refusal when they are too many."""
        if not self._header_bytes:
            self._header_since = self._loop.time()
        self._header_bytes += size
        limit = self._listener.limits.header_bytes
        if self._header_bytes <= limit:
            return []
        self._closing = True
        return [(LineTooLong("", limit), EMPTY_PAYLOAD)]

    def check(self, now: float) -> None:
        """Cut the connection when nothing, or only half of a request's head, has come for too long."""
        if self._waiter is None:
            return
        limits = self._listener.limits
        if self._header_bytes:
            if now - self._header_since > limits.header_s:
                self.cut()
            return
        quiet_s = limits.header_s if self._is_new else limits.idle_s
        if now - self._idle_since > quiet_s and self.transport is not None:
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
        self._is_new = False
        if isinstance(message, HttpProcessingError):
            too_long = isinstance(message, LineTooLong)
            error = _HeadTooLarge("the request head is too large") if too_long else BadRequest("malformed HTTP request")
            await self._send(None, error_response(error), keep=False)
            return False
        self._make_room()
        keep = not (message.should_close or message.upgrade)
        body = Body(message, payload, self._listener.limits, self._write)
        try:
            request = self._request(message, body.read)
        except ApiError as error:
            await self._send(message, error_response(error), keep=False)
            return False
        response = await self._listener.handler(request)
        if response.has_messages and response.stream is not None and message.upgrade and is_websocket(request.headers):
            await self._send_messages(message, response, request.headers)
            return False
        keep = keep and payload.is_eof() and not self._ending
        await self._send(message, response, keep=keep)
        if not payload.is_eof():
            await discard(payload)
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
            known=self._known,
        )

    async def _send(self, message: RawRequestMessage | None, response: Response, *, keep: bool) -> None:
        """Write an answer; a stream until it ends, the client goes, or the server stops."""
        transport = self.transport
        if transport is None:
            if response.stream is not None:
                await _close(response.stream)
            raise ConnectionResetError
        head = [status_line(response.code, response.content_type), self._listener.date()]
        head.append(extra_headers(response) if response.headers or response.warnings else NO_CACHE_LINE)
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

        async def send(chunk: bytes) -> None:
            self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)

        await self._stream(stream, send)
        self._write(b"0\r\n\r\n" if chunked else b"")
        if not chunked:
            self._closing = True

    async def _stream(self, stream: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send a stream's chunks until it ends, the client goes, or the server stops."""
        self._streaming = True
        try:
            async for chunk in stream:
                if chunk:
                    await send(chunk)
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

    async def _send_messages(self, message: RawRequestMessage, response: Response, headers: Mapping[str, str]) -> None:
        """Make a WebSocket of the connection and send the stream over it."""
        stream, transport = response.stream, self.transport
        assert stream is not None, "the caller has looked"
        if transport is None:
            await _close(stream)
            raise ConnectionResetError
        try:
            head = handshake(headers)
        except ApiError as error:
            await _close(stream)
            await self._send(message, error_response(error), keep=False)
            return
        self._write(b"".join([head, self._listener.date(), extra_headers(response), b"\r\n"]))
        self._messages = messages = Messages(self, transport, self._loop)
        messages.feed(self._tail)
        listening = self._loop.create_task(messages.listen(), name="websocket")
        listening.add_done_callback(lambda _: transport.close())
        try:
            await self._stream(stream, messages.send)
            await messages.close()
        finally:
            listening.cancel()

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


class _HeadTooLarge(ApiError):
    code, reason = 431, "RequestHeaderFieldsTooLarge"


async def _close(stream: AsyncIterator[bytes]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("a header is not UTF-8") from error
