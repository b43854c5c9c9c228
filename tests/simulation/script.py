"""
What happens on a day, all of it chosen from the seed beforehand: what users do, what breaks and for how long.

Choices name objects from small pools, so that things meet: the same name is made, changed and deleted again and again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

DEEDS: tuple[tuple[str, int], ...] = (
    ("put", 60), ("delete", 20), ("make_namespace", 4), ("delete_namespace", 3), ("make_workspace", 1),
    ("delete_workspace", 1), ("cordon", 2), ("drain", 3), ("uncordon", 4), ("unplace", 1), ("place", 2),
    ("drift", 5), ("delete_below", 4), ("put_foreign", 3), ("delete_home", 1),
    ("squat", 6), ("forge", 4),
)  # fmt: skip
FAULTS: tuple[tuple[str, int], ...] = (
    ("cut", 12), ("weather", 14), ("crash_agent", 6), ("die_at", 10), ("lose_state", 4), ("restart_plane", 3),
    ("restart_cluster", 3), ("wipe_cluster", 1), ("restore_cluster", 2), ("skew", 2), ("second_agent", 2),
    ("restart_scheduler", 2), ("lies", 4), ("stale", 4),
)  # fmt: skip
WORKSPACES, NAMESPACES = ("team-a", "team-b"), ("default", "shop", "blog")
KINDS = ("configmaps", "secrets", "services", "deployments")


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that happens ``at_s`` seconds into the day; ``pick`` chooses where there is a choice to make later."""

    at_s: float
    what: str
    host: str
    workspace: str
    namespace: str
    kind: str
    name: str
    pick: int
    for_s: float


@dataclass(frozen=True, slots=True)
class Length:
    """
    How much happens.

    Attributes:
        day_s: Seconds in which things happen and break.
        mend_s: Seconds after that in which all works and held deletions are approved, and nothing else happens.
        quiet_s: Seconds after that; the last part of it must be without any write.
        deeds, faults: How many.
    """

    day_s: float = 1200.0
    mend_s: float = 500.0
    quiet_s: float = 300.0
    deeds: int = 60
    faults: int = 7


def script(seed: int, hosts: tuple[str, ...], length: Length) -> list[Deed]:
    """Return the day of a seed, in order."""
    chance = random.Random(f"script {seed}")
    deeds = [_deed(chance, what, hosts, length) for what in _choose(chance, DEEDS, length.deeds)]
    faults = [_deed(chance, what, hosts, length) for what in _choose(chance, FAULTS, length.faults)]
    return sorted([*deeds, *faults], key=lambda deed: deed.at_s)


def _choose(chance: random.Random, weighted: tuple[tuple[str, int], ...], count: int) -> Iterator[str]:
    return iter(chance.choices([what for what, _ in weighted], [weight for _, weight in weighted], k=count))


def _deed(chance: random.Random, what: str, hosts: tuple[str, ...], length: Length) -> Deed:
    return Deed(
        at_s=chance.random() * length.day_s,
        what=what,
        host=chance.choice(hosts),
        workspace=chance.choice(WORKSPACES),
        namespace=chance.choice(NAMESPACES),
        kind=chance.choice(KINDS),
        name=f"{chance.choice('abcd')}",
        pick=chance.randrange(1 << 30),
        for_s=min(chance.expovariate(1 / 120.0) + 2.0, length.day_s / 3),
    )
