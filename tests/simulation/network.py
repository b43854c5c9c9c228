"""
The network between the parts: calls handlers in place of sockets, and fails in all the ways of a network.

A part is known by :data:`PART`, which the tasks it starts inherit. A :class:`Link` leads from a part to a host and has
faults of its own. What a server does happens in a task of its own: it goes on when the caller has gone.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp
import orjson

from fairlead_control_plane.http.target import parse_target
from fairlead_machinery.web import Request, Response

PART: ContextVar[str] = ContextVar("part", default="")
"""Whoever acts: ``agent:<uid>``, ``user``, ``system``."""
ACTOR: ContextVar[str] = ContextVar("actor", default="system")
"""On whose behalf a server writes now."""
LIFE: ContextVar[Life | None] = ContextVar("life", default=None)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_LIES: tuple[tuple[int, str], ...] = (
    (401, "Unauthorized"), (403, "Forbidden"), (410, "Expired"), (429, "TooManyRequests"), (500, "InternalError"),
    (503, "ServiceUnavailable"), (404, "NotFound"),
)  # fmt: skip


@dataclass(slots=True)
class Life:
    """One run of a part, from start to crash: what is dead neither hears nor is heard."""

    alive: bool = True
    requests: int = 0
    dies_at_request: int = 0
    dies_after_answer: bool = False
    died: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Faults:
    """
    The state of a link; shares are 0 to 1.

    Attributes:
        down: "" for up; ``refused`` (an error at once) or ``silent`` (no answer ever).
        slow_s: Longest delay of a request, an answer or an event.
        lost_request, lost_answer: Shares of requests that never arrive, or whose answer never does.
        wrong: Share that is answered with an error by something in between.
        half: Share of answers that are cut in the middle.
        empty: Share of lists answered as if there were nothing, with success.
        cut_watch: Share of watch events after which the connection breaks.
        mute_watch: Share of watch events after which it says nothing any more.
        no_delete: Share of deletions that something in between refuses.
    """

    down: str = ""
    slow_s: float = 0.02
    lost_request: float = 0.0
    lost_answer: float = 0.0
    wrong: float = 0.0
    half: float = 0.0
    empty: float = 0.0
    cut_watch: float = 0.0
    mute_watch: float = 0.0
    no_delete: float = 0.0


@dataclass(slots=True)
class Link:
    """The way from a part to a host."""

    random: random.Random
    faults: Faults = field(default_factory=Faults)
    streams: list[_Stream] = field(default_factory=list)
    requests: int = 0
    connects: int = 0

    def set(self, faults: Faults) -> None:
        """Change the faults; what is open breaks or falls silent with the link."""
        self.faults = faults
        if faults.down:
            for stream in list(self.streams):
                stream.fail(silent=faults.down == "silent")

    def mute(self) -> None:
        """Let what is open now fall silent; what is opened later works."""
        for stream in list(self.streams):
            stream.fail(silent=True)

    def chance(self, share: float) -> bool:
        """Tell whether something of that share happens now."""
        return share > 0 and self.random.random() < share

    async def delay(self) -> None:
        """Wait as long as a message takes."""
        await asyncio.sleep(self.random.random() * self.faults.slow_s)


class Network:
    """All hosts and links; ``seed`` decides what chance does."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.hosts: dict[str, Handler | None] = {}
        self.links: dict[tuple[str, str], Link] = {}
        self.work: set[asyncio.Task[Any]] = set()
        self.asked: Callable[[str, str], None] = lambda part, path: None
        """Hears of every dry run of a deletion that a server granted: by whom, and the path."""

    def link(self, part: str, host: str) -> Link:
        """Return the link from a part to a host."""
        key = (part, host)
        if key not in self.links:
            self.links[key] = Link(random.Random(f"{self._seed} {part} {host}"))
        return self.links[key]

    def disconnect(self, host: str) -> None:
        """Break everything that is open to a host."""
        for (_, name), link in self.links.items():
            if name == host:
                for stream in list(link.streams):
                    stream.fail(silent=False)

    def session(self) -> Session:
        """Return what a Transport has in place of an aiohttp session."""
        return Session(self)

    def start(self, work: Any, name: str) -> asyncio.Task[Any]:
        """Run a server's work; it has no caller to belong to."""
        task = asyncio.create_task(work, name=name)
        self.work.add(task)
        task.add_done_callback(self.work.discard)
        return task


class Session:
    """Stands in for ``aiohttp.ClientSession``, as far as the product's Client uses it."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def request(self, method: str, url: Any, **options: Any) -> _Call:
        """Return a request that is sent when entered."""
        return _Call(self._network, method, url, options)

    async def close(self) -> None:
        """Nothing is kept open."""


class _Call:
    """One request, as an asynchronous context manager."""

    def __init__(self, network: Network, method: str, url: Any, options: dict[str, Any]) -> None:
        self._network = network
        self._method = method
        self._host = str(url.host)
        self._target = str(url.raw_path_qs)
        self._options = options
        self._answer: _Answer | None = None

    async def __aenter__(self) -> _Answer:
        life = LIFE.get()
        link = self._network.link(PART.get(), self._host)
        link.requests += 1
        if life is not None:
            life.requests += 1
            if life.requests == life.dies_at_request and not life.dies_after_answer:
                life.died.set()
                life.alive = False
        await _unless_dead(life)
        self._answer = await self._send(link)
        if life is not None and life.requests == life.dies_at_request and life.dies_after_answer:
            life.died.set()
            life.alive = False
        await _unless_dead(life)
        return self._answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is not None and self._answer.stream is not None:
            self._answer.stream.close()

    async def _send(self, link: Link) -> _Answer:
        faults = link.faults
        await link.delay()
        await _reach(link)
        handler = self._network.hosts.get(self._host)
        if handler is None:
            raise aiohttp.ClientConnectionError("connection refused")
        if link.chance(faults.lost_request):
            await _lose(link)
        lie = self._lie(link)
        if lie is not None:
            return lie
        context = copy_context()
        context.run(ACTOR.set, PART.get() or "system")
        context.run(LIFE.set, None)
        serving = asyncio.get_running_loop().create_task(
            handler(self._request()), name=f"serve {self._method}", context=context
        )
        self._network.work.add(serving)
        serving.add_done_callback(self._network.work.discard)
        response: Response = await asyncio.shield(serving)
        if response.stream is not None:
            stream = _Stream(link, response.stream)
            stream.start(self._network)
            return _Answer(response, stream)
        if self._method == "DELETE" and "dryRun=All" in self._target and response.code == 200:
            self._network.asked(PART.get(), parse_target(self._target).path)
        if link.chance(faults.lost_answer):
            await _lose(link)
        await link.delay()
        await _reach(link)
        if link.chance(faults.half) and len(response.body) > 2:
            raise aiohttp.ClientPayloadError("the answer was cut in the middle")
        return _Answer(response)

    def _request(self) -> Request:
        target = parse_target(self._target)
        data = self._options.get("data") or b""
        headers = {name.lower(): value for name, value in (self._options.get("headers") or {}).items()}
        headers.setdefault("user-agent", PART.get())
        if self._options.get("data") is not None:
            headers["content-length"] = str(len(data))

        async def read() -> bytes:
            return bytes(data)

        return Request(
            self._method, self._target, target.path, target.query, headers, read, target.query_all, None, "10.0.0.1"
        )

    def _lie(self, link: Link) -> _Answer | None:
        """Answer in the server's place, if something in between does that now."""
        if link.chance(link.faults.wrong):
            code, reason = link.random.choice(_LIES)
            body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
            headers = {"Retry-After": "1"} if code in {429, 503} and link.chance(0.5) else {}
            return _Answer(Response(code, orjson.dumps(body), headers=headers))
        if self._method == "DELETE" and link.chance(link.faults.no_delete):
            body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "InternalError", "code": 500}
            return _Answer(Response(500, orjson.dumps(body)))
        is_list = self._method == "GET" and "limit=" in self._target
        if is_list and link.chance(link.faults.empty):
            body = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}
            return _Answer(Response(200, orjson.dumps(body)))
        return None


class _Answer:
    """Stands in for ``aiohttp.ClientResponse``."""

    def __init__(self, response: Response, stream: _Stream | None = None) -> None:
        self.status = response.code
        self.headers = response.headers
        self.stream = stream
        self._body = response.body

    @property
    def content(self) -> _Answer:
        """The body as a stream."""
        return self

    async def read(self) -> bytes:
        """Return the whole body."""
        return self._body

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        if self.stream is None:
            yield self._body
            return
        while (chunk := await self.stream.take()) is not None:
            yield chunk


class _Stream:
    """A watch on its way: whole frames, in order, as late as the link is slow."""

    def __init__(self, link: Link, source: AsyncIterator[bytes]) -> None:
        self._link = link
        self._source = source
        self._queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._life = LIFE.get()

    def start(self, network: Network) -> None:
        """Begin to send."""
        self._link.streams.append(self)
        self._link.connects += 1
        self._task = network.start(self._pump(), "stream")

    def close(self) -> None:
        """End it: the client has gone."""
        if self in self._link.streams:
            self._link.streams.remove(self)
        if self._task is not None:
            self._task.cancel()

    def fail(self, *, silent: bool) -> None:
        """Break it, or let it fall silent for ever."""
        self.close()
        if not silent:
            self._queue.put_nowait(aiohttp.ClientPayloadError("connection reset"))

    async def take(self) -> bytes | None:
        """Return the next piece; None at the end."""
        found = await self._queue.get()
        await _unless_dead(self._life)
        if isinstance(found, Exception):
            raise found
        return found

    async def _pump(self) -> None:
        link = self._link
        try:
            async for chunk in self._source:
                if not chunk:
                    continue
                await link.delay()
                self._queue.put_nowait(chunk)
                if link.chance(link.faults.cut_watch):
                    self.fail(silent=False)
                elif link.chance(link.faults.mute_watch):
                    self.fail(silent=True)
            self._queue.put_nowait(None)
        finally:
            close = getattr(self._source, "aclose", None)
            if close is not None:
                await close()


async def _reach(link: Link) -> None:
    if link.faults.down == "silent":
        await asyncio.Event().wait()
    if link.faults.down:
        raise aiohttp.ClientConnectionError("network is unreachable")


async def _lose(link: Link) -> None:
    """Lose a message: the connection breaks, or nothing is ever heard."""
    if link.random.random() < 0.5:
        raise aiohttp.ClientConnectionError("connection reset")
    await asyncio.Event().wait()


async def _unless_dead(life: Life | None) -> None:
    if life is not None and not life.alive:
        await asyncio.Event().wait()
