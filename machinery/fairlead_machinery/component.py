"""
Starting and stopping a program.

::

    async with Program(grace_s=20) as program:
        server = await program.enter(open_server(...))
        program.spawn("scheduler", scheduler.run())
        await program.run()

Parts are left in reverse order, all under one deadline. A background task that ends by itself, however, stops the
program with an error: half a program must not go on as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger(__name__)

GRACE_S = 20.0


class TaskEnded(Exception):
    """A background task ended though the program was to go on."""


class StuckAtStop(Exception):
    """Parts did not stop before the deadline; the text names them."""


class Program:
    """
    A stack of parts and the tasks that belong to it.

    Args:
        grace_s: Seconds for stopping everything.
        signals: Whether SIGTERM and SIGINT stop the program; off in tests.
    """

    def __init__(self, *, grace_s: float = GRACE_S, signals: bool = True) -> None:
        self._grace_s = grace_s
        self._signals = signals
        self._stack = AsyncExitStack()
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_stopping(self) -> bool:
        """True once the program was told to stop; readiness ends here."""
        return self._stopping.is_set()

    async def __aenter__(self) -> Program:
        """Take over the signals."""
        if self._signals:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if signal.getsignal(number) == signal.SIG_IGN:
                    continue  # as under nohup
                loop.add_signal_handler(number, self._told, number)
                self._stack.callback(loop.remove_signal_handler, number)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """
        Leave all parts in reverse order.

        Raises:
            StuckAtStop: The deadline passed.
        """
        self._stopping.set()
        try:
            async with asyncio.timeout(self._grace_s):
                await self._stack.aclose()
        except TimeoutError as late:
            stuck = sorted(task.get_name() for task in self._tasks if not task.done())
            raise StuckAtStop(f"not stopped after {self._grace_s:g} s: {', '.join(stuck) or 'a part'}") from late

    async def enter(self, part: AbstractAsyncContextManager[T]) -> T:
        """Start a part, to be stopped after all that are started later."""
        return await self._stack.enter_async_context(part)

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run endless work in the background, cancelled when its turn comes; its ending stops the program."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        self._stack.push_async_callback(self._cancel, task)
        return task

    def _told(self, number: signal.Signals) -> None:
        log.info("told to stop", signal=number.name)
        self.stop()

    def stop(self) -> None:
        """Ask the program to stop, in order."""
        self._stopping.set()

    async def run(self) -> None:
        """
        Wait until the program is told to stop.

        Raises:
            TaskEnded: A background task ended before that.
        """
        await self._stopping.wait()
        if self._failure is not None:
            raise self._failure

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._stopping.is_set():
            return
        error = None if task.cancelled() else task.exception()
        why = f": {error!r}" if error else ": it was cancelled from inside" if task.cancelled() else ""
        self._failure = TaskEnded(f"the task {task.get_name()} ended{why}")
        self._failure.__cause__ = error
        self._stopping.set()
        log.error("background task ended", task=task.get_name(), error=repr(error), exc_info=error)

    async def _cancel(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failure is None:
            log.error("background task failed while stopping", task=task.get_name(), error=repr(error))
