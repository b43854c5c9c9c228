"""
The one reconcile loop.

A controller takes keys from its queue and calls ``reconcile(key)``, never twice at a time for one key. What it raises
is retried with growing pauses, except :class:`Terminal`, which retrying cannot mend.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

import structlog

from fairlead_api.errors import ApiError, Conflict
from fairlead_machinery.congestion import SLOW_S
from fairlead_machinery.queue import WorkQueue

Key = TypeVar("Key", bound=Hashable)
log = structlog.get_logger(__name__)
_LASTING = frozenset({400, 405, 413, 415, 422})
"""Answers that another try of the same gets again."""


class Terminal(Exception):
    """Trying again changes nothing until the input changes; the message is for the log."""


class Observer(Protocol):
    """What hears of each reconcile, for metrics."""

    def __call__(self, controller: str, outcome: str, seconds: float) -> None:
        """Take note; ``outcome`` is one of ``done``, ``later``, ``conflict``, ``retry``, ``terminal``."""


def _unobserved(controller: str, outcome: str, seconds: float) -> None:
    """Take no note."""


class Controller(Generic[Key]):
    """
    Workers on one queue.

    Args:
        name: For logs and metrics.
        reconcile: Takes a key; returns None, or seconds after which to look again.
        queue: Where keys come from; a plain one by default.
        workers: How many keys are worked on at a time; more while some are late, in a queue that knows of that.
        timeout_s: After which one reconcile counts as failed.
        observe: Hears of each.
    """

    def __init__(
        self,
        name: str,
        reconcile: Callable[[Key], Awaitable[float | None]],
        *,
        queue: WorkQueue[Key] | None = None,
        workers: int = 2,
        timeout_s: float = 60.0,
        observe: Observer = _unobserved,
    ) -> None:
        self.name = name
        self.queue: WorkQueue[Key] = queue if queue is not None else WorkQueue()
        self._reconcile = reconcile
        self._workers = workers
        self._timeout_s = timeout_s
        self._observe = observe
        self._at_work = 0

    def enqueue(self, key: Key) -> None:
        """Ask for a key to be looked at."""
        self.queue.add(key)

    async def run(self) -> None:
        """Work until cancelled or until the queue is closed and empty."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                self._hire(group)

    def _hire(self, group: asyncio.TaskGroup) -> None:
        group.create_task(self._work(group), name=f"{self.name}-{self._at_work}")
        self._at_work += 1

    async def _work(self, group: asyncio.TaskGroup) -> None:
        try:
            while self._at_work <= self._places() and (key := await self.queue.get()) is not None:
                alarm = self._alarm(group, key)
                try:
                    await self._once(key)
                finally:
                    if alarm is not None:
                        alarm.cancel()
                    self.queue.done(key)
        finally:
            self._at_work -= 1

    def _places(self) -> int:
        congestion = self.queue.congestion
        return self._workers + (congestion.late if congestion is not None else 0)

    def _alarm(self, group: asyncio.TaskGroup, key: Key) -> asyncio.TimerHandle | None:
        """Have somebody else take the worker's place when a key turns out to be slow."""
        if self.queue.congestion is None:
            return None

        def is_late() -> None:
            self.queue.is_late(key)
            if self._at_work < self._places():
                self._hire(group)

        return asyncio.get_running_loop().call_later(SLOW_S, is_late)

    async def _once(self, key: Key) -> None:
        started = time.monotonic()
        outcome = "done"
        try:
            async with asyncio.timeout(self._timeout_s):
                again_s = await self._reconcile(key)
            self.queue.forget(key)
            if again_s is not None:
                self.queue.add_after(key, again_s)
                outcome = "later"
        except Conflict as error:
            outcome = "conflict"  # somebody else wrote first: no news
            log.debug("reconcile met a conflict", controller=self.name, key=str(key), error=str(error))
            self.queue.retry(key)
        except Terminal as error:
            outcome = "terminal"
            self.queue.forget(key)
            log.warning("reconcile gave up", controller=self.name, key=str(key), error=str(error))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody has cancelled this worker: something inside let it out. A task group would lose it without a word.
            outcome = "retry"
            self.queue.retry(key)
            log.exception("reconcile was cancelled from inside", controller=self.name, key=str(key))
        except Exception as error:
            outcome = "retry"
            asked_s = error.retry_after_s if isinstance(error, ApiError) else 0
            lasts = isinstance(error, ApiError) and error.code in _LASTING
            delay_s = self.queue.retry(key, least_s=asked_s, lasts=lasts)
            expected = isinstance(error, ApiError | TimeoutError)
            log.warning(
                "reconcile failed",
                controller=self.name,
                key=str(key),
                error=f"{type(error).__name__}: {error}",
                failures=self.queue.failures(key),
                retry_in_s=round(delay_s, 3),
                exc_info=not expected,
            )
        finally:
            self._observe(self.name, outcome, time.monotonic() - started)
