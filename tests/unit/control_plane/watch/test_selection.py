"""Which objects a field selector shows."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.record import Version
from fairlead_control_plane.watch.selection import selection


def built_in(group: str, plural: str) -> Version:
    """Return the storage version of a built-in kind."""
    found = (one for one in builtin_resources("cluster") if (one.group, one.plural) == (group, plural))
    return next(found).storage_version


def custom() -> Version:
    """Return a version of a custom kind that can be selected by a boolean."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"unschedulable": {"type": "boolean"}}}},
    }
    version: JsonObject = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "selectableFields": [{"jsonPath": ".spec.unschedulable"}],
    }
    names = {"plural": "things", "kind": "Thing"}
    crd = {"spec": {"group": "a.b", "names": names, "scope": "Cluster", "versions": [version]}}
    return resource_from_crd({"metadata": {"name": "things.a.b"}, **crd}).storage_version


def shows(version: Version, selector: str, obj: JsonObject) -> bool:
    """Tell whether a selector shows an object."""
    return selection("", selector, version).matches({"metadata": {"name": "a"}, **obj})


@pytest.mark.parametrize(
    ("plural", "group", "selector", "obj"),
    [
        ("nodes", "", "spec.unschedulable=false", {"spec": {}}),
        ("nodes", "", "spec.unschedulable=true", {"spec": {"unschedulable": True}}),
        ("pods", "", "spec.hostNetwork=false", {"spec": {}}),
        ("pods", "", "spec.nodeName=", {"spec": {}}),
        ("jobs", "batch", "status.successful=0", {"status": {}}),
        ("jobs", "batch", "status.successful=2", {"status": {"succeeded": 2}}),
        ("replicationcontrollers", "", "status.replicas=0", {}),
        ("events", "events.k8s.io", "regarding.name=a", {"involvedObject": {"name": "a"}}),
        ("events", "events.k8s.io", "reportingController=a,type=", {"reportingComponent": "a"}),
        (
            "events",
            "",
            "involvedObject.name=a,source=b",
            {"involvedObject": {"name": "a"}, "source": {"component": "b"}},
        ),
    ],
)
def test_what_a_built_in_kind_leaves_out_reads_as_zero(plural: str, group: str, selector: str, obj: JsonObject) -> None:
    """Kubernetes selects by the Go value of a field (ToSelectableFields of each kind's strategy)."""
    assert shows(built_in(group, plural), selector, obj)


def test_what_a_custom_resource_leaves_out_reads_as_nothing() -> None:
    """Selectable fields of CRDs are read from the object as it is (KEP-4358)."""
    version = custom()
    assert not shows(version, "spec.unschedulable=false", {"spec": {}})
    assert shows(version, "spec.unschedulable=", {"spec": {}})
    assert shows(version, "spec.unschedulable=false", {"spec": {"unschedulable": False}})
