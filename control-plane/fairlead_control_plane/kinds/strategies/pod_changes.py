"""
The few changes that a pod can take.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidatePodUpdate and below).
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import difference, shown_as
from fairlead_control_plane.kinds.strategies.containers import untrimmed_image

_UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_CONTAINER_LISTS = ("containers", "initContainers")
_KEPT = ("activeDeadlineSeconds", "tolerations", "schedulingGates")
_MAX_INT32 = 2**31 - 1
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TERMS = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"


def validate_pod_change(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """Return what is wrong with a change of a pod's spec."""
    if spec == before:
        return []
    causes: list[Cause] = []
    for field in _CONTAINER_LISTS:
        containers = spec.get(field) or ()
        if len(containers) != len(before.get(field) or ()):
            return [*causes, wrong.forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
        for index, container in enumerate(containers):
            at = f"spec.{field}[{index}]"
            causes += [] if container.get("image") else [wrong.required(f"{at}.image")]
            causes += untrimmed_image(container, at)
    wrong_deadline, is_last = _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    causes += wrong_deadline
    if is_last:
        return causes
    causes += _tolerations(spec, before) + _gates(spec, before)
    munged = _without_updatable(spec, before)
    if before.get("schedulingGates"):
        causes += _while_gated(munged, before)
    if munged != before:
        changed = difference("core.PodSpec", before, munged)
        text = f"pod updates may not change fields other than {_UPDATABLE}\n{changed}"
        causes.append(wrong.forbidden("spec", text))
    return causes


def _deadline(new: int | None, old: int | None) -> tuple[list[Cause], bool]:
    """Return what is wrong with the deadline, and whether nothing else is looked at then."""
    path = "spec.activeDeadlineSeconds"
    if new is None:
        text = "must not update from a positive integer to nil value"
        return ([] if old is None else [wrong.invalid(path, None, text)]), False
    if not 0 <= new <= _MAX_INT32:
        return [wrong.invalid(path, new, f"must be between 0 and {_MAX_INT32}, inclusive")], True
    if old is not None and old < new:
        return [wrong.invalid(path, new, "must be less than or equal to previous value")], True
    return [], False


def _tolerations(spec: JsonObject, before: JsonObject) -> list[Cause]:
    kept = spec.get("tolerations") or []
    if all(any(_same_toleration(one, other) for other in kept) for one in before.get("tolerations") or ()):
        return []
    text = "existing toleration can not be modified except its tolerationSeconds"
    return [wrong.forbidden("spec.tolerations", text)]


def _same_toleration(one: JsonObject, other: JsonObject) -> bool:
    return {**one, "tolerationSeconds": None} == {**other, "tolerationSeconds": None}


def _gates(spec: JsonObject, before: JsonObject) -> list[Cause]:
    old = {gate.get("name") for gate in before.get("schedulingGates") or ()}
    added = {gate.get("name"): index for index, gate in enumerate(spec.get("schedulingGates") or ())}
    return [
        wrong.forbidden(
            f"spec.schedulingGates[{index}].name", f"only deletion is allowed, but found new scheduling gate '{name}'"
        )
        for name, index in added.items()
        if name not in old
    ]


def _without_updatable(spec: JsonObject, before: JsonObject) -> JsonObject:
    """Return ``spec`` with everything that may change put back to what it was."""
    munged = dict(spec)
    for field in _CONTAINER_LISTS:
        if spec.get(field):
            pairs = zip(spec[field], before[field], strict=True)
            munged[field] = [{**new, "image": old.get("image")} for new, old in pairs]
    for field in _KEPT:
        munged.pop(field, None)
        if field in before:
            munged[field] = before[field]
    if (before.get("terminationGracePeriodSeconds") or 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    return munged


def _while_gated(munged: JsonObject, before: JsonObject) -> list[Cause]:
    """Let a pod that is not scheduled yet be narrowed in where it may run; ``munged`` has that put back, in place."""
    causes: list[Cause] = []
    new, old = munged.get("nodeSelector"), before.get("nodeSelector")
    if new != old:
        if any((new or {}).get(key) != value for key, value in (old or {}).items()):
            text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            causes.append(wrong.invalid("spec.nodeSelector", new, text))
        _put_back(munged, "nodeSelector", old)
    affinity, was = munged.get("affinity"), before.get("affinity")
    nodes, had = (affinity or {}).get("nodeAffinity"), (was or {}).get("nodeAffinity")
    if nodes != had:
        causes += _node_affinity(nodes or {}, had or {})
        rest = {key: value for key, value in (affinity or {}).items() if key != "nodeAffinity"}
        if had is not None:
            rest["nodeAffinity"] = had
        _put_back(munged, "affinity", rest if rest or was is not None else None)
    return causes


def _put_back(spec: JsonObject, field: str, value: object) -> None:
    spec.pop(field, None)
    if value is not None:
        spec[field] = value


def _node_affinity(new: JsonObject, old: JsonObject) -> list[Cause]:
    if old.get(_REQUIRED) is None:
        return []
    terms, known = ((one.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [] for one in (new, old))
    if known and len(known) != len(terms):
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [_shown(_TERMS, terms, text)]
    text = "only additions are allowed (no mutations or deletions)"
    return [
        Cause(
            "FieldValueInvalid", f"Invalid value: {shown_as('core.NodeSelectorTerm', term)}: {text}", f"{_TERMS}[{i}]"
        )
        for i, (term, was) in enumerate(zip(terms, known, strict=False))
        if not _only_added(term, was)
    ]


def _shown(path: str, terms: Sequence[JsonObject], text: str) -> Cause:
    listed = ",".join(shown_as("core.NodeSelectorTerm", term) for term in terms)
    return Cause("FieldValueInvalid", f"Invalid value: {f'[{listed}]' if terms else 'null'}: {text}", path)


def _only_added(new: JsonObject, old: JsonObject) -> bool:
    fields = ("matchExpressions", "matchFields")
    if not any(old.get(field) for field in fields):
        return not any(new.get(field) for field in fields)
    return all((new.get(field) or [])[: len(old.get(field) or ())] == (old.get(field) or []) for field in fields)
