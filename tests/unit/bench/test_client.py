"""The measuring client understands answers however they are cut up."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

import pytest

from bench.client import BadAnswer, Connection, Target, Watcher, ask

BODY = b'{"kind":"ConfigMapList","items":["\r\n0\r\n\r\n"]}'
SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (
    BODY[:5],
    len(BODY) - 5,
    BODY[5:],
)
EMPTY = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Wire:
    """Stands for a transport: takes what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data


def _connection() -> Connection:
    connection = Connection()
    connection.connection_made(cast("asyncio.Transport", Wire()))
    return connection


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("answer", "body"), [(SIZED, BODY), (CHUNKED, BODY), (EMPTY, b"")])
async def test_answers_in_pieces(answer: bytes, body: bytes, size: int) -> None:
    """Two answers after each other are read whole, whatever the pieces they come in."""
    connection = _connection()
    for _ in range(2):
        pending = connection.send(b"GET", keep=True)
        for start in range(0, len(answer), size):
            assert not pending.done()
            connection.data_received(answer[start : start + size])
        assert await pending in (200, 204)
        assert bytes(connection.body) == body


async def test_an_unexpected_status_ends_the_measurement() -> None:
    """A status that is not expected is an error that names request and answer."""
    connection = _connection()
    pending = asyncio.ensure_future(ask(connection, b"GET /version HTTP/1.1\r\n\r\n", (200,)))
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope")
    with pytest.raises(BadAnswer, match="GET /version: 403 nope"):
        await pending


async def test_a_lost_connection_is_no_answer() -> None:
    """A connection that goes away fails the request on its way."""
    connection = _connection()
    pending = connection.send(b"GET", keep=False)
    connection.connection_lost(None)
    with pytest.raises(BadAnswer, match="connection lost"):
        await pending


@pytest.mark.parametrize("size", [1, 4, 9, 10, 1000])
async def test_watchers_count_each_event_once(size: int) -> None:
    """Events are counted right when their beginnings are split over reads."""
    events = b"".join(
        b'2f\r\n{"type":"ADDED","object":{"metadata":{"name":"%d"}}}\n\r\n' % number for number in range(9)
    )
    watcher = Watcher(b"GET")
    watcher.connection_made(cast("asyncio.Transport", Wire()))
    reached = watcher.reach(9)
    watcher.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    for start in range(0, len(events), size):
        watcher.data_received(events[start : start + size])
    assert watcher.count == 9
    assert await reached > 0


def test_requests_carry_prefix_and_token() -> None:
    """A prepared request has the workspace's path, the token and the length of its body."""
    target = Target("127.0.0.1", 6443, "secret", ssl.create_default_context(), "/clusters/root")
    request = target.request("POST", "/api/v1/namespaces", b"{}")
    assert request.startswith(b"POST /clusters/root/api/v1/namespaces HTTP/1.1\r\nHost: 127.0.0.1:6443\r\n")
    assert b"Authorization: Bearer secret\r\n" in request
    assert request.endswith(b"Content-Length: 2\r\n\r\n{}")
