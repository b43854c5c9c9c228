"""Programs start in order, stop in reverse, and never run on half."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from fairlead_machinery.component import Program, StuckAtStop, TaskEnded


@asynccontextmanager
async def part(name: str, trace: list[str]) -> AsyncIterator[str]:
    trace.append(f"+{name}")
    yield name
    trace.append(f"-{name}")


async def forever(name: str, trace: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        trace.append(f"-{name}")


async def test_parts_stop_in_reverse_order() -> None:
    trace: list[str] = []
    async with Program(signals=False) as program:
        assert await program.enter(part("store", trace)) == "store"
        program.spawn("feed", forever("feed", trace))
        await program.enter(part("server", trace))
        await asyncio.sleep(0)
        program.stop()
        await program.run()
        assert program.is_stopping
    assert trace == ["+store", "+server", "-server", "-feed", "-store"]


async def test_a_task_that_ends_by_itself_stops_the_program() -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    async def main() -> None:
        async with Program(signals=False) as program:
            await program.enter(part("store", trace))
            program.spawn("feed", fail())
            await program.run()

    trace: list[str] = []
    with capture_logs() as logs, pytest.raises(TaskEnded, match="the task feed ended: RuntimeError"):
        await main()
    assert logs[0]["task"] == "feed"
    assert trace == ["+store", "-store"]


async def test_a_part_that_does_not_stop_is_named() -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        async with Program(grace_s=0.05, signals=False) as program:
            tasks.append(program.spawn("stubborn", stubborn()))
            await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    with pytest.raises(StuckAtStop, match=r"not stopped after 0\.05 s: stubborn"):
        await main()
    release.set()
    await asyncio.wait(tasks)


async def test_a_task_that_is_cancelled_from_inside_says_so() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        async with Program(signals=False) as program:
            program.spawn("feed", cancelled())
            await program.run()

    with pytest.raises(TaskEnded, match="the task feed ended: it was cancelled from inside"):
        await main()


@pytest.fixture
def _no_nohup() -> Iterator[None]:
    """The tests themselves may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_no_nohup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_stops_the_program_and_is_told(number: signal.Signals) -> None:
    with capture_logs() as logs:
        async with Program() as program:
            os.kill(os.getpid(), number)
            await program.run()
    assert [(entry["event"], entry["signal"]) for entry in logs] == [("told to stop", number.name)]
