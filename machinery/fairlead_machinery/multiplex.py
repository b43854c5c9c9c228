"""
Watches of one server on few connections, where it speaks HTTP/2; all else, and any other server, by aiohttp as ever.

An agent that watches namespace by namespace has hundreds of watches, each idle nearly always: as connections they cost
both ends memory and a handshake each. Writes stay on connections of their own, which a busy watch cannot hold up.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import structlog

from fairlead_machinery.http2 import Connection, Headers, Refused, Stream

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from yarl import URL

IDLE_S = 60.0
"""A connection that nothing was asked on for so long is closed."""
MOST_TRIES = 5
REMEMBERED_S = 600.0
"""Time for which a server that chose HTTP/1.1 is not offered HTTP/2 again."""
_log = structlog.get_logger(__name__)


class SharedConnections:
    """
    Stands in for an aiohttp session, as far as :class:`fairlead_machinery.client.Client` uses one.

    Args:
        session: For all that is no watch; closed with this.
        context: As the session's, and allowed to choose HTTP/2.
        user_agent: Shown in audit logs of the server.
        connect_timeout_s: For each new connection.
    """

    def __init__(
        self, session: ClientSession, context: ssl.SSLContext, user_agent: str, connect_timeout_s: float
    ) -> None:
        context.set_alpn_protocols(["h2", "http/1.1"])
        self._session = session
        self._context = context
        self._user_agent = user_agent
        self._connect_timeout_s = connect_timeout_s
        self._connections: list[Connection] = []
        self._dialling: asyncio.Task[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._without_until_s = float("-inf")

    def request(self, method: str, url: URL, **options: Any) -> Any:
        """Return a request that is sent when entered; options are those of aiohttp."""
        is_watch = method == "GET" and url.scheme == "https" and url.query.get("watch") == "true"
        is_without = asyncio.get_running_loop().time() < self._without_until_s
        if not is_watch or is_without or options.get("proxy"):
            return self._session.request(method, url, **options)
        return _Watch(self, url, options)

    async def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.wait([self._dialling])
        for connection in self._connections:
            connection.close()
        self._connections = []
        await self._session.close()

    async def send(self, url: URL, options: Mapping[str, Any]) -> Stream | None:
        """
        Send a request and wait for the head of its answer; None when the server speaks no HTTP/2.

        Raises:
            OSError: No answer came.
        """
        headers = self._headers(url, options.get("headers") or {})
        tries = 0
        while True:
            connection = await self._free(url, options.get("server_hostname"))
            if connection is None:
                return None
            try:
                return await _sent(connection, headers)
            except Refused:
                tries += 1
                if tries == MOST_TRIES:
                    raise

    def fall_back(self, url: URL, options: Mapping[str, Any]) -> Any:
        """Return the same request over a connection of its own."""
        return self._session.request("GET", url, **options)

    def _headers(self, url: URL, given: Mapping[str, str]) -> Headers:
        """Write a request's head; pseudo headers come first, and names are in lower case."""
        headers = [(":method", "GET"), (":scheme", "https"), (":authority", url.authority), (":path", url.raw_path_qs)]
        headers.append(("user-agent", self._user_agent))
        return headers + [(name.lower(), value) for name, value in given.items()]

    async def _free(self, url: URL, name: str | None) -> Connection | None:
        """Return a connection with room, a new one if need be; None when the server speaks no HTTP/2."""
        while True:
            self._connections = [one for one in self._connections if not one.ended.is_set()]
            for connection in self._connections:
                if connection.is_free:
                    return connection
            if self._is_closed:
                raise ConnectionError("the connections are closed")
            # One at a time, for all who wait: they share its streams, and its failure.
            if self._dialling is None:
                self._dialling = asyncio.create_task(self._dial(url, name), name=f"connect to {url.authority}")
                self._dialling.add_done_callback(self._dialled)
            if not await self._wait_for(self._dialling):
                return None

    @staticmethod
    async def _wait_for(dialling: asyncio.Task[bool]) -> bool:
        """Wait for a connection that others may wait for too; that it is given up does not cancel them."""
        await asyncio.wait([dialling])
        if dialling.cancelled():
            raise ConnectionError("the connections are closed")
        return dialling.result()

    def _dialled(self, task: asyncio.Task[bool]) -> None:
        self._dialling = None
        if not task.cancelled():
            task.exception()  # those who waited raise it; there may be none left

    async def _dial(self, url: URL, name: str | None) -> bool:
        """Add a connection; False when the server speaks no HTTP/2."""
        loop = asyncio.get_running_loop()
        host, port = str(url.host), url.port or 443
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                transport, connection = await loop.create_connection(
                    Connection, host, port, ssl=self._context, server_hostname=name or host
                )
                try:
                    if not connection.speaks_http2:
                        transport.abort()
                        self._without_until_s = loop.time() + REMEMBERED_S
                        return False
                    await connection.start()
                except BaseException:
                    transport.abort()
                    raise
        except TimeoutError as error:
            raise ConnectionError(f"no connection within {self._connect_timeout_s:g} s") from error
        self._connections.append(connection)
        if self._timer is None:
            self._timer = loop.call_later(IDLE_S, self._tidy)
        _log.info("connected for watches", server=url.authority, connections=len(self._connections))
        return True

    def _tidy(self) -> None:
        """Close what is idle."""
        for connection in self._connections:
            if connection.idle_s >= IDLE_S:
                connection.close()
        self._connections = [one for one in self._connections if not one.ended.is_set()]
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(IDLE_S / 2, self._tidy) if self._connections else None


async def _sent(connection: Connection, headers: Headers) -> Stream:
    """Send a request and wait for the head of its answer."""
    stream = connection.send(headers)
    try:
        await stream.head()
    except BaseException:
        stream.close()
        raise
    return stream


class _Watch:
    """One watch, as an asynchronous context manager like aiohttp's."""

    __slots__ = ("_asked", "_other", "_owner", "_stream")

    def __init__(self, owner: SharedConnections, url: URL, options: Mapping[str, Any]) -> None:
        self._owner = owner
        self._asked: tuple[URL, Mapping[str, Any]] | None = (url, options)
        self._stream: Stream | None = None
        self._other: Any = None

    async def __aenter__(self) -> Stream | ClientResponse:
        assert self._asked is not None, "it is entered once"
        url, options = self._asked
        self._asked = None  # as large as all else of a watch, and of no more use
        self._stream = await self._owner.send(url, options)
        if self._stream is not None:
            return self._stream
        self._other = self._owner.fall_back(url, options)
        response: ClientResponse = await self._other.__aenter__()
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._other is not None:
            await self._other.__aexit__(kind, error, trace)
