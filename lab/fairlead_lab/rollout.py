"""
The arithmetic of a Deployment's rollout: how many replicas each of its ReplicaSets should have now.

Invariant: no step makes available replicas fall below ``replicas - maxUnavailable``, or all replicas rise above
``replicas + maxSurge``, as long as no pod fails by itself.

Source: k8s.io/kubernetes pkg/controller/deployment (rolling.go, recreate.go, sync.go), util/deployment_util.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What a Deployment asks for.

    Attributes:
        replicas: At rest.
        surge, unavailable: More, and fewer available, than that while rolling; not both 0.
    """

    replicas: int
    surge: int
    unavailable: int

    @classmethod
    def of(cls, replicas: int, surge: int | str, unavailable: int | str) -> Wanted:
        """Resolve percentages: surge rounded up, unavailable down; when both are 0, one may be unavailable."""
        most = _share(surge, replicas, up=True)
        fewer = _share(unavailable, replicas, up=False)
        return cls(replicas, most, 1 if most == 0 and fewer == 0 else min(fewer, replicas))

    @property
    def most(self) -> int:
        """Return how many replicas there may be at once."""
        return self.replicas + self.surge

    @property
    def least(self) -> int:
        """Return how many must be available."""
        return self.replicas - self.unavailable


@dataclass(frozen=True, slots=True)
class Part:
    """
    A ReplicaSet of the Deployment.

    Attributes:
        replicas: As its spec has them.
        available: Of those, how many are available; at most ``replicas``.
        most: ``deployment.kubernetes.io/max-replicas`` as noted on it, for scaling in proportion; 0 when not noted.
    """

    replicas: int
    available: int
    most: int = 0


def _share(value: int | str, of: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    percent = int(value.removesuffix("%"))
    return -(-of * percent // 100) if up else of * percent // 100


def rolled(wanted: Wanted, new: Part, old: Sequence[Part]) -> tuple[int, list[int]]:
    """Return the replicas of the new part and of the old ones (oldest first) after one step of a rolling update."""
    total = new.replicas + sum(part.replicas for part in old)
    if new.replicas > wanted.replicas:
        grown = wanted.replicas
    else:
        grown = min(wanted.replicas, new.replicas + max(wanted.most - total, 0))
    if grown != new.replicas:  # one thing at a time, as Kubernetes does
        return grown, [part.replicas for part in old]
    return grown, _shrunk(wanted, new, old)


def _shrunk(wanted: Wanted, new: Part, old: Sequence[Part]) -> list[int]:
    total = new.replicas + sum(part.replicas for part in old)
    allowed = total - wanted.least - (new.replicas - new.available)
    result = [part.replicas for part in old]
    for index, part in enumerate(old):  # those that are not available are missed by nobody
        cut = min(part.replicas - part.available, max(allowed, 0))
        result[index] -= cut
        allowed -= cut
    spare = new.available + sum(part.available for part in old) - wanted.least
    for index, part in enumerate(old):
        cut = max(min(result[index], part.available, spare, allowed), 0)
        result[index] -= cut
        spare -= cut
        allowed -= cut
    return result


def scaled(wanted: Wanted, parts: Sequence[Part]) -> list[int]:
    """
    Return the replicas of all parts (newest first) after the Deployment was scaled in the middle of a rollout.

    Each gets its share of the change; what rounding leaves over goes to the biggest.
    """
    active = [index for index, part in enumerate(parts) if part.replicas]
    result = [part.replicas for part in parts]
    if len(active) <= 1:
        if parts:
            result[active[0] if active else 0] = wanted.replicas
        return result
    allowed = wanted.most if wanted.replicas else 0
    left = allowed - sum(result)
    for index in sorted(active, key=lambda index: -parts[index].replicas):
        part = parts[index]
        fair = round(part.replicas * allowed / (part.most or allowed or 1)) - part.replicas
        change = max(min(fair, left), 0) if left > 0 else min(max(fair, left), 0)
        change = max(change, -part.replicas)
        result[index] += change
        left -= change
    if left:
        biggest = max(active, key=lambda index: parts[index].replicas)
        result[biggest] = max(result[biggest] + left, 0)
    return result
