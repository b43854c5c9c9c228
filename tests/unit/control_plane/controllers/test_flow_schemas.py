"""What is said of FlowSchemas: whether their priority level is there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.controllers.flow_schemas import FlowSchemas
from tests.unit.control_plane.in_process import Api, in_process, known

FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
LEVELS, SCHEMAS = f"{FLOW}/prioritylevelconfigurations", f"{FLOW}/flowschemas"
LEVEL = {"metadata": {"name": "level"}, "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}}
SCHEMA = {"metadata": {"name": "schema"}, "spec": {"priorityLevelConfiguration": {"name": "level"}}}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process() as made:
        yield made


def controller(api: Api) -> FlowSchemas:
    group = "flowcontrol.apiserver.k8s.io"
    return FlowSchemas(api.registry, known(group, "flowschemas"), known(group, "prioritylevelconfigurations"))


async def said(api: Api) -> JsonObject:
    found: JsonObject = (await api.ask("GET", f"{SCHEMAS}/schema"))["status"]["conditions"][0]
    return found


async def test_a_schema_learns_whether_its_level_is_there(api: Api) -> None:
    """Also later, when the level comes; and what is right already is not written again."""
    flows = controller(api)
    assert (await api.send("POST", SCHEMAS, SCHEMA)).code == 201
    [key] = [key async for key in flows.all_keys()]
    await flows.reconcile(key)
    assert {**(await said(api)), "lastTransitionTime": ""} == {
        "type": "Dangling",
        "status": "True",
        "reason": "NotFound",
        "lastTransitionTime": "",
        "message": 'This FlowSchema references the PriorityLevelConfiguration object named "level" '
        "but there is no such object",
    }
    assert (await api.send("POST", LEVELS, LEVEL)).code == 201
    await flows.reconcile((key[0], ""))
    assert ((await said(api))["status"], (await said(api))["reason"]) == ("False", "Found")
    before = (await api.ask("GET", f"{SCHEMAS}/schema"))["metadata"]["resourceVersion"]
    await flows.reconcile(key)
    assert (await api.ask("GET", f"{SCHEMAS}/schema"))["metadata"]["resourceVersion"] == before


async def test_a_schema_that_is_gone_is_nothing_to_do(api: Api) -> None:
    """It may go between the event and the look at it."""
    assert await controller(api).reconcile(("root", "none")) is None
