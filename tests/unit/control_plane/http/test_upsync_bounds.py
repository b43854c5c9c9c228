"""How much an agent may bring up."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api.errors import RequestTooLarge, TooManyRequests
from fairlead_control_plane.http.upsync_bounds import AGAIN_S, Most, Place, UpsyncBounds

MOST = Most(pod_bytes=100, pods=3, total_bytes=250, target_pods=5, target_bytes=1000)
HERE: Place = ("target", "c-team", "here")
THERE: Place = ("target", "c-team", "there")
OTHER: Place = ("other", "c-team", "here")


@dataclass
class Store:
    """What lies where, by name; counts how often it was counted."""

    bounds: UpsyncBounds
    pods: dict[tuple[Place, str], int] = field(default_factory=dict)
    counts: int = 0

    async def put(self, place: Place, name: str, size: int) -> None:
        before = self.pods.get((place, name))

        async def count() -> tuple[int, int]:
            self.counts += 1
            own = [size for (where, _), size in self.pods.items() if where == place]
            return len(own), sum(own)

        await self.bounds.check(place, before, size, count)
        self.pods[place, name] = size
        self.bounds.note(place, before, size)

    def drop(self, place: Place, name: str, *, noted: bool = True) -> None:
        before = self.pods.pop((place, name))
        if noted:
            self.bounds.note(place, before, None)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(UpsyncBounds(clock, MOST))


async def test_a_pod_has_a_largest_size(store: Store) -> None:
    """Whatever else there is."""
    await store.put(HERE, "a", 100)
    with pytest.raises(RequestTooLarge, match="the pod is 101 bytes long; the limit is 100"):
        await store.put(HERE, "a", 101)


async def test_a_namespace_has_room_for_so_many(store: Store) -> None:
    """By number and by bytes; what is there may still be changed, and room that was made is used again."""
    for name in "abc":
        await store.put(HERE, name, 10)
    with pytest.raises(TooManyRequests, match="namespace here shows 3 pods of this target, limited to 3") as refused:
        await store.put(HERE, "d", 10)
    assert refused.value.retry_after_s == AGAIN_S
    await store.put(HERE, "a", 99)
    await store.put(HERE, "b", 99)
    with pytest.raises(TooManyRequests, match="have 208 bytes, limited to 250"):
        await store.put(HERE, "c", 99)
    store.drop(HERE, "a")
    await store.put(HERE, "d", 99)


async def test_a_target_has_room_for_so_many_in_all(store: Store) -> None:
    """Another target's are not counted."""
    for place in (HERE, THERE):
        for name in ("ab", "abc")[place is THERE]:
            await store.put(place, name, 10)
    with pytest.raises(TooManyRequests, match="the target shows 5 pods"):
        await store.put(HERE, "c", 10)
    await store.put(OTHER, "a", 10)


async def test_refusals_are_cheap_and_not_for_ever(store: Store, clock: Clock) -> None:
    """Pods that went by other ways make room, found out after a while; until then nothing is counted again."""
    for name in "abc":
        await store.put(HERE, name, 10)
    store.drop(HERE, "a", noted=False)
    for _ in range(10):
        with pytest.raises(TooManyRequests):
            await store.put(HERE, "d", 10)
    assert store.counts == 1
    clock.now = AGAIN_S
    await store.put(HERE, "d", 10)
    assert store.counts == 2


async def test_what_was_there_before_the_server_counts(store: Store) -> None:
    """The first Pod of a namespace has it counted."""
    store.pods = {(HERE, name): 10 for name in "abc"}
    with pytest.raises(TooManyRequests):
        await store.put(HERE, "d", 10)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([HERE, THERE]), st.integers(0, 120))))
async def test_never_more_than_allowed(steps: list[tuple[str, Place, int]]) -> None:
    """Whatever is put and dropped (size 0)."""
    store = Store(UpsyncBounds(Clock(), MOST))
    for name, place, size in steps:
        try:
            if size:
                await store.put(place, name, size)
            elif (place, name) in store.pods:
                store.drop(place, name)
        except (TooManyRequests, RequestTooLarge):
            continue
        for where in (HERE, THERE):
            own = [size for (at, _), size in store.pods.items() if at == where]
            assert len(own) <= MOST.pods
            assert sum(own) <= MOST.total_bytes
        assert len(store.pods) <= MOST.target_pods
