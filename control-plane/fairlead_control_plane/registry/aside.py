"""
Work on large objects beside the event loop.

Walking an object costs some twenty microseconds a member: nothing for what people write, seconds for 3 MiB of the
smallest members, in which everybody else would wait. One thread does all of it, so that the loop, which takes turns
with it every tenth of a millisecond, never has less than half of the interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fairlead_api import JsonObject

MEMBERS = 2_000
"""More keys and items than this, in all depths together, make an object large: some forty milliseconds of work."""

T = TypeVar("T")
_THREAD = ThreadPoolExecutor(1, "large-objects")


def is_large(obj: JsonObject) -> bool:
    """Tell whether an object has more members than can be walked in one turn of the loop; looks at no more of it."""
    left = MEMBERS
    todo: list[Any] = [obj]
    while todo:
        value = todo.pop()
        left -= len(value)
        if left < 0:
            return True
        items = value.values() if type(value) is dict else value
        todo += [item for item in items if type(item) is dict or type(item) is list]
    return False


async def aside(work: Callable[[], T], *, is_large: bool) -> T:
    """Do work that only looks at and changes objects of this request: here, or in the thread when they are large."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work) if is_large else work()
