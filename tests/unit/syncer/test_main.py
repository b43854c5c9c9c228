"""No part of an agent ends without a word."""

import asyncio

import pytest

from fairlead_machinery.component import TaskEnded
from fairlead_syncer.main import _endless


async def test_a_part_that_ends_says_so() -> None:
    """By itself, or by a cancellation from inside, which a task group would pass over."""

    async def ends() -> None:
        return

    async def is_cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(TaskEnded, match="feeds ended"):
        await _endless("feeds", ends())
    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.TaskGroup() as group:
            group.create_task(_endless("feeds", is_cancelled()))
    assert str(ended.value.exceptions[0]) == "feeds was cancelled from inside"


async def test_a_part_that_is_told_to_end_just_ends() -> None:
    task = asyncio.create_task(_endless("feeds", asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
