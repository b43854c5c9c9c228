"""
A link that breaks below HTTP: a TCP proxy that delays, throttles, cuts, resets, or goes silent.

Bytes pass unread, so TLS is between the ends, and certificates are checked as ever. What is wrong above TCP, in
answers that arrive, is the business of :mod:`tests.support.proxy`. Runs on a loop and thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

START_TIMEOUT_S = 10.0
_CHUNK_BYTES = 64 * 1024
_GARBAGE = b"this is no TLS\r\n"


@dataclass(frozen=True, slots=True)
class Weather:
    """
    How a link behaves; the default passes everything on.

    Attributes:
        way: ``open``; ``refused``: nobody listens; ``reset``: every connection is reset, open ones too; ``silent``:
            connections stay and new ones are taken, no byte passes until that ends (a black hole); ``garbage``: new
            connections are answered with something that is no TLS.
        delay_s: Before each chunk, in each direction.
        bytes_per_s: Of one direction of one connection; 0 for no bound.
        lost: Chance, 0 to 1, that a new connection is reset at once.
        cut_after: Bytes of answers on one connection after which it is reset; 0 for never.
    """

    way: str = "open"
    delay_s: float = 0.0
    bytes_per_s: int = 0
    lost: float = 0.0
    cut_after: int = 0


CALM = Weather()


@dataclass(eq=False, slots=True)
class _Connection:
    """Both sockets of one connection; ``is_frozen`` for one whose other end is gone without a word."""

    writers: list[asyncio.StreamWriter]
    is_frozen: bool = False
    answered: int = 0

    def reset(self) -> None:
        """Answer with RST on both sides, whatever is under way."""
        for writer in self.writers:
            raw = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


@dataclass(slots=True)
class Link:
    """
    A running proxy; made by :func:`chaos_link`. Its methods may be called from any thread.

    Attributes:
        target: Host and port connections lead to.
        port: Where clients connect, on 127.0.0.1.
        connects: How many connections were asked for so far; those refused are not known.
    """

    target: tuple[str, int]
    seed: int = 0
    port: int = 0
    connects: int = 0
    weather: Weather = CALM
    _open: set[_Connection] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    # --- what tests say ----------------------------------------------------------------------------------------------

    def be(self, weather: Weather) -> None:
        """Have this weather from now on."""
        self._do(lambda: self._be(weather))

    def calm(self) -> None:
        """Pass everything on again; connections that were lost stay lost."""
        self.be(CALM)

    def play(self, script: Sequence[tuple[float, Weather]]) -> None:
        """Go through weathers, each for so many seconds, without waiting for it; calm after the last."""

        async def run() -> None:
            for seconds, weather in script:
                await self._be(weather)
                await asyncio.sleep(seconds)
            await self._be(CALM)

        self._do(lambda: self._spawn(run()))

    def sever(self) -> None:
        """Reset every open connection; new ones are taken."""
        self._do(self._reset_all)

    def freeze(self) -> None:
        """Leave every open connection half open: it is never reset, and no byte passes any more. New ones work."""
        self._do(self._freeze_all)

    def lead_to(self, host: str, port: int) -> None:
        """Lead new connections elsewhere, as a name server or a router may; reset open ones."""
        self.target = (host, port)
        self.sever()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def _do(self, act: Callable[[], object]) -> None:
        async def work() -> None:
            result = act()
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(work(), self._loop).result(START_TIMEOUT_S)

    # --- on the link's own thread ------------------------------------------------------------------------------------

    async def _be(self, weather: Weather) -> None:
        if weather.way == "refused":
            await self._listen_no_more()
        elif self._server is None:
            await self._listen()
        self.weather = weather  # who reads it finds it so
        if weather.way in {"refused", "reset"}:
            self._reset_all()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _listen_no_more(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _reset_all(self) -> None:
        for connection in list(self._open):
            connection.reset()

    def _freeze_all(self) -> None:
        for connection in self._open:
            connection.is_frozen = True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        connection = _Connection([writer])
        self._open.add(connection)
        try:
            await self._lead(connection, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # cancelled by the end of the link: the streams of 3.11 would report that as an error
        finally:
            connection.reset()
            self._open.discard(connection)

    async def _lead(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        weather = self.weather
        if weather.way == "reset" or self._dice.random() < weather.lost:
            return
        if weather.way == "garbage":
            await reader.read(_CHUNK_BYTES)
            writer.write(_GARBAGE)
            await writer.drain()
            return
        await self._until_open(connection)
        far_reader, far_writer = await asyncio.open_connection(*self.target)
        connection.writers.append(far_writer)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pump(connection, reader, far_writer, is_answer=False))
            both.create_task(self._pump(connection, far_reader, writer, is_answer=True))

    async def _until_open(self, connection: _Connection) -> None:
        while self.weather.way == "silent" or connection.is_frozen:
            await self._changed.wait()

    async def _pump(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        """Pass bytes on in one direction until it ends; what was under way in a silence arrives after it."""
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._until_open(connection)
                weather = self.weather
                await asyncio.sleep(weather.delay_s + (len(chunk) / weather.bytes_per_s if weather.bytes_per_s else 0))
                await self._until_open(connection)
                if is_answer and weather.cut_after:
                    left = weather.cut_after - connection.answered
                    writer.write(chunk[: max(left, 0)])
                    connection.answered += len(chunk)
                    if connection.answered >= weather.cut_after:
                        await writer.drain()
                        connection.reset()
                        return
                else:
                    writer.write(chunk)
                await writer.drain()
            await self._until_open(connection)
            if writer.can_write_eof():
                writer.write_eof()

    async def serve(self, ready: threading.Event) -> None:
        """Serve until :meth:`stop`; ``ready`` is set once ``port`` is known."""
        await self._listen()
        ready.set()
        await self._stopping.wait()
        await self._listen_no_more()
        self._reset_all()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Ask the link's loop to end."""
        self._loop.call_soon_threadsafe(self._stopping.set)


@contextlib.contextmanager
def chaos_link(host: str, port: int, *, seed: int = 0) -> Iterator[Link]:
    """Run a link to an address for the length of a ``with`` block; ``seed`` decides what is lost."""
    link = Link((host, port), seed)
    ready = threading.Event()

    def run() -> None:
        asyncio.set_event_loop(link._loop)
        with contextlib.closing(link._loop):
            link._loop.run_until_complete(link.serve(ready))

    thread = threading.Thread(target=run, name=f"chaos link to {port}")
    thread.start()
    try:
        if not ready.wait(START_TIMEOUT_S):
            raise TimeoutError("the chaos link did not start")
        yield link
    finally:
        link.stop()
        thread.join(START_TIMEOUT_S)
