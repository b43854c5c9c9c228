"""Eviction of pods, and apply on /scale."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_api import JsonObject
from tests.unit.control_plane.in_process import APPLY, MERGE, STRATEGIC, Api, in_process

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
RUNNING = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
CONTAINERS = [{"name": "a", "image": "a"}]
DEPLOYMENT = {
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": CONTAINERS}},
    },
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process() as made:
        yield made


async def evict(api: Api, name: str) -> tuple[int, str]:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    response = await api.send("POST", f"{PODS}/{name}/eviction", body)
    return response.code, response.body.decode()


async def test_a_budget_holds_a_running_pod_until_it_allows_one(api: Api) -> None:
    """Kubernetes' 429 names the budget; the eviction that is allowed is noted in it."""
    pod = {"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"containers": CONTAINERS}}
    assert (await api.send("POST", PODS, pod)).code == 201
    await api.ask("PATCH", f"{PODS}/p/status", {"status": RUNNING}, kind=MERGE)
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    await api.ask("POST", BUDGETS, {"metadata": {"name": "b"}, "spec": spec})
    status = {"observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 1, "currentHealthy": 1}
    await api.ask("PATCH", f"{BUDGETS}/b/status", {"status": status}, kind=MERGE)
    code, text = await evict(api, "p")
    assert code == 429
    assert "violate the pod's disruption budget" in text
    await api.ask("PATCH", f"{BUDGETS}/b/status", {"status": {"disruptionsAllowed": 1}}, kind=MERGE)
    assert (await evict(api, "p"))[0] == 201
    left = (await api.ask("GET", f"{BUDGETS}/b"))["status"]
    assert left["disruptionsAllowed"] == 0
    assert list(left["disruptedPods"]) == ["p"]


async def test_only_a_pod_that_is_there_can_be_evicted(api: Api) -> None:
    """Under its own name."""
    assert (await evict(api, "none"))[0] == 404


async def test_replicas_applied_through_scale_are_that_managers(api: Api) -> None:
    """Another one meets a conflict until it forces; the rest of the object stays."""
    await api.ask("POST", DEPLOYMENTS, DEPLOYMENT, fieldManager="maker")
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 4}}
    path = f"{DEPLOYMENTS}/d/scale"
    assert (await api.send("PATCH", path, scale, kind=APPLY, fieldManager="scaler", force="true")).code == 200
    other = {**scale, "spec": {"replicas": 7}}
    refused = await api.send("PATCH", path, other, kind=APPLY, fieldManager="other")
    assert (refused.code, b'conflict with \\"scaler\\"' in refused.body) == (409, True)
    assert (await api.send("PATCH", path, other, kind=APPLY, fieldManager="other", force="true")).code == 200
    found = await api.ask("GET", f"{DEPLOYMENTS}/d")
    assert found["spec"]["replicas"] == 7
    owners = {each["manager"]: each.get("subresource") for each in found["metadata"]["managedFields"]}
    assert owners == {"maker": None, "other": "scale"}


async def test_a_scale_is_patched_as_a_scale_by_each_patch_type(api: Api) -> None:
    """A strategic merge patch knows the type of what it patches, which is the Scale and not the object behind it."""
    await api.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    for replicas, kind in enumerate((MERGE, STRATEGIC), 3):
        patch = {"metadata": {}, "spec": {"replicas": replicas}, "status": {"replicas": 0}}
        found = await api.ask("PATCH", f"{DEPLOYMENTS}/d/scale", patch, kind=kind)
        assert (found["kind"], found["spec"]["replicas"]) == ("Scale", replicas)
    other = {"kind": "Deployment", "apiVersion": "apps/v1", "spec": {"replicas": 9}}
    assert (await api.send("PATCH", f"{DEPLOYMENTS}/d/scale", other, kind=MERGE)).code == 422
    assert (await api.send("PATCH", f"{DEPLOYMENTS}/d/scale", other, kind=STRATEGIC)).code == 200
    unknown = {"spec": {"$setElementOrder/containers": [{"name": "a"}]}}
    answer = await api.ask("PATCH", f"{DEPLOYMENTS}/d/scale", unknown, kind=STRATEGIC)
    assert answer["message"] == 'unable to find api field in struct ScaleSpec for the json field "containers"'


_SCALE = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({**_SCALE, "spec": {"replicas": "3"}}, 400, 'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32'),  # noqa: E501
        ({**_SCALE, "apiVersion": "autoscaling/v2"}, 400, 'Scale in version "v2" cannot be handled as a Scale: no kind "Scale" is registered for version "autoscaling/v2" in scheme "pkg/runtime/scheme.go:111"'),  # noqa: E501
        ({**_SCALE, "metadata": {}}, 400, "the name of the object (d based on URL) was undeterminable: name must be provided"),  # noqa: E501
        ({**_SCALE, "spec": {"replicas": -1}}, 422, 'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'),  # noqa: E501
    ],
)  # fmt: skip
async def test_a_scale_is_decoded_like_any_kind(api: Api, body: JsonObject, code: int, message: str) -> None:
    """What is no Scale is refused in the words of its Go type."""
    await api.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    answer = await api.ask("PUT", f"{DEPLOYMENTS}/d/scale", body)
    assert (answer["code"], answer["message"]) == (code, message)


async def test_unknown_fields_of_a_scale_are_told(api: Api) -> None:
    """Field validation is about the Scale."""
    await api.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    answer = await api.send("PUT", f"{DEPLOYMENTS}/d/scale", {**_SCALE, "spec": {"replicas": None, "no": 1}})
    assert (answer.code, answer.warnings) == (200, ['unknown field "spec.no"'])


async def test_nobody_owns_no_replicas(api: Api) -> None:
    """A Scale of none does not show its replicas, so that they are nobody's."""
    await api.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    await api.ask("PUT", f"{DEPLOYMENTS}/d/scale", {**_SCALE, "spec": {"replicas": 0}})
    found = await api.ask("GET", f"{DEPLOYMENTS}/d")
    assert not [one for one in found["metadata"]["managedFields"] if "f:replicas" in one["fieldsV1"]["f:spec"]]


async def test_annotations_noted_with_a_status_are_no_new_generation(api: Api) -> None:
    """A Deployment's controller notes its revision so; the same annotation from a user asks for a new rollout."""
    assert (await api.send("POST", DEPLOYMENTS, DEPLOYMENT)).code == 201
    path = f"{DEPLOYMENTS}/d"
    noted = await api.ask("PATCH", f"{path}/status", {"metadata": {"annotations": {"revision": "1"}}}, kind=MERGE)
    assert (noted["metadata"]["annotations"]["revision"], noted["metadata"]["generation"]) == ("1", 1)
    asked = await api.ask("PATCH", path, {"metadata": {"annotations": {"revision": "2"}}}, kind=MERGE)
    assert asked["metadata"]["generation"] == 2


JOBS = "/apis/batch/v1/namespaces/default/jobs"
_JOB = {
    "metadata": {"name": "j"},
    "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": CONTAINERS}}},
}


async def test_jobs_leave_their_pods_by_default(api: Api) -> None:
    """Who deletes one without a policy is told so, and gets the object that waits for it."""
    await api.ask("POST", JOBS, _JOB)
    answer = await api.send("DELETE", f"{JOBS}/j")
    assert b'"finalizers":["orphan"]' in answer.body
    assert answer.warnings[0].startswith("child pods are preserved by default when jobs are deleted;")


async def test_jobs_go_with_their_pods_when_asked(api: Api) -> None:
    """A policy in the request is followed without a word."""
    await api.ask("POST", JOBS, _JOB)
    answer = await api.send("DELETE", f"{JOBS}/j", propagationPolicy="Background")
    assert (b'"status":"Success"' in answer.body, answer.warnings) == (True, [])
