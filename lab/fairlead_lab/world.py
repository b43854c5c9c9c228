"""What the player knows of its cluster: the newest object of each kind it plays, found by name, owner and node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fairlead_api import JsonObject
from fairlead_machinery.client import Gvr

NODES, PODS, SERVICES = Gvr("", "v1", "nodes"), Gvr("", "v1", "pods"), Gvr("", "v1", "services")
ENDPOINTS, SLICES = Gvr("", "v1", "endpoints"), Gvr("discovery.k8s.io", "v1", "endpointslices")
DEPLOYMENTS, REPLICA_SETS = Gvr("apps", "v1", "deployments"), Gvr("apps", "v1", "replicasets")
LEASES = Gvr("coordination.k8s.io", "v1", "leases")

PLAYED: Mapping[str, Gvr] = {
    "Deployment": DEPLOYMENTS,
    "Endpoints": ENDPOINTS,
    "EndpointSlice": SLICES,
    "Node": NODES,
    "Pod": PODS,
    "ReplicaSet": REPLICA_SETS,
    "Service": SERVICES,
}
"""The kinds that are watched, by their name."""


_FIRST_SLOT = 2


class Key(NamedTuple):
    """Which object; ``name`` is empty in a create that leaves the name to the server."""

    kind: str
    namespace: str
    name: str


def key_of(obj: JsonObject) -> Key:
    """Return the key of an object."""
    metadata = obj["metadata"]
    return Key(obj["kind"], metadata.get("namespace", ""), metadata["name"])


def owner_of(obj: JsonObject) -> JsonObject | None:
    """Return the reference to the controller of an object."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), None)


def is_going(obj: JsonObject) -> bool:
    """Tell whether an object is being deleted."""
    return "deletionTimestamp" in obj["metadata"]


class World:
    """
    The player's picture.

    Attributes:
        bound_s: When each pod was first seen with a node, by uid; seconds since the epoch.
        going_s: When each object was first seen being deleted, by uid.
        slots: A number of its own for each pod on a node, by uid: addresses are made of them.
            Kept here, where objects come in one by one, because two steps that run at once would choose the same.
    """

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, JsonObject]] = {kind: {} for kind in PLAYED}
        self._owned: dict[str, dict[Key, None]] = {}
        self._on_node: dict[str, dict[Key, None]] = {}
        self.bound_s: dict[str, float] = {}
        self.going_s: dict[str, float] = {}
        self.slots: dict[str, int] = {}
        self._taken: dict[str, set[int]] = {}

    def put(self, obj: JsonObject, now_s: float) -> bool:
        """Take an object in; return False when what is known is as new or newer (answers overtake watches)."""
        key, uid = key_of(obj), obj["metadata"]["uid"]
        old = self.get(key)
        if old is not None and old["metadata"]["uid"] == uid and _version(obj) <= _version(old):
            return False
        if old is not None:
            self._forget(key, old, is_gone=old["metadata"]["uid"] != uid)
        self._objects[key.kind][key] = obj
        if (owner := owner_of(obj)) is not None:
            self._owned.setdefault(owner["uid"], {})[key] = None
        if node := _node_of(obj):
            self._on_node.setdefault(node, {})[key] = None
            self.bound_s.setdefault(uid, now_s)
        self._give_slot(obj)
        if is_going(obj):
            self.going_s.setdefault(uid, now_s)
        return True

    def remove(self, key: Key, uid: str = "") -> JsonObject | None:
        """Take an object out, if it is the one with that uid, and return it."""
        old = self.get(key)
        if old is None or (uid and old["metadata"]["uid"] != uid):
            return None
        self._forget(key, old, is_gone=True)
        del self._objects[key.kind][key]
        return old

    def get(self, key: Key) -> JsonObject | None:
        """Return an object, not to be changed, or None."""
        return self._objects[key.kind].get(key)

    def all(self, kind: str, namespace: str = "") -> Iterator[JsonObject]:
        """Go over all objects of a kind, in one namespace if named."""
        for key, obj in list(self._objects[kind].items()):
            if not namespace or key.namespace == namespace:
                yield obj

    def owned(self, owner: JsonObject, kind: str) -> list[JsonObject]:
        """Return the objects of a kind that an object controls."""
        keys = self._owned.get(owner["metadata"]["uid"], ())
        return [self._objects[key.kind][key] for key in keys if key.kind == kind]

    def pods_on(self, node: str) -> list[JsonObject]:
        """Return the pods bound to a node."""
        return [self._objects[key.kind][key] for key in self._on_node.get(node, ())]

    def _give_slot(self, obj: JsonObject) -> None:
        uid, node = obj["metadata"]["uid"], _node_of(obj)
        if not node or uid in self.slots:
            return
        taken = self._taken.setdefault(node, set())
        slot = _slot_in_use(obj)
        if not slot:
            slot = next(number for number in range(_FIRST_SLOT, len(taken) + _FIRST_SLOT + 1) if number not in taken)
        taken.add(slot)
        self.slots[uid] = slot

    def _forget(self, key: Key, old: JsonObject, *, is_gone: bool) -> None:
        if (owner := owner_of(old)) is not None:
            _drop(self._owned, owner["uid"], key)
        if node := _node_of(old):
            _drop(self._on_node, node, key)
        if is_gone:
            uid = old["metadata"]["uid"]
            self.bound_s.pop(uid, None)
            self.going_s.pop(uid, None)
            self._taken.get(_node_of(old), set()).discard(self.slots.pop(uid, 0))


def _node_of(obj: JsonObject) -> str:
    return obj["spec"].get("nodeName") or "" if obj["kind"] == "Pod" else ""


def _slot_in_use(pod: JsonObject) -> int:
    """Return the slot that an address given earlier was made of, 0 when there is none."""
    parts = ((pod.get("status") or {}).get("podIP") or "").split(".")
    return int(parts[3]) if len(parts) == 4 else 0


def _drop(index: dict[str, dict[Key, None]], value: str, key: Key) -> None:
    keys = index[value]
    keys.pop(key, None)
    if not keys:
        del index[value]


def _version(obj: JsonObject) -> int:
    return int(obj["metadata"]["resourceVersion"])
