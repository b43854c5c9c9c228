"""What objects count for against a quota."""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_control_plane.admission.usage import measure_of
from fairlead_control_plane.kinds.builtin import builtin_resource

_COUNT = "count/resourceclaims.resource.k8s.io"


def _usage(*requests: JsonObject) -> dict[str, str]:
    kind = builtin_resource("resource.k8s.io", "resourceclaims")
    assert kind is not None
    found = measure_of(kind, lambda: 0.0).usage({"metadata": {}, "spec": {"devices": {"requests": list(requests)}}})
    return {name: str(amount) for name, amount in found.items()}


def _asked(name: str, count: int | None = None) -> JsonObject:
    mode = {"allocationMode": "All"} if count is None else {"allocationMode": "ExactCount", "count": count}
    return {"name": "one", "deviceClassName": name, **mode}


def test_a_resource_claim_counts_devices_by_class() -> None:
    """All of a class count for the most that can be given."""
    found = _usage({"exactly": _asked("gold", 2)}, {"exactly": _asked("gold", 1)}, {"exactly": _asked("tin")})
    devices = ".deviceclass.resource.k8s.io/devices"
    assert found == {_COUNT: "1", f"gold{devices}": "3", f"tin{devices}": "32"}


def test_of_alternatives_the_most_of_each_class_counts() -> None:
    """Any of them may be what is given."""
    alternatives = [_asked("gold", 2), _asked("gold", 1), _asked("tin", 4)]
    found = _usage({"firstAvailable": alternatives}, {"exactly": _asked("tin", 1)})
    devices = ".deviceclass.resource.k8s.io/devices"
    assert found == {_COUNT: "1", f"gold{devices}": "2", f"tin{devices}": "5"}


def test_a_claim_without_devices_counts_itself() -> None:
    """Nothing else."""
    assert _usage() == {_COUNT: "1"}
