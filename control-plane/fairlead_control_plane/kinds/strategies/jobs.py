"""
Jobs.

Source: k8s.io/kubernetes/pkg/apis/batch/{v1/defaults.go,validation/validation.go}, pkg/registry/batch/job/strategy.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.counts import status_of
from fairlead_control_plane.kinds.strategies.job_specs import job_warnings, validate_job_spec
from fairlead_control_plane.kinds.strategies.job_status import validate_job_status
from fairlead_control_plane.kinds.strategies.metadata import IMMUTABLE, immutable
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod_spec
from fairlead_control_plane.kinds.strategies.pod_warnings import name_warnings
from fairlead_control_plane.kinds.strategies.selectors import compiled, selector_cause, validate_selector
from fairlead_control_plane.kinds.strategies.workloads import labels_of, settle_template, unmatched

_UID, _NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
_OLD_UID, _OLD_NAME = "controller-uid", "job-name"
_SCHEDULING = ("nodeSelector", "tolerations", "schedulingGates")
_CONTAINER_LISTS = ("containers", "initContainers")
# What never changes, and how messages show it.
_FIXED = (
    ("completionMode", ""),
    ("podFailurePolicy", "batch.PodFailurePolicy"),
    ("backoffLimitPerIndex", ""),
    ("managedBy", ""),
    ("successPolicy", "batch.SuccessPolicy"),
)


def default_job_template(job_spec: JsonObject) -> None:
    """Fill in what a Job's spec has in the template of a CronJob too, in place."""
    default_pod_spec(job_spec.setdefault("template", {}).setdefault("spec", {}))
    for rule in (job_spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"


def _default(spec: JsonObject) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    has_policy = spec.get("podFailurePolicy") is not None
    spec.setdefault("podReplacementPolicy", "Failed" if has_policy else "TerminatingOrFailed")
    default_job_template(spec)


def _prepare(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    _default(spec)
    labels = labels_of(spec)
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)
    normalise(obj)


def _create(obj: JsonObject) -> None:
    _prepare(obj)
    obj["status"] = {}


def _settle(obj: JsonObject, old: JsonObject | None) -> None:
    """Mark the template with the Job's uid and select by it, so that two Jobs never claim each other's pods."""
    spec = obj["spec"]
    settle_template(obj, old)
    if old is not None or spec.get("manualSelector"):
        return
    uid, name = obj["metadata"].get("uid") or "", obj["metadata"].get("name") or ""
    template = spec["template"]
    metadata = template.get("metadata") or {}
    given = metadata.get("labels") or {}
    labels = {_OLD_NAME: name, _NAME: name, _OLD_UID: uid, _UID: uid, **given}
    template["metadata"] = {**metadata, "labels": labels}
    if (obj["metadata"].get("labels") or {}) == given:
        # A Job without labels of its own has its template's, those that are made included.
        obj["metadata"]["labels"] = dict(labels)
    selector = spec.get("selector") or {}
    spec["selector"] = {**selector, "matchLabels": {_UID: uid, **(selector.get("matchLabels") or {})}}


def _validate(obj: JsonObject) -> list[Cause]:
    return _job(obj, has_prefixed=True)


def _job(obj: JsonObject, *, has_prefixed: bool) -> list[Cause]:
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    causes = _generated(obj, has_prefixed=has_prefixed) + _spec(spec)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        host = f"{name}-{completions - 1}"
        if validation.dns1123_label(host):
            text = f"will not able to create pod with invalid DNS label: {host}"
            causes.append(wrong.invalid("metadata.name", name, text))
    return causes


def _spec(spec: JsonObject) -> list[Cause]:
    causes = validate_job_spec(spec, "spec")
    selector = spec.get("selector")
    causes += [wrong.required("spec.selector")] if selector is None else validate_selector(selector, "spec.selector")
    return causes + unmatched(spec, labels_of(spec), "spec")


def _generated(obj: JsonObject, *, has_prefixed: bool) -> list[Cause]:
    """Check that the selector is the one that was made for this very Job."""
    spec, metadata = obj.get("spec") or {}, obj["metadata"]
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    uid, name = metadata.get("uid") or "", metadata.get("name") or ""
    expected = {_OLD_UID: uid, _OLD_NAME: name}
    if has_prefixed:
        expected |= {_UID: uid, _NAME: name}
    causes = [] if uid else [wrong.required("metadata.uid")]
    labels: Mapping[str, str] = labels_of(spec) or {}
    for key, value in expected.items():
        at, text = f"spec.template.metadata.labels[{key}]", f"must be '{value}'"
        if key not in labels:
            causes.append(wrong.required(at, text))
        elif labels[key] != value:
            causes.append(wrong.invalid(at, dict(labels), text))
    found = compiled(selector)
    if found is not None and not found.matches(expected):
        causes.append(selector_cause("spec.selector", selector, "`selector` not auto-generated"))
    return causes


def _change(new: JsonObject, old: JsonObject) -> list[Cause]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    had = labels_of(before) or {}
    causes = _job(new, has_prefixed=_NAME in had and _UID in had)
    causes += _completions(spec, before)
    if spec.get("selector") != before.get("selector"):
        causes.append(selector_cause("spec.selector", spec.get("selector"), IMMUTABLE))
    causes += _template_change(spec, before, old)
    for field, kind in _FIXED:
        causes += _unchanged(spec.get(field), before.get(field), f"spec.{field}", kind)
    return causes


def _unchanged(new: object, old: object, path: str, kind: str) -> list[Cause]:
    """Return the cause of a change; ``kind`` is the internal struct that the message shows."""
    if not kind or new == old:
        return immutable(new, old, path)
    return [Cause("FieldValueInvalid", f"Invalid value: {shown_as(kind, new)}: {IMMUTABLE}", path)]


def _completions(spec: JsonObject, before: JsonObject) -> list[Cause]:
    new, old = spec.get("completions"), before.get("completions")
    if spec.get("completionMode") != "Indexed":
        return immutable(new, old, "spec.completions")
    if new == old or new is None or new == spec.get("parallelism"):
        return []
    return [wrong.invalid("spec.completions", new, "can only be modified in tandem with spec.parallelism")]


def _template_change(spec: JsonObject, before: JsonObject, old: JsonObject) -> list[Cause]:
    template, was = spec.get("template") or {}, before.get("template") or {}
    if not _is_idle(before, old):
        return _unchanged(template, was, "spec.template", "core.PodTemplateSpec")
    # A suspended Job whose pods are gone may be sent to other nodes and given other resources.
    pods, had = template.get("spec") or {}, _rescheduled(template.get("spec") or {}, was.get("spec") or {})
    for field in _CONTAINER_LISTS:
        pairs = (pods.get(field) or [], had.get(field) or [])
        if pairs[0] and len(pairs[0]) == len(pairs[1]):
            had[field] = [_resized(*pair) for pair in zip(*pairs, strict=True)]
    return _unchanged(pods, had, "spec.template.spec", "core.PodSpec")


def _is_idle(spec: JsonObject, obj: JsonObject) -> bool:
    status = obj.get("status") or {}
    conditions = status.get("conditions") or ()
    is_suspended = any(one.get("type") == "Suspended" and one.get("status") == "True" for one in conditions)
    return bool(spec.get("suspend")) and (status.get("startTime") is None or is_suspended) and not status.get("active")


def _rescheduled(pods: JsonObject, was: JsonObject) -> JsonObject:
    """Return the old pod spec with what the new one says of where pods run."""
    had = {**was, **{field: pods[field] for field in _SCHEDULING if field in pods}}
    for field in _SCHEDULING:
        if field not in pods:
            had.pop(field, None)
    affinity, old = pods.get("affinity"), was.get("affinity")
    nodes = (affinity or {}).get("nodeAffinity")
    kept = {key: value for key, value in (old or {}).items() if key != "nodeAffinity"}
    if nodes is not None:
        kept["nodeAffinity"] = nodes
    had.pop("affinity", None)
    if kept or affinity is not None:
        had["affinity"] = kept
    return had


def _resized(new: JsonObject, old: JsonObject) -> JsonObject:
    if new.get("name") != old.get("name"):
        return old
    had = {key: value for key, value in old.items() if key != "resources"}
    return {**had, "resources": new["resources"]} if "resources" in new else had


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    found = name_warnings(new) if old is None else []
    if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
        found += job_warnings(new.get("spec") or {}, "spec")
    return found


JOB = Strategy(
    prepare_create=_create,
    prepare_update=lambda new, old: _prepare(new),
    settle=_settle,
    validate=_validate,
    validate_change=_change,
    subresources=status_of(validate_job_status),
    warn=_warn,
    generation_of=lambda obj: obj.get("spec"),
)
