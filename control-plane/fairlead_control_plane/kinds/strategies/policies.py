"""
Volumes and claims, whose new statuses name a phase.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.strategies.generic import generic_strategy


<<<<<<< HEAD
def _volume_phase(obj: JsonObject) -> None:
    obj["status"] = {"phase": "Pending"}


def _with_phase(strategy: Strategy) -> Strategy:
    create = strategy.prepare_create
    assert create is not None

    def prepare_create(obj: JsonObject) -> None:
        create(obj)
        _volume_phase(obj)

    return replace(strategy, prepare_create=prepare_create)


VOLUME = _with_phase(generic_strategy("", "persistentvolumes", has_status=True))
CLAIM = _with_phase(generic_strategy("", "persistentvolumeclaims", has_status=True))
=======
def _autoscaler(obj: JsonObject) -> None:
    spec = obj.get("spec") or {}
    if not spec.get("metrics"):
        target: dict[str, Any] = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    up = behavior.setdefault("scaleUp", {})
    up.setdefault("stabilizationWindowSeconds", 0)
    up.setdefault("selectPolicy", "Max")
    if not up.get("policies"):
        up["policies"] = [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ]
    down = behavior.setdefault("scaleDown", {})
    down.setdefault("selectPolicy", "Max")
    if not down.get("policies"):
        down["policies"] = [{"type": "Percent", "value": 100, "periodSeconds": 15}]


def _with(strategy: Strategy, default: Any) -> Strategy:
    """Return a strategy that also applies ``default`` whenever an object is written."""
    create, update = strategy.prepare_create, strategy.prepare_update
    assert create is not None
    assert update is not None

    def prepare_create(obj: JsonObject) -> None:
        default(obj)
        create(obj)

    def prepare_update(new: JsonObject, old: JsonObject) -> None:
        default(new)
        update(new, old)

    return replace(strategy, prepare_create=prepare_create, prepare_update=prepare_update)


def _with_metrics(strategy: Strategy) -> Strategy:
    """Return a strategy whose statuses always name what is measured, be it nothing."""
    create = strategy.prepare_create
    assert create is not None

    def measured(obj: JsonObject) -> None:
        obj.setdefault("status", {}).setdefault("currentMetrics", None)

    def prepare_create(obj: JsonObject) -> None:
        create(obj)
        measured(obj)

    return replace(strategy, prepare_create=prepare_create, prepare_status=measured)


AUTOSCALER = _with_metrics(
    _with(generic_strategy("autoscaling", "horizontalpodautoscalers", has_status=True), _autoscaler)
)
>>>>>>> ba27e75 (wip)
