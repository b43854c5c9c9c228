"""
StatefulSets.

Source: k8s.io/kubernetes/pkg/apis/apps/{v1/defaults.go,validation/validation.go}, pkg/registry/apps/statefulset.
"""

from __future__ import annotations

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.strategies.claim_specs import validate_claim_spec
from fairlead_control_plane.kinds.strategies.counts import counted, status_of
from fairlead_control_plane.kinds.strategies.metadata import (
    non_negative,
    validate_annotations,
    validate_labels,
)
from fairlead_control_plane.kinds.strategies.pod_annotations import validate_pod_annotations
from fairlead_control_plane.kinds.strategies.pod_spec import validate_template
from fairlead_control_plane.kinds.strategies.pod_warnings import template_warnings
from fairlead_control_plane.kinds.strategies.selectors import compiled, selector_cause
from fairlead_control_plane.kinds.strategies.volume_warnings import claim_warnings
from fairlead_control_plane.kinds.strategies.workloads import (
    always_running,
    created,
    labels_of,
    prepared,
    settle_template,
    unmatched,
    validate_selected,
)

_FIXED = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
_UPDATABLE = (
    "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'"
)
_POLICIES = ("OrderedReady", "Parallel")
_RETENTIONS = ("Retain", "Delete")
_PARTS = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")


def _default(spec: JsonObject) -> None:
    strategy = spec.get("updateStrategy")
    if strategy is None:
        strategy = spec["updateStrategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    rolling = strategy.get("rollingUpdate")
    if rolling is not None and strategy["type"] == "RollingUpdate":
        rolling.setdefault("partition", 0)
    retention = spec.get("persistentVolumeClaimRetentionPolicy")
    if retention is None:
        retention = spec["persistentVolumeClaimRetentionPolicy"] = {}
    for field in ("whenDeleted", "whenScaled"):
        retention[field] = retention.get(field) or "Retain"
    for claim in spec.get("volumeClaimTemplates") or ():
        claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
        status = claim.setdefault("status", {})
        status["phase"] = status.get("phase") or "Pending"


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    settle_template(new, old)
    rolling = new["spec"]["updateStrategy"].get("rollingUpdate")
    if rolling is not None:
        rolling.pop("maxUnavailable", None)  # a feature that is off


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = _own(spec)
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        causes += validate_claim_spec(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")
    if name := spec.get("serviceName"):
        causes += [wrong.invalid("spec.serviceName", name, text) for text in validation.dns1123_label(name)]
    return causes + _template(spec, checks_pods=True)


def _own(spec: JsonObject) -> list[Cause]:
    policy = spec.get("podManagementPolicy")
    causes: list[Cause] = []
    if not policy:
        causes.append(wrong.required("spec.podManagementPolicy"))
    elif policy not in _POLICIES:
        text = "must be 'OrderedReady' or 'Parallel'"
        causes.append(wrong.invalid("spec.podManagementPolicy", policy, text))
    causes += _strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    for field, value in (spec.get("persistentVolumeClaimRetentionPolicy") or {}).items():
        if value not in _RETENTIONS:
            at = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
            causes.append(wrong.not_supported(at, value, _RETENTIONS))
    causes += non_negative(spec.get("replicas"), "spec.replicas")
    causes += non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    causes += non_negative((spec.get("ordinals") or {}).get("start"), "spec.ordinals.start")
    return causes + validate_selected(spec, "spec", "statefulset")


def _strategy(strategy: JsonObject, path: str) -> list[Cause]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    shown = None if rolling is None else {"Partition": rolling.get("partition", 0), "MaxUnavailable": None}
    at = f"{path}.rollingUpdate"
    if not kind:
        return [wrong.required(path)]
    if kind == "OnDelete":
        text = "only allowed for updateStrategy 'RollingUpdate'"
        return [] if rolling is None else [_shown(at, shown, text)]
    if kind == "RollingUpdate":
        return non_negative((rolling or {}).get("partition"), f"{at}.partition")
    return [_shown(path, {"Type": kind, "RollingUpdate": shown}, "must be 'RollingUpdate' or 'OnDelete'")]


def _shown(path: str, value: JsonObject | None, text: str) -> Cause:
    """Return the cause of a wrong value that is shown with its members in their own order."""
    return Cause("FieldValueInvalid", f"Invalid value: {wrong.shown_in_order(value)}: {text}", path)


def _template(spec: JsonObject, *, checks_pods: bool) -> list[Cause]:
    template = spec.get("template") or {}
    pods, metadata = template.get("spec") or {}, template.get("metadata") or {}
    causes: list[Cause] = []
    if compiled(spec.get("selector")) is None:
        causes.append(selector_cause("spec.selector", spec.get("selector"), ""))
    else:
        causes += unmatched(spec, labels_of(spec), "spec")
        if checks_pods:
            causes += validate_template({**template, "spec": _as_made(pods, spec)}, "spec.template")
        causes += validate_labels(metadata.get("labels"), "spec.template.labels")
        causes += validate_annotations(metadata.get("annotations"), "spec.template.annotations")
        causes += validate_pod_annotations(metadata.get("annotations") or {}, pods, "spec.template.annotations")
    return causes + always_running(pods, "spec.template.spec", "StatefulSet")


def _as_made(pods: JsonObject, spec: JsonObject) -> JsonObject:
    """Return the pod spec with what the controller gives pods: their own names, and volumes of their own claims."""
    claims = {(claim.get("metadata") or {}).get("name") or "" for claim in spec.get("volumeClaimTemplates") or ()}
    if not claims and not pods.get("hostname") and not pods.get("subdomain"):
        return pods
    made = {key: value for key, value in pods.items() if key not in {"hostname", "subdomain"}}
    if claims:
        own = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in sorted(claims)]
        made["volumes"] = own + [one for one in pods.get("volumes") or () if (one.get("name") or "") not in claims]
    return made


def _change(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Check an update: what cannot change may stay as it is even if it is wrong by now."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    causes = _own(spec)
    is_sound = spec.get("template") == before.get("template") or not _template(before, checks_pods=True)
    causes += _template(spec, checks_pods=is_sound)
    if any(spec.get(field) != before.get(field) for field in _FIXED):
        text = f"updates to statefulset spec for fields other than {_UPDATABLE} are forbidden"
        causes.append(wrong.forbidden("spec", text))
    return causes


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    spec = new.get("spec") or {}
    found: list[str] = []
    if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
        found += template_warnings(spec.get("template") or {}, "spec.template")
    # Kubernetes calls a claim's place otherwise in updates.
    end = "" if old is None else ".Spec"
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        found += claim_warnings(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}]{end}")
    if (spec.get("revisionHistoryLimit") or 0) < 0:
        text = "a negative value retains all historical revisions; a value >= 0 is recommended"
        found.append(f"spec.revisionHistoryLimit: {text}")
    return found


_prepare = prepared(_default)
STATEFUL_SET = Strategy(
    prepare_create=created(_prepare, {"replicas": 0, "availableReplicas": 0}),
    prepare_update=lambda new, old: _prepare(new),
    settle=_settle,
    validate=_validate,
    validate_change=_change,
    validate_name=validation.dns1123_label,
    subresources=status_of(
        counted(("replicas", *_PARTS, "observedGeneration", "collisionCount"), _PARTS, "status.readyReplicas")
    ),
    warn=_warn,
    generation_of=lambda obj: obj.get("spec"),
)
