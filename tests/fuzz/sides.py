"""The two servers, each behind a connection pool, and what a sequence is sent with."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from fairlead_api import JsonObject
from tests.fuzz.asked import Memory, Request

TIMEOUT_S = 30.0
DISCONNECTED = 0
"""In place of a code, when a server hung up without an answer."""
SETTLE_S = 15.0
QUIET_S = 0.08
"""A watch has told all when both servers have told as much and then nothing for so long."""
WATCH_S = 5.0
"""So long a server may be behind the other one in a watch."""
_POLL_S = 0.02
CRDS = "apiextensions.k8s.io/v1/customresourcedefinitions"
_SLOW_FINALIZERS = {"foregroundDeletion", "orphan"}
_SLOW_KINDS = {CRDS, "v1/namespaces"}
"""What controllers finish after the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; of a watch, ``body`` has the events line by line."""

    code: int
    type: str
    warnings: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and how its administrator enters."""

    url: str
    token: str
    tls: ssl.SSLContext


class Side:
    """One server; keeps its connections."""

    def __init__(self, address: Address, session: aiohttp.ClientSession) -> None:
        self._address, self._session = address, session

    async def get(self, path: str) -> Any:
        """Return a document; ``None`` when it is not there."""
        answer = await self._send("GET", path, None, {})
        return orjson.loads(answer.body) if answer.code == 200 else None

    async def post(self, path: str, body: JsonObject) -> Answer:
        """Create something."""
        return await self._send("POST", path, orjson.dumps(body), {"Content-Type": "application/json"})

    async def send(self, request: Request, memory: Memory) -> Answer:
        """Send a request of a sequence and remember what the answer says."""
        answer = await self._send(request.method, _target(request, memory), request.text(memory), request.headers)
        if DISCONNECTED < answer.code < 300 and answer.type.startswith("application/json"):
            memory.note(request, orjson.loads(answer.body))
        return answer

    async def _send(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        url = URL(self._address.url + target, encoded=True)
        try:
            async with self._session.request(method, url, data=body, headers={**_KNOWN, **headers}) as answer:
                return _answer(answer, await answer.read())
        except aiohttp.ClientConnectionError as problem:
            return Answer(DISCONNECTED, "text/plain", (), str(problem).encode())

    @contextlib.asynccontextmanager
    async def watching(self, request: Request, memory: Memory) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open a watch."""
        url = URL(self._address.url + _target(request, memory), encoded=True)
        async with self._session.get(url, headers={**_KNOWN, **request.headers}) as answer:
            yield answer


_KNOWN = {
    "User-Agent": "fuzz/1",
    "Accept": "application/json",
    "Impersonate-User": "fuzz",  # the administrators of the two have names of their own
    "Impersonate-Group": "system:masters",
}


def _target(request: Request, memory: Memory) -> str:
    query = urlencode({key: memory.filled(value) for key, value in request.query.items()})
    path = quote(memory.filled(request.path), safe="/:%")
    return f"{path}?{query}" if query else path


def _answer(answer: aiohttp.ClientResponse, body: bytes) -> Answer:
    warnings = tuple(sorted(answer.headers.getall("Warning", [])))
    return Answer(answer.status, answer.headers.get("Content-Type", ""), warnings, body)


class Pair:
    """Our server and a real one, asked the same at the same time."""

    def __init__(self, ours: Side, theirs: Side) -> None:
        self.sides = (ours, theirs)
        self._numbers = itertools.count(time.time_ns() // 1_000_000_000 % 100_000 * 1000)

    async def enter(self) -> tuple[Memory, Memory]:
        """Make a namespace on both for one sequence, and wait until it has what a new namespace gets."""
        word = f"fz{next(self._numbers):08d}"
        await asyncio.gather(*(self._enter(side, word) for side in self.sides))
        return Memory(word), Memory(word)

    @staticmethod
    async def _enter(side: Side, word: str) -> None:
        made = await side.post("/api/v1/namespaces", {"metadata": {"name": word}})
        assert made.code == 201, made.body
        for path in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
            await _until(lambda found: found is not None, side, f"/api/v1/namespaces/{word}/{path}")

    async def ask(self, request: Request, memories: tuple[Memory, Memory]) -> tuple[Answer, Answer]:
        """Send one request to both."""
        if request.verb == "watch":
            return await self._watch(request, memories)
        first, second = await asyncio.gather(
            *(side.send(request, memory) for side, memory in zip(self.sides, memories, strict=True))
        )
        return first, second

    async def settle(self, request: Request, memories: tuple[Memory, Memory]) -> bool:
        """Wait until both have worked off what a request left to their controllers; say whether they did."""
        try:
            async with asyncio.timeout(SETTLE_S):
                for side, memory in zip(self.sides, memories, strict=True):
                    found = await _until(partial(_is_settled, request), side, memory.filled(request.path))
                    if request.slot and found is not None:
                        memory.objects[request.slot] = found
        except TimeoutError:
            return False
        return True

    async def _watch(self, request: Request, memories: tuple[Memory, Memory]) -> tuple[Answer, Answer]:
        """Read both watches until they have told equally much and are quiet."""
        told: tuple[list[bytes], list[bytes]] = ([], [])
        async with contextlib.AsyncExitStack() as open_watches:
            answers = [
                await open_watches.enter_async_context(side.watching(request, memory))
                for side, memory in zip(self.sides, memories, strict=True)
            ]
            async with asyncio.TaskGroup() as group:
                readers = [
                    group.create_task(_read(answer, lines), name="fuzz watch")
                    for answer, lines in zip(answers, told, strict=True)
                ]
                await _until_quiet(told, readers)
                for reader in readers:
                    reader.cancel()
        ours, theirs = (_answer(answer, b"".join(lines)) for answer, lines in zip(answers, told, strict=True))
        return ours, theirs


async def _until(is_so: Callable[[Any], bool], side: Side, path: str) -> Any:
    while True:
        if is_so(found := await side.get(path)):
            return found
        await asyncio.sleep(_POLL_S)


async def _read(answer: aiohttp.ClientResponse, lines: list[bytes]) -> None:
    while line := await answer.content.readline():
        lines.append(line)


async def _until_quiet(told: tuple[list[bytes], list[bytes]], readers: list[asyncio.Task[None]]) -> None:
    started = time.monotonic()
    before = (-1, -1)
    while time.monotonic() < started + WATCH_S and not all(reader.done() for reader in readers):
        now = (len(told[0]), len(told[1]))
        if now == before and now[0] == now[1]:
            return
        before = now
        await asyncio.sleep(QUIET_S)


def _is_settled(request: Request, found: Any) -> bool:
    if found is None:
        return True
    metadata = found["metadata"]
    if "deletionTimestamp" in metadata:
        return not (request.kind in _SLOW_KINDS or _SLOW_FINALIZERS & set(metadata.get("finalizers", ())))
    conditions = (found.get("status") or {}).get("conditions") or ()
    return request.kind != CRDS or any(
        (each["type"] == "Established" and each["status"] == "True")
        or (each["type"] == "NamesAccepted" and each["status"] == "False")
        for each in conditions
    )


@contextlib.asynccontextmanager
async def pair(ours: Address, theirs: Address) -> AsyncIterator[Pair]:
    """Connect to both servers."""
    async with contextlib.AsyncExitStack() as sessions:
        sides = []
        for address in (ours, theirs):
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=address.tls, limit=64),
                headers={"Authorization": f"Bearer {address.token}"},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            )
            sides.append(Side(address, await sessions.enter_async_context(session)))
        yield Pair(*sides)
