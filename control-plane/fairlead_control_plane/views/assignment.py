"""
Where a namespace runs, as the scheduler recorded it.

An Assignment is cluster-scoped, lives in the workload workspace and is named like the namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_api.kinds.assignment import GONE, REPLACED
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, Store
from fairlead_transforms.division import even

_CAUSES = {REPLACED: "Moved", GONE: "NamespaceDeleted"}
_DIVIDED = frozenset({("apps", "deployments"), ("apps", "replicasets")})


@dataclass(frozen=True, slots=True)
class Assignment:
    """
    The part of an Assignment that writes depend on.

    Attributes:
        states: ``Sync``, ``Draining`` or ``Leaving`` by target uid, in the Assignment's order.
        keys: SyncTargetKey by uid.
        compare: Holds while this is still the Assignment; goes into every transaction decided by it.
        reasons: Why a target is in its state, by uid, in the scheduler's words.
    """

    states: Mapping[str, str]
    keys: Mapping[str, str]
    compare: Compare
    reasons: Mapping[str, str] = field(default_factory=dict)

    def share(self, resource: Resource, obj: JsonObject, uid: str, before: int | None) -> int | None:
        """
        Return how many replicas a target runs of an object; None when the kind is not divided.

        A Draining target keeps what it had (``before``) until its replacement is ready, so the sum may overlap.
        """
        spec = obj.get("spec") or {}
        if (resource.group, resource.plural) not in _DIVIDED or "replicas" not in spec:
            return None
        if self.states[uid] == "Draining":
            return spec["replicas"] if before is None else before
        active = {self.keys[each]: each for each, state in self.states.items() if state == "Sync"}
        return even(spec["replicas"], list(active))[self.keys[uid]]


class Assignments:
    """Reads Assignments straight from the store: one point read for each write to a synced kind."""

    def __init__(self, store: Store, assignments: Resource) -> None:
        self._store = store
        self.resource = assignments

    async def get(self, cluster: str, namespace: str) -> Assignment:
        """Return a namespace's Assignment; one with no targets when there is none."""
        key = keys.object_key(self.resource, cluster, "", namespace)
        row = await self._store.get(key)
        return empty(key) if row is None else parse(encoding.decode(row), Compare(key, row.mod_revision))


def empty(key: str) -> Assignment:
    """Return the Assignment of a namespace that has none."""
    return Assignment({}, {}, Compare(key, 0))


def parse(obj: JsonObject, compare: Compare) -> Assignment:
    """Return the typed form of an Assignment object."""
    targets = (obj.get("spec") or {}).get("targets") or ()
    return Assignment(
        {target["uid"]: target.get("state", "Sync") for target in targets},
        {target["uid"]: target["key"] for target in targets},
        compare,
        {target["uid"]: target.get("reason", "") for target in targets},
    )


def cause_of_leaving(reason: str) -> str:
    """
    Return the cause of the tombstones of a target that is left, from the scheduler's reason.

    ``Moved`` only when a replacement is ready: then nothing is lost, and the agent's brake lets it pass.
    """
    return _CAUSES.get(reason, "Unassigned")
