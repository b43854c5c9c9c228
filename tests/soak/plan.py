"""What happens in a soak and when, all of it chosen from the seed; most deeds are those of the simulated day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.script import Deed

HOSTS = ("east", "west")
WORKSPACES = ("team-a", "team-b", "team-c")
PINNED = "team-c"
"""The workspace whose namespaces say themselves on which side they run."""
SIDE = "soak.example/side"
_NAMESPACES = ("default", "shop", "blog", "cart")
_SHARES = {"configmaps": 0.38, "secrets": 0.29, "services": 0.19, "deployments": 0.14}
_MANY = 300
"""From so many objects on each workspace has all four namespaces."""
DEEDS: tuple[tuple[str, float], ...] = (
    ("put", 60), ("relabel", 15), ("delete", 10), ("drift", 5), ("delete_below", 3), ("put_foreign", 2), ("move", 1),
    ("renew_namespace", 0.4),
)  # fmt: skip
FAULTS: tuple[tuple[str, float], ...] = (
    ("cut", 10), ("half_open", 8), ("slow", 8), ("lossy", 6), ("kill_agent", 8), ("pause_agent", 3),
    ("kill_plane", 4), ("kill_scheduler", 4), ("kill_cluster", 3), ("pause_cluster", 3),
)  # fmt: skip
_DRAIN_EVERY_S = 200.0


@dataclass(frozen=True, slots=True)
class Size:
    """
    How much happens.

    Attributes:
        minutes: In which things happen and break; starting, mending and judging come on top.
        objects: About how many there are at any time.
        deeds_per_s, seconds_per_fault: On average.
        longest_s: Of a fault.
    """

    minutes: float = 30.0
    objects: int = 500
    deeds_per_s: float = 1.0
    seconds_per_fault: float = 25.0
    longest_s: float = 45.0

    @property
    def seconds(self) -> float:
        """Return the length in seconds."""
        return self.minutes * 60

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces of each workspace."""
        return _NAMESPACES if self.objects >= _MANY else _NAMESPACES[:2]

    def names(self, kind: str) -> list[str]:
        """Return the names an object of a kind may have in a namespace."""
        in_one = self.objects / (len(WORKSPACES) * len(self.namespaces))
        return [f"{kind[:2]}-{number:02}" for number in range(max(1, round(in_one * _SHARES[kind])))]


def first(seed: int, size: Size) -> list[Deed]:
    """Return what users make before anything breaks."""
    chance = random.Random(f"first {seed}")
    return [
        Deed(0.0, "put", "", workspace, namespace, kind, name, chance.randrange(1 << 30), 0.0)
        for workspace in WORKSPACES
        for namespace in size.namespaces
        for kind in _SHARES
        for name in size.names(kind)
    ]


def plan(seed: int, size: Size) -> list[Deed]:
    """Return all deeds and faults of a seed, in order."""
    chance = random.Random(f"plan {seed}")
    deeds = [_deed(chance, what, size) for what in _some(chance, DEEDS, size.seconds * size.deeds_per_s)]
    faults = [_deed(chance, what, size) for what in _each_and_some(chance, size)]
    return sorted([*deeds, *faults, *_drains(chance, size)], key=lambda deed: deed.at_s)


def _some(chance: random.Random, weighted: tuple[tuple[str, float], ...], count: float) -> list[str]:
    return chance.choices([what for what, _ in weighted], [weight for _, weight in weighted], k=round(count))


def _each_and_some(chance: random.Random, size: Size) -> list[str]:
    """Return faults: each kind once if there is time for that, the rest by weight."""
    count = max(1, round(size.seconds / size.seconds_per_fault))
    kinds = [what for what, _ in FAULTS]
    if count < len(kinds):
        return chance.sample(kinds, count)
    return [*kinds, *_some(chance, FAULTS, count - len(kinds))]


def _deed(chance: random.Random, what: str, size: Size) -> Deed:
    kind = chance.choice(list(_SHARES))
    return Deed(
        at_s=chance.random() * size.seconds,
        what=what,
        host=chance.choice(HOSTS),
        workspace=PINNED if what == "move" else chance.choice(WORKSPACES),
        namespace=chance.choice(size.namespaces[1:] if what == "renew_namespace" else size.namespaces),
        kind=kind,
        name=chance.choice(size.names(kind)),
        pick=chance.randrange(1 << 30),
        for_s=min(chance.expovariate(1 / 12.0) + 2.0, size.longest_s, size.seconds / 4),
    )


def _drains(chance: random.Random, size: Size) -> Iterator[Deed]:
    """Yield cordons and drains, each lifted after a while."""
    at_s = min(_DRAIN_EVERY_S, size.seconds) * (0.2 + 0.2 * chance.random())
    while at_s < size.seconds:
        lasting_s = min(30.0 + 40 * chance.random(), size.seconds / 3)
        host = chance.choice(HOSTS)
        for when_s, what in ((at_s, chance.choice(("drain", "drain", "cordon"))), (at_s + lasting_s, "uncordon")):
            yield Deed(min(when_s, size.seconds), what, host, "", "", "", "", 0, 0.0)
        at_s += lasting_s + _DRAIN_EVERY_S * (0.5 + chance.random())
