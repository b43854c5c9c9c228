"""Waiting for a state that another process brings about; the only place in the tests that polls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
POLL_EVERY_S = 0.05


class WaitedTooLong(AssertionError):
    """The state did not come about; the message holds the last one seen."""


def _message(condition: object, timeout_s: float, last: object) -> str:
    name = getattr(condition, "__qualname__", repr(condition))
    return f"{name} did not come true within {timeout_s:g} s; last state: {last!r}"


def wait_until(condition: Callable[[], T], timeout_s: float, *, every_s: float = POLL_EVERY_S) -> T:
    """
    Call ``condition`` until it returns something true, and return that.

    Args:
        condition: A state worth reading in a failure message, false while it is not reached. An ``AssertionError``
            it raises counts as not reached.
        timeout_s: Seconds; it is called once more after they are over, so that a slow machine gets its chance.
        every_s: Seconds between two calls.

    Raises:
        WaitedTooLong: It never came true; the last state (or assertion) is in the message.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        is_last = time.monotonic() >= deadline
        last: object
        try:
            if value := condition():
                return value
            last = value
        except AssertionError as problem:
            last = problem
        if is_last:
            raise WaitedTooLong(_message(condition, timeout_s, last))
        time.sleep(every_s)


async def wait_until_async(
    condition: Callable[[], Awaitable[T]], timeout_s: float, *, every_s: float = POLL_EVERY_S
) -> T:
    """Do what :func:`wait_until` does for a coroutine function, without blocking the loop."""
    deadline = time.monotonic() + timeout_s
    while True:
        is_last = time.monotonic() >= deadline
        last: object
        try:
            if value := await condition():
                return value
            last = value
        except AssertionError as problem:
            last = problem
        if is_last:
            raise WaitedTooLong(_message(condition, timeout_s, last))
        await asyncio.sleep(every_s)
