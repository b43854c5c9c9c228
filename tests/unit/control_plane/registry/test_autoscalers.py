"""HorizontalPodAutoscalers through both of their versions."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_api import JsonObject
from tests.unit.control_plane.in_process import MERGE, NAMESPACES, Api, in_process, known

_V1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
_V2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process([NAMESPACES, known("autoscaling", "horizontalpodautoscalers")]) as running:
        yield running


def _autoscaler(version: str, **spec: object) -> JsonObject:
    head = {"apiVersion": f"autoscaling/{version}", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    return {**head, "spec": {"scaleTargetRef": target, "maxReplicas": 3, **spec}}


async def test_a_v1_object_is_stored_as_v2(api: Api) -> None:
    """V1's percentage is v2's metric, 80 where nothing is said."""
    made = await api.ask("POST", _V1, _autoscaler("v1"))
    assert made["spec"]["targetCPUUtilizationPercentage"] == 80
    stored = await api.ask("GET", f"{_V2}/a")
    assert stored["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    assert stored["status"] == {"currentMetrics": None, "desiredReplicas": 0}
    listed = await api.ask("GET", _V1)
    assert (listed["apiVersion"], listed["items"][0]["spec"]["minReplicas"]) == ("autoscaling/v1", 1)


async def test_a_patch_in_v1_keeps_what_v1_does_not_know(api: Api) -> None:
    """Metrics that v1 only carries survive a patch, and each version's managers are told in its own fields."""
    memory = {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 30}}
    await api.ask("POST", _V2, _autoscaler("v2", metrics=[{"type": "Resource", "resource": memory}]))
    await api.ask("PATCH", f"{_V1}/a", {"spec": {"targetCPUUtilizationPercentage": 20}}, kind=MERGE)
    stored = await api.ask("GET", f"{_V2}/a")
    assert [one["resource"]["name"] for one in stored["spec"]["metrics"]] == ["memory", "cpu"]
    fields = {entry["apiVersion"]: entry["fieldsV1"] for entry in stored["metadata"]["managedFields"]}
    assert fields["autoscaling/v1"]["f:spec"] == {"f:targetCPUUtilizationPercentage": {}}
    assert "f:metrics" not in fields["autoscaling/v2"]["f:spec"]
    assert fields["autoscaling/v2"]["f:spec"]["f:scaleTargetRef"] == {"f:apiVersion": {}, "f:kind": {}, "f:name": {}}


async def test_a_body_in_the_other_version_is_refused(api: Api) -> None:
    """The path says the version."""
    answer = await api.ask("POST", _V1, _autoscaler("v2"))
    assert answer["message"] == (
        "the API version in the data (autoscaling/v2) does not match the expected API version (autoscaling/v1)"
    )
