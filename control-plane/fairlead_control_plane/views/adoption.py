"""
What an administrator has handed over to an agent: a downstream namespace another agent made, or single objects in one.

A record is ``/adoptions/<target uid>/<cluster>/<namespace>``, of its own, so that it can stand before the namespace is
assigned. The agent is told by the view of the namespace; without the administrator's word nothing in a cluster becomes
an agent's that it has not made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict
from fairlead_control_plane.store.contract import Compare, Delete, Put, Row, Store, prefix_end
from fairlead_control_plane.views import rows

ANNOTATION = "internal.workload.kcp.io/adoption"
PREFIX = "/adoptions/"
MOST_OBJECTS = 5000
TAKEN = "NamespaceTaken"
"""Reason in the report of a namespace whose name in the cluster somebody else's has."""
_SLICE = 90
_TEXTS = ("cluster", "namespace", "home", "uid")


@dataclass(frozen=True, slots=True)
class Adoption:
    """
    What was handed over.

    Attributes:
        home: Name of the downstream namespace.
        uid: Of that namespace.
        objects: Uids of the objects in it that the agent may take for its own.
        restart: Whether taking one over may change its pod template.
    """

    home: str
    uid: str
    objects: tuple[str, ...] = ()
    restart: bool = False

    def encode(self) -> bytes:
        """Return the stored form."""
        return orjson.dumps(asdict(self))


def key_of(target_uid: str, cluster: str, namespace: str) -> str:
    """Return the key of a record."""
    return f"{PREFIX}{target_uid}/{cluster}/{namespace}"


async def read(store: Store, target_uid: str, cluster: str, namespace: str) -> Adoption | None:
    """Return what was handed over in a namespace; None for nothing."""
    row = await store.get(key_of(target_uid, cluster, namespace))
    return None if row is None else _decoded(row)


def _decoded(row: Row) -> Adoption:
    value = orjson.loads(row.value)
    return Adoption(value["home"], value["uid"], tuple(value["objects"]), bool(value["restart"]))


async def record(store: Store, target_uid: str, body: JsonObject) -> Adoption:
    """
    Hand something over, beside what was before.

    Args:
        store: Where records lie.
        target_uid: Of the SyncTarget.
        body: ``cluster``, ``namespace`` (upstream), ``home``, ``uid`` (the downstream namespace), ``objects`` (uids)
            and ``restart``.

    Raises:
        BadRequest: A field is missing or has the wrong type.
        Conflict: The namespace runs in another downstream namespace already.
        CompareFailed: Something changed meanwhile.
    """
    wanted = _checked(body)
    cluster, namespace = str(body["cluster"]), str(body["namespace"])
    view_key = rows.namespace_row_key(target_uid, cluster, namespace)
    row, own = await store.get(key_of(target_uid, cluster, namespace)), await store.get(view_key)
    before = None if row is None else _decoded(row)
    view = None if own is None else rows.decode(own)
    # By that the agent says that what it made, or was given, is no more, and another has its name.
    is_lost = view is not None and view.report.get("reason") == TAKEN and view.report.get("synced") is False
    if before is not None and before.uid != wanted.uid:
        if not (is_lost and before.home == wanted.home):
            raise Conflict(f"namespace {namespace} was given the downstream namespace {before.home} before")
        before = None
    made = "" if view is None else view.downstream_uid
    if made and made != wanted.uid and not is_lost:
        raise Conflict(
            f"namespace {namespace} runs in another downstream namespace (uid {made}) of this cluster by now"
        )
    objects = dict.fromkeys((*(before.objects if before else ()), *wanted.objects))
    if len(objects) > MOST_OBJECTS:
        raise BadRequest(f"{len(objects)} objects; at most {MOST_OBJECTS} can be handed over in one namespace")
    after = Adoption(wanted.home, wanted.uid, tuple(objects), wanted.restart)
    key = key_of(target_uid, cluster, namespace)
    operations = [Put(key, after.encode())]
    compares = [Compare(key, row.mod_revision if row else 0), Compare(view_key, own.mod_revision if own else 0)]
    if own is not None:
        operations.append(Put(view_key, own.value))  # a new revision: the agent is told
    await store.commit(operations, compares)
    return after


async def drop(store: Store, target_uid: str) -> None:
    """Forget all that was handed over to a SyncTarget that is no more."""
    prefix = f"{PREFIX}{target_uid}/"
    while page := (await store.range(prefix, prefix_end(prefix), limit=_SLICE)).rows:
        await store.commit([Delete(row.key) for row in page])


def _checked(body: Mapping[str, object]) -> Adoption:
    objects, restart = body.get("objects", []), body.get("restart", False)
    texts = [body.get(field) for field in _TEXTS]
    if not all(isinstance(one, str) and one and "/" not in one for one in texts):
        raise BadRequest(f"the body must hold {', '.join(_TEXTS)} as text")
    if not isinstance(objects, list) or not all(isinstance(one, str) and one for one in objects):
        raise BadRequest("objects must be a list of uids")
    if not isinstance(restart, bool):
        raise BadRequest("restart must be true or false")
    return Adoption(str(body["home"]), str(body["uid"]), tuple(objects), restart)
