"""
Deployments, ReplicaSets, DaemonSets, StatefulSets and ReplicationControllers.

Source: k8s.io/kubernetes/pkg/apis/apps/{v1/defaults.go,validation/validation.go}, pkg/registry/apps/*/strategy.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import IMMUTABLE, non_negative
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod_spec
from fairlead_control_plane.kinds.strategies.pod_spec import validate_template
from fairlead_control_plane.kinds.strategies.selectors import (
    compiled,
    is_empty,
    selector_cause,
    validate_selector,
)

_STATEFUL_FIXED = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
_STATEFUL_UPDATABLE = (
    "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'"
)
Defaults = Callable[[JsonObject], None]


def _template_of(spec: JsonObject) -> JsonObject:
    template: JsonObject = spec.setdefault("template", {})
    return template


def default_deployment(spec: JsonObject) -> None:
    """Fill in the update strategy of a Deployment's spec, in place."""
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _default_daemon_set(spec: JsonObject) -> None:
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def _default_stateful_set(spec: JsonObject) -> None:
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        claim.setdefault("status", {}).setdefault("phase", "Pending")


def _prepare(defaults: Defaults) -> Callable[[JsonObject], None]:
    def prepare(obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        defaults(spec)
        default_pod_spec(_template_of(spec).setdefault("spec", {}))
        normalise(obj)

    return prepare


def _prepare_create(defaults: Defaults, status: JsonObject) -> Callable[[JsonObject], None]:
    prepare = _prepare(defaults)

    def prepare_create(obj: JsonObject) -> None:
        prepare(obj)
        obj["status"] = dict(status)

    return prepare_create


def validate_replicated(spec: JsonObject, path: str = "spec") -> list[Cause]:
    """Check what Deployments and ReplicaSets share: replicas, selector, template."""
    causes = non_negative(spec.get("replicas"), f"{path}.replicas")
    causes += _selector(spec, path, "deployment")
    causes += _matching_template(spec, path)
    return causes


def _selector(spec: JsonObject, path: str, kind: str) -> list[Cause]:
    selector = spec.get("selector")
    if selector is None:
        return [wrong.required(f"{path}.selector")]
    causes = validate_selector(selector, f"{path}.selector")
    if is_empty(selector):
        causes.append(wrong.invalid(f"{path}.selector", selector, f"empty selector is invalid for {kind}"))
    return causes


def _matching_template(spec: JsonObject, path: str) -> list[Cause]:
    selector, template = compiled(spec.get("selector")), spec.get("template") or {}
    if selector is None:
        return [selector_cause(f"{path}.selector", spec.get("selector"), "invalid label selector")]
    labels = (template.get("metadata") or {}).get("labels")
    causes: list[Cause] = []
    if not selector.is_everything and not selector.matches(labels):
        text = "`selector` does not match template `labels`"
        causes.append(wrong.invalid(f"{path}.template.metadata.labels", labels, text))
    causes += validate_template(template, f"{path}.template")
    return causes + _always_running(template.get("spec") or {}, f"{path}.template.spec")


def _always_running(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if spec.get("restartPolicy") != "Always":
        causes.append(wrong.not_supported(f"{path}.restartPolicy", spec.get("restartPolicy", ""), ["Always"]))
    if spec.get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in ReplicaSet is not Supported"
        causes.append(wrong.forbidden(f"{path}.activeDeadlineSeconds", text))
    return causes


def _deployment(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = validate_replicated(spec)
    causes += _strategy(spec.get("strategy") or {}, "spec.strategy")
    causes += non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    causes += non_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        causes += non_negative(deadline, "spec.progressDeadlineSeconds")
        if deadline <= (spec.get("minReadySeconds") or 0):
            text = "must be greater than minReadySeconds"
            causes.append(wrong.invalid("spec.progressDeadlineSeconds", deadline, text))
    return causes


def _strategy(strategy: JsonObject, path: str) -> list[Cause]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is None:
            return []
        return [wrong.forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
    if kind != "RollingUpdate":
        return [_unknown_strategy(strategy, path)]
    at = f"{path}.rollingUpdate"
    unavailable, surge = (rolling or {}).get("maxUnavailable", 0), (rolling or {}).get("maxSurge", 0)
    causes = _int_or_percent(unavailable, f"{at}.maxUnavailable") + _int_or_percent(surge, f"{at}.maxSurge")
    if not _amount(unavailable) and not _amount(surge):
        causes.append(wrong.invalid(f"{at}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return causes + _at_most_all(unavailable, f"{at}.maxUnavailable")


def _unknown_strategy(strategy: JsonObject, path: str) -> Cause:
    """Kubernetes shows its internal struct here, not the user's object."""
    rolling = strategy.get("rollingUpdate")
    parts = rolling and {"MaxUnavailable": rolling.get("maxUnavailable", 0), "MaxSurge": rolling.get("maxSurge", 0)}
    shown = json.dumps({"Type": strategy.get("type", ""), "RollingUpdate": parts}, separators=(",", ":"))
    message = f'Unsupported value: {shown}: supported values: "Recreate", "RollingUpdate"'
    return Cause("FieldValueNotSupported", message, path)


def _int_or_percent(value: Any, path: str) -> list[Cause]:
    if isinstance(value, str):
        return [wrong.invalid(path, value, text) for text in validation.percent(value)]
    return non_negative(value, path)


def _amount(value: Any) -> int:
    if isinstance(value, int):
        return value
    digits = str(value).removesuffix("%")
    return int(digits) if digits.isdigit() else 0


def _at_most_all(value: Any, path: str) -> list[Cause]:
    if isinstance(value, str) and value.endswith("%") and _amount(value) > 100:
        return [wrong.invalid(path, value, "must not be greater than 100%")]
    return []


def _replica_set(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    return validate_replicated(spec) + non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")


def _daemon_set(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = validate_selector(spec.get("selector"), "spec.selector")
    selector, template = compiled(spec.get("selector")), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if selector is not None and not selector.is_everything and not selector.matches(labels):
        text = "`selector` does not match template `labels`"
        causes.append(wrong.invalid("spec.template.metadata.labels", labels, text))
    if spec.get("selector") is not None and is_empty(spec["selector"]):
        causes.append(wrong.invalid("spec.selector", spec["selector"], "empty selector is invalid for daemonset"))
    causes += validate_template(template, "spec.template")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy != "Always":
        causes.append(wrong.not_supported("spec.template.spec.restartPolicy", policy or "", ["Always"]))
    causes += non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    return causes + non_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")


def _stateful_set(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = non_negative(spec.get("replicas"), "spec.replicas")
    causes += non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    policy = spec.get("podManagementPolicy")
    if policy not in {"OrderedReady", "Parallel"}:
        text = "must be 'OrderedReady' or 'Parallel'"
        causes.append(wrong.invalid("spec.podManagementPolicy", policy, text))
    causes += _selector(spec, "spec", "statefulset")
    return causes + _matching_template(spec, "spec")


def _stateful_set_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if all(spec.get(field) == before.get(field) for field in _STATEFUL_FIXED):
        return []
    text = f"updates to statefulset spec for fields other than {_STATEFUL_UPDATABLE} are forbidden"
    return [wrong.forbidden("spec", text)]


def _same_selector(new: JsonObject, old: JsonObject) -> list[Cause]:
    selector, before = (new.get("spec") or {}).get("selector"), (old.get("spec") or {}).get("selector")
    return [] if selector == before else [selector_cause("spec.selector", selector, IMMUTABLE)]


def _default_controller(obj: JsonObject) -> None:
    """Take a ReplicationController's selector and labels from its template, when it has none."""
    spec = obj.setdefault("spec", {})
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        spec["selector"] = spec.get("selector") or dict(labels)
        metadata = obj["metadata"]
        metadata["labels"] = metadata.get("labels") or dict(labels)
    default_pod_spec(_template_of(spec).setdefault("spec", {}))
    normalise(obj)


def _create_controller(obj: JsonObject) -> None:
    _default_controller(obj)
    obj["status"] = {"replicas": 0}


def _nothing(spec: JsonObject) -> None:
    del spec


def _strategy_of(
    defaults: Defaults,
    validate: Callable[[JsonObject], list[Cause]],
    status: JsonObject,
    *,
    validate_update: Callable[[JsonObject, JsonObject], list[Cause]] = _same_selector,
    generation_of: Callable[[JsonObject], object] = lambda obj: obj.get("spec"),
) -> Strategy:
    prepare = _prepare(defaults)
    return Strategy(
        prepare_create=_prepare_create(defaults, status),
        prepare_update=lambda new, old: prepare(new),
        validate=validate,
        validate_update=validate_update,
        generation_of=generation_of,
    )


DEPLOYMENT = _strategy_of(
    default_deployment,
    _deployment,
    {},
    # Annotations count too: the controller copies them to its ReplicaSets.
    generation_of=lambda obj: (obj.get("spec"), obj["metadata"].get("annotations") or {}),
)
REPLICA_SET = _strategy_of(_nothing, _replica_set, {"replicas": 0})
_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _count_templates(strategy: Strategy) -> Strategy:
    """Keep the annotation by which old clients follow a DaemonSet's template."""
    create, update = strategy.prepare_create, strategy.prepare_update
    assert create is not None
    assert update is not None

    def prepare_create(obj: JsonObject) -> None:
        create(obj)
        obj["metadata"].setdefault("annotations", {})[_TEMPLATE_GENERATION] = "1"

    def prepare_update(new: JsonObject, old: JsonObject) -> None:
        update(new, old)
        written = (old["metadata"].get("annotations") or {}).get(_TEMPLATE_GENERATION, "")
        count = int(written) if written.isdecimal() else 1
        has_changed = new["spec"].get("template") != (old.get("spec") or {}).get("template")
        new["metadata"].setdefault("annotations", {})[_TEMPLATE_GENERATION] = str(count + has_changed)

    return replace(strategy, prepare_create=prepare_create, prepare_update=prepare_update)


_DAEMON_SET = _strategy_of(
    _default_daemon_set,
    _daemon_set,
    {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0},
)
DAEMON_SET = _count_templates(_DAEMON_SET)
STATEFUL_SET = _strategy_of(
    _default_stateful_set,
    _stateful_set,
    {"replicas": 0, "availableReplicas": 0},
    validate_update=_stateful_set_update,
)
REPLICATION_CONTROLLER = Strategy(
    prepare_create=_create_controller,
    prepare_update=lambda new, old: _default_controller(new),
    generation_of=lambda obj: obj.get("spec"),
)
