"""What is wrong with custom resources, and what may stay wrong."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.custom_content import finalizer_warnings, problems
from fairlead_control_plane.kinds.record import Version
from fairlead_control_plane.kinds.strategies import embedded

_ANY = {"x-kubernetes-preserve-unknown-fields": True}
_EMBEDDED = {"type": "object", "x-kubernetes-embedded-resource": True, **_ANY}
_CONDITION = {"type": "object", "properties": {"type": {"type": "string"}, "n": {"type": "integer", "maximum": 5}}}
_KEYED = {
    "type": "array", "items": _CONDITION, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
}  # fmt: skip
_SPEC = {
    "type": "object",
    "properties": {
        "count": _ANY, "n": {"type": "integer", "maximum": 5}, "keyed": _KEYED, "inner": _EMBEDDED,
        "map": {"type": "object", "additionalProperties": {"type": "integer", "maximum": 5}},
    },
}  # fmt: skip
_STATUS = {"type": "object", "properties": {"count": _ANY, "phase": {"type": "string"}}}


def _version() -> Version:
    scale = {"specReplicasPath": ".spec.count", "statusReplicasPath": ".status.count"}
    version = {
        "name": "v1", "served": True, "storage": True, "subresources": {"status": {}, "scale": scale},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}}},
    }  # fmt: skip
    spec = {"group": "a.b", "scope": "Cluster", "names": {"plural": "xs", "kind": "X"}, "versions": [version]}
    return resource_from_crd({"metadata": {"name": "xs.a.b"}, "spec": spec}).storage_version


VERSION = _version()


def _found(new: JsonObject, old: JsonObject | None = None, *, of_status: bool = False) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in problems(VERSION, new, old, of_status=of_status)]


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (-1, "Invalid value: -1: should be a non-negative integer"),
        (2**31, "Invalid value: 2147483648: should be less than or equal to 2147483647"),
        ("x", "Invalid value: 0: .spec.count accessor error: x is of the type string, expected int64"),
        ([], "Invalid value: 0: .spec.count accessor error: [] is of the type []interface {}, expected int64"),
    ],
)
def test_replicas_of_a_scale(count: object, message: str) -> None:
    """What a scale reads must be a number of replicas, whatever the schema says."""
    assert _found({"spec": {"count": count}}) == [f".spec.count: {message}"]


def test_scale_without_replicas() -> None:
    """A field that is not there counts as none."""
    assert _found({}) == []
    assert _found({"spec": {}, "status": {"count": 3}}) == []


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ({"n": 9}, {"n": 9, "map": {"a": 1}}, []),
        ({"n": 9}, {"n": 8}, ["spec.n"]),
        ({"map": {"a.b": 9}}, {"map": {"a.b": 9, "c": 7}}, ["spec.map.c"]),
        ({"keyed": [{"type": "a", "n": 9}]}, {"keyed": [{"type": "b", "n": 8}, {"type": "a", "n": 9}]}, ["spec.keyed[0].n"]),  # noqa: E501
        ({"keyed": [{"type": "a", "n": 9}]}, {"keyed": [{"type": "a", "n": 8}]}, ["spec.keyed[0].n"]),
        ({"keyed": [{"type": "a"}, {"type": "a"}]}, {"keyed": [{"type": "b"}, {"type": "b"}]}, []),
    ],
)  # fmt: skip
def test_what_was_wrong_before_may_stay(old: JsonObject, new: JsonObject, fields: list[str]) -> None:
    """An update is refused for what it makes wrong; items of keyed lists are found by their keys."""
    found = problems(VERSION, {"spec": new}, {"spec": old})
    assert [cause.field for cause in found] == fields


def test_status_is_judged_alone() -> None:
    """A write of the status is not refused for the rest, and messages name fields from the status on."""
    new = {"spec": {"n": 9}, "status": {"phase": 5}}
    expected = 'status.phase: Invalid value: "integer": phase in body must be of type string: "integer"'
    assert _found(new, {"spec": {"n": 9}}, of_status=True) == [expected]


@pytest.mark.parametrize(
    ("inner", "messages"),
    [
        ({}, ["spec.inner.apiVersion: Required value", "spec.inner.kind: Required value"]),
        ({"apiVersion": "a/b/c", "kind": "Pod"}, ["spec.inner.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c"]),  # noqa: E501
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A_B", "labels": {"x": "y"}}}, []),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a/b"}}, ["spec.inner.metadata.name: Invalid value: \"a/b\": may not contain '/'"]),  # noqa: E501
    ],
)  # fmt: skip
def test_embedded_objects_are_validated(inner: JsonObject, messages: list[str]) -> None:
    """What is embedded names its kind and version, and has good metadata."""
    assert _found({"spec": {"inner": inner}}) == messages


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ({"apiVersion": 5}, "spec.inner.apiVersion: Invalid value: 5: must be a string"),
        ({"metadata": "x"}, 'spec.inner.metadata: Invalid value: "x": json: cannot unmarshal string into Go value of type v1.ObjectMeta'),  # noqa: E501
    ],
)  # fmt: skip
def test_embedded_objects_are_decoded(inner: JsonObject, text: str) -> None:
    """Wrong types in their metadata are mistakes of the body."""
    assert embedded.coerce(VERSION.schema(), {"spec": {"inner": inner}}) == text


def test_embedded_metadata_is_brought_into_shape() -> None:
    """It has the shape that a round trip through ObjectMeta gives it."""
    obj: JsonObject = {
        "spec": {"inner": {"metadata": {"labels": {"a": None}, "annotations": {}, "creationTimestamp": None}}}
    }
    assert embedded.coerce(VERSION.schema(), obj) is None
    assert obj["spec"]["inner"]["metadata"] == {"labels": {"a": ""}}


def test_finalizers_without_a_domain() -> None:
    """New finalizers that others may use too are warned of."""
    end = "to avoid accidental conflicts with other finalizer writers"
    new = {"metadata": {"finalizers": ["old", "a.b", "x", "orphan", "a.b/c"]}}
    assert finalizer_warnings(new, {"metadata": {"finalizers": ["old"]}}) == [
        f'metadata.finalizers: "a.b": prefer a domain-qualified finalizer name including a path (/) {end}',
        f'metadata.finalizers: "x": prefer a domain-qualified finalizer name {end}',
    ]
