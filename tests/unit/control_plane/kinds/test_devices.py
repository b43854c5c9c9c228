from __future__ import annotations

from typing import Any

import pytest

from fairlead_control_plane.kinds.strategies.device_parts import uid
from fairlead_schema.device_expressions import problem_of
from tests.unit.control_plane.in_process import MERGE, in_process

BASE = "/apis/resource.k8s.io/v1"
CLAIMS = f"{BASE}/namespaces/default/resourceclaims"


def found(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the causes of a refusal as field, reason and message."""
    assert answer["reason"] == "Invalid", answer
    return [
        (one["field"], one["reason"].removeprefix("FieldValue"), one["message"]) for one in answer["details"]["causes"]
    ]


def named(kind: str, **spec: Any) -> dict[str, Any]:
    """Return an object of the group, called ``a``."""
    return {"apiVersion": "resource.k8s.io/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}


def claim(*requests: dict[str, Any], **devices: Any) -> dict[str, Any]:
    """Return a claim to devices."""
    return named("ResourceClaim", devices={"requests": list(requests), **devices})


def slice_of(*devices: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a slice that offers devices on all nodes."""
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    return named("ResourceSlice", **{"driver": "a.b", "pool": pool, "allNodes": True, "devices": list(devices), **spec})


ONE = {"name": "one", "exactly": {"deviceClassName": "c"}}


@pytest.mark.parametrize(
    ("path", "body", "causes"),
    [
        (CLAIMS, claim({"name": "one"}), [
            ("spec.devices.requests[0]", "Required",
             "Required value: exactly one of `exactly` or `firstAvailable` is required"),
        ]),
        (CLAIMS, claim({**ONE, "firstAvailable": [{"name": "a", "deviceClassName": "c"}]}), [
            ("spec.devices.requests[0]", "Invalid",
             "Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are"
             " set"),
        ]),
        (CLAIMS, claim(ONE, ONE), [("spec.devices.requests[1]", "Duplicate", 'Duplicate value: "one"')]),
        (CLAIMS, claim({"name": "one", "exactly": {"deviceClassName": "c", "allocationMode": "All", "count": 2}}), [
            ("spec.devices.requests[0].exactly.count", "Invalid",
             "Invalid value: 2: must not be specified when allocationMode is 'All'"),
        ]),
        (CLAIMS, claim({"name": "one", "exactly": {
            "deviceClassName": "c", "selectors": [{"cel": {"expression": "1"}}],
        }}), [
            ("spec.devices.requests[0].exactly.selectors[0].cel.expression", "Invalid",
             'Invalid value: "1": must evaluate to bool or the unknown type, not int'),
        ]),
        (CLAIMS, claim(ONE, constraints=[{"requests": ["two"], "matchAttribute": "slot"}]), [
            ("spec.devices.constraints[0].requests[0]", "Invalid",
             'Invalid value: "two": must be the name of a request in the claim or the name of a request and a'
             " subrequest separated by '/'"),
            ("spec.devices.constraints[0].matchAttribute", "Invalid",
             'Invalid value: "slot": a fully qualified name must be a domain and a name separated by a slash'),
        ]),
        (CLAIMS, claim(ONE, config=[{"opaque": {"driver": "a.b"}}]), [
            ("spec.devices.config[0].opaque.parameters", "Required", "Required value"),
        ]),
        (f"{BASE}/deviceclasses", named("DeviceClass", extendedResourceName="cpu"), [
            ("spec.extendedResourceName", "Invalid",
             'Invalid value: "cpu": must be a valid extended resource name'),
        ]),
        (f"{BASE}/resourceslices", slice_of(nodeName="n"), [
            ("spec", "Invalid",
             'Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`,'
             " `perDeviceNodeSelection` is required, but multiple fields are set"),
        ]),
        (f"{BASE}/resourceslices", slice_of({"name": "a", "attributes": {"v": {"version": "1"}, "w": {}}}), [
            ("spec.devices[0].attributes[v].version", "Invalid",
             'Invalid value: "1": must be a string compatible with semver.org spec 2.0.0'),
            ("spec.devices[0].attributes[w]", "Invalid", 'Invalid value: "": exactly one value must be specified'),
        ]),
        (f"{BASE}/resourceslices", slice_of({"name": "a", "capacity": {
            "m": {"value": "4Gi", "requestPolicy": {"default": "1Gi"}},
        }}), [
            ("spec.devices[0].capacity[m].requestPolicy", "Forbidden",
             "Forbidden: allowMultipleAllocations must be true"),
        ]),
        (f"{BASE}/resourceslices", slice_of({"name": "a", "allowMultipleAllocations": True, "capacity": {
            "m": {"value": "4Gi", "requestPolicy": {"default": "3Gi", "validRange": {
                "min": "2Gi", "max": "8Gi", "step": "2Gi",
            }}},
        }}), [
            ("spec.devices[0].capacity[m].requestPolicy.validRange.max", "Invalid",
             'Invalid value: "8Gi": max is larger than capacity value: 4Gi'),
            ("spec.devices[0].capacity[m].requestPolicy.validRange.step", "Invalid",
             'Invalid value: "3Gi": value is not a multiple of a given step (2Gi) from (2Gi)'),
        ]),
        (f"{BASE}/resourceslices", slice_of({"name": "a", "bindingConditions": ["x"]}), [
            ("spec.devices[0].bindingFailureConditions", "Invalid",
             "Invalid value: null: bindingFailureConditions are required to use bindingConditions"),
        ]),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_as_kubernetes_tells_it(
    path: str, body: dict[str, Any], causes: list[tuple[str, str, str]]
) -> None:
    """Field, reason and message of each cause."""
    async with in_process() as api:
        assert found(await api.ask("POST", path, body)) == causes


async def test_a_claims_spec_stays() -> None:
    """It is shown as Kubernetes' own struct; its defaults are in it."""
    async with in_process() as api:
        made = await api.ask("POST", CLAIMS, claim(ONE))
        assert made["spec"]["devices"]["requests"][0]["exactly"] == {
            "deviceClassName": "c", "allocationMode": "ExactCount", "count": 1,
        }  # fmt: skip
        answer = await api.ask("PATCH", f"{CLAIMS}/a", {"spec": {"devices": {"requests": []}}}, kind=MERGE)
    assert [field for field, _, _ in found(answer)] == ["spec"]
    assert '"Devices":{"Requests":' in answer["message"]


async def test_a_claims_status_speaks_of_what_is_allocated() -> None:
    """Of other devices it says nothing, and an allocation stays as it is."""
    allocated = {"request": "one", "driver": "a.b", "pool": "p", "device": "d"}
    device = {"driver": "a.b", "pool": "p", "device": "d"}
    async with in_process() as api:
        await api.ask("POST", CLAIMS, claim(ONE))
        alone = {"status": {"devices": [device], "reservedFor": [{"resource": "pods", "name": "w", "uid": "u"}]}}
        assert found(await api.ask("PATCH", f"{CLAIMS}/a/status", alone, kind=MERGE)) == [
            ("status.devices[0]", "Invalid",
             'Invalid value: {"Driver":"a.b","Pool":"p","Device":"d","ShareID":""}: must be an allocated device in the'
             " claim"),
            ("status.reservedFor", "Forbidden", "Forbidden: may not be specified when `allocated` is not set"),
        ]  # fmt: skip
        whole = {"status": {"allocation": {"devices": {"results": [allocated]}}, "devices": [device]}}
        answer = await api.ask("PATCH", f"{CLAIMS}/a/status", whole, kind=MERGE)
        assert answer["status"]["devices"][0]["device"] == "d"
        other = {"status": {"allocation": {"devices": {"results": [{**allocated, "pool": "q"}]}}}}
        refused = await api.ask("PATCH", f"{CLAIMS}/a/status", other, kind=MERGE)
        assert [field for field, _, _ in found(refused)] == ["status.allocation"]
        gone = await api.ask("PATCH", f"{CLAIMS}/a/status", {"status": {"allocation": None}}, kind=MERGE)
        assert "devices" not in gone["status"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0f2d0f3a-0000-4000-8000-000000000000", ""),
        ("x", "error validating uid: invalid UUID length: 1"),
        ("0F2D0F3A-0000-4000-8000-000000000000", "uid must be in RFC 4122 normalized form"),
    ],
)
def test_shares_are_named_by_uuids(text: str, problem: str) -> None:
    """In lower case, with dashes."""
    causes = uid(text, "x")
    assert [problem in cause.message for cause in causes] == [True] * bool(problem)


def test_expressions_see_a_device() -> None:
    """And give true or false, or what nobody knows yet."""
    assert problem_of("device.driver == 'a.b' && device.capacity['a.b'].m.isGreaterThan(quantity('1Gi'))") == ""
    assert problem_of("device.attributes['a.b'].big") == ""
    assert problem_of("other").startswith("compilation failed: ERROR: <input>:1:1: undeclared reference to 'other'")
