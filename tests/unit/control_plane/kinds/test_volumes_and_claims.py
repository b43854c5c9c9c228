from __future__ import annotations

from typing import Any

import pytest

from fairlead_api.request import SYSTEM
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.record import Writer
from tests.unit.control_plane.in_process import MERGE, in_process, known

VOLUMES = "/api/v1/persistentvolumes"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"


def volume(**spec: Any) -> dict[str, Any]:
    """Return a volume on its node's disk, but for ``spec``."""
    whole = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/a"}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "a"}, "spec": whole}


def claim(**spec: Any) -> dict[str, Any]:
    """Return a claim to one gibibyte, but for ``spec``."""
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"}, "spec": whole}


def found(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the causes of a refusal as field, reason and message."""
    assert answer["reason"] == "Invalid", answer
    return [
        (one["field"], one["reason"].removeprefix("FieldValue"), one["message"]) for one in answer["details"]["causes"]
    ]


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"capacity": {}}, [
            ("spec.capacity", "Required", "Required value"),
            ("spec.capacity", "NotSupported", 'Unsupported value: null: supported values: "storage"'),
        ]),
        ({"capacity": {"storage": "-1"}}, [
            ("spec.capacity[storage]", "Invalid", "Invalid value: -1: must be a valid resource quantity"),
            ("spec.capacity[storage]", "Invalid", 'Invalid value: "-1": must be greater than zero'),
        ]),
        ({"hostPath": None}, [("spec", "Required", "Required value: must specify a volume type")]),
        ({"nfs": {"server": "a", "path": "/a"}},
         [("spec.nfs", "Forbidden", "Forbidden: may not specify more than 1 volume type")]),
        ({"hostPath": None, "local": {"path": "/a"}},
         [("spec.nodeAffinity", "Required", "Required value: Local volume requires node affinity")]),
        ({"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"},
         [("spec.persistentVolumeReclaimPolicy", "Forbidden",
           "Forbidden: may not be 'recycle' for a hostPath mount of '/'")]),
        ({"volumeAttributesClassName": "quick"},
         [("spec.csi", "Required", "Required value: has to be specified when using volumeAttributesClassName")]),
        ({"hostPath": None, "csi": {"driver": "a.b", "volumeHandle": "v", "nodeExpandSecretRef": {"name": "k"}}},
         [("spec.csi.nodeExpandSecretRef.namespace", "Required", "Required value")]),
        ({"hostPath": None, "iscsi": {"targetPortal": "1.2.3.4", "iqn": "other", "chapAuthSession": True}},
         [("spec.iscsi.iqn", "Invalid", 'Invalid value: "other": must be valid format'),
          ("spec.iscsi.secretRef", "Required", "Required value")]),
    ],
)  # fmt: skip
async def test_a_volume_is_refused_in_kubernetes_words(
    spec: dict[str, Any], causes: list[tuple[str, str, str]]
) -> None:
    """Field, reason and message of each cause."""
    async with in_process() as api:
        assert found(await api.ask("POST", VOLUMES, volume(**spec))) == causes


async def test_a_volumes_source_stays() -> None:
    """The difference is told in the words of Kubernetes' own structs."""
    async with in_process() as api:
        await api.ask("POST", VOLUMES, volume())
        answer = await api.ask("PATCH", f"{VOLUMES}/a", {"spec": {"hostPath": {"path": "/b"}}}, kind=MERGE)
    ((field, reason, message),) = found(answer)
    assert (field, reason) == ("spec.persistentvolumesource", "Forbidden")
    assert message.startswith("Forbidden: spec.persistentvolumesource is immutable after creation\n@@ -2,7 +2,7 @@\n")
    assert '-  "Path": "/a",\n+  "Path": "/b",\n' in message


async def test_a_volume_says_since_when_it_is_in_its_phase() -> None:
    """From its creation, and anew whenever the phase changes."""
    async with in_process() as api:
        made = await api.ask("POST", VOLUMES, volume())
        assert made["status"] == {
            "phase": "Pending",
            "lastPhaseTransitionTime": made["metadata"]["creationTimestamp"],
        }
    settle = known("", "persistentvolumes").strategy.subresources["status"].settle
    assert settle is not None

    old = {"status": {"phase": "Pending", "lastPhaseTransitionTime": "2024-01-01T00:00:00Z"}}
    same: dict[str, Any] = {"status": {"phase": "Pending"}}
    settle(same, old, Writer(SYSTEM, "2024-01-02T00:00:00Z"))
    assert same["status"]["lastPhaseTransitionTime"] == "2024-01-01T00:00:00Z"
    other: dict[str, Any] = {"status": {"phase": "Available", "lastPhaseTransitionTime": "2024-01-01T00:00:00Z"}}
    settle(other, old, Writer(SYSTEM, "2024-01-02T00:00:00Z"))
    assert other["status"]["lastPhaseTransitionTime"] == "2024-01-02T00:00:00Z"


async def test_a_claim_grows_when_it_is_bound_and_is_else_as_it_was() -> None:
    """Its volume is named once; all the rest stays."""
    async with in_process() as api:
        await api.ask("POST", CLAIMS, claim())
        more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        ((field, reason, message),) = found(await api.ask("PATCH", f"{CLAIMS}/a", more, kind=MERGE))
        assert (field, reason) == ("spec", "Forbidden")
        assert message.startswith(
            "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName"
            " for bound claims\n@@ -6,7 +6,7 @@\n"
        )
        assert '-   "storage": "1Gi"\n+   "storage": "2Gi"\n' in message
        named = await api.ask("PATCH", f"{CLAIMS}/a", {"spec": {"volumeName": "v"}}, kind=MERGE)
        assert named["spec"]["volumeName"] == "v"
        status = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
        await api.ask("PATCH", f"{CLAIMS}/a/status", status, kind=MERGE)
        grown = await api.ask("PATCH", f"{CLAIMS}/a", more, kind=MERGE)
        assert grown["spec"]["resources"] == {"requests": {"storage": "2Gi"}}
        less = {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}
        assert found(await api.ask("PATCH", f"{CLAIMS}/a", less, kind=MERGE)) == [
            ("spec.resources.requests.storage", "Forbidden", "Forbidden: field can not be less than status.capacity")
        ]


async def test_both_ways_to_name_a_claims_source_say_the_same() -> None:
    """What only the newer one can say is dropped from the older."""
    async with in_process() as api:
        source = {"kind": "PersistentVolumeClaim", "name": "b"}
        made = await api.ask("POST", CLAIMS, claim(dataSource=source))
        assert made["spec"]["dataSourceRef"] == {"apiGroup": None, **source}
        body = claim(dataSource={"apiGroup": "example.com", "kind": "Own", "name": "b"})
        other = await api.ask("POST", CLAIMS, {**body, "metadata": {"name": "b"}})
        assert "dataSource" not in other["spec"]


async def test_a_claims_status_names_storage_alone() -> None:
    """And states of resizing that there are."""
    async with in_process() as api:
        await api.ask("POST", CLAIMS, claim())
        status = {"status": {"allocatedResourceStatuses": {"storage": "Other"}, "allocatedResources": {"cpu": "1"}}}
        states = (
            '"ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", '
            '"NodeResizeInfeasible", "NodeResizePending"'
        )
        answer = found(await api.ask("PATCH", f"{CLAIMS}/a/status", status, kind=MERGE))
    words = ", ".join(sorted(states.split(", ")))
    assert answer == [
        ("status.allocatedResourceStatuses", "NotSupported",
         f'Unsupported value: "storage": supported values: {words}'),
        ("status.allocatedResources", "NotSupported", 'Unsupported value: "cpu": supported values: "storage"'),
    ]  # fmt: skip


def test_volumes_are_shown_with_all_their_members() -> None:
    """Missing ones as Go's zero values, those of the source among the others."""
    shown = shown_as("core.PersistentVolumeSpec", {"cephfs": {"monitors": ["a"]}, "accessModes": ["ReadWriteOnce"]})
    assert shown.startswith('{"Capacity":null,"GCEPersistentDisk":null,')
    assert '"CephFS":{"Monitors":["a"],"Path":"","User":"","SecretFile":"","SecretRef":null,"ReadOnly":false}' in shown
