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
from fairlead_machinery.queue import WorkQueue

Key = TypeVar("Key", bound=Hashable)
log = structlog.get_logger(__name__)


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
        workers: How many keys are worked on at a time.
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

    def enqueue(self, key: Key) -> None:
        """Ask for a key to be looked at."""
        self.queue.add(key)

    async def run(self) -> None:
        """Work until cancelled or until the queue is closed and empty."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"{self.name}-{number}")

    async def _work(self) -> None:
        while (key := await self.queue.get()) is not None:
            try:
                await self._once(key)
            finally:
                self.queue.done(key)

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
        except Exception as error:
            outcome = "retry"
            delay_s = self.queue.retry(key)
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
