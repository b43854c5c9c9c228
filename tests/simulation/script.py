"""
What happens on a day, all of it chosen from the seed beforehand: what users do, what breaks and for how long.

Choices name objects from small pools, so that things meet: the same name is made, changed and deleted again and again.

A day has 24 hours: bursts in which much happens at once, quiet hours between, and what is broken for hours. A short
day is one long burst: it costs a tenth and finds most mistakes, so mutants and old failures are looked for in those.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

Weighted = tuple[tuple[str, int], ...]
DEEDS: Weighted = (
    ("put", 60), ("delete", 20), ("make_namespace", 4), ("delete_namespace", 3), ("make_workspace", 1),
    ("delete_workspace", 1), ("cordon", 2), ("drain", 3), ("uncordon", 4), ("unplace", 1), ("place", 2),
    ("drift", 5), ("delete_below", 4), ("put_foreign", 3), ("delete_home", 1),
    ("squat", 6), ("forge", 4),
)  # fmt: skip
MORE_DEEDS: Weighted = (*DEEDS, ("rotate_key", 3))
FAULTS: Weighted = (
    ("cut", 12), ("weather", 14), ("crash_agent", 6), ("die_at", 10), ("lose_state", 4), ("restart_plane", 3),
    ("restart_cluster", 3), ("wipe_cluster", 1), ("restore_cluster", 2), ("skew", 2), ("second_agent", 2),
    ("restart_scheduler", 2), ("lies", 4), ("stale", 4),
)  # fmt: skip
LONG_FAULTS: Weighted = (
    ("cut", 8), ("stop_agent", 4), ("restart_plane", 3), ("restart_cluster", 4), ("skew", 2), ("second_agent", 2),
    ("restart_scheduler", 2), ("weather", 1),
)  # fmt: skip
_LONGEST_S = {"cut": 86400.0, "stop_agent": 86400.0, "skew": 43200.0, "second_agent": 43200.0, "weather": 3600.0}
_LONGEST_OTHER_S = 6 * 3600.0
LONG_S = 1000.0
"""What is broken for longer than this is broken for hours."""
_TAIL_S = 300.0
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
        bursts: Into how many most of them fall; 0 for none: they are spread over the whole.
        burst_s: Seconds that a burst lasts.
        long_faults: At most how many faults last for hours; at least one does.
        resync_s: How often agents look at everything anew.
    """

    day_s: float = 1200.0
    mend_s: float = 500.0
    quiet_s: float = 300.0
    deeds: int = 60
    faults: int = 7
    bursts: int = 0
    burst_s: float = 0.0
    long_faults: int = 0
    resync_s: float = 200.0


SHORT = Length()
DAY = Length(
    day_s=86400.0 - 1500.0, mend_s=900.0, quiet_s=600.0, deeds=60, faults=6, bursts=4, burst_s=400.0, long_faults=3,
    resync_s=600.0,
)  # fmt: skip
LENGTHS = {"short": SHORT, "day": DAY}


def script(seed: int, hosts: tuple[str, ...], length: Length) -> list[Deed]:
    """Return the day of a seed, in order."""
    chance = random.Random(f"script {seed}")
    if length.bursts:
        return _in_bursts(chance, hosts, length, bursts_of(seed, length))
    deeds = [_deed(chance, what, hosts, length) for what in _choose(chance, DEEDS, length.deeds)]
    faults = [_deed(chance, what, hosts, length) for what in _choose(chance, FAULTS, length.faults)]
    return sorted([*deeds, *faults], key=lambda deed: deed.at_s)


def bursts_of(seed: int, length: Length) -> list[float]:
    """Return when each burst begins: one somewhere in each part of the day."""
    chance = random.Random(f"bursts {seed}")
    part_s = length.day_s / max(length.bursts, 1)
    return [number * part_s + chance.random() * (part_s - length.burst_s) for number in range(length.bursts)]


def busy(deeds: Sequence[Deed], bursts: Sequence[float], length: Length) -> list[tuple[float, float]]:
    """Return the hours of a day in which something is to be looked at closely: bursts, and ends of what lasts."""
    ends = [deed.at_s + deed.for_s for deed in deeds if deed.for_s >= LONG_S]
    spans = [
        *((start_s, start_s + length.burst_s + _TAIL_S) for start_s in bursts),
        *((at, at + _TAIL_S) for at in ends),
    ]
    return sorted((max(0.0, start_s), end_s) for start_s, end_s in spans)


def _in_bursts(chance: random.Random, hosts: tuple[str, ...], length: Length, bursts: Sequence[float]) -> list[Deed]:
    """Return a long day: most in bursts, some deeds at any time, and faults from one burst to another."""
    happening = [*_choose(chance, MORE_DEEDS, length.deeds), *_choose(chance, FAULTS, length.faults)]
    found = []
    for what in happening:
        deed = replace(_deed(chance, what, hosts, length), for_s=_short_s(chance))
        if chance.random() < 0.9 or what in dict(FAULTS):
            deed = replace(deed, at_s=_in_one(chance, bursts, length))
        found.append(deed)
    lasting = list(_choose(chance, LONG_FAULTS, chance.randrange(length.long_faults) + 1))
    found += [_lasting(chance, _deed(chance, what, hosts, length), bursts, length) for what in lasting]
    return sorted(found, key=lambda deed: deed.at_s)


def _lasting(chance: random.Random, deed: Deed, bursts: Sequence[float], length: Length) -> Deed:
    """Have a fault begin in a burst and end in a later one, or with the day."""
    begins_s = _in_one(chance, bursts, length)
    ends = [start_s + chance.random() * length.burst_s for start_s in bursts if start_s > begins_s]
    ends_s = chance.choice([*ends, length.day_s])
    longest_s = _LONGEST_S.get(deed.what, _LONGEST_OTHER_S)
    return replace(deed, at_s=begins_s, for_s=max(LONG_S, min(ends_s - begins_s, longest_s)))


def _in_one(chance: random.Random, bursts: Sequence[float], length: Length) -> float:
    return chance.choice(bursts) + chance.random() * length.burst_s


def _choose(chance: random.Random, weighted: Weighted, count: int) -> Iterator[str]:
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


def _short_s(chance: random.Random) -> float:
    return min(chance.expovariate(1 / 120.0) + 2.0, 400.0)
