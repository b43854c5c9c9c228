from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.shape import normalise


def _pod(**spec: object) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}


def test_empty_values_without_a_pointer_are_dropped() -> None:
    """``hostNetwork: false`` and empty lists and maps do not survive a round trip, pointers do."""
    pod = _pod(hostNetwork=False, nodeSelector={}, volumes=[], hostname="", shareProcessNamespace=False, priority=0)
    normalise(pod)
    assert pod["spec"] == {"shareProcessNamespace": False, "priority": 0, "containers": None}


def test_structs_stay_even_when_empty() -> None:
    """A struct that is no pointer is always shown."""
    pod = _pod(containers=[{"name": "a", "resources": {}, "securityContext": {}, "env": None}])
    normalise(pod)
    assert pod["spec"]["containers"] == [{"name": "a", "resources": {}, "securityContext": {}}]


@pytest.mark.parametrize(("given_", "stored"), [("1000m", "1"), (0.5, "500m"), (2, "2"), ("1024Mi", "1Gi"), ("x", "x")])
def test_quantities_become_canonical(given_: object, stored: str) -> None:
    """Amounts are stored as Kubernetes writes them; what is none is left for the schema to refuse."""
    pod = _pod(containers=[{"name": "a", "resources": {"limits": {"cpu": given_}}}])
    normalise(pod)
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"cpu": stored}


def test_times_are_stored_in_utc_seconds() -> None:
    """Times with an offset or a fraction are brought to UTC seconds, micro times to six digits."""
    lease: JsonObject = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "a", "creationTimestamp": "2024-01-01T02:00:00.5+02:00"},
        "spec": {"renewTime": "2024-01-01T00:00:00.5Z"},
    }
    normalise(lease)
    assert lease["metadata"]["creationTimestamp"] == "2024-01-01T00:00:00Z"
    assert lease["spec"]["renewTime"] == "2024-01-01T00:00:00.500000Z"


def test_unknown_kinds_are_left_alone() -> None:
    """Custom resources keep every value as it came."""
    obj = {"apiVersion": "example.com/v1", "kind": "Pod", "spec": {"a": None, "b": ""}}
    before = copy.deepcopy(obj)
    normalise(obj)
    assert obj == before


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["name", "containers", "volumes", "resources", "limits", "cpu", "env", "ports"]), inner
        )
    ),
    max_leaves=8,
)


@given(_VALUES)
def test_a_second_pass_changes_nothing(spec: object) -> None:
    """Shaping is idempotent, also on nonsense."""
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": spec}
    normalise(pod)
    once = copy.deepcopy(pod)
    normalise(pod)
    assert pod == once
