"""
Volumes and claims, whose new statuses name a phase.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.strategies.generic import generic_strategy


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
