"""Which objects a field selector shows."""

from __future__ import annotations

import re

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.watch.selection import selection


def built_in(group: str, plural: str) -> Resource:
    """Return a built-in kind."""
    return next(one for one in builtin_resources("cluster") if (one.group, one.plural) == (group, plural))


def custom() -> Resource:
    """Return a custom kind that can be selected by a boolean."""
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
    return resource_from_crd({"metadata": {"name": "things.a.b"}, **crd})


def shows(resource: Resource, selector: str, obj: JsonObject) -> bool:
    """Tell whether a selector shows an object."""
    return selection("", selector, resource.storage_version, resource).matches({"metadata": {"name": "a"}, **obj})


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
    thing = custom()
    assert not shows(thing, "spec.unschedulable=false", {"spec": {}})
    assert shows(thing, "spec.unschedulable=", {"spec": {}})
    assert shows(thing, "spec.unschedulable=false", {"spec": {"unschedulable": False}})


@pytest.mark.parametrize(
    ("resource", "field", "message"),
    [
        (custom(), "metadata.namespace", "field label not supported: metadata.namespace"),
        (built_in("", "nodes"), "metadata.namespace", "field label not supported: metadata.namespace"),
        (built_in("batch", "jobs"), "spec.x", 'field label "spec.x" not supported for Job'),
        (
            built_in("resource.k8s.io", "resourceslices"),
            "spec.x",
            "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.x",
        ),
    ],
)
def test_what_cannot_be_selected_by(resource: Resource, field: str, message: str) -> None:
    """Kinds with a selection of their own name what they do not know in their own words."""
    with pytest.raises(BadRequest, match=re.escape(message)):
        selection("", f"{field}=a", resource.storage_version, resource)
