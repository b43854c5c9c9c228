from __future__ import annotations

from typing import Any

import pytest

from fairlead_control_plane.kinds.strategies.metadata import validate_metadata, validate_metadata_update


def _fields(metadata: dict[str, Any], *, namespaced: bool = False) -> list[str]:
    return [cause.field for cause in validate_metadata({"metadata": metadata}, namespaced=namespaced)]


@pytest.mark.parametrize(
    ("metadata", "fields"),
    [
        ({"name": "a"}, []),
        ({}, ["metadata.name"]),
        ({"name": "A"}, ["metadata.name"]),
        ({"name": "a", "generateName": "a-"}, []),
        ({"name": "a", "generateName": "A-"}, ["metadata.generateName"]),
        ({"name": "a", "namespace": "b"}, ["metadata.namespace"]),
        ({"name": "a", "labels": {"a b": "c", "d": "e f"}}, ["metadata.labels", "metadata.labels"]),
        ({"name": "a", "annotations": {"UPPER/x": "any value"}}, []),
        ({"name": "a", "annotations": {"a": "x" * 262_144}}, ["metadata.annotations"]),
        ({"name": "a", "finalizers": ["orphan", "foregroundDeletion"]}, ["metadata.finalizers"]),
        ({"name": "a", "managedFields": [{"operation": "X"}]}, ["metadata.managedFields[0].operation"]),
    ],
)
def test_new_metadata_is_checked(metadata: dict[str, Any], fields: list[str]) -> None:
    """Names, labels, annotations, finalizers and scope follow Kubernetes' rules."""
    assert _fields(metadata) == fields


def test_namespaced_kinds_need_a_namespace() -> None:
    """A missing namespace is required, a malformed one invalid."""
    assert _fields({"name": "a"}, namespaced=True) == ["metadata.namespace"]
    assert _fields({"name": "a", "namespace": "A"}, namespaced=True) == ["metadata.namespace"]


def test_only_one_owner_controls() -> None:
    """Two controlling owners are refused with both names."""
    owners = [{"apiVersion": "v1", "kind": "X", "name": n, "uid": n, "controller": True} for n in ("a", "b")]
    causes = validate_metadata({"metadata": {"name": "a", "ownerReferences": owners}}, namespaced=False)
    assert len(causes) == 1
    assert causes[0].message.endswith('Found "true" in references for X/a and X/b')


def test_identity_cannot_change() -> None:
    """Name, namespace, uid and times of an object are fixed; finalizers only go while it is deleted."""
    old = {"metadata": {"name": "a", "uid": "1", "deletionTimestamp": "t", "finalizers": ["x/y"]}}
    new = {"metadata": {"name": "b", "uid": "2", "resourceVersion": "1", "finalizers": ["x/y", "z/z"]}}
    causes = validate_metadata_update(new, old)
    assert [cause.field for cause in causes] == [
        "metadata.finalizers", "metadata.name", "metadata.uid", "metadata.deletionTimestamp",
    ]  # fmt: skip
    assert causes[0].message.endswith('found new finalizers []string{"z/z"}')
