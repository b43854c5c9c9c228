"""
One of several agents for a SyncTarget is at work; the control plane says which (fault F32).

The lease is the control plane's: it grants an epoch, which goes with whatever the agent says and asks, and of another
epoch nothing is taken. The agent itself stops writing to its cluster when it has not been heard for a lease, counted
by its own monotonic clock from before it asked: after a pause (SIGSTOP, a frozen machine) it has to ask first. So at
any time at most one agent writes, whatever clocks say; with the control plane away for longer than that, nobody does.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import random
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Conflict, Unauthorized
from fairlead_machinery.client import REQUEST_TIMEOUT_S, Client, Query
from fairlead_machinery.transport import Unreachable

if TYPE_CHECKING:
    from aiohttp import ClientResponse

EPOCH_HEADER = "Fairlead-Epoch"
_RETRY_S, _LONGEST_RETRY_S = 1.0, 5.0
_RELEASE_S = 2.0
_FRESH_S = 60.0
"""For how long after its start an agent asks every second: in an upgrade its turn is about to come."""
_TOLD_S = 30.0
"""For how long an answer counts as late news; an agent asks every few seconds."""
_PAUSED_S = 2.0
"""When to look again at what was not done because nothing may be written now."""
_SAFE = frozenset({"GET", "HEAD"})
_NO_WRITE = "/apis/authorization.k8s.io/"
Key = TypeVar("Key", bound=Hashable)
_log = structlog.get_logger(__name__)


class NotLeading(Conflict):
    """Another agent may be at work for the SyncTarget: nothing may be written."""


class Instance:
    """
    Who this agent is among several: its state directory on its machine, and this one start.

    A copy of the directory is another instance. The lock tells that nobody else runs from it, so that an agent that
    crashed need not wait for its own lease.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.host = socket.gethostname()
        place = os.fstat(self._lock)
        self.name = hashlib.sha256(f"{self.host}\0{place.st_dev}\0{place.st_ino}".encode()).hexdigest()[:32]
        self.process = str(uuid.uuid4())
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.is_alone = False
            _log.warning("another agent runs from this state directory; it must not be shared", folder=str(folder))
        else:
            self.is_alone = True

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._lock)


class Leadership:
    """
    Asks for the turn, keeps it, and knows whether it is ours.

    Args:
        client: Of the control plane, with the agent's token.
        path: ``/services/syncer/<cluster>/<name>/<uid>``.
        instance: Who asks.
        now_s: Monotonic seconds, which go on while the process is paused.
        refused: Called when the token is not taken.
    """

    def __init__(
        self, client: Client, path: str, instance: Instance, now_s: Callable[[], float], refused: Callable[[], None]
    ) -> None:
        self._client = client
        self._path = path
        self._instance = instance
        self._now_s = now_s
        self._refused = refused
        self._began_s = now_s()
        self._until_s = float("-inf")
        self._has_asked = False
        self._every_s = _RETRY_S
        self._retry_s = _RETRY_S
        self._told = ""
        self._answered_s = float("-inf")
        self.epoch = 0

    def holds(self) -> bool:
        """Tell whether nobody else can be at work now."""
        return self._now_s() < self._until_s

    async def is_told(self) -> bool:
        """Tell whether the control plane has said lately whose turn it is: then this agent can take it."""
        return self._now_s() - self._answered_s < _TOLD_S

    def headers(self) -> dict[str, str]:
        """Return what has to go with everything that is said to the control plane."""
        return {EPOCH_HEADER: str(self.epoch)}

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """
        Wait for the turn, work while it is ours, and begin anew when another agent has it.

        Raises:
            Exception: What ended ``work``.
        """
        try:
            while True:
                while True:
                    if wait_s := await self._ask():
                        break
                    await asyncio.sleep(self._every_s)
                _log.info("at work", epoch=self.epoch)
                await self._work(work(), wait_s)
        finally:
            await self._release()

    async def _work(self, work: Coroutine[Any, Any, None], wait_s: float) -> None:
        working = asyncio.create_task(work, name="work")
        keeping = asyncio.create_task(self._keep(wait_s), name="lease")
        try:
            await asyncio.wait([working, keeping], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
            self._until_s = float("-inf")
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.wait([working, keeping])

    async def _keep(self, wait_s: float) -> None:
        """Renew for ever; return when another agent is at work. Without an answer the turn is not lost, but rests."""
        while True:
            await asyncio.sleep(wait_s)
            answer = await self._ask()
            if answer is None:
                wait_s = self._every_s
            elif not answer:
                return
            else:
                wait_s = answer

    async def _ask(self) -> float | None:
        """Claim the turn; return after how many seconds to do it again, 0 when another has it, None without answer."""
        self._every_s = self._retry_s * (0.75 + random.random() / 2)
        self._retry_s = min(self._retry_s * 2, _LONGEST_RETRY_S)
        asked_s = self._now_s()
        try:
            answer = await self._claim({"restarted": self._instance.is_alone and not self._has_asked})
            lasts_s, epoch = float(answer["durationSeconds"]), int(answer["epoch"])
        except Unauthorized as error:
            self._refused()
            self._say(f"no turn could be had: {error}")
            return None
        except (ApiError, Unreachable, KeyError, TypeError, ValueError) as error:
            self._say(f"no turn could be had: {error}")
            return None
        self._every_s = _RETRY_S if asked_s - self._began_s < _FRESH_S else lasts_s / 3
        self._answered_s = asked_s
        self._retry_s = _RETRY_S
        self._has_asked = True  # whatever the answer: from here on it is one of several
        if answer.get("leading") is not True:
            self._say(f"another agent is at work, this one waits: {answer.get('holder', '')} (epoch {epoch})")
            return 0.0
        self.epoch, self._until_s, self._told = epoch, asked_s + lasts_s, ""
        return lasts_s / 3

    async def _claim(self, fields: JsonObject, timeout_s: float = 5.0) -> JsonObject:
        mine = {"instance": self._instance.name, "process": self._instance.process, "host": self._instance.host}
        body = orjson.dumps({**mine, **fields})
        try:
            async with asyncio.timeout(timeout_s):
                answer = (await self._client.request("POST", f"{self._path}/lead", body=body)).json()
        except TimeoutError as error:
            raise Unreachable(f"no answer within {timeout_s:g} s") from error
        if not isinstance(answer, dict):
            raise TypeError("the control plane answered with something other than an object")
        return answer

    async def _release(self) -> None:
        """Give the turn back, so that the next need not wait; failing to is no harm."""
        if self.holds():
            self._until_s = float("-inf")
            with suppress(ApiError, Unreachable, TypeError, ValueError):
                await self._claim({"release": True}, _RELEASE_S)

    def _say(self, text: str) -> None:
        """Log what stands against us, once."""
        if text != self._told:
            self._told = text
            (_log.error if "certificate" in text else _log.warning)(text)

    def while_held(
        self, reconcile: Callable[[Key], Awaitable[float | None]]
    ) -> Callable[[Key], Awaitable[float | None]]:
        """Return a reconcile that looks again later instead of beginning what could not be finished."""

        async def held(key: Key) -> float | None:
            return await reconcile(key) if self.holds() else _PAUSED_S

        return held


class FencedClient(Client):
    """A cluster that is written to only while the turn is ours; ``may_write`` is asked at the last moment."""

    may_write: Callable[[], bool] = staticmethod(lambda: False)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        open_timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> AsyncIterator[ClientResponse]:
        """
        See :meth:`Client.stream`.

        Raises:
            NotLeading: Something would be written although another agent may be at work.
        """
        if method not in _SAFE and not path.startswith(_NO_WRITE) and not self.may_write():
            raise NotLeading("another agent may be at work for this SyncTarget")
        async with super().stream(
            method, path, query, body=body, headers=headers, open_timeout_s=open_timeout_s
        ) as response:
            yield response
