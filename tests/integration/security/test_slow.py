"""Clients that wait on purpose, and those that speak another protocol (S48, S49), over the wire."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fairlead_control_plane.http.limits import Limits
from tests.integration.security.conftest import Room

pytestmark = pytest.mark.integration
LIMITS = Limits()
MOST = LIMITS.strangers_local
MORE = 40
HALF = b"GET /version HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (LIMITS.header_bytes - 1024)


@pytest.fixture
def crowd(room: Room) -> Iterator[list[socket.socket]]:
    """Give sockets, more than are let in, that have connected and not yet said a word."""
    parts = urlsplit(room.server.url)
    with ExitStack() as stack:
        address = (parts.hostname or "", parts.port or 443)
        yield [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(MOST + MORE)]


def _resident_bytes(room: Room) -> int:
    return int(Path(f"/proc/{room.server.process.pid}/statm").read_bytes().split()[1]) * 4096


def _is_out(connection: socket.socket) -> bool:
    """Tell whether the server has ended a connection, which it must have by now or soon."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_handshakes_that_never_begin_keep_nobody_out(room: Room, crowd: list[socket.socket]) -> None:
    """They are counted before TLS: the oldest are dropped, and a newcomer is answered."""
    assert room.wire.ask("GET", "/clusters/root/api").code == 200
    assert all(_is_out(each) for each in crowd[:MORE])


def test_half_sent_heads_keep_nobody_out(room: Room, crowd: list[socket.socket]) -> None:
    """However many, and however much of a head each has sent: all together cost a bounded amount of memory."""
    before = _resident_bytes(room)
    with ExitStack() as stack:
        for each in crowd[MORE + 1 :]:
            host = urlsplit(room.server.url).hostname
            stack.enter_context(room.wire.tls.wrap_socket(each, server_hostname=host)).sendall(HALF)
        assert room.wire.ask("GET", "/clusters/root/api").code == 200
        assert _resident_bytes(room) - before < MOST * 4 * LIMITS.header_bytes


def test_a_head_over_the_limit_is_refused_before_anybody_is_asked_who_it_is(room: Room) -> None:
    """431, and the connection is closed."""
    for rest in (b"y" * 2048, (b"\r\nA: " + b"b" * 100) * 50):
        assert room.wire.send_raw(HALF + rest).startswith(b"HTTP/1.1 431 ")


def test_http2_is_not_served(room: Room) -> None:
    """So neither are its floods: it is not agreed on, and its preface is no request."""
    parts = urlsplit(room.server.url)
    context = room.server.tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((parts.hostname or "", parts.port or 443), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
    ):
        assert secure.selected_alpn_protocol() == "http/1.1"
    assert room.wire.send_raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9).startswith(b"HTTP/1.1 400 ")
