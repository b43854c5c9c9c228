"""Queue and controller, in virtual time."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import looptime
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api.errors import Conflict
from fairlead_machinery.controller import Controller, Terminal
from fairlead_machinery.queue import WorkQueue


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_key_is_queued_once_and_never_runs_twice_at_a_time() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("b")
        assert await queue.get() == "b"
        assert len(queue) == 0
        queue.done("a")
        assert await queue.get() == "a"

    run(main())


def test_tenants_take_turns() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(tenant=lambda key: key[0])
        for key in ("a1", "a2", "a3", "b1", "c1", "b2"):
            queue.add(key)
        assert [await queue.get() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]

    run(main())


def test_delays_keep_the_earliest_time_and_failures_double_them() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(base_delay_s=1, max_delay_s=5, jitter=lambda: 0)
        queue.add_after("a", 10)
        queue.add_after("a", 3)
        queue.add_after("a", 20)
        started = now()
        assert await queue.get() == "a"
        assert round(now() - started, 3) == 3
        pauses = []
        for _ in range(4):
            pauses.append(queue.retry("a"))
            queue.done("a")
            assert await queue.get() == "a"
        assert pauses == [1, 2, 4, 5]
        queue.forget("a")
        assert queue.retry("a") == 1
        queue.close()

    run(main())


def test_a_cancelled_wait_loses_no_key() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        first = asyncio.create_task(queue.get())
        second = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.add("a")
        first.cancel()
        assert await second == "a"

    run(main())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=20))
def test_every_key_added_is_worked_on_after_its_last_add(adds: list[tuple[int, int]]) -> None:
    async def main() -> None:
        seen: dict[int, float] = {}
        running: set[int] = set()

        async def reconcile(key: int) -> None:
            assert key not in running
            running.add(key)
            seen[key] = now()
            await asyncio.sleep(0.7)
            running.discard(key)

        controller = Controller("test", reconcile, workers=3)
        work = asyncio.create_task(controller.run())
        last: dict[int, float] = {}
        for key, pause_s in adds:
            controller.enqueue(key)
            last[key] = now()
            await asyncio.sleep(pause_s / 2)
        await asyncio.sleep(20)
        assert controller.queue.is_idle
        controller.queue.close()
        await work
        assert seen.keys() == last.keys()
        assert all(seen[key] >= last[key] for key in last)

    run(main())


def test_failures_are_retried_terminal_ones_not() -> None:
    async def main() -> None:
        outcomes: list[str] = []
        answers = {
            "retry": iter([RuntimeError("x"), Conflict("y"), None]),
            "terminal": iter([Terminal("z")]),
            "later": iter([5.0, None]),
            "slow": iter([None]),
        }

        async def reconcile(key: str) -> float | None:
            answer = next(answers[key])
            if isinstance(answer, Exception):
                raise answer
            return answer

        controller = Controller("test", reconcile, workers=1, observe=lambda _, outcome, __: outcomes.append(outcome))
        work = asyncio.create_task(controller.run())
        for key in answers:
            controller.enqueue(key)
        await asyncio.sleep(30)
        controller.queue.close()
        await work
        assert sorted(outcomes) == ["conflict", "done", "done", "done", "later", "retry", "terminal"]

    run(main())
