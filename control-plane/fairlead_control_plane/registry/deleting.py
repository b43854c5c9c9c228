"""
Delete and deletecollection: preconditions, propagation, finalizers, grace.

Source: k8s.io/apiserver pkg/registry/generic/registry/store.go (Delete, deletionFinalizersForGarbageCollection),
pkg/registry/rest/delete.go, pkg/endpoints/handlers/delete.go; k8s.io/kubernetes pkg/registry/core/namespace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.registry import messages, metadata, preparing, settling
from fairlead_control_plane.registry.call import Parts, Target, at
from fairlead_control_plane.registry.committing import commit
from fairlead_control_plane.registry.options import FOREGROUND, ORPHAN, DeleteOptions
from fairlead_control_plane.registry.writing import is_finished
from fairlead_control_plane.store.contract import CompareFailed, Row

_TRIES = 16
_FINALIZERS = {ORPHAN: "orphan", FOREGROUND: "foregroundDeletion"}
_ORPHANING = frozenset({("", "replicationcontrollers"), ("batch", "jobs")})
"""Kinds that leave their dependents where nothing else is asked for (DefaultGarbageCollectionPolicy)."""
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_RETURNS_OBJECT = frozenset(
    {
        ("", "pods"), ("", "services"), ("", "serviceaccounts"), ("", "persistentvolumeclaims"),
        ("", "persistentvolumes"), ("", "podtemplates"), ("", "resourcequotas"), ("storage.k8s.io", "storageclasses"),
        ("storage.k8s.io", "volumeattachments"), ("storage.k8s.io", "csinodes"), ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "volumeattributesclasses"), ("resource.k8s.io", "deviceclasses"),
        ("resource.k8s.io", "devicetaintrules"), ("resource.k8s.io", "resourceclaims"),
        ("resource.k8s.io", "resourceclaimtemplates"), ("resource.k8s.io", "resourceslices"),
    }
)  # fmt: skip
"""Kinds whose delete answers with the object where others answer with a ``Status``."""
_ORPHANS_BY_DEFAULT = frozenset({"jobs.batch", "replicationcontrollers"})
_OWNS_NOTHING = frozenset({"events", "events.events.k8s.io"})
_PODS_STAY = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
    "set propagationPolicy=Orphan to suppress this warning"
)


@dataclass(frozen=True, slots=True)
class Deleted:
    """
    What a delete did.

    Attributes:
        value, revision: The object's last stored state.
        is_gone: False while finalizers or a grace period hold it.
    """

    value: bytes
    revision: int
    is_gone: bool


def warn(target: Target, options: DeleteOptions) -> None:
    """Warn who deletes a Job without saying what is to become of its pods."""
    if target.resource.name == "jobs.batch" and not options.propagation:
        target.warnings.append(_PODS_STAY)


def _by_kind(target: Target, old: JsonObject, options: DeleteOptions) -> DeleteOptions:
    """Return the options with the policy that the object's kind has where they name none."""
    if target.resource.name in _OWNS_NOTHING:
        return replace(options, propagation="")
    held = set(_FINALIZERS.values()).intersection(old["metadata"].get("finalizers") or ())
    if options.propagation or held or target.resource.name not in _ORPHANS_BY_DEFAULT:
        return options
    return replace(options, propagation=ORPHAN)


async def delete(parts: Parts, target: Target, options: DeleteOptions) -> Deleted:
    """
    Delete one object, or begin to.

    Raises:
        NotFound, Conflict (preconditions), ApiError (admission, effects).
    """
    for _ in range(_TRIES):
        row = await parts.store.get(target.key)
        if row is None:
            raise messages.not_found(target.resource, target.name)
        try:
            deleted = await _delete_row(parts, target, await settling.row(target.as_stored, row), options)
        except CompareFailed:
            continue
        return replace(deleted, value=await settling.value(target, deleted.value))
    raise messages.conflict(target.resource, target.name)


async def _delete_row(parts: Parts, target: Target, row: Row, options: DeleteOptions) -> Deleted:
    old = encoding.decode(row)
    check_preconditions(target, old, options)
    await preparing.deleting(parts, target, old, dry_run=options.dry_run)
    new = preparing.copied(old)
    _mark(parts, target, new, _by_kind(target, old, options))
    if not is_finished(new):
        return await _begin(parts, target, row, old, new, options)
    written = await commit(parts, target, row, None, old=old, dry_run=options.dry_run)
    # What goes after a grace period, if only of no seconds, is shown as it went; the rest as it was.
    shown = encoding.encode(new) if target.resource.strategy.graceful_s is not None else row.value
    return Deleted(shown, written.revision, is_gone=True)


async def _begin(
    parts: Parts, target: Target, row: Row, old: JsonObject, new: JsonObject, options: DeleteOptions
) -> Deleted:
    if preparing.is_same(new, old):
        return Deleted(row.value, row.mod_revision, is_gone=False)
    written = await commit(parts, target, row, new, old=old, dry_run=options.dry_run)
    return Deleted(written.value, written.revision, is_gone=False)


def check_preconditions(target: Target, old: JsonObject, options: DeleteOptions) -> None:
    """Raise ``Conflict`` when the object is not the one, or not in the version, that the options ask for."""
    uid, version = old["metadata"]["uid"], old["metadata"]["resourceVersion"]
    if target.resource.name == _DEFINITIONS and not old["metadata"].get("deletionTimestamp"):
        # Kubernetes marks these by an update, which words its preconditions otherwise.
        for name, asked, found in (("UID", options.uid, uid), ("ResourceVersion", options.version, version)):
            if asked is not None and asked != found:
                why = f"Precondition failed: {name} in precondition: {asked}, {name} in object meta: {found}"
                raise messages.conflict(target.resource, target.name, why)
    if _is_namespace(target):
        _check_namespace(target, options, uid, version)
    if options.uid is not None and options.uid != uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise messages.precondition(target.resource, target.name, why)
    if options.version is not None and options.version != version:
        why = (
            f"the ResourceVersion in the precondition ({options.version}) does not match the ResourceVersion in "
            f"record ({version}). The object might have been modified"
        )
        raise messages.precondition(target.resource, target.name, why)


def _check_namespace(target: Target, options: DeleteOptions, uid: str, version: str) -> None:
    """Check the preconditions of a namespace, which has words of its own for them."""
    for name, asked, found in (("UID", options.uid, uid), ("ResourceVersion", options.version, version)):
        if asked is not None and asked != found:
            why = f"Precondition failed: {name} in precondition: {asked}, {name} in object meta: {found}"
            raise messages.conflict(target.resource, target.name, why)


def _is_namespace(target: Target) -> bool:
    return target.resource.plural == "namespaces" and not target.resource.group


def _mark(parts: Parts, target: Target, new: JsonObject, options: DeleteOptions) -> None:
    """Set deletion timestamp, grace period and the finalizers that the propagation policy asks for, in place."""
    data = new["metadata"]
    if target.resource.name == _DEFINITIONS and not data.get("deletionTimestamp"):
        data["deletionTimestamp"] = at(parts.now_s())
        _hold_definition(new, data["deletionTimestamp"])
        return
    finalizers = [one for one in data.get("finalizers") or [] if not _is_dropped(one, options)]
    policy = options.propagation or _default_propagation(target, finalizers)
    wanted = None if target.resource.plural == "events" else _FINALIZERS.get(policy)  # nothing owns these
    if wanted and wanted not in finalizers:
        finalizers.append(wanted)
    data["finalizers"] = finalizers
    metadata.drop_empty(data)
    asked_s = options.grace_s
    grace_s = _grace_s(target, new, asked_s)
    was_going = bool(data.get("deletionTimestamp"))
    if not was_going:
        data["deletionTimestamp"] = at(parts.now_s() + grace_s)
        data["deletionGracePeriodSeconds"] = grace_s
        if data.get("generation"):
            data["generation"] += 1
    elif "deletionGracePeriodSeconds" not in data:
        data["deletionGracePeriodSeconds"] = 0
    elif grace_s < (data.get("deletionGracePeriodSeconds") or 0) and (asked_s is not None or not grace_s):
        data["deletionTimestamp"] = at(parts.now_s() + grace_s)
        data["deletionGracePeriodSeconds"] = grace_s
    if _is_namespace(target):
        data.pop("deletionGracePeriodSeconds", None)
        new.setdefault("status", {})["phase"] = "Terminating"


def _default_propagation(target: Target, finalizers: list[str]) -> str:
    """Return the policy of a request that names none, for an object with these finalizers."""
    kind = (target.resource.group, target.resource.plural)
    return ORPHAN if kind in _ORPHANING and not set(finalizers).intersection(_FINALIZERS.values()) else ""


def _hold_definition(new: JsonObject, timestamp: str) -> None:
    """Keep a CRD until its objects are gone; its controller deletes them and drops the finalizer."""
    finalizers = new["metadata"].setdefault("finalizers", [])
    if CLEANUP_FINALIZER not in finalizers:
        finalizers.append(CLEANUP_FINALIZER)
    status = new.setdefault("status", {})
    conditions = [one for one in status.get("conditions") or [] if one.get("type") != "Terminating"]
    conditions.append(
        {
            "type": "Terminating",
            "status": "True",
            "lastTransitionTime": timestamp,
            "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        }
    )
    status["conditions"] = conditions


def _grace_s(target: Target, obj: JsonObject, asked_s: int | None) -> int:
    graceful = target.resource.strategy.graceful_s
    return max(graceful(obj, asked_s), 0) if graceful is not None else 0


def _is_dropped(finalizer: str, options: DeleteOptions) -> bool:
    """Tell whether a policy named in the request removes a garbage collection finalizer set before."""
    if not options.propagation or finalizer not in _FINALIZERS.values():
        return False
    return _FINALIZERS.get(options.propagation, "") != finalizer


def status_code(deleted: Deleted, options: DeleteOptions) -> int:
    """Return 202 where an old client asked to wait for dependents and the object is not gone yet, else 200."""
    return 202 if options.orphan is False and not deleted.is_gone else 200


def answers_with_object(target: Target, deleted: Deleted) -> bool:
    """Tell whether the answer is the object: it is still there, or its kind does so."""
    return not deleted.is_gone or (target.resource.group, target.resource.plural) in _RETURNS_OBJECT


def success(target: Target, uid: str) -> JsonObject:
    """Return the ``Status`` of a finished delete."""
    details: JsonObject = {"name": target.name}
    if target.resource.group:
        details["group"] = target.resource.group
    details |= {"kind": target.resource.plural, "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
