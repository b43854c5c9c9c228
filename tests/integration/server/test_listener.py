"""The listener against raw bytes: malformed, hostile and slow clients."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from tests.integration.server.listening import LIMITS, Endless, Server, get

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "data",
    [
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \xffchunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET /a HTTP/1.1\nHost: x\n\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nX\x00: a\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /a HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET http://other/a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\r\n\r\n",
    ],
)  # fmt: skip
async def test_refuses_malformed_requests_and_closes(server: Server, data: bytes) -> None:
    """S10: 400 as a Status, no banner, connection closed, nothing after it is looked at."""
    answer = await server.exchange(data + get("/smuggled"))
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert answer.endswith(b"<closed>")
    assert b'"kind":"Status"' in answer
    assert b"server:" not in answer.lower()
    assert server.seen == []


async def test_answers_pipelined_requests_in_order(server: Server) -> None:
    """Every one, also more than are held at a time."""
    paths = [f"/r{number}" for number in range(100)]
    answer = await server.exchange(b"".join(get(path) for path in paths[:-1]) + get(paths[-1], "Connection: close"))
    assert server.seen == paths
    assert answer.count(b"HTTP/1.1 200 OK") == 100


async def test_body_limits(server: Server) -> None:
    """S44: too long with and without a length is 413; compressed is 415; the limit itself passes."""
    limit = LIMITS.body_bytes

    def post(*headers: str) -> bytes:
        return "\r\n".join(["POST /p HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]).encode()

    assert (await server.exchange(post(f"Content-Length: {limit}") + b"a" * limit)).startswith(b"HTTP/1.1 200")
    over = post(f"Content-Length: {limit + 1}") + b"a" * (limit + 1)
    assert (await server.exchange(over)).startswith(b"HTTP/1.1 413")
    chunk = b"%x\r\n" % (limit // 2) + b"a" * (limit // 2) + b"\r\n"
    chunked = post("Transfer-Encoding: chunked") + chunk * 3 + b"0\r\n\r\n"
    assert (await server.exchange(chunked)).startswith(b"HTTP/1.1 413")
    tiny = post("Transfer-Encoding: chunked") + b"1\r\na\r\n" * 1000 + b"0\r\n\r\n"
    assert b'"size":1000' in await server.exchange(tiny)
    packed = post("Content-Encoding: gzip", "Content-Length: 3") + b"abc"
    assert (await server.exchange(packed)).startswith(b"HTTP/1.1 415")


async def test_answers_expect_continue(server: Server) -> None:
    """The client hears that it may go on only when somebody wants the body."""
    head = b"POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    answer = await server.exchange(head + b"hi")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    unread = head.replace(b"/p", b"/unread") + b"hi"
    assert (await server.exchange(unread)).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("start", [b"GET /slow HTTP/1.1\r\nHost: x\r\n", b"G", b""])
async def test_cuts_slow_heads(server: Server, start: bytes) -> None:
    """S48: a head that does not end, or not even begin, is not waited for."""
    assert await server.exchange(start) == b"<closed>"


@pytest.mark.parametrize(
    "start",
    [
        b"GET /long HTTP/1.1\r\n" + (b"X: " + b"y" * 200 + b"\r\n") * 100,
        b"GET /long HTTP/1.1\r\nX: " + b"y" * 100_000,
        b"GET /" + b"y" * 100_000,
        get("/first") + b"GET /long HTTP/1.1\r\n" + (b"X: " + b"y" * 100 + b"\r\n") * 100,
    ],
    ids=["fields", "field", "line", "second"],
)
async def test_refuses_endless_heads(server: Server, start: bytes) -> None:
    """More than the limit is 431 and the end, without another byte being kept."""
    answer = await server.exchange(start)
    assert b"HTTP/1.1 431 Request Header Fields Too Large\r\n" in answer, answer[:200]
    assert answer.endswith(b"<closed>")


async def test_a_long_body_is_no_head(server: Server) -> None:
    """What is counted is heads alone, also when a body comes in small parts and another request follows it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(2):
        writer.write(b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n")
        for _ in range(40):
            writer.write(b"a" * 1000)
            await writer.drain()
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"}")
    writer.close()


async def test_a_body_that_drips_is_not_waited_for(server: Server) -> None:
    """Each pause is short enough, all together are not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    answer = asyncio.create_task(reader.read())
    while not answer.done():
        writer.write(b"a")
        await asyncio.wait({answer}, timeout=0.1)
    assert answer.result().startswith(b"HTTP/1.1 504")
    writer.close()


async def test_strangers_who_wait_make_room(server: Server) -> None:
    """S48: the oldest half-sent heads go; newcomers are answered, and who is known is let be."""
    known, to_known = await asyncio.open_connection("127.0.0.1", server.port)
    to_known.write(get("/known"))
    await known.readuntil(b"}")
    waiting = []
    for number in range(LIMITS.strangers_local * 2):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /half HTTP/1.1\r\nHost: x\r\nX: %d" % number)
        waiting.append((reader, writer))
    async with asyncio.timeout(2):
        for reader, _ in waiting[: LIMITS.strangers_local]:
            assert await reader.read() == b""
    assert b"200 OK" in await server.exchange(get("/new", "Connection: close"))
    to_known.write(get("/again"))
    assert b"200 OK" in await known.readuntil(b"}")
    for writer in (to_known, *(each for _, each in waiting)):
        writer.close()


async def test_strangers_who_go_are_forgotten(server: Server) -> None:
    """Many more than may be at a time, one after the other, put nobody out."""
    first, to_first = await asyncio.open_connection("127.0.0.1", server.port)
    to_first.write(get("/first"))
    await first.readuntil(b"}")
    for _ in range(LIMITS.strangers_local * 3):
        assert b"200 OK" in await server.exchange(get("/x", "Connection: close"))
    to_first.write(get("/second"))
    assert b"200 OK" in await first.readuntil(b"}")
    to_first.close()


async def test_times_out_a_stalled_body(server: Server) -> None:
    """S48: half a body is answered, then closed."""
    answer = await server.exchange(b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 504")


async def test_streams_and_closes_the_stream_with_the_client(server: Server) -> None:
    """Chunks arrive as they are made; the iterator is closed when the client goes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(get("/watch"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert await reader.readexactly(len(b'11\r\n{"type":"ADDED"}\n\r\n')) == b'11\r\n{"type":"ADDED"}\n\r\n'
    writer.close()
    async with asyncio.timeout(2):
        await server.stream.is_closed.wait()


async def test_ends_streams_in_order_at_shutdown(server: Server) -> None:
    """The last chunk is sent, so that clients see an end and not a broken connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(get("/watch"))
    await reader.readuntil(b"ADDED")
    await server.listener.stop(1)
    assert (await reader.read()).endswith(b"0\r\n\r\n")
    assert server.stream.is_closed.is_set()
    writer.close()


async def test_cuts_a_watcher_that_does_not_read(server: Server) -> None:
    """S47: its stream ends; nobody waits for it."""
    server.stream = Endless(b"x" * 1_000_000, 100)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(get("/watch"))
    async with asyncio.timeout(5):
        await server.stream.is_closed.wait()
    writer.close()


async def test_head_has_no_body_and_close_is_honoured(server: Server) -> None:
    """HEAD announces the length only; ``Connection: close`` and HTTP/1.0 end the connection."""
    answer = await server.exchange(b"HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n<closed>")
    assert (await server.exchange(b"GET /o HTTP/1.0\r\nHost: x\r\n\r\n")).endswith(b"}<closed>")


async def test_a_declined_upgrade_is_answered_and_closed(server: Server) -> None:
    """S53: nothing sent after it is taken for another request."""
    answer = await server.exchange(get("/u", "Connection: Upgrade", "Upgrade: websocket") + get("/after"))
    assert answer.endswith(b"<closed>")
    assert server.seen == ["/u"]
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2].removesuffix(b"<closed>"))["path"] == "/u"
