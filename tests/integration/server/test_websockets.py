"""Watches over WebSocket, against raw bytes."""

from __future__ import annotations

import asyncio
import base64
import contextlib

import pytest

from tests.integration.server.listening import Endless, Server, get

pytestmark = pytest.mark.integration


def upgrade(path: str, *headers: str) -> bytes:
    """Return a request that asks for a WebSocket."""
    key = base64.b64encode(bytes(16)).decode()
    asked = ("Connection: keep-alive, Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13")
    return get(path, *asked, f"Sec-WebSocket-Key: {key}", *headers)


def frame(opcode: int, payload: bytes = b"", *, masked: bool = True) -> bytes:
    """Return a short frame of a WebSocket; its mask changes nothing."""
    return bytes([0x80 | opcode, masked * 0x80 | len(payload)]) + masked * bytes(4) + payload


EVENT = b'{"type":"ADDED"}\n'
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
NORMAL, PROTOCOL_ERROR = (1000).to_bytes(2), (1002).to_bytes(2)


async def test_a_watch_over_a_websocket(server: Server) -> None:
    """Each event is a message; pings are answered; the stream ends with the client's word."""
    server.stream = Endless(EVENT * 2, 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(upgrade("/watch", "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.eA, chosen"))
    writer.write(frame(PING, b"early"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n" in head
    assert b"Sec-WebSocket-Protocol: chosen\r\n" in head
    wanted = 3 * frame(TEXT, EVENT, masked=False)
    pong = frame(PONG, b"early", masked=False)
    got = await reader.readexactly(len(wanted) + len(pong))
    assert got.replace(pong, b"") == wanted
    writer.write(frame(CLOSE, NORMAL))
    assert await reader.read() == frame(CLOSE, NORMAL, masked=False)
    async with asyncio.timeout(2):
        await server.stream.is_closed.wait()
    writer.close()


async def test_a_websocket_ends_in_order_at_shutdown(server: Server) -> None:
    """The client is told that this was all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(upgrade("/watch"))
    await reader.readuntil(b"ADDED")
    await server.listener.stop(1)
    assert (await reader.read()).endswith(frame(CLOSE, NORMAL, masked=False))
    assert server.stream.is_closed.is_set()
    writer.close()


@pytest.mark.parametrize(
    "sent", [frame(TEXT, b"x" * 126)[:2] + b"\xff\xff", frame(3), frame(PING, b"x")[:1] + b"\xff" + b"\xff" * 8]
)
async def test_a_websocket_that_breaks_the_protocol_is_closed(server: Server, sent: bytes) -> None:
    """Too long, unknown, or too long to be true: its stream ends, too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(upgrade("/watch"))
    await reader.readuntil(b'ADDED"}\n')
    writer.write(sent + bytes(70_000))
    async with asyncio.timeout(2):
        await server.stream.is_closed.wait()
        assert (await reader.read())[:1] in (b"", bytes([0x80 | CLOSE]))
    writer.close()


@pytest.mark.parametrize("missing", ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="])
async def test_half_a_handshake_is_refused(server: Server, missing: str) -> None:
    """With a Status; the stream is closed."""
    asked = upgrade("/watch").decode().replace(missing + "\r\n", "").encode()
    answer = await server.exchange(asked)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"reason":"BadRequest"' in answer
    assert answer.endswith(b"<closed>")


async def test_a_websocket_that_does_not_read_is_cut(server: Server) -> None:
    """As any other watcher (S47)."""
    server.stream = Endless(b"x" * 1_000_000 + b"\n", 100)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(upgrade("/watch"))
    async with asyncio.timeout(5):
        await server.stream.is_closed.wait()
    writer.close()


async def test_pings_of_a_client_that_does_not_read_pile_up_nowhere(server: Server) -> None:
    """Its pongs wait for it, and so do its pings: what it may send ends with the buffers on the way."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(upgrade("/watch"))
    ping = frame(PING, b"x" * 125) * 1000
    sent = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2):
            while sent < 400:
                writer.write(ping)
                await writer.drain()
                sent += 1
    assert sent < 400, "fifty megabytes of answers were kept for it"
    writer.close()
