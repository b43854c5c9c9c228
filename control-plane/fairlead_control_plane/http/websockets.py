"""
Watches over WebSocket: each event is a message of its own.

Source: RFC 6455; k8s.io/apiserver pkg/endpoints/handlers watch (HandleWS).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping

from aiohttp import WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue  # the reader takes no other
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_websocket import WS_KEY, WebSocketError, WebSocketReader, WebSocketWriter
from aiohttp.streams import EofStream

from fairlead_api.errors import BadRequest
from fairlead_control_plane.auth import subprotocols

_MOST_HEARD = 4096
"""Bytes of a message from a client, whose messages say nothing to a watch."""
_PROTOCOL_ERROR, _NORMAL = 1002, 1000


def handshake(headers: Mapping[str, str]) -> bytes:
    """
    Return the lines of the answer that makes a WebSocket of a connection, without the last, empty one.

    Raises:
        BadRequest: The request is none of RFC 6455, version 13.
    """
    key = headers.get("sec-websocket-key", "")
    if headers.get("sec-websocket-version") != "13":
        raise BadRequest("missing or bad WebSocket Version")
    try:
        is_key = len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        is_key = False
    if not is_key:
        raise BadRequest("missing or bad Sec-WebSocket-Key")
    proof = base64.b64encode(hashlib.sha1(key.encode() + WS_KEY, usedforsecurity=False).digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines.append(f"Sec-WebSocket-Accept: {proof}")
    if protocol := subprotocols.agreed(headers):
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "".join(f"{line}\r\n" for line in lines).encode()


class Messages:
    """
    The server's side of a WebSocket that tells and does not listen.

    Args:
        protocol: What the connection's bytes come through; it hands them to :meth:`feed`.
    """

    def __init__(self, protocol: BaseProtocol, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._queue = WebSocketDataQueue(protocol, _MOST_HEARD, loop=loop)
        self._reader = WebSocketReader(self._queue, _MOST_HEARD, False, False)
        self._writer = WebSocketWriter(protocol, transport, limit=2**62)  # the connection itself waits for slow readers
        self._answerer = WebSocketWriter(protocol, transport)  # waits by itself: who does not read is not heard either

    def feed(self, data: bytes) -> None:
        """Take what the client sent."""
        self._reader.feed_data(data)

    async def listen(self) -> None:
        """Answer pings until the client closes, or breaks the protocol."""
        try:
            while True:
                heard = await self._queue.read()
                if heard.type is WSMsgType.PING:
                    await self._answerer.send_frame(heard.data, WSMsgType.PONG)
                elif heard.type is WSMsgType.CLOSE:
                    await self.close()
                    return
        except WebSocketError:
            await self.close(_PROTOCOL_ERROR)
        except (EofStream, ConnectionError):
            return

    async def send(self, frames: bytes) -> None:
        """Send whole frames, each of which ends a line, as messages of text."""
        for frame in frames.splitlines(keepends=True):
            await self._writer.send_frame(frame, WSMsgType.TEXT)

    async def close(self, code: int = _NORMAL) -> None:
        """Say that this is the end, once."""
        if not self._writer._closing:  # noqa: SLF001 - it has no other word for it
            await self._writer.close(code)
