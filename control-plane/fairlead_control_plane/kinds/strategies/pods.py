"""
Pods and PodTemplates.

Source: k8s.io/kubernetes/pkg/registry/core/pod/strategy.go, pkg/apis/core/validation/validation.go (ValidatePodCreate).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy, Subresource, Writer
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.containers import untrimmed_image
from fairlead_control_plane.kinds.strategies.pod_annotations import (
    APP_ARMOR,
    MIRROR,
    app_armor_field,
    validate_annotation_changes,
    validate_pod_annotations,
    validate_profiles_match,
)
from fairlead_control_plane.kinds.strategies.pod_changes import validate_pod_change
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod, default_pod_spec, drop_what_is_off
from fairlead_control_plane.kinds.strategies.pod_parts import (
    prepare_ephemeral_containers,
    prepare_resize,
    validate_ephemeral_change,
    validate_resize,
)
from fairlead_control_plane.kinds.strategies.pod_spec import validate_pod_spec, validate_template
from fairlead_control_plane.kinds.strategies.pod_status import (
    prepare_pod_status,
    settle_pod_status,
    status_warnings,
    validate_pod_status,
)
from fairlead_control_plane.kinds.strategies.pod_warnings import name_warnings, pod_warnings, template_warnings
from fairlead_control_plane.kinds.strategies.resources import quality_of_service
from fairlead_control_plane.kinds.strategies.security_contexts import app_armor_profile, containers_of
from fairlead_schema.fieldset import EMPTY

_FINISHED = {"Failed", "Succeeded"}
_AFFINITIES = ("podAffinity", "podAntiAffinity")
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def _prepare_create(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    default_pod(spec)
    normalise(obj)
    obj["status"] = {"phase": "Pending", "qosClass": quality_of_service(spec)}


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    del old
    default_pod(new.setdefault("spec", {}))
    normalise(new)


def _sign(obj: JsonObject, writer: Writer) -> None:
    """Tell since when a pod with gates waits for them."""
    if (obj.get("spec") or {}).get("schedulingGates"):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": writer.now,
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
        obj["status"]["conditions"] = [condition]


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    """Write into a new pod what its labels and annotations say of it; nobody owns that."""
    spec = new.get("spec") or {}
    drop_what_is_off(spec)
    if old is not None:
        return
    labels, annotations = new["metadata"].get("labels") or {}, new["metadata"].get("annotations") or {}
    for kind in _AFFINITIES:
        affinity = (spec.get("affinity") or {}).get(kind) or {}
        for weighted in affinity.get(_PREFERRED) or ():
            _match_labels(weighted.get("podAffinityTerm") or {}, labels)
        for term in affinity.get(_REQUIRED) or ():
            _match_labels(term, labels)
    for constraint in spec.get("topologySpreadConstraints") or ():
        _match_labels(constraint, labels)
    if any(key.startswith(APP_ARMOR) for key in annotations) and (spec.get("os") or {}).get("name") != "windows":
        _profiles(spec, annotations)


def _match_labels(term: JsonObject, labels: Mapping[str, str]) -> None:
    selector = term.get("labelSelector")
    if selector is None:
        return
    for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")):
        for key in term.get(field) or ():
            if key in labels:
                one = {"key": key, "operator": operator, "values": [labels[key]]}
                selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), one]


def _profiles(spec: JsonObject, annotations: Mapping[str, str]) -> None:
    whole = (spec.get("securityContext") or {}).get("appArmorProfile")
    for _, container in containers_of(spec, ""):
        annotation = annotations.get(APP_ARMOR + (container.get("name") or ""))
        context = container.get("securityContext") or {}
        if annotation is None or context.get("appArmorProfile") is not None:
            continue
        profile = app_armor_field(annotation)
        if profile is not None and profile != whole and not app_armor_profile(profile, ""):
            container["securityContext"] = {**context, "appArmorProfile": profile}


def _validate(obj: JsonObject) -> list[Cause]:
    """Return what is wrong with a new pod."""
    spec, annotations = obj.get("spec") or {}, obj["metadata"].get("annotations") or {}
    causes = _content(obj)
    if annotations:
        causes += validate_pod_annotations(annotations, spec, "metadata.annotations")
        causes += validate_profiles_match(annotations, spec, "spec")
    if spec.get("ephemeralContainers"):
        causes.append(wrong.forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        causes.append(wrong.forbidden("spec.nodeName", text))
    return causes


def _content(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = validate_pod_spec(spec, metadata=obj["metadata"])
    if not spec.get("serviceAccountName"):
        text = "must not be specified when serviceAccountName is not set"
        causes += [
            wrong.forbidden(f"spec.volumes[{i}].projected.sources[{j}].serviceAccountToken", text)
            for i, volume in enumerate(spec.get("volumes") or ())
            for j, source in enumerate((volume.get("projected") or {}).get("sources") or ())
            if source.get("serviceAccountToken") is not None
        ]
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            causes += untrimmed_image(container, f"spec.{field}[{index}]")
    return causes


def _change(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = _content(new) + validate_annotation_changes(new, old)
    causes += validate_pod_change(new.get("spec") or {}, old.get("spec") or {})
    return causes


def _ephemeral_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return [wrong.forbidden("", "static pods do not support ephemeral containers")]
    causes = _content(new) + validate_annotation_changes(new, old)
    return causes + validate_ephemeral_change(new, old)


def _resize(new: JsonObject, old: JsonObject) -> list[Cause]:
    return _content(new) + validate_resize(new, old)


def _warn(new: JsonObject, old: JsonObject | None) -> Sequence[str]:
    if old is not None:
        return ()
    return name_warnings(new, "the Pod's hostname") + pod_warnings(new.get("spec") or {}, new["metadata"])


def _graceful_s(obj: JsonObject, asked_s: int | None) -> int:
    spec = obj.get("spec") or {}
    period: int = asked_s if asked_s is not None else spec.get("terminationGracePeriodSeconds") or 0
    if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in _FINISHED:
        return 0
    # A negative period means: at once, but through the kubelet.
    return 1 if period < 0 else period


def _prepare_template(obj: JsonObject) -> None:
    default_pod_spec(obj.setdefault("template", {}).setdefault("spec", {}))
    normalise(obj)


def _settle_template(new: JsonObject, old: JsonObject | None) -> None:
    del old
    drop_what_is_off(new["template"]["spec"])


def _warn_of_template(new: JsonObject, old: JsonObject | None) -> Sequence[str]:
    if old is not None and new["metadata"].get("generation") == old["metadata"].get("generation"):
        return ()
    return template_warnings(new.get("template") or {}, "template")


POD = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    sign=_sign,
    settle=_settle,
    validate=_validate,
    validate_change=_change,
    subresources={
        "status": Subresource(
            prepare=prepare_pod_status, settle=settle_pod_status, validate=validate_pod_status, warn=status_warnings
        ),
        "ephemeralcontainers": Subresource(prepare_ephemeral_containers, _ephemeral_change, EMPTY),
        "resize": Subresource(prepare_resize, _resize, EMPTY),
    },
    warn=_warn,
    generation_of=lambda obj: obj.get("spec"),
    graceful_s=_graceful_s,
)
POD_TEMPLATE = Strategy(
    prepare_create=_prepare_template,
    prepare_update=lambda new, old: _prepare_template(new),
    settle=_settle_template,
    validate=lambda obj: validate_template(obj.get("template") or {}, "template"),
    warn=_warn_of_template,
    generation_of=lambda obj: obj.get("template"),
)
