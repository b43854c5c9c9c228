"""
Work on large objects beside the event loop.

Walking an object costs some twenty microseconds a member: nothing for what people write, seconds for 3 MiB of the
smallest members, in which everybody else would wait. Few threads do all of it, one work at a time for each logical
cluster; the loop takes turns with them every tenth of a millisecond. Who sends many large objects waits for himself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import RequestTooLarge

MEMBERS = 2_000
"""More keys and items than this, in all depths together, make an object large: some forty milliseconds of work."""

_TEXT = 64
"""Characters of a text that count as one member."""

MOST = 60_000
"""Most members of an object beside ``managedFields``; in Kubernetes, a request to etcd ends at about as many."""

T = TypeVar("T")
_THREADS = ThreadPoolExecutor(3, "large-objects")


def is_large(obj: JsonObject) -> bool:
    """
    Tell whether an object takes more than one turn of the loop.

    Long texts count as well, for the formats and patterns they may have to match.
    """
    try:
        text = orjson.dumps(obj)
    except TypeError:  # it has numbers that JSON's writer does not
        return _is_heavy(obj)
    # Nearly every object is small, and seen to be so many times faster by its text, which has at least as many marks.
    marks = text.count(b",") + text.count(b"{") + text.count(b"[") + len(text) // _TEXT
    return marks > MEMBERS and _is_heavy(obj)


def _is_heavy(obj: JsonObject) -> bool:
    left = MEMBERS
    todo: list[Any] = [obj]
    while todo:
        value = todo.pop()
        left -= len(value)
        if left < 0:
            return True
        for item in value.values() if type(value) is dict else value:
            kind = type(item)
            if kind is str:
                left -= len(item) // _TEXT
            elif kind is dict or kind is list:
                todo.append(item)
        if left < 0:
            return True
    return False


async def weighed(obj: JsonObject) -> bool:
    """
    Tell whether an object that somebody wants to write is large.

    Raises:
        RequestTooLarge: It has more members than any could have that etcd takes with its ``managedFields``.
    """
    if not is_large(obj):
        return False
    if await aside(lambda: _is_too_large(obj), is_large=True):
        raise RequestTooLarge(f"Request entity too large: limit is {MOST} keys and items")
    return True


def _is_too_large(obj: JsonObject) -> bool:
    data = obj.get("metadata")
    owners = data.get("managedFields") if isinstance(data, dict) else None
    noted = _members(owners, 2 * MOST) if isinstance(owners, list) else 0
    return noted > 2 * MOST or _members(obj, noted + MOST) - noted > MOST


def _members(whole: Any, most: int) -> int:
    """Count keys and items in all depths; looks at no more of them once there are more than ``most``."""
    count = 0
    todo: list[Any] = [whole]
    while todo and count <= most:
        value = todo.pop()
        count += len(value)
        items = value.values() if type(value) is dict else value
        todo += [item for item in items if type(item) is dict or type(item) is list]
    return count


WHO: ContextVar[str] = ContextVar("WHO", default="")
"""The logical cluster that a request is about."""


class _Turns:
    """Who waits for whom: of each logical cluster one work at a time, so that none keeps all threads busy."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, who: str) -> None:
        """Wait until nothing else is done for ``who``; :meth:`give` ends that."""
        waiting = self._waiting.get(who)
        if waiting is None:
            self._waiting[who] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give(who)  # it was given just now
            raise

    def give(self, who: str) -> None:
        """Let the next one of ``who`` begin."""
        waiting = self._waiting[who]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[who]


_TURNS = _Turns()


async def aside(work: Callable[[], T], *, is_large: bool) -> T:
    """
    Do work that only looks at and changes objects of this request: here, or in a thread when they are large.

    A work that has begun ends, and its logical cluster waits for it, also when the request is cancelled.
    """
    if not is_large:
        return work()
    who, loop = WHO.get(), asyncio.get_running_loop()
    await _TURNS.take(who)
    try:
        done = loop.run_in_executor(_THREADS, work)
    except BaseException:
        _TURNS.give(who)
        raise
    done.add_done_callback(lambda _: _TURNS.give(who))
    return await asyncio.shield(done)
