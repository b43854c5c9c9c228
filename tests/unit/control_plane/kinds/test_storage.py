from __future__ import annotations

from typing import Any

import pytest

from tests.unit.control_plane.in_process import MERGE, in_process

BASE = "/apis/storage.k8s.io/v1"


def found(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the causes of a refusal as field, reason and message."""
    assert answer["reason"] == "Invalid", answer
    return [
        (one["field"], one["reason"].removeprefix("FieldValue"), one["message"]) for one in answer["details"]["causes"]
    ]


def named(kind: str, **content: Any) -> dict[str, Any]:
    """Return an object of the group, called ``a``."""
    return {"apiVersion": "storage.k8s.io/v1", "kind": kind, "metadata": {"name": "a"}, **content}


@pytest.mark.parametrize(
    ("path", "body", "causes"),
    [
        ("storageclasses", named("StorageClass", provisioner="", reclaimPolicy="Recycle"), [
            ("provisioner", "Required", "Required value"),
            ("reclaimPolicy", "NotSupported", 'Unsupported value: "Recycle": supported values: "Delete", "Retain"'),
        ]),
        ("storageclasses", named("StorageClass", provisioner="a", allowedTopologies=[
            {"matchLabelExpressions": [{"key": "a", "values": ["b", "b"]}]},
            {"matchLabelExpressions": [{"key": "a", "values": ["b"]}]},
        ]), [
            ("allowedTopologies[0].matchLabelExpressions[0].values[1]", "Duplicate", 'Duplicate value: "b"'),
            ("allowedTopologies[1].matchLabelExpressions", "Duplicate", 'Duplicate value: ""'),
        ]),
        ("volumeattributesclasses", named("VolumeAttributesClass", driverName="a.b"),
         [("parameters", "Required", "Required value: must contain at least one key/value pair")]),
        ("csidrivers", named("CSIDriver", spec={
            "fsGroupPolicy": "Other", "nodeAllocatableUpdatePeriodSeconds": 9, "serviceAccountTokenInSecrets": True,
        }), [
            ("spec.fsGroupPolicy", "NotSupported",
             'Unsupported value: "Other": supported values: "File", "None", "ReadWriteOnceWithFSType"'),
            ("spec.nodeAllocatableUpdatePeriodSeconds", "Invalid",
             "Invalid value: 9: must be greater than or equal to 10 seconds"),
            ("spec.serviceAccountTokenInSecrets", "Invalid",
             "Invalid value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified"),
        ]),
        ("csinodes", named("CSINode", spec={"drivers": [{"name": "a", "nodeID": ""}, {"name": "a", "nodeID": "b"}]}), [
            ("spec.drivers[0].nodeID", "Required", "Required value"),
            ("spec.drivers[1].name", "Duplicate", 'Duplicate value: "a"'),
        ]),
        ("namespaces/default/csistoragecapacities",
         named("CSIStorageCapacity", storageClassName="fast", capacity="-1"),
         [("capacity", "Invalid", 'Invalid value: "-1": must be greater than or equal to 0')]),
        ("volumeattachments", named("VolumeAttachment", spec={"attacher": "a", "nodeName": "n", "source": {}}),
         [("spec.source", "Required",
           "Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName")]),
        ("volumeattachments", named("VolumeAttachment", spec={
            "attacher": "a", "nodeName": "n",
            "source": {"inlineVolumeSpec": {"accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/"}}},
        }), [("spec.source.inlineVolumeSpec.csi", "Required",
              "Required value: has to be specified in the context of inline volumes")]),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_as_kubernetes_tells_it(
    path: str, body: dict[str, Any], causes: list[tuple[str, str, str]]
) -> None:
    """Field, reason and message of each cause."""
    async with in_process() as api:
        assert found(await api.ask("POST", f"{BASE}/{path}", body)) == causes


@pytest.mark.parametrize(
    ("path", "body", "change", "causes"),
    [
        ("storageclasses", named("StorageClass", provisioner="a", parameters={"a": "b"}),
         {"parameters": {"a": "c"}},
         [("parameters", "Invalid", 'Invalid value: {"a":"c"}: field is immutable')]),
        ("volumeattributesclasses", named("VolumeAttributesClass", driverName="a.b", parameters={"a": "b"}),
         {"driverName": "c.d"}, [("driverName", "Forbidden", "Forbidden: updates to driverName are forbidden.")]),
        ("csidrivers", named("CSIDriver", spec={}), {"spec": {"attachRequired": False}},
         [("spec.attachedRequired", "Invalid", "Invalid value: false: field is immutable")]),
        ("csinodes", named("CSINode", spec={"drivers": [{"name": "a", "nodeID": "b"}]}),
         {"spec": {"drivers": [{"name": "a", "nodeID": "c"}]}},
         [("spec.drivers", "Invalid", 'Invalid value: {"Name":"a","NodeID":"c","TopologyKeys":null,'
           '"Allocatable":null}: field is immutable')]),
        ("namespaces/default/csistoragecapacities", named("CSIStorageCapacity", storageClassName="fast"),
         {"storageClassName": "slow"},
         [("storageClassName", "Invalid", 'Invalid value: "slow": field is immutable')]),
    ],
)  # fmt: skip
async def test_what_stays_is_told_as_kubernetes_tells_it(
    path: str, body: dict[str, Any], change: dict[str, Any], causes: list[tuple[str, str, str]]
) -> None:
    """Field, reason and message of each cause of an update."""
    async with in_process() as api:
        await api.ask("POST", f"{BASE}/{path}", body)
        assert found(await api.ask("PATCH", f"{BASE}/{path}/a", change, kind=MERGE)) == causes


async def test_a_drivers_generation_counts_from_its_first_change() -> None:
    """A new one has none."""
    async with in_process() as api:
        made = await api.ask("POST", f"{BASE}/csidrivers", named("CSIDriver", spec={}))
        assert "generation" not in made["metadata"]
        changed = await api.ask("PATCH", f"{BASE}/csidrivers/a", {"spec": {"requiresRepublish": True}}, kind=MERGE)
        assert changed["metadata"]["generation"] == 1


async def test_a_driver_with_tokens_is_warned_of_where_they_go() -> None:
    """Until it says that they go into secrets."""
    async with in_process() as api:
        body = named("CSIDriver", spec={"tokenRequests": [{"audience": "a"}]})
        response = await api.send("POST", f"{BASE}/csidrivers", body)
        assert response.code == 201
        (warning,) = response.warnings
        assert warning.startswith("spec.serviceAccountTokenInSecrets is unset; ")


async def test_an_attachment_changes_in_its_status_alone() -> None:
    """Labels do not change with it."""
    async with in_process() as api:
        spec = {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
        await api.ask("POST", f"{BASE}/volumeattachments", named("VolumeAttachment", spec=spec))
        change = {"metadata": {"labels": {"a": "b"}}, "status": {"attached": True}}
        answer = await api.ask("PATCH", f"{BASE}/volumeattachments/a/status", change, kind=MERGE)
        assert answer["status"] == {"attached": True}
        assert "labels" not in answer["metadata"]
        refused = await api.ask("PATCH", f"{BASE}/volumeattachments/a", {"spec": {"nodeName": "m"}}, kind=MERGE)
        assert [field for field, _, _ in found(refused)] == ["spec"]
