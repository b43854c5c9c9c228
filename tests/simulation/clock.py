"""Virtual time, and randomness that follows from a seed: installed before the product is imported."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, tzinfo
from typing import Any, TypeVar

EPOCH_S = 1_800_000_000.0
"""What the wall clocks say when a simulation begins."""
SKEW_S: ContextVar[float] = ContextVar("skew_s", default=0.0)
"""By how much the clock of whoever asks is wrong."""
T = TypeVar("T")
_MOST_TURNS = 200_000
"""Turns of the loop without time going on: after as many something spins."""

_urandom = os.urandom
_random: random.Random | None = None


class Spinning(Exception):
    """Work goes on and on while no time passes."""


class Stuck(Exception):
    """Nothing is left that could ever happen."""


class _Task(asyncio.Task[Any]):
    """A task whose place in sets does not depend on where it lies in memory."""

    _count = 0

    def __init__(self, *arguments: Any, **more: Any) -> None:
        _Task._count += 1
        self._number = _Task._count
        super().__init__(*arguments, **more)

    def __hash__(self) -> int:
        return self._number


class _Selector:
    """Where the loop waits: time jumps to when something is due."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        """Let the time pass that the loop would have slept."""
        self._turns += 1
        if timeout is None:
            raise Stuck
        if timeout > 0:
            self._turns = 0
            self._loop.advance(timeout)
        elif self._turns > _MOST_TURNS:
            raise Spinning(f"{_MOST_TURNS} turns at {self._loop.time():.3f}")
        return []

    def close(self) -> None:
        """Nothing to close."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without input, output and waiting; threads' work is done at once."""

    def __init__(self, start_s: float = 0.0) -> None:
        super().__init__()
        self._now_s = start_s
        self._clock_resolution = 1e-6
        self._selector = _Selector(self)
        self.set_task_factory(lambda loop, work, context=None: _Task(work, loop=loop, context=context))

    def time(self) -> float:
        """Return virtual seconds since the beginning."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass, exactly to what is due next where that is meant."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        due_s = scheduled[0].when() if scheduled else self._now_s + seconds
        self._now_s = max(self._now_s, min(due_s, self._now_s + seconds + self._clock_resolution))

    def run_in_executor(  # type: ignore[override]  # of any callable
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call at once: there are no threads."""
        del executor
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed on as an executor does
            future.set_exception(error)
        return future

    def add_signal_handler(  # type: ignore[override]  # of any callable
        self, sig: int, callback: Callable[..., Any], *args: Any
    ) -> None:
        """Signals are for real processes."""

    def remove_signal_handler(self, sig: int) -> bool:
        """Signals are for real processes."""
        return True

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _wall_s() -> float:
    return EPOCH_S + now_s() + SKEW_S.get()


def now_s() -> float:
    """Return virtual seconds; 0 outside of a simulation."""
    loop = asyncio._get_running_loop()
    return loop.time() if loop is not None else 0.0


def _bytes(size: int) -> bytes:
    return _urandom(size) if _random is None else _random.randbytes(size)


class VirtualDatetime(datetime):
    """In place of ``datetime`` in a module that asks it for the time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # of no subclass
        """Return the virtual time."""
        return datetime.fromtimestamp(_wall_s(), tz)


def install() -> None:
    """Replace the clocks and the source of randomness of this process; before anything of the product is imported."""
    time.time = _wall_s
    time.monotonic = now_s
    os.urandom = _bytes
    os.getpid = lambda: 1  # part of names in leases
    socket.gethostname = lambda: "simulation"
    random._urandom = _bytes  # type: ignore[attr-defined]


@contextmanager
def seeded(seed: int) -> Generator[None, None, None]:
    """Let all randomness of the product follow from a seed."""
    global _random  # noqa: PLW0603 - there is one source in a process
    random.seed(f"product {seed}")
    _random = random.Random(f"bytes {seed}")
    _Task._count = 0
    try:
        yield
    finally:
        _random = None


def run(work: Callable[[], Coroutine[Any, Any, T]], start_s: float = 0.0) -> T:
    """Run a coroutine function in virtual time, which begins at ``start_s``, until it ends."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start_s)) as runner:
        return runner.run(work())
