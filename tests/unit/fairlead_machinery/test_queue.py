"""Queue and controller, in virtual time."""

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any

import looptime
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api.errors import Conflict, Invalid, TooManyRequests
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


def test_a_retry_after_is_kept_whoever_asks_meanwhile() -> None:
    """Events bring the newest state, not an earlier try; what is absurdly late is not believed."""

    async def main() -> None:
        tries: list[float] = []

        async def reconcile(key: str) -> None:
            tries.append(now())
            if len(tries) < 4:
                raise TooManyRequests("later", retry_after_s=(3, 10, 86400)[len(tries) - 1])

        queue: WorkQueue[str] = WorkQueue(jitter=lambda: 0)
        task = asyncio.create_task(Controller("c", reconcile, queue=queue).run())
        queue.add("a")
        for _ in range(800):
            await asyncio.sleep(0.1)
            queue.add("a")
            if len(tries) == 4:
                break
        assert [round(later - sooner) for sooner, later in itertools.pairwise(tries)] == [3, 10, 60]
        await asyncio.sleep(1)
        assert len(tries) == 5, "what was asked for while it ran"
        queue.close()
        await task

    run(main())


def test_a_refusal_that_lasts_is_tried_ever_less_until_something_else_is_asked() -> None:
    """Its echo wakes nobody; a change does at once, also one that comes while the refusal is on its way."""

    async def main() -> None:
        spec, tries = ["1"], list[tuple[str, float]]()

        async def reconcile(key: str) -> None:
            asked = spec[0]
            tries.append((asked, now()))
            await asyncio.sleep(0.01)
            if asked != "3":
                raise Invalid("never")

        queue: WorkQueue[str] = WorkQueue(jitter=lambda: 0, stamp=lambda _: spec[0])
        task = asyncio.create_task(Controller("c", reconcile, queue=queue).run())
        began_s = now()
        queue.add("a")
        for _ in range(600):
            await asyncio.sleep(1)
            queue.add("a")
        assert [round(at_s - began_s) for _, at_s in tries] == [0, 1, 9, 73, 373]
        spec[0] = "2"
        queue.add("a")
        await asyncio.sleep(0.005)
        assert tries[-1][0] == "2"
        spec[0] = "3"  # before the answer to the second
        queue.add("a")
        await asyncio.sleep(0.1)
        assert tries[-1][0] == "3"
        assert queue.failures("a") == 0
        queue.close()
        await task

    run(main())


def test_without_a_word_on_what_it_follows_from_a_refusal_is_a_failure_like_any() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(jitter=lambda: 0)
        queue.add("a")
        await queue.get()
        assert queue.retry("a", lasts=True) == 0.005
        queue.done("a")
        queue.add("a")
        assert len(queue) == 1
        queue.close()

    run(main())


def test_a_cancellation_from_inside_costs_no_worker() -> None:
    """A task group passes over a worker that ends so; it goes on, and the key is tried again."""

    async def main() -> None:
        done: list[str] = []
        broken = ["a"] * 5

        async def reconcile(key: str) -> None:
            if key in broken:
                broken.remove(key)
                raise asyncio.CancelledError
            done.append(key)

        controller = Controller("c", reconcile, workers=2)
        task = asyncio.create_task(controller.run())
        for key in "ab":
            controller.enqueue(key)
        await asyncio.sleep(1)
        assert sorted(done) == ["a", "b"]
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(main())
