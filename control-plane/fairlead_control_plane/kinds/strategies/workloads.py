"""
Deployments, ReplicaSets and DaemonSets, and what other workloads share with them.

Source: k8s.io/kubernetes/pkg/apis/apps/{v1/defaults.go,validation/validation.go}, pkg/registry/apps/*/strategy.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy, Subresource, Writer
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.counts import counted, status_of
from fairlead_control_plane.kinds.strategies.metadata import IMMUTABLE, non_negative
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod_spec, drop_what_is_off
from fairlead_control_plane.kinds.strategies.pod_spec import validate_template
from fairlead_control_plane.kinds.strategies.pod_warnings import name_warnings, template_warnings
from fairlead_control_plane.kinds.strategies.selectors import (
    compiled,
    is_empty,
    selector_cause,
    validate_selector,
)

Defaults = Callable[[JsonObject], None]
Warn = Callable[[JsonObject, JsonObject | None], Sequence[str]]


def template_of(spec: JsonObject) -> JsonObject:
    """Return the pod template of a workload's spec, made where it is missing."""
    template: JsonObject = spec.setdefault("template", {})
    return template


def default_deployment(spec: JsonObject) -> None:
    """Fill in the update strategy of a Deployment's spec, in place."""
    _default_rolling(spec, "strategy", "25%", "25%")


def _default_daemon_set(spec: JsonObject) -> None:
    _default_rolling(spec, "updateStrategy", 1, 0)


def _default_rolling(spec: JsonObject, field: str, unavailable: Any, surge: Any) -> None:
    strategy = spec.get(field)
    if strategy is None:
        strategy = spec[field] = {}
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", unavailable)
        rolling.setdefault("maxSurge", surge)


def prepared(defaults: Defaults) -> Callable[[JsonObject], None]:
    """Return what fills in a workload's defaults and brings it into shape."""

    def prepare(obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        defaults(spec)
        default_pod_spec(template_of(spec).setdefault("spec", {}))
        normalise(obj)

    return prepare


def created(prepare: Callable[[JsonObject], None], status: JsonObject) -> Callable[[JsonObject], None]:
    """Return what prepares a new workload, whose status says nothing yet."""

    def prepare_create(obj: JsonObject) -> None:
        prepare(obj)
        obj["status"] = dict(status)

    return prepare_create


def settle_template(new: JsonObject, old: JsonObject | None) -> None:
    """Take out of a workload's template what belongs to features that are off."""
    del old
    drop_what_is_off(((new.get("spec") or {}).get("template") or {}).get("spec") or {})


def warned(*, of_name: bool = True) -> Warn:
    """Return what warns of a workload's name and template; of the latter again whenever the workload changes."""

    def warn(new: JsonObject, old: JsonObject | None) -> list[str]:
        found = name_warnings(new) if of_name and old is None else []
        if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
            found += template_warnings((new.get("spec") or {}).get("template") or {}, "spec.template")
        return found

    return warn


def validate_selected(spec: JsonObject, path: str, kind: str) -> list[Cause]:
    """Check a workload's own selector, which must say something."""
    selector = spec.get("selector")
    if selector is None:
        return [wrong.required(f"{path}.selector")]
    causes = validate_selector(selector, f"{path}.selector")
    if is_empty(selector):
        causes.append(wrong.invalid(f"{path}.selector", selector, f"empty selector is invalid for {kind}"))
    return causes


def unmatched(spec: JsonObject, labels: Mapping[str, str] | None, path: str) -> list[Cause]:
    """Return the cause where a selector, if it can be read, does not select the template's labels."""
    selector = compiled(spec.get("selector"))
    if selector is None or selector.matches(labels):
        return []
    text = "`selector` does not match template `labels`"
    return [wrong.invalid(f"{path}.template.metadata.labels", labels, text)]


def labels_of(spec: JsonObject) -> Mapping[str, str] | None:
    """Return the labels of a workload's template."""
    found: Mapping[str, str] | None = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    return found


def always_running(spec: JsonObject, path: str, kind: str) -> list[Cause]:
    """Check that pods of a workload are to run for good; ``spec`` is the template's."""
    causes: list[Cause] = []
    if spec.get("restartPolicy") != "Always":
        causes.append(wrong.not_supported(f"{path}.restartPolicy", spec.get("restartPolicy", ""), ["Always"]))
    if spec.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        causes.append(wrong.forbidden(f"{path}.activeDeadlineSeconds", text))
    return causes


def validate_replicated(spec: JsonObject, path: str = "spec") -> list[Cause]:
    """Check what Deployments and ReplicaSets share: replicas, selector, template."""
    causes = non_negative(spec.get("replicas"), f"{path}.replicas")
    causes += validate_selected(spec, path, "deployment")
    if compiled(spec.get("selector")) is None:
        return [*causes, selector_cause(f"{path}.selector", spec.get("selector"), "invalid label selector")]
    template = spec.get("template") or {}
    causes += unmatched(spec, labels_of(spec), path)
    causes += validate_template(template, f"{path}.template")
    return causes + always_running(template.get("spec") or {}, f"{path}.template.spec", "ReplicaSet")


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
    at = f"{path}.rollingUpdate"
    if kind == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [] if rolling is None else [wrong.forbidden(at, text)]
    if kind != "RollingUpdate":
        return [_unknown_strategy(strategy, path, ("Recreate", "RollingUpdate"))]
    unavailable, surge = (rolling or {}).get("maxUnavailable", 0), (rolling or {}).get("maxSurge", 0)
    causes = int_or_percent(unavailable, f"{at}.maxUnavailable") + int_or_percent(surge, f"{at}.maxSurge")
    if not amount(unavailable) and not amount(surge):
        causes.append(wrong.invalid(f"{at}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return causes + at_most_all(unavailable, f"{at}.maxUnavailable")


def _unknown_strategy(strategy: JsonObject, path: str, known: Sequence[str]) -> Cause:
    """Kubernetes shows its internal struct here, not the user's object."""
    rolling = strategy.get("rollingUpdate")
    parts = rolling and {"MaxUnavailable": rolling.get("maxUnavailable", 0), "MaxSurge": rolling.get("maxSurge", 0)}
    shown = json.dumps({"Type": strategy.get("type", ""), "RollingUpdate": parts}, separators=(",", ":"))
    listed = ", ".join(wrong.quoted(one) for one in known)
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {listed}", path)


def int_or_percent(value: Any, path: str) -> list[Cause]:
    """Check a number or a percentage."""
    if isinstance(value, str):
        return [wrong.invalid(path, value, text) for text in validation.percent(value)]
    return non_negative(value, path)


def amount(value: Any) -> int:
    """Return the number in a number or a percentage; 0 where there is none."""
    if isinstance(value, int):
        return value
    digits = str(value).removesuffix("%")
    return int(digits) if digits.isdecimal() else 0


def at_most_all(value: Any, path: str) -> list[Cause]:
    """Check that a percentage is no more than the whole."""
    if isinstance(value, str) and value.endswith("%") and amount(value) > 100:
        return [wrong.invalid(path, value, "must not be greater than 100%")]
    return []


def _replica_set(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    return validate_replicated(spec) + non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")


def _daemon_set(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    causes = validate_selector(spec.get("selector"), "spec.selector")
    causes += unmatched(spec, labels_of(spec), "spec")
    if spec.get("selector") is not None and is_empty(spec["selector"]):
        causes.append(wrong.invalid("spec.selector", spec["selector"], "empty selector is invalid for daemonset"))
    causes += validate_template(template, "spec.template")
    causes += always_running(template.get("spec") or {}, "spec.template.spec", "DaemonSet")
    causes += non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    causes += _daemon_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    return causes + non_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")


def _daemon_strategy(strategy: JsonObject, path: str) -> list[Cause]:
    kind, rolling, at = strategy.get("type"), strategy.get("rollingUpdate"), f"{path}.rollingUpdate"
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        return [_unknown_strategy(strategy, path, ("RollingUpdate", "OnDelete"))]
    if rolling is None:
        return [wrong.required(at)]
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    pairs = ((unavailable, f"{at}.maxUnavailable"), (surge, f"{at}.maxSurge"))
    causes = [cause for check in (int_or_percent, at_most_all) for pair in pairs for cause in check(*pair)]
    if amount(unavailable) and amount(surge):
        causes.append(wrong.invalid(f"{at}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    elif not amount(unavailable) and not amount(surge):
        causes.append(wrong.required(f"{at}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return causes


def _same_selector(new: JsonObject, old: JsonObject) -> list[Cause]:
    selector, before = (new.get("spec") or {}).get("selector"), (old.get("spec") or {}).get("selector")
    return [] if selector == before else [selector_cause("spec.selector", selector, IMMUTABLE)]


def _nothing(spec: JsonObject) -> None:
    del spec


def _spec_of(obj: JsonObject) -> object:
    return obj.get("spec")


def _workload(
    defaults: Defaults,
    validate: Callable[[JsonObject], list[Cause]],
    status: JsonObject,
    subresources: Mapping[str, Subresource],
    generation_of: Callable[[JsonObject], object] = _spec_of,
) -> Strategy:
    prepare = prepared(defaults)
    return Strategy(
        prepare_create=created(prepare, status),
        prepare_update=lambda new, old: prepare(new),
        settle=settle_template,
        validate=validate,
        validate_update=_same_selector,
        subresources=subresources,
        warn=warned(),
        generation_of=generation_of,
    )


_READY = "readyReplicas"
_DEPLOYMENT_PARTS = ("updatedReplicas", "readyReplicas", "availableReplicas")
_SET_PARTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
SET_COUNTS = ("replicas", *_SET_PARTS, "observedGeneration", "terminatingReplicas")
SET_STATUS = status_of(counted(SET_COUNTS, _SET_PARTS, _READY))
"""Of ReplicaSets and ReplicationControllers."""
_DAEMON_COUNTS = (
    "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
    "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
)  # fmt: skip

DEPLOYMENT = _workload(
    default_deployment,
    _deployment,
    {},
    status_of(
        counted(
            (
                "observedGeneration", "replicas", *_DEPLOYMENT_PARTS, "unavailableReplicas", "terminatingReplicas",
                "collisionCount",
            ),
            _DEPLOYMENT_PARTS,
            _READY,
        )
    ),
    # Annotations count too: the controller copies them to its ReplicaSets.
    lambda obj: (obj.get("spec"), obj["metadata"].get("annotations") or {}),
)  # fmt: skip
REPLICA_SET = _workload(_nothing, _replica_set, {"replicas": 0}, SET_STATUS)

_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_EMPTY_DAEMON_STATUS = {
    "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
}  # fmt: skip


def _generation(obj: JsonObject) -> int:
    """Return how often a DaemonSet's template changed, which an annotation shows to clients of old."""
    text = (obj["metadata"].get("annotations") or {}).get(_TEMPLATE_GENERATION, "")
    return int(text) if text.removeprefix("-").isdecimal() else 0


def _tell_generation(obj: JsonObject, count: int) -> None:
    annotations = obj["metadata"].get("annotations")
    if annotations is None:
        annotations = obj["metadata"]["annotations"] = {}
    annotations[_TEMPLATE_GENERATION] = str(count)


_prepare_daemon_set = prepared(_default_daemon_set)


def _prepare_daemons(obj: JsonObject) -> None:
    _prepare_daemon_set(obj)
    _tell_generation(obj, _generation(obj))


def _settle_daemons(new: JsonObject, old: JsonObject | None) -> None:
    """Count the changes of the template; who sent another count owns it all the same."""
    settle_template(new, old)
    if old is None:
        _tell_generation(new, max(_generation(new), 1))
        return
    has_changed = new["spec"].get("template") != (old.get("spec") or {}).get("template")
    _tell_generation(new, _generation(old) + has_changed)


def _keep_generation(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    del writer
    _tell_generation(new, _generation(old))


def _warn_daemons(new: JsonObject, old: JsonObject | None) -> list[str]:
    if old is not None and _generation(new) == _generation(old):
        return []
    return template_warnings((new.get("spec") or {}).get("template") or {}, "spec.template")


DAEMON_SET = Strategy(
    prepare_create=created(_prepare_daemons, _EMPTY_DAEMON_STATUS),
    prepare_update=lambda new, old: _prepare_daemons(new),
    settle=_settle_daemons,
    validate=_daemon_set,
    validate_update=_same_selector,
    subresources=status_of(counted(_DAEMON_COUNTS), _keep_generation),
    warn=_warn_daemons,
    generation_of=_spec_of,
)
