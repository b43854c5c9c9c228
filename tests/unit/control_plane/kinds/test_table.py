from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.builtin import builtin_resource
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.table import partial_metadata, table

_NOW = 1704067200.0 + 90  # 2024-01-01T00:01:30Z


def _crd(columns: list[JsonObject]) -> JsonObject:
    version = {
        "name": "v1", "served": True, "storage": True, "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }  # fmt: skip
    names = {"plural": "foos", "kind": "Foo"}
    return {"metadata": {}, "spec": {"group": "e.com", "scope": "Cluster", "names": names, "versions": [version]}}


def _cells(columns: list[JsonObject], obj: JsonObject) -> list[object]:
    resource = resource_from_crd(_crd(columns))
    obj = {"metadata": {"name": "a", "creationTimestamp": "2024-01-01T00:00:00Z"}, **obj}
    shown = table(resource, resource.versions[0], [obj], now=_NOW)
    cells: list[object] = shown["rows"][0]["cells"]
    return cells


def test_a_custom_kind_without_columns_shows_name_and_age() -> None:
    """Name and Age are the columns of whoever declares none."""
    assert _cells([], {}) == ["a", "90s"]


def test_values_are_shown_by_the_type_of_their_column() -> None:
    """A value of another type, and one that is absent, is shown as nothing."""
    columns: list[JsonObject] = [
        {"name": "T", "type": "string", "jsonPath": ".spec.text"},
        {"name": "N", "type": "integer", "jsonPath": ".spec.number"},
        {"name": "X", "type": "integer", "jsonPath": ".spec.text"},
        {"name": "L", "type": "string", "jsonPath": ".spec.list"},
        {"name": "B", "type": "boolean", "jsonPath": ".spec.flag"},
        {"name": "D", "type": "date", "jsonPath": ".spec.when"},
        {"name": "Z", "type": "string", "jsonPath": ".spec.missing"},
        {"name": "R", "type": "string", "jsonPath": '.spec.conditions[?(@.type=="Ready")].status'},
    ]
    spec = {
        "text": "a", "number": 3, "list": [1], "flag": False, "when": "2023-12-31T00:00:00Z",
        "conditions": [{"type": "Other", "status": "x"}, {"type": "Ready", "status": "True"}],
    }  # fmt: skip
    assert _cells(columns, {"spec": spec}) == ["a", "a", 3, None, "[1]", False, "24h", None, "True"]


def test_rows_carry_what_was_asked_for() -> None:
    """Rows hold metadata unless the whole object or nothing is wanted."""
    resource = resource_from_crd(_crd([]))
    obj = {"metadata": {"name": "a"}, "spec": {"x": 1}}
    by_choice = {
        choice: table(resource, resource.versions[0], [obj], choice, now=0)["rows"][0]["object"]
        for choice in (None, "Metadata", "Object", "None")
    }
    assert by_choice[None] == by_choice["Metadata"]
    assert by_choice["Metadata"]["kind"] == "PartialObjectMetadata"
    assert by_choice["Object"] == obj
    assert by_choice["None"] is None


def test_events_show_the_same_cells_by_either_name() -> None:
    """Cells of ``events.k8s.io`` come from the stored form."""
    stored = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "type": "Normal", "message": "m",
        "involvedObject": {"kind": "Pod", "name": "p"},
    }  # fmt: skip
    core, other = builtin_resource("", "events"), builtin_resource("events.k8s.io", "events")
    assert core is not None
    assert other is not None
    conversion = other.versions[0].conversion
    assert conversion is not None
    shown = table(other, other.versions[0], [conversion.from_storage(stored)], now=0)["rows"][0]
    assert shown["cells"] == table(core, core.versions[0], [stored], now=0)["rows"][0]["cells"]
    assert "pod/p" in shown["cells"]


def _built_in(group: str, plural: str, obj: JsonObject) -> list[object]:
    resource = builtin_resource(group, plural)
    assert resource is not None
    shown = table(resource, resource.versions[0], [{"metadata": {"name": "a"}, **obj}], now=_NOW)
    cells: list[object] = shown["rows"][0]["cells"]
    return cells


def test_addresses_name_what_they_belong_to() -> None:
    """The parent of an IPAddress is shown with its group and namespace."""
    parent = {"group": "Example.com", "resource": "things", "namespace": "ns", "name": "x"}
    assert (
        _built_in("networking.k8s.io", "ipaddresses", {"spec": {"parentRef": parent}})[1] == "things.example.com/ns/x"
    )
    del parent["group"], parent["namespace"]
    assert _built_in("networking.k8s.io", "ipaddresses", {"spec": {"parentRef": parent}})[1] == "things/x"


def test_bindings_of_policies_show_their_parameters() -> None:
    """By name, or by the selector in Go's words."""
    group, plural = "admissionregistration.k8s.io", "mutatingadmissionpolicybindings"
    spec: JsonObject = {"policyName": "p", "paramRef": {"name": "n"}}
    assert _built_in(group, plural, {"spec": spec})[1:3] == ["p", "*/n"]
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["x", "y"]}]}
    spec["paramRef"] = {"selector": selector}
    assert _built_in(group, plural, {"spec": spec})[2] == (
        "&LabelSelector{MatchLabels:map[string]string{a: b,},"
        "MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}"
    )


def test_metadata_alone_has_no_fields_that_annotations_carry() -> None:
    """What a version notes in annotations for its clients is no metadata."""
    noted = {"deprecated.daemonset.template.generation": "2"}
    alone = partial_metadata({"kind": "DaemonSet", "metadata": {"name": "a", "annotations": noted}})
    assert alone["metadata"] == {"name": "a"}
    kept = partial_metadata({"kind": "DaemonSet", "metadata": {"annotations": {**noted, "a": "b"}}})
    assert kept["metadata"] == {"annotations": {"a": "b"}}


def test_flow_schemas_come_in_the_order_in_which_they_match() -> None:
    """Not in that of their names."""
    resource = builtin_resource("flowcontrol.apiserver.k8s.io", "flowschemas")
    assert resource is not None
    given: list[JsonObject] = [
        {"metadata": {"name": name}, "spec": {"matchingPrecedence": at}} for name, at in (("a", 9), ("c", 1), ("b", 1))
    ]
    shown = table(resource, resource.versions[0], given, now=_NOW)
    assert [row["cells"][0] for row in shown["rows"]] == ["b", "c", "a"]
