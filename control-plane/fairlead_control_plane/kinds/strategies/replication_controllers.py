"""
ReplicationControllers.

Source: k8s.io/kubernetes/pkg/apis/core/{v1/defaults.go,validation/validation.go},
pkg/registry/core/replicationcontroller.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.selectors import from_map
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import non_negative
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod_spec
from fairlead_control_plane.kinds.strategies.pod_spec import validate_template
from fairlead_control_plane.kinds.strategies.pod_warnings import name_warnings, template_warnings
from fairlead_control_plane.kinds.strategies.workloads import SET_STATUS, always_running, labels_of, settle_template


def _prepare(obj: JsonObject) -> None:
    """Take the selector and labels from the template, when it has none of its own."""
    spec = obj.setdefault("spec", {})
    labels = labels_of(spec)
    if labels:
        spec["selector"] = spec.get("selector") or dict(labels)
        metadata = obj["metadata"]
        metadata["labels"] = metadata.get("labels") or dict(labels)
    if (template := spec.get("template")) is not None:
        default_pod_spec(template.setdefault("spec", {}))
    normalise(obj)


def _create(obj: JsonObject) -> None:
    _prepare(obj)
    obj["status"] = {"replicas": 0}


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    selector, template = spec.get("selector") or {}, spec.get("template")
    causes = non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    causes += [] if selector else [wrong.required("spec.selector")]
    replicas = spec.get("replicas")
    causes += [wrong.required("spec.replicas")] if replicas is None else non_negative(replicas, "spec.replicas")
    if template is None:
        return [*causes, wrong.required("spec.template")]
    labels = labels_of(spec)
    if selector and not from_map(selector).matches(labels):
        text = "`selector` does not match template `labels`"
        causes.append(wrong.invalid("spec.template.metadata.labels", labels, text))
    causes += validate_template(template, "spec.template")
    return causes + always_running(template.get("spec") or {}, "spec.template.spec", "ReplicationController")


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    found = name_warnings(new) if old is None else []
    if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
        # Of an update Kubernetes looks at what was there before.
        template = ((old or new).get("spec") or {}).get("template") or {}
        found += template_warnings(template, "spec.template")
    return found


REPLICATION_CONTROLLER = Strategy(
    prepare_create=_create,
    prepare_update=lambda new, old: _prepare(new),
    settle=settle_template,
    validate=_validate,
    subresources=SET_STATUS,
    warn=_warn,
    generation_of=lambda obj: obj.get("spec"),
)
