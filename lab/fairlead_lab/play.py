"""
The play: which object's step is which, and whom a change concerns.

Everything a cluster's controllers and kubelets do is one pure function from an object, the world around it and the
time to writes. The steps look at what there is and not at what they did before, so the loop may drop, repeat or reorder
them; each of their writes is refused if its object has changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead_api import JsonObject
from fairlead_lab import deployments, nodes, pods, replica_sets, services
from fairlead_lab.settings import LabSettings
from fairlead_lab.world import Key, World, is_going, key_of, owner_of
from fairlead_lab.writes import NOTHING, Played


def play(key: Key, world: World, settings: LabSettings, now_s: float) -> Played:
    """Return the next step of one object; nothing when it is at rest. ``now_s`` is seconds since the epoch."""
    obj = world.get(key)
    if obj is not None:
        return _step(key.kind, obj, world, settings, now_s)
    return services.play_gone(key, world) if key.kind == "Service" else NOTHING


def _step(kind: str, obj: JsonObject, world: World, settings: LabSettings, now_s: float) -> Played:
    match kind:
        case "Deployment":
            return deployments.play(obj, world, now_s)
        case "ReplicaSet":
            return replica_sets.play(obj, world, now_s)
        case "Pod":
            return pods.play(obj, world, settings, now_s)
        case "Node":
            return nodes.play(obj, world, settings, now_s)
        case "Service":
            return services.play(obj, world)
        case _:
            return NOTHING  # Endpoints and slices are played with their Service


def concerned(obj: JsonObject, world: World) -> Iterator[Key]:
    """Name the objects whose next step may change because this one came, changed or went."""
    key = key_of(obj)
    yield key
    owner = owner_of(obj)
    if owner is not None:
        yield Key(owner["kind"], key.namespace, owner["name"])
    if key.kind == "Pod":
        yield from _around_pod(obj, key, owner, world)
    elif key.kind == "Node":
        yield from map(key_of, world.pods_on(key.name))
        yield from (key_of(pod) for pod in world.all("Pod") if not pod["spec"].get("nodeName"))
    elif key.kind == "Endpoints":
        yield Key("Service", key.namespace, key.name)


def _around_pod(pod: JsonObject, key: Key, owner: JsonObject | None, world: World) -> Iterator[Key]:
    labels = (pod["metadata"].get("labels") or {}).items()
    for service in world.all("Service", key.namespace):
        selector = service["spec"].get("selector")
        if selector and selector.items() <= labels:
            yield key_of(service)
    node = pod["spec"].get("nodeName")
    if node:
        yield Key("Node", "", node)
    if owner is not None and is_going(pod):  # Recreate waits for the last pod's end
        replica_set = world.get(Key(owner["kind"], key.namespace, owner["name"])) if owner["kind"] != "Node" else None
        above = owner_of(replica_set) if replica_set is not None else None
        if above is not None:
            yield Key(above["kind"], key.namespace, above["name"])
