"""
Nobody waits for another: not a tenant for a tenant, and not what is new for what is only looked at again.

Also bounds: what is kept is what there is, however often it is touched. All in virtual time, with the agent's own
number of workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import looptime
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Conflict
from fairlead_machinery.congestion import Congestion
from fairlead_machinery.controller import Controller
from fairlead_machinery.queue import WorkQueue
from fairlead_syncer.lanes import lanes, traits
from fairlead_syncer.plan import HASH
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget

_WORKERS, _SPARE, _LOOK_S = 8, 16, 0.05


def _run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main)


def _key(cluster: str, name: str) -> Key:
    return Key("", "configmaps", cluster, "default", name)


def _object(name: str, hash_: str) -> JsonObject:
    return {"metadata": {"name": name, "uid": name, "annotations": {HASH: hash_}}}


def _state(cluster: str, settled: int) -> State:
    state = State(SyncTarget("root", "east", "t1", "h", "1", b"secret"))
    for number in range(settled):
        key = _key(cluster, f"a{number}")
        state.put_view(key, _object(key.name, "h1"))
        state.actual[key] = _object(key.name, "h1")
    return state


class _Line:
    """Workers on the agent's queue; remembers when each key was looked at."""

    def __init__(self, state: State, reconcile: Callable[[Key], Awaitable[float | None]] | None = None) -> None:
        congestion = Congestion(traits, workers=_WORKERS, spare=_SPARE)
        self.queue: WorkQueue[Key] = WorkQueue(tenant=lanes(state), jitter=lambda: 0, congestion=congestion)
        self.done_s: dict[Key, float] = {}
        self.turns = 0
        self._controller = Controller("objects", reconcile or self._look, queue=self.queue, workers=_WORKERS)

    async def _look(self, key: Key) -> None:
        self.turns += 1
        await asyncio.sleep(_LOOK_S)
        self.done_s.setdefault(key, asyncio.get_running_loop().time())

    async def run(self, meanwhile: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._controller.run())
        await meanwhile
        self.queue.close()
        await task


def test_a_tenant_with_five_thousand_objects_delays_nobody() -> None:
    """Another tenant's one object has its turn within two rounds of the workers."""

    async def main() -> None:
        line = _Line(_state("big", 0))
        small = _key("small", "one")

        async def meanwhile() -> None:
            for number in range(5000):
                line.queue.add(_key("big", f"a{number}"))
            await asyncio.sleep(1.01)
            turns, began_s = line.turns, asyncio.get_running_loop().time()
            line.queue.add(small)
            while small not in line.done_s:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(_LOOK_S / 10)
            assert line.turns - turns <= 2 * _WORKERS
            assert line.done_s[small] - began_s <= 2 * _LOOK_S + 0.01

        await line.run(meanwhile())
        assert len(line.done_s) == 5001

    _run(main())


def test_a_resync_delays_no_new_object_of_the_same_tenant() -> None:
    """Nor a change of an object that stands in line already."""

    async def main() -> None:
        state = _state("big", 5000)
        line = _Line(state)
        new, changed = _key("big", "new"), _key("big", "a4999")

        async def meanwhile() -> None:
            for key in list(state.views):
                line.queue.add(key)
            await asyncio.sleep(1.01)
            began_s = asyncio.get_running_loop().time()
            state.put_view(new, _object("new", "h1"))
            state.put_view(changed, _object("a4999", "h2"))
            line.queue.add(new)
            line.queue.add(changed)
            while not {new, changed} <= line.done_s.keys():  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(_LOOK_S / 10)
            assert max(line.done_s[new], line.done_s[changed]) - began_s <= 3 * _LOOK_S

        await line.run(meanwhile())
        assert line.turns == 5001, "what moved to another line is looked at once"

    _run(main())


def test_failing_objects_take_no_turns_from_others() -> None:
    """A tenant whose every object fails keeps a bounded number of attempts, and the other's are done."""

    async def main() -> None:
        state, attempts = _state("big", 0), dict[Key, int]()

        async def reconcile(key: Key) -> None:
            attempts[key] = attempts.get(key, 0) + 1
            await asyncio.sleep(_LOOK_S)
            if key.cluster == "big":
                raise Conflict("never")

        line = _Line(state, reconcile)

        async def meanwhile() -> None:
            for number in range(200):
                line.queue.add(_key("big", f"a{number}"))
            for number in range(20):
                line.queue.add(_key("small", f"a{number}"))
            await asyncio.sleep(600)

        await line.run(meanwhile())
        assert sum(1 for key in attempts if key.cluster == "small") == 20
        # Pauses double to a minute: within ten minutes some twenty attempts each, and not one more.
        assert max(attempts.values()) <= 26

    _run(main())


def test_touching_what_there_is_keeps_no_more_of_it() -> None:
    """A hundred times the same thousand keys, in changing lines, stay a thousand."""
    state = _state("big", 1000)
    queue: WorkQueue[Key] = WorkQueue(tenant=lanes(state))
    for round_number in range(100):
        for key in list(state.views):
            state.put_view(key, _object(key.name, f"h{round_number % 2}"))
            queue.add(key)
    assert len(queue) == 1000
    assert sum(len(line) for line in queue._ready.values()) <= 4000


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12"), st.booleans()), max_size=60))
def test_each_key_once_whatever_line_it_stands_in(steps: list[tuple[str, str, bool]]) -> None:
    """Moving between lines loses nothing and doubles nothing."""

    async def main() -> None:
        lane_of: dict[str, str] = {}
        queue: WorkQueue[str] = WorkQueue(tenant=lane_of.__getitem__)
        waiting: set[str] = set()
        for key, lane, takes in steps:
            lane_of[key] = lane
            queue.add(key)
            waiting.add(key)
            if takes:
                taken = await queue.get()
                assert taken in waiting
                waiting.discard(taken)
                queue.done(taken)
        assert len(queue) == len(waiting)
        assert {await queue.get() for _ in range(len(queue))} == waiting

    _run(main())


_WEBHOOK_S = 10.0


class _Webhook:
    """A webhook that takes its time for some keys and then fails."""

    def __init__(self, is_asked: Callable[[Key], bool], *, works_from_s: float = float("inf")) -> None:
        self._is_asked = is_asked
        self._works_from_s = works_from_s
        self.asked: dict[Key, int] = {}
        self.now = self.most = 0
        self.done_s: dict[Key, float] = {}

    async def __call__(self, key: Key) -> None:
        loop = asyncio.get_running_loop()
        if self._is_asked(key) and loop.time() < self._works_from_s:
            self.asked[key] = self.asked.get(key, 0) + 1
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(_WEBHOOK_S)
            self.now -= 1
            raise ApiError("failed calling webhook")
        await asyncio.sleep(_LOOK_S)
        self.done_s[key] = loop.time()


def _other(number: int) -> Key:
    return Key("apps", "deployments", f"c{number % 7}", "default", f"d{number}")


@given(st.integers(1, 60), st.integers(1, 8), st.sampled_from(["namespace", "kind"]))
@settings(max_examples=15, deadline=None)
def test_f37_a_slow_webhook_delays_nobody_else(objects: int, tenants: int, scope: str) -> None:
    """However many objects of however many tenants wait for it: somebody else's new one is made within 2 s."""

    async def main() -> None:
        webhook = _Webhook(lambda key: key.resource == "configmaps" if scope == "kind" else key.cluster == "slow")
        line = _Line(_state("big", 0), webhook)

        async def meanwhile() -> None:
            loop = asyncio.get_running_loop()
            for number in range(objects):
                line.queue.add(_key(f"t{number % tenants}" if scope == "kind" else "slow", f"a{number}"))
            for number in range(25):
                await asyncio.sleep(0.9)
                added_s, other = loop.time(), _other(number)
                line.queue.add(other)
                while other not in webhook.done_s:  # noqa: ASYNC110 - virtual time
                    await asyncio.sleep(_LOOK_S)
                assert loop.time() - added_s < 2.0
            assert webhook.most <= _WORKERS + _SPARE

        await line.run(meanwhile())

    _run(main())


def test_what_waited_for_a_webhook_is_done_once_it_works() -> None:
    """Nothing is left behind, and there are as many at work as before."""

    async def main() -> None:
        webhook = _Webhook(lambda key: key.cluster == "slow", works_from_s=35.0)
        line = _Line(_state("big", 0), webhook)
        keys = [_key("slow", f"a{number}") for number in range(200)]

        async def meanwhile() -> None:
            for key in keys:
                line.queue.add(key)
            await asyncio.sleep(120)
            assert webhook.done_s.keys() == set(keys)
            assert line.queue.is_idle

        await line.run(meanwhile())

    _run(main())


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.01, 0.9, 1.1, 3.0, 12.0])), max_size=80))
@settings(deadline=None)
def test_everything_has_its_turn_however_slow_some_are(work: list[tuple[int, float]]) -> None:
    """Each key runs exactly once, also when the queue is closed with some of them waiting."""

    async def main() -> None:
        slow_s, turns = dict[Key, float](), list[Key]()
        for number, (tenant, seconds) in enumerate(work):
            slow_s[_key(f"t{tenant}", f"a{number}")] = seconds

        async def reconcile(key: Key) -> None:
            turns.append(key)
            await asyncio.sleep(slow_s[key])

        line = _Line(_state("big", 0), reconcile)

        async def meanwhile() -> None:
            for key in slow_s:
                line.queue.add(key)
            await asyncio.sleep(1.5)

        await line.run(meanwhile())
        assert sorted(turns) == sorted(slow_s)

    _run(main())
