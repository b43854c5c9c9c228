"""
The bin: what was deleted is kept for a time and can be restored (design section 6, number 2).

The last state of an object is written in the transaction that removes it, so that no removal is ever acknowledged
whose object cannot be brought back. What a cluster had of it is added by the agent before it deletes that.

A row is ``/bin/<cluster>/<namespace or ->/<group>/<resource>/<identity or ->/<name>/<uid>/<part>``; its value a line of
JSON that says what happened, and after it the object, compressed.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import orjson

from fairlead_api import JsonObject
from fairlead_api.kinds.assignment import RESTORED_FROM
from fairlead_api.request import SYSTEM
from fairlead_control_plane.admission.reserved import is_reserved, is_reserved_finalizer
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.keys import NONE, namespace_key, parse_key
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, Put, Row, Store
from fairlead_control_plane.views.rows import decode, split_key
from fairlead_transforms.strip import travelling_body

PREFIX = "/bin/"
OBJECT, ASKED = "object", "asked"
"""Parts of what is kept: the object, and who asked for its deletion first. All others are uids of SyncTargets."""
KEEP = "bin.fairlead.io/keep"
"""Annotation of an object; ``"false"`` keeps it out of the bin."""
MAX_BYTES = 1536 * 1024
"""Largest value kept; of what does not fit, compressed, only the deletion is known."""
_LARGE_BYTES = 128 * 1024
"""What is larger is compressed beside the event loop."""

# What others make, and make again; what is only ever of the moment.
_PASSING = frozenset(
    {
        ("", "events"), ("events.k8s.io", "events"), ("", "endpoints"), ("discovery.k8s.io", "endpointslices"),
        ("coordination.k8s.io", "leases"), ("apps", "controllerrevisions"),
    }
)  # fmt: skip
_GIVEN = frozenset({("", "configmaps", "kube-root-ca.crt"), ("", "serviceaccounts", "default")})
_TOKENS = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"})
_PLACEMENT = "scheduling.kcp.io/placement"
_SHOWN = "internal.workload.kcp.io/origin"
_OF_THE_SERVER = (
    "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink", "deletionTimestamp",
    "deletionGracePeriodSeconds", "ownerReferences",
)  # fmt: skip
_PROPAGATION = frozenset({"orphan", "foregroundDeletion"})
_RESTORED_BODY = frozenset({("batch", "jobs"), ("", "pods")})
"""Kinds that a server refuses with what it filled in itself."""


class Place(NamedTuple):
    """Of what a row is; "" for core, no identity and no namespace."""

    cluster: str
    namespace: str
    group: str
    resource: str
    identity: str
    name: str
    uid: str
    part: str


@dataclass(frozen=True, slots=True)
class Note:
    """
    What happened.

    Attributes:
        at: When, RFC 3339.
        by: The user's name.
        cause: ``Deleted``, ``Collected``, ``NamespaceDeleted``, or of a cluster's part the tombstone's.
        namespace_uid: Of the namespace that took the object with it; "" when none did.
        api_version, kind: Of the object.
    """

    at: str
    by: str
    cause: str
    namespace_uid: str = ""
    api_version: str = ""
    kind: str = ""


def row_key(place: Place) -> str:
    """Return the key of a row."""
    namespace, identity = place.namespace or NONE, place.identity or NONE
    return f"{PREFIX}{place.cluster}/{namespace}/{place.group or 'core'}/{place.resource}/{identity}/" + "/".join(
        (place.name, place.uid, place.part)
    )


def prefix(cluster: str, namespace: str = "") -> str:
    """Return the prefix of a workspace's rows, or of those of one of its namespaces."""
    return f"{PREFIX}{cluster}/{namespace}/" if namespace else f"{PREFIX}{cluster}/"


def place_of(key: str) -> Place:
    """Return what a row is of."""
    cluster, namespace, group, resource, identity, name, uid, part = key.removeprefix(PREFIX).split("/")
    return Place(
        cluster,
        "" if namespace == NONE else namespace,
        "" if group == "core" else group,
        resource,
        "" if identity == NONE else identity,
        name,
        uid,
        part,
    )


async def encode(note: Note, obj: JsonObject | None) -> bytes:
    """Return the value of a row; without the object when it is too large."""
    head = orjson.dumps(asdict(note)) + b"\n"
    if obj is None:
        return head
    raw = orjson.dumps(obj)
    packed = await asyncio.to_thread(zlib.compress, raw, 1) if len(raw) > _LARGE_BYTES else zlib.compress(raw, 1)
    return head + packed if len(head) + len(packed) <= MAX_BYTES else head


def note_of(row: Row) -> Note:
    """Return what happened, without unpacking the object."""
    return Note(**orjson.loads(row.value[: row.value.index(b"\n")]))


def has_object(row: Row) -> bool:
    """Tell whether a row has the object, without unpacking it."""
    return row.value.index(b"\n") + 1 < len(row.value)


def object_of(row: Row) -> JsonObject | None:
    """Return the object as it was; None when the row has none."""
    packed = row.value[row.value.index(b"\n") + 1 :]
    found: JsonObject | None = orjson.loads(zlib.decompress(packed)) if packed else None
    return found


def keeps(resource: Resource, obj: JsonObject) -> bool:
    """Tell whether an object goes to the bin: what a user could miss, and nobody else would make again."""
    kind, metadata = (resource.group, resource.plural), obj["metadata"]
    if kind == ("", "namespaces"):
        return True
    if not resource.namespaced or kind in _PASSING or (*kind, metadata["name"]) in _GIVEN:
        return False
    if kind == ("", "secrets") and obj.get("type") in _TOKENS:
        return False
    if _SHOWN in (metadata.get("labels") or {}) or (metadata.get("annotations") or {}).get(KEEP) == "false":
        return False
    return not any(owner.get("controller") for owner in metadata.get("ownerReferences") or ())


def restorable(group: str, resource: str, obj: JsonObject) -> JsonObject:
    """
    Return what to create to have a deleted object again: all that users wrote, nothing that only servers write.

    References to owners are left out: they name owners by uid, and who owned it is gone or would take it again.
    """
    body = travelling_body(group, resource, obj) if (group, resource) in _RESTORED_BODY else obj
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _OF_THE_SERVER}
    for field in ("labels", "annotations"):
        kept = {name: value for name, value in (metadata.pop(field, None) or {}).items() if not _own(name)}
        if kept:
            metadata[field] = kept
    asked = metadata.pop("finalizers", None) or ()
    finalizers = [one for one in asked if one not in _PROPAGATION and not is_reserved_finalizer(one)]
    if finalizers:
        metadata["finalizers"] = finalizers
    rest = {name: value for name, value in body.items() if name not in {"metadata", "status"}}
    if (group, resource) == ("", "namespaces"):
        rest.pop("spec", None)
    return {**rest, "metadata": metadata}


def manifest(place: Place, obj: JsonObject) -> JsonObject:
    """Return what to create, with the mark by which what a cluster still runs of the object is kept."""
    made = restorable(place.group, place.resource, obj)
    metadata = made["metadata"]
    marks = {**metadata.get("annotations", {}), RESTORED_FROM: place.uid}
    return {**made, "metadata": {**metadata, "annotations": marks}}


def _own(key: str) -> bool:
    return is_reserved(key) or key == _PLACEMENT


class Bin:
    """Keeps what goes: of the workspace as an effect of the registry, of a cluster when its agent says so."""

    def __init__(self, store: Store, now: Callable[[], str]) -> None:
        """Take where rows lie and what tells the time as RFC 3339 text."""
        self._store = store
        self._now = now

    async def __call__(self, change: Change) -> Effect:
        """Return the row to write with a removal, or with the wish for one (see :data:`kinds.change.Effects`)."""
        old, new = change.old, change.new
        if old is None or not (new is None or _begins(old, new)) or not keeps(change.resource, old):
            return Effect()
        part = OBJECT if new is None else ASKED
        note = Note(self._now(), change.user.name, "Deleted")
        if change.user == SYSTEM:
            if await self._workspace_is_going(change.cluster):
                return Effect()  # nobody could ever restore it
            namespace = await self._going_namespace(change)
            note = Note(note.at, note.by, "NamespaceDeleted" if namespace else "Collected", namespace)
        note = Note(note.at, note.by, note.cause, note.namespace_uid, old["apiVersion"], old["kind"])
        place = Place(
            change.cluster,
            change.namespace,
            change.resource.group,
            change.resource.plural,
            change.resource.identity,
            change.name,
            old["metadata"]["uid"],
            part,
        )
        return Effect([Put(row_key(place), await encode(note, old if part == OBJECT else None))])

    async def keep_last_seen(self, row: Row, agent: str, manifest: JsonObject) -> None:
        """
        Keep what a cluster has of an object that its agent is about to delete there.

        Args:
            row: Of the view by which the agent deletes it.
            agent: The SyncTarget's name.
            manifest: The object as the agent saw it last; not trusted, and shown as what the agent said only.

        Raises:
            CompareFailed: The view changed meanwhile: nothing must be deleted by it.
        """
        target_uid, object_key = split_key(row.key)
        view, key = decode(row), parse_key(object_key)
        place = Place(key.cluster, key.namespace, key.group, key.plural, "", key.name, view.uid, target_uid)
        note = Note(self._now(), agent, view.cause or "Replaced", "", view.api_version, view.kind)
        put = Put(row_key(place), await encode(note, manifest))
        await self._store.commit([put], [Compare(row.key, row.mod_revision)])

    async def _going_namespace(self, change: Change) -> str:
        """Return the uid of the object's namespace when that is being deleted, else ""."""
        if not change.namespace:
            return ""
        return await self._going(namespace_key(change.cluster, change.namespace))

    async def _workspace_is_going(self, cluster: str) -> bool:
        return bool(await self._going(f"/core.kcp.io/logicalclusters/{NONE}/{cluster}/{NONE}/cluster"))

    async def _going(self, key: str) -> str:
        row = await self._store.get(key)
        if row is None or b'"deletionTimestamp"' not in row.value:
            return ""
        metadata = encoding.decode(row)["metadata"]
        return str(metadata["uid"]) if metadata.get("deletionTimestamp") else ""


def _begins(old: JsonObject, new: JsonObject) -> bool:
    return bool(new["metadata"].get("deletionTimestamp")) and not old["metadata"].get("deletionTimestamp")
