"""What schedulers may do to a pod."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_api import JsonObject
from tests.unit.control_plane.in_process import Api, in_process

PODS = "/api/v1/namespaces/default/pods"
POD: JsonObject = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}


def binding(node: str, **metadata: str) -> JsonObject:
    target = {"kind": "Node", "name": node}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p", **metadata}, "target": target}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process() as running:
        yield running


async def test_a_pod_gets_its_node_once(api: Api) -> None:
    """The first binding sets node and condition and keeps the status; the second is refused."""
    await api.ask("POST", PODS, POD)
    answer = await api.ask("POST", f"{PODS}/p/binding", binding("n1"))
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    pod = await api.ask("GET", f"{PODS}/p")
    assert pod["spec"]["nodeName"] == "n1"
    assert pod["status"]["phase"] == "Pending"
    assert [(one["type"], one["status"]) for one in pod["status"]["conditions"]] == [("PodScheduled", "True")]
    refused = await api.ask("POST", f"{PODS}/p/binding", binding("n2"))
    assert (refused["code"], refused["message"]) == (
        409,
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
    )


async def test_bindings_that_mean_another_pod_or_no_node(api: Api) -> None:
    """A wrong uid is a conflict, a target that is no node an error (so in Kubernetes), a missing pod not found."""
    await api.ask("POST", PODS, POD)
    assert (await api.ask("POST", f"{PODS}/p/binding", binding("n1", uid="other")))["code"] == 409
    assert (await api.ask("POST", f"{PODS}/p/binding", binding("")))["message"] == "target.name: Required value"
    assert (await api.ask("POST", f"{PODS}/q/binding", binding("n1")))["code"] == 404
    assert "nodeName" not in (await api.ask("GET", f"{PODS}/p"))["spec"]


async def test_a_binding_of_another_namespace(api: Api) -> None:
    """Is refused before the pod is looked at, as any object would be."""
    await api.ask("POST", PODS, POD)
    other = {**binding("n1"), "metadata": {"name": "p", "namespace": "other"}}
    answer = await api.ask("POST", f"{PODS}/p/binding", other)
    assert answer["code"] == 400
    assert answer["message"] == "the namespace of the provided object does not match the namespace sent on the request"
