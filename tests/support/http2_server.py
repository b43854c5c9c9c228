"""A server of HTTP/2 on loopback that does what a test says, stream by stream."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived, StreamReset
from h2.settings import SettingCodes

from tests.support.certificates import make_authority


@dataclass(slots=True)
class Asked:
    """A request: its connection, its stream, and its headers in lower case."""

    connection: ServerConnection
    stream: int
    headers: dict[str, str]

    def head(self, status: int = 200) -> None:
        """Send the answer's head."""
        self.connection.http.send_headers(self.stream, [(":status", str(status)), ("content-type", "application/json")])
        self.connection.flush()

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Send a piece of the body, as much as the window lets."""
        http = self.connection.http
        http.send_data(self.stream, data, end_stream=end)
        self.connection.flush()

    def room(self) -> int:
        """Return how much may be sent now, in one frame."""
        http = self.connection.http
        return min(http.local_flow_control_window(self.stream), http.max_outbound_frame_size)

    def reset(self, code: ErrorCodes) -> None:
        """End it out of order."""
        self.connection.http.reset_stream(self.stream, code)
        self.connection.flush()


class ServerConnection(asyncio.Protocol):
    """One connection of a client; ``is_silent`` for one that neither hears nor says anything any more."""

    def __init__(self, server: Http2Server) -> None:
        self.server = server
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.is_silent = False
        self.is_open = True
        self.resets: list[tuple[int, int]] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.server.connections.append(self)
        self.http.local_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = self.server.most_streams
        self.http.local_settings.acknowledge()
        self.http.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        if self.is_silent:
            return
        for event in self.http.receive_data(data):
            if isinstance(event, RequestReceived):
                headers = cast("list[tuple[str, str]]", event.headers)
                self.server.take(Asked(self, event.stream_id, dict(headers)))
            elif isinstance(event, StreamReset):
                self.resets.append((event.stream_id, event.error_code))
        self.flush()
        self.server.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.server.changed.set()

    def flush(self) -> None:
        """Send what is to be sent."""
        assert self.transport is not None
        self.transport.write(self.http.data_to_send())

    def go_away(self, last: int, code: int = 0) -> None:
        """Send GOAWAY and go on with the streams there are, which h2 itself does not do."""
        payload = last.to_bytes(4, "big") + code.to_bytes(4, "big")
        assert self.transport is not None
        self.transport.write(len(payload).to_bytes(3, "big") + bytes([7, 0, 0, 0, 0, 0]) + payload)


@dataclass(slots=True)
class Http2Server:
    """
    What the clients of a server did.

    Attributes:
        asked: Requests in the order they came.
        answers: Whether each gets the head of an answer at once.
        most_streams: What each new connection allows.
    """

    authority: bytes
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: list[ServerConnection] = field(default_factory=list)
    answers: bool = True
    most_streams: int = 100
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, asked: Asked) -> None:
        """Take in a request."""
        self.asked.append(asked)
        if self.answers:
            asked.head()

    async def until_asked(self, count: int) -> Asked:
        """Wait for that many requests in all; return the last of them."""
        while len(self.asked) < count:
            self.changed.clear()
            await self.changed.wait()
        return self.asked[count - 1]

    async def until_closed(self, connection: ServerConnection) -> None:
        """Wait for the end of a connection."""
        while connection.is_open:
            self.changed.clear()
            await self.changed.wait()


@dataclass(frozen=True, slots=True)
class Trust:
    """What a server on loopback proves itself with: its side of TLS, and the PEM that clients check it against."""

    context: ssl.SSLContext
    authority: bytes


def make_trust(folder: Path) -> Trust:
    """Make an authority and a server's certificate in ``folder``."""
    authority = make_authority(folder)
    serving = authority.issue(folder, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(serving.certificate, serving.key)
    return Trust(context, authority.certificate.read_bytes())


@asynccontextmanager
async def http2_server(trust: Trust) -> AsyncIterator[Http2Server]:
    """Serve on loopback for the length of a ``with`` block."""
    trust.context.set_alpn_protocols(["h2"])
    server = Http2Server(trust.authority)
    listener = await asyncio.get_running_loop().create_server(
        lambda: ServerConnection(server), "127.0.0.1", 0, ssl=trust.context
    )
    server.url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await listener.wait_closed()
