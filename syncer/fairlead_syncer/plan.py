"""
What to do about one object: pure decisions from a view and what the cluster has.

The rules of design section 6 live here and nowhere else. Absence is never a cause: without a view in hand nothing is
done. An object counts as ours only by proof: its uid is the one recorded in the view, or it carries a mark that only
this agent can have made, and that no other has written there. Everything else is foreign and stays byte-identical.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead_api import JsonObject
from fairlead_syncer.proofs import PROOF, is_proved
from fairlead_transforms.downstream import UPSTREAM_UID

DOWNSTREAM_UID = "internal.workload.kcp.io/downstream-uid"
HASH = "internal.workload.kcp.io/spec-hash"
GENERATION = "internal.workload.kcp.io/upstream-generation"
REPLACES = "internal.workload.kcp.io/replaces"
"""On a view: the uid of the object of its name for which we made what is recorded."""
SEAL = "internal.workload.kcp.io/uid-proof"
"""On a downstream namespace: the mark of its uid, written once that is known; see :meth:`SyncTarget.seal`."""
CAUSE = "internal.workload.kcp.io/cause"
REASON = "internal.workload.kcp.io/reason"
"""On a tombstone, and on the view of a namespace: what stands in the way, as was last reported."""
ADOPTION = "internal.workload.kcp.io/adoption"
"""On the view of a namespace: JSON of what an administrator has handed over."""
ROW = "internal.workload.kcp.io/row"
"""On a view: names its row; a view of the same object after its row went has another."""
TERMINATING = "Terminating"
"""Why an object is not as it must be that is being deleted in the cluster, and is kept there."""


@dataclass(frozen=True, slots=True)
class Create:
    """POST the object; fails when one of that name exists."""

    obj: JsonObject


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply over our own object; ``obj`` holds its uid, so that another's is never met."""

    obj: JsonObject


@dataclass(frozen=True, slots=True)
class Adopt:
    """Server-side apply over an object we have not made, but were given; if ``restart``, its pods may restart by it."""

    obj: JsonObject
    restart: bool


@dataclass(frozen=True, slots=True)
class Adoption:
    """
    What an administrator has handed over in one namespace.

    Attributes:
        home: The downstream namespace.
        uid: Of that.
        objects: Uids of the objects.
        restart: Whether taking one over may change its pod template.
    """

    home: str
    uid: str
    objects: frozenset[str]
    restart: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """DELETE with uid and resourceVersion; ``cause`` is the view's."""

    uid: str
    resource_version: str
    cause: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Tell upstream that nothing of ours is left of this uid."""

    uid: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """It cannot be synced; the reason goes to the user's object."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Going:
    """Ours, and being deleted in the cluster already: nothing can be done before its end; ``message`` says why."""

    message: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """As it must be."""


Action = Create | Apply | Adopt | Remove | Confirm | Refuse | Going | Nothing


def plan(
    view: JsonObject | None,
    desired: JsonObject | None,
    actual: JsonObject | None,
    *,
    proof: str,
    given: Adoption | None = None,
) -> Action:
    """
    Decide about one object.

    Args:
        view: The object of the syncer's virtual workspace, live or a tombstone; None when there is none, for whatever
            reason (not yet read, forbidden, gone): then nothing is done.
        desired: :func:`desired_object` of a live view.
        actual: The cluster's object of that name, whoever made it, read after the view; None when there is none.
        proof: The mark only this agent can make for this name and upstream uid.
        given: What an administrator has handed over in the object's namespace.

    Returns:
        One action. Invariant: carried out and asked again, the plan ends in :class:`Nothing`, :class:`Refuse`,
        :class:`Going` or, for a tombstone, :class:`Confirm`.
    """
    if view is None:
        return Nothing()
    if is_tombstone(view):
        return _plan_removal(view, actual, proof)
    return _plan_running(view, desired, actual, proof, given)


def _plan_running(
    view: JsonObject, desired: JsonObject | None, actual: JsonObject | None, proof: str, given: Adoption | None
) -> Action:
    if actual is None:
        return Nothing() if desired is None else Create(desired)
    if not is_ours(view, actual, proof):
        return _plan_foreign(view, desired, actual, given)
    if actual["metadata"].get("deletionTimestamp"):  # the event of its end brings us back
        return Going(f"{_kept(actual)}; once it is gone it is made again, as it is to be by then")
    # Upstream must know of the other one too: who edits a mark in the cluster must not have workloads made again.
    if annotations_of(view).get(REPLACES) and annotations_of(actual).get(UPSTREAM_UID) != view["metadata"]["uid"]:
        return _remove(actual, "Replaced")
    if desired is not None and _differs(desired, actual):
        return Apply(_over(desired, actual))
    return Nothing()


def _plan_foreign(view: JsonObject, desired: JsonObject | None, actual: JsonObject, given: Adoption | None) -> Action:
    if desired is not None and given is not None and actual["metadata"]["uid"] in given.objects:
        if actual["metadata"].get("deletionTimestamp"):
            return Refuse(TERMINATING, f"{_kept(actual)}; what was handed over is taken once it is not")
        return Adopt(_over(desired, actual), given.restart)
    name, metadata = actual["metadata"]["name"], view["metadata"]
    what = f"{str(view.get('kind') or '').lower()}/{metadata.get('name', '')} -n {metadata.get('namespace', '')}"
    message = (
        f"the cluster already has an object named {name!r} that is not of this workspace; "
        f"to hand that one over: kubectl fairlead adopt {what}"
    )
    return Refuse("NameTaken", message)


def _over(desired: JsonObject, actual: JsonObject) -> JsonObject:
    """Return what to apply over our object: with its uid, and the proof it was made with, never a newer one."""
    annotations = {key: value for key, value in annotations_of(desired).items() if key != PROOF}
    if PROOF in annotations_of(actual):
        annotations[PROOF] = annotations_of(actual)[PROOF]
    uid = actual["metadata"]["uid"]
    return {**desired, "metadata": {**desired["metadata"], "uid": uid, "annotations": annotations}}


def _plan_removal(view: JsonObject, actual: JsonObject | None, proof: str) -> Action:
    if actual is None or not is_ours(view, actual, proof):
        return Confirm(view["metadata"]["uid"])
    if actual["metadata"].get("deletionTimestamp"):
        return Going(_kept(actual))
    cause = annotations_of(view).get(CAUSE)
    if not cause:
        return Nothing()
    return _remove(actual, cause)


def _kept(actual: JsonObject) -> str:
    """Say that an object is being deleted, and what keeps it."""
    metadata = actual["metadata"]
    finalizers = ", ".join(metadata.get("finalizers") or ())
    waits = f" and waits for finalizers [{finalizers}]" if finalizers else ""
    return f"{metadata['name']!r} in namespace {metadata.get('namespace', '')} of the cluster is being deleted{waits}"


def _remove(actual: JsonObject, cause: str) -> Remove:
    metadata = actual["metadata"]
    return Remove(metadata["uid"], metadata["resourceVersion"], cause)


def is_tombstone(view: JsonObject) -> bool:
    """Tell whether a view says that the object must go."""
    return bool(view["metadata"].get("deletionTimestamp"))


def is_ours(view: JsonObject, actual: JsonObject, proof: str) -> bool:
    """Tell whether the cluster's object was made by us for this view: recorded uid, or a mark that we wrote there."""
    recorded = annotations_of(view).get(DOWNSTREAM_UID)
    if recorded and recorded == actual["metadata"]["uid"]:
        return True
    return is_proved(actual, proof)


def adoption_of(view: JsonObject) -> Adoption | None:
    """Return what the view of a namespace says was handed over; None for nothing."""
    text = annotations_of(view).get(ADOPTION)
    if not text:
        return None
    value = json.loads(text)
    return Adoption(value["home"], value["uid"], frozenset(value["objects"]), bool(value["restart"]))


def template_of(obj: JsonObject) -> object:
    """Return the pod template of an object; None for kinds without: a change of it restarts pods."""
    return (obj.get("spec") or {}).get("template")


def annotations_of(obj: JsonObject) -> Mapping[str, str]:
    """Return an object's annotations, empty when it has none."""
    found: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return found


def desired_object(view: JsonObject, transformed: JsonObject, *, proof: str) -> JsonObject:
    """Return the transformed object with the marks by which we know it again: proof, hash and upstream generation."""
    metadata = transformed["metadata"]
    marks = {
        HASH: annotations_of(view).get(HASH, ""),
        GENERATION: str(view["metadata"].get("generation") or 0),
        PROOF: proof,
    }
    return {**transformed, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **marks}}}


def _differs(desired: JsonObject, actual: JsonObject) -> bool:
    """Tell whether what we apply is not what the cluster has; what servers add is no difference."""
    if annotations_of(actual).get(HASH) != annotations_of(desired).get(HASH):
        return True
    return not holds(actual, compared(desired))


def compared(desired: JsonObject) -> JsonObject:
    """Return the part of what we apply in which a difference is drift: all but our marks of making and generation."""
    parts = {key: value for key, value in desired.items() if key not in {"metadata", "stringData"}}
    annotations = {key: value for key, value in annotations_of(desired).items() if key not in {PROOF, GENERATION}}
    return {**parts, "metadata": {"labels": desired["metadata"].get("labels") or {}, "annotations": annotations}}


def projection(actual: Any, wanted: Any) -> Any:
    """Return what ``actual`` has in the places that ``wanted`` speaks of; lists are taken whole."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return {key: projection(actual.get(key), value) for key, value in wanted.items()}
    return actual


def holds(actual: Any, wanted: Any) -> bool:
    """Tell whether ``actual`` contains all of ``wanted``; lists must agree in length and order."""
    if isinstance(wanted, dict):
        # An absent map and an empty one, an absent value and null, are the same to a server.
        if actual is None:
            return not any(value is not None and value != {} for value in wanted.values())
        return isinstance(actual, dict) and all(
            holds(actual.get(key), value) for key, value in wanted.items() if value is not None
        )
    if isinstance(wanted, list):
        if not wanted:
            return not actual
        return (
            isinstance(actual, list)
            and len(actual) == len(wanted)
            and all(holds(a, w) for a, w in zip(actual, wanted, strict=True))
        )
    return bool(actual == wanted) or (actual is None and wanted in ("", 0, False))


def report(actual: JsonObject, *, synced: bool = True, reason: str = "", message: str = "") -> JsonObject:
    """
    Return what to tell upstream of our object in the cluster (the ``report`` of the syncer protocol).

    ``observedGeneration`` is the downstream generation its controller has seen; kinds without one have seen all.
    Everything is read from the object itself, so that a restarted agent says the same.
    """
    metadata = actual["metadata"]
    generation = int(metadata.get("generation") or 0)
    status = actual.get("status") or {}
    marks = annotations_of(actual)
    return {
        "appliedGeneration": int(marks.get(GENERATION) or 0),
        "appliedHash": marks.get(HASH, ""),
        "downstreamGeneration": generation,
        "observedGeneration": int(status.get("observedGeneration") or 0) if _observes(actual) else generation,
        "downstreamUID": metadata["uid"],
        "synced": synced,
        "reason": reason,
        "message": message,
    }


def _observes(actual: JsonObject) -> bool:
    """Tell whether a kind's controller says which generation it has seen."""
    return actual.get("kind") in {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"}


def may_delete_namespace(
    tombstone: JsonObject, live_views: Sequence[JsonObject], pending: Sequence[JsonObject], foreign: Sequence[str]
) -> str:
    """
    Return why a namespace must stay, or "" when it may go.

    Args:
        tombstone: The namespace's own view.
        live_views: Views of that namespace that must still run.
        pending: Tombstones of that namespace not yet confirmed.
        foreign: Objects in it that are not ours, as ``resource/name``.
    """
    if not is_tombstone(tombstone):
        return "the namespace is assigned"
    if live_views:
        return f"{len(live_views)} objects must still run in it"
    if pending:
        return f"{len(pending)} objects in it are still being removed"
    if foreign:
        shown = ", ".join(sorted(foreign)[:5])
        return f"it holds {len(foreign)} objects that are not of this workspace: {shown}"
    return ""
