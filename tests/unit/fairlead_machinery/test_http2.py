"""One connection, fed by hand: bytes may come in any pieces, and what is padded or late is counted right."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import given
from hypothesis import strategies as st

from fairlead_machinery.http2 import CONNECTION_WINDOW, STREAM_WINDOW, Connection, Lost, Refused, Stream

HEADERS = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/?watch=true")]
GO_AWAY = bytes([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_over = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.is_over

    def close(self) -> None:
        self.is_over = True

    def abort(self) -> None:
        self.is_over = True


class Ends:
    """A client's connection and the server's side of it."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.client = Connection()
        self.client.connection_made(self.wire)
        self.server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))

    async def start(self) -> Stream:
        """Have one request answered with a head."""
        starting = asyncio.create_task(self.client.start())
        await asyncio.sleep(0)
        self.server.initiate_connection()
        self.hear()
        self.tell()
        await starting
        stream = self.ask()
        self.tell()
        return stream

    def ask(self) -> Stream:
        stream = self.client.send(HEADERS)
        self.hear()
        self.server.send_headers(stream.id, [(":status", "200")])
        return stream

    def hear(self) -> None:
        """Let the server take what the client wrote."""
        self.server.receive_data(bytes(self.wire.written))
        self.wire.written.clear()

    def tell(self) -> None:
        """Let the client take what the server wrote."""
        self.client.data_received(self.server.data_to_send())


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 40), min_size=1), st.integers(0, 7))
def test_bytes_come_in_any_pieces(bodies: list[bytes], sizes: list[int], away_after: int) -> None:
    """The body is the same however it is cut, with a GOAWAY between any two frames."""

    async def run() -> None:
        ends = Ends()
        stream = await ends.start()
        sent = bytearray()
        for number, body in enumerate(bodies):
            ends.server.send_data(stream.id, body, pad_length=number or None)
            sent += ends.server.data_to_send()
            if number == away_after:
                sent += GO_AWAY
        ends.server.end_stream(stream.id)
        sent += ends.server.data_to_send()
        begin = number = 0
        while begin < len(sent):
            size = sizes[number % len(sizes)]
            ends.client.data_received(bytes(sent[begin : begin + size]))
            begin, number = begin + size, number + 1
        assert await stream.read() == b"".join(bodies)
        assert ends.client.leaving is (away_after < len(bodies))
        assert ends.wire.is_over is ends.client.leaving, "the last stream has ended"
        ends.client.close()

    asyncio.run(run())


@given(st.lists(st.tuples(st.integers(1, 16_000), st.integers(0, 200)), min_size=1, max_size=60))
def test_windows_stay_open_for_who_reads(frames: list[tuple[int, int]]) -> None:
    """Whatever is read, padding included, may be sent again; a server is never left with a window that is shut."""

    async def run() -> None:
        ends = Ends()
        stream = await ends.start()
        for size, padding in frames:
            ends.server.send_data(stream.id, b"x" * size, pad_length=padding)
            ends.tell()
            assert len(await anext(stream)) == size
            ends.hear()
        left = ends.server.local_flow_control_window(stream.id)
        assert left > STREAM_WINDOW // 2
        assert ends.server.outbound_flow_control_window > CONNECTION_WINDOW // 2
        ends.client.close()

    asyncio.run(run())


async def test_what_was_dropped_comes_in_vain() -> None:
    """Data of a stream that was cancelled harms nothing, and the connection's window gets it back."""
    ends = Ends()
    dropped = await ends.start()
    kept = ends.ask()
    ends.server.send_data(dropped.id, b"late")
    ends.server.send_data(kept.id, b"wanted", end_stream=True)
    late = ends.server.data_to_send()
    dropped.close()
    ends.client.data_received(late)
    assert await kept.read() == b"wanted"
    ends.client.close()


async def test_nothing_is_begun_on_a_connection_that_is_gone() -> None:
    ends = Ends()
    stream = await ends.start()
    ends.client.connection_lost(OSError("cable"))
    with pytest.raises(Lost, match="cable"):
        await stream.read()
    assert not ends.client.is_free
    assert ends.client.ended.is_set()


async def test_the_server_says_how_many() -> None:
    ends = Ends()
    stream = await ends.start()
    ends.server.update_settings({3: 1})
    ends.tell()
    assert not ends.client.is_free
    with pytest.raises(Refused):
        ends.client.send(HEADERS)
    stream.close()
    ends.client.close()


async def test_an_answer_may_not_end_before_its_head() -> None:
    ends = Ends()
    await ends.start()
    stream = ends.client.send(HEADERS)
    ends.hear()
    ends.server.reset_stream(stream.id, 0)
    ends.tell()
    with pytest.raises(Lost, match="NO_ERROR"):
        await stream.head()
    ends.client.close()
