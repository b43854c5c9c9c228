"""
One HTTP/2 connection to a server, as far as watches take: requests without a body, answers that go on.

It says by itself what a connection of HTTP/1.1 leaves to the operating system: after a silence it asks with a PING
whether anybody is there. An answer that nobody takes is held back alone, never those beside it: the connection's window
is opened as bytes arrive, a stream's as they are taken.

Source: RFC 9113; k8s.io/apimachinery/pkg/util/net (its client's pings).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RemoteSettingsChanged, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

QUIET_S = 20.0
"""Silence after which the server is asked whether it is there."""
ANSWER_S = 10.0
"""Time it has to answer."""
MOST_STREAMS = 1000
"""More are not begun on one connection, whatever the server would take."""
STREAM_WINDOW, CONNECTION_WINDOW = 256 * 1024, 4 * 1024 * 1024
"""Bytes under way of an answer that nobody takes, and of all answers together."""
_FRAME_HEAD, _GOAWAY = 9, 7

Headers = list[tuple[str, str]]
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Lost(ConnectionError):
    """The connection ended before the answer did."""


class Refused(Lost):
    """The server did not act on the request, so that it may be sent again on another connection."""


class Stream:
    """
    One answer as it comes; :meth:`head` first, then :meth:`read` or iteration over pieces of the body.

    Attributes:
        status: Of HTTP; 0 before the head.
        headers: Names in title case, such as ``Retry-After``; none of a success, which may go on for long.
    """

    __slots__ = ("_connection", "_ended", "_error", "_pieces", "_waiter", "headers", "id", "status")

    def __init__(self, connection: Connection, stream_id: int) -> None:
        self.id = stream_id
        self.status = 0
        self.headers: Mapping[str, str] = _NO_HEADERS
        self._connection = connection
        self._pieces: list[bytes] = []
        self._ended = False
        self._error: Lost | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def head(self) -> None:
        """Wait until status and headers are known."""
        while not self.status:
            await self._more()

    async def read(self) -> bytes:
        """Return the rest of the body."""
        return b"".join([piece async for piece in self])

    @property
    def content(self) -> Stream:
        """Return the body as aiohttp names it."""
        return self

    def iter_any(self) -> Stream:
        """Yield what there is as soon as there is something."""
        return self

    def __aiter__(self) -> Stream:
        """Begin, or go on."""
        return self

    async def __anext__(self) -> bytes:
        """Return all that has come since."""
        while not self._pieces:
            if self._ended:
                raise StopAsyncIteration
            await self._more()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._connection.taken(self, len(data))
        return data

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        if self._ended:
            raise Lost("the server ended an answer before its head")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Tell the server that nothing more is wanted, unless all has come."""
        self._connection.forget(self)

    # --- what the connection says ------------------------------------------------------------------------------------

    def begin(self, headers: Headers) -> None:
        """Take the head."""
        self.status = int(dict(headers)[":status"])
        if self.status >= 400:
            self.headers = {name.title(): value for name, value in headers if not name.startswith(":")}
        self._wake()

    def feed(self, data: bytes) -> None:
        """Take a piece of the body."""
        if data:
            self._pieces.append(data)
            self._wake()

    def end(self, error: Lost | None = None) -> None:
        """Take note that nothing more comes, in order or not."""
        self._ended = self._ended or error is None
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """
    One connection, from its handshake to its end.

    Attributes:
        leaving: Whether nothing new may be begun on it.
        ended: Set when it is gone.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._http = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                # What is sent is made here, in order and in lower case; to look at it again takes half the time.
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._streams: dict[int, Stream] = {}
        self._untaken: dict[int, int] = {}
        self._unopened = 0
        self._buffer = bytearray()
        self._ready = self._loop.create_future()
        self._heard_s = self._used_s = self._loop.time()
        self._looks: int | None = None  # since it was asked whether anybody is there
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.leaving = False
        self.ended = asyncio.Event()

    # --- for its owner -----------------------------------------------------------------------------------------------

    @property
    def speaks_http2(self) -> bool:
        """Tell whether the server chose HTTP/2 in the handshake."""
        assert self._transport is not None, "asyncio connects before it hands a protocol out"
        secure = self._transport.get_extra_info("ssl_object")
        return secure is not None and secure.selected_alpn_protocol() == "h2"

    @property
    def is_free(self) -> bool:
        """Tell whether another request may be sent on it."""
        most = min(self._http.remote_settings.max_concurrent_streams, MOST_STREAMS)
        return not self.leaving and len(self._streams) < most

    @property
    def idle_s(self) -> float:
        """Return for how long nothing was wanted of it."""
        return 0.0 if self._streams else self._loop.time() - self._used_s

    async def start(self) -> None:
        """
        Begin to speak HTTP/2, and wait for what the server allows.

        Raises:
            Lost: It is gone already.
        """
        windows = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW}
        self._http.local_settings = Settings(client=True, initial_values=windows)
        self._http.initiate_connection()
        self._http.increment_flow_control_window(CONNECTION_WINDOW)
        self._flush()
        self._timer = self._loop.call_later(_look_s(), self._look)
        await self._ready

    def send(self, headers: Headers) -> Stream:
        """
        Send a request, all of it in its headers; the caller has seen that :attr:`is_free`.

        Raises:
            Refused: It cannot be sent on this connection.
        """
        try:
            stream_id = self._http.get_next_available_stream_id()
            self._http.send_headers(stream_id, headers, end_stream=True)
        except ProtocolError as error:
            self.leaving = True
            raise Refused(f"no request can be sent on this connection: {error}") from error
        stream = self._streams[stream_id] = Stream(self, stream_id)
        self._flush()
        return stream

    def taken(self, stream: Stream, size: int) -> None:
        """Let the server send as much again of an answer."""
        if self._streams.get(stream.id) is not stream:
            return
        size += self._untaken.pop(stream.id, 0)
        if size < STREAM_WINDOW // 4:
            self._untaken[stream.id] = size
            return
        self._http.increment_flow_control_window(size, stream.id)
        self._flush()

    def forget(self, stream: Stream) -> None:
        """Drop a stream; the server is told when it would go on."""
        if self._remove(stream.id) is not None:
            self._http.reset_stream(stream.id, ErrorCodes.CANCEL)
            self._flush()
            self._leave_when_empty()

    def close(self) -> None:
        """End it at once."""
        if not self.ended.is_set() and self._transport is not None:
            self._http.close_connection()
            self._flush()
            self._transport.close()  # what is written is still sent
            self._lose(Lost("the connection was closed"))

    # --- what asyncio says -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; whether HTTP/2 is spoken is not known yet."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take in what the server said."""
        self._heard_s = self._loop.time()
        self._looks = None
        self._buffer += data
        try:
            for frame in self._frames():
                for event in self._http.receive_data(frame):
                    self._handle(event)
        except ProtocolError as error:
            self._flush()
            self._lose(Lost(f"the server broke the protocol: {error}"))
            return
        self._flush()
        self._leave_when_empty()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        self._lose(Lost(str(exc) if exc is not None and str(exc) else "the server closed the connection"))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _frames(self) -> Iterator[bytes]:
        """
        Cut what came into frames, all but GOAWAY: by that h2 ends a connection on which streams may well go on.

        See https://github.com/python-hyper/h2/issues/1181.
        """
        buffer = self._buffer
        begin = 0
        while len(buffer) - begin >= _FRAME_HEAD:
            size = int.from_bytes(buffer[begin : begin + 3], "big")
            if size > self._http.max_inbound_frame_size:
                raise ProtocolError(f"a frame of {size} bytes")
            end = begin + _FRAME_HEAD + size
            if len(buffer) < end:
                break
            frame = bytes(buffer[begin:end])
            begin = end
            if frame[3] == _GOAWAY:
                self._go_away(frame[_FRAME_HEAD:])
            else:
                yield frame
        del buffer[:begin]

    def _handle(self, event: Event) -> None:
        if isinstance(event, RemoteSettingsChanged):
            if not self._ready.done():
                self._ready.set_result(None)
        elif isinstance(event, DataReceived):
            self._take(event)
        elif isinstance(event, ResponseReceived):
            if stream := self._streams.get(event.stream_id):
                stream.begin(cast("Headers", event.headers))
        elif isinstance(event, StreamEnded):
            if stream := self._remove(event.stream_id):
                stream.end()
        elif isinstance(event, StreamReset) and (stream := self._remove(event.stream_id)):
            kind = Refused if event.error_code == ErrorCodes.REFUSED_STREAM else Lost
            stream.end(kind(f"the server ended the answer: {_name(event.error_code)}"))

    def _take(self, event: DataReceived) -> None:
        size = event.flow_controlled_length
        self._unopened += size
        if self._unopened >= CONNECTION_WINDOW // 4:
            self._http.increment_flow_control_window(self._unopened)
            self._unopened = 0
        if stream := self._streams.get(event.stream_id):
            stream.feed(event.data)
            padding = size - len(event.data)
            if padding and event.stream_ended is None:
                self.taken(stream, padding)

    def _go_away(self, payload: bytes) -> None:
        """Begin nothing new; what the server has not taken up is sent elsewhere."""
        if len(payload) < 8:
            raise ProtocolError("a GOAWAY that is too short")
        last, code = struct.unpack(">II", payload[:8])
        self.leaving = True
        for stream_id in [one for one in self._streams if one > last & 0x7FFFFFFF]:
            if stream := self._remove(stream_id):
                stream.end(Refused(f"the server is going away: {_name(code)}"))

    def _remove(self, stream_id: int) -> Stream | None:
        self._used_s = self._loop.time()
        self._untaken.pop(stream_id, None)
        return self._streams.pop(stream_id, None)

    def _leave_when_empty(self) -> None:
        if self.leaving and not self._streams:
            self.close()

    def _look(self) -> None:
        """Ask after a silence whether the server is there, and give up when it does not say."""
        quiet_s = self._loop.time() - self._heard_s
        if self._looks is not None:
            # Looks are counted, not seconds: an answer may have come while this process itself was held up.
            self._looks += 1
            if self._looks * _look_s() >= ANSWER_S:
                self._lose(Lost(f"nothing was heard for {quiet_s:.0f} s"))
                return
        elif quiet_s >= QUIET_S:
            self._looks = 0
            self._http.ping(b"fairlead")
            self._flush()
        self._timer = self._loop.call_later(_look_s(), self._look)

    def _flush(self) -> None:
        if (data := self._http.data_to_send()) and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _lose(self, error: Lost) -> None:
        if self.ended.is_set():
            return
        self.leaving = True
        self.ended.set()
        if self._timer is not None:
            self._timer.cancel()
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # nobody may be waiting
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.end(error)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()


def _look_s() -> float:
    return QUIET_S / 4


def _name(code: ErrorCodes | int | None) -> str:
    """Name an error code as the RFC does."""
    try:
        return ErrorCodes(code).name if code is not None else "?"
    except ValueError:
        return str(code)
