"""
How much one agent may bring up: a stolen credential must not fill the store of everybody.

What lies there is counted once for each namespace of a target, and then kept in step with what is written. Pods may
also go by other ways, so a full count is made anew before anything is refused, but not for each refusal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fairlead_api.errors import RequestTooLarge, TooManyRequests

AGAIN_S = 5.0
"""How long a full count is believed when there is no room."""

Place = tuple[str, str, str]
"""Uid of the SyncTarget, logical cluster, namespace."""

Count = Callable[[], Awaitable[tuple[int, int]]]
"""Counts what lies in a place: Pods, and their bytes."""


@dataclass(frozen=True, slots=True)
class Most:
    """
    The bounds.

    Attributes:
        pod_bytes: Of one Pod as stored; real ones have some ten thousand.
        pods, total_bytes: Of one namespace on one target. Kubernetes is tested with 3,000 Pods in a namespace.
        target_pods, target_bytes: Of all namespaces of a target. Kubernetes is tested with 150,000 Pods in a cluster.
    """

    pod_bytes: int = 256 << 10
    pods: int = 5_000
    total_bytes: int = 64 << 20
    target_pods: int = 150_000
    target_bytes: int = 2 << 30


@dataclass(slots=True)
class _Tally:
    pods: int = 0
    size: int = 0
    counted_s: float = 0.0

    def add(self, pods: int, size: int) -> None:
        self.pods += pods
        self.size += size


@dataclass(slots=True)
class UpsyncBounds:
    """
    Keeps count.

    Attributes:
        clock_s: Monotonic seconds.
    """

    clock_s: Callable[[], float]
    most: Most = field(default_factory=Most)
    _places: dict[Place, _Tally] = field(default_factory=dict)
    _targets: dict[str, _Tally] = field(default_factory=dict)

    async def check(self, place: Place, before: int | None, size: int, count: Count) -> None:
        """
        Let a Pod of so many bytes come to a place, where it had ``before`` bytes (None: it is new there).

        Raises:
            RequestTooLarge: The Pod is larger than any.
            TooManyRequests: The namespace, or the target, is full; it may be tried again when Pods have gone.
        """
        if size > self.most.pod_bytes:
            raise RequestTooLarge(f"the pod is {size} bytes long; the limit is {self.most.pod_bytes}")
        more, growth = (1, size) if before is None else (0, size - before)
        if growth <= 0:
            return
        known = self._places.get(place)
        is_old = known is not None and self.clock_s() - known.counted_s >= AGAIN_S
        if known is None or (is_old and self._problem(place, more, growth)):
            await self._recount(place, count)
        problem = self._problem(place, more, growth)
        if problem:
            raise TooManyRequests(problem, retry_after_s=int(AGAIN_S))

    def note(self, place: Place, before: int | None, size: int | None) -> None:
        """Take note of a Pod that was written: its bytes before and now, None where it was or is not there."""
        if place in self._places:
            self._add(place, (size is not None) - (before is not None), (size or 0) - (before or 0))

    async def _recount(self, place: Place, count: Count) -> None:
        pods, size = await count()
        known = self._places.setdefault(place, _Tally())
        known.counted_s = self.clock_s()
        self._add(place, pods - known.pods, size - known.size)

    def _add(self, place: Place, pods: int, size: int) -> None:
        self._places[place].add(pods, size)
        self._targets.setdefault(place[0], _Tally()).add(pods, size)

    def _problem(self, place: Place, more: int, growth: int) -> str:
        """Return what there would be too much of, ``""`` for nothing."""
        most, own, whole = self.most, self._places[place], self._targets[place[0]]
        for what, tally, pods, size in (
            (f"namespace {place[2]}", own, most.pods, most.total_bytes),
            ("the target", whole, most.target_pods, most.target_bytes),
        ):
            if tally.pods + more > pods:
                return f"exceeded quota: {what} shows {tally.pods} pods of this target, limited to {pods}"
            if tally.size + growth > size:
                return f"exceeded quota: the pods that {what} shows have {tally.size} bytes, limited to {size}"
        return ""
