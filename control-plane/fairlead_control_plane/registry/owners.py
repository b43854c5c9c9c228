"""
Who is owned by whom, as rows beside the objects, so that garbage collection is a range read.

``/owners/<cluster>/<owner uid>/<group or core>/<resource>/<identity or ->/<namespace or ->/<name>``, value = the
owner reference. Written in the transaction that writes the object. Logical clusters never meet: theirs comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.change import Change
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.metadata import owners
from fairlead_control_plane.store.contract import Delete, Operation, Put

ROOT = "/owners/"


class Owned(NamedTuple):
    """A parsed row: the object that names ``owner`` as its owner."""

    cluster: str
    owner: str
    group: str
    plural: str
    identity: str
    namespace: str
    name: str


def owned_prefix(cluster: str, uid: str) -> str:
    """Return the prefix of everything that names an owner."""
    return f"{ROOT}{cluster}/{uid}/"


def owned_key(resource: Resource, cluster: str, namespace: str, name: str, uid: str) -> str:
    """Return the key of one reference."""
    group, identity = resource.group or "core", resource.identity or "-"
    return f"{owned_prefix(cluster, uid)}{group}/{resource.plural}/{identity}/{namespace or '-'}/{name}"


def parse_owned(key: str) -> Owned:
    """Return the parts of a row's key, ``""`` for core, no identity and no namespace."""
    _, _, cluster, uid, group, plural, identity, namespace, name = key.split("/")
    return Owned(
        cluster,
        uid,
        "" if group == "core" else group,
        plural,
        "" if identity == "-" else identity,
        "" if namespace == "-" else namespace,
        name,
    )


def owner_operations(change: Change) -> Iterator[Operation]:
    """Yield what an object's change does to its owners' rows."""
    before = {one["uid"]: one for one in owners(change.old)}
    after = {one["uid"]: one for one in owners(change.new)}
    if before == after:
        return

    def key(uid: str) -> str:
        return owned_key(change.resource, change.cluster, change.namespace, change.name, uid)

    for uid in before.keys() - after.keys():
        if _is_key(uid):
            yield Delete(key(uid))
    for uid, reference in after.items():
        if before.get(uid) != reference and _is_key(uid):
            yield Put(key(uid), orjson.dumps(reference))


def _is_key(uid: str) -> bool:
    """Tell whether a uid can stand in a key; one that cannot belongs to no object of ours."""
    return bool(uid) and "/" not in uid and "\0" not in uid


def reference(row: bytes) -> JsonObject:
    """Return the owner reference a row holds."""
    found: JsonObject = orjson.loads(row)
    return found
