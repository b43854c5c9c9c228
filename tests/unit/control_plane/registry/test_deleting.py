"""What a deletion leaves behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_api import JsonObject
from tests.unit.control_plane.in_process import Api, in_process

CONTROLLERS = "/api/v1/namespaces/default/replicationcontrollers"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process() as running:
        pod = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec: JsonObject = {"replicas": 0, "selector": {"app": "a"}, "template": pod}
        await running.ask("POST", CONTROLLERS, {"metadata": {"name": "a"}, "spec": spec})
        yield running


@pytest.mark.parametrize("options", [{}, {"orphanDependents": True}, {"propagationPolicy": "Orphan"}])
async def test_pods_of_a_replication_controller_stay_unless_asked_for(api: Api, options: JsonObject) -> None:
    """It waits for the garbage collector, who takes it out of their owners, as it was before there were policies."""
    answer = await api.ask("DELETE", f"{CONTROLLERS}/a", options)
    assert answer["metadata"]["finalizers"] == ["orphan"]


@pytest.mark.parametrize("options", [{"orphanDependents": False}, {"propagationPolicy": "Background"}])
async def test_pods_of_a_replication_controller_go_when_asked_for(api: Api, options: JsonObject) -> None:
    """By the garbage collector, once it is gone itself."""
    assert (await api.ask("DELETE", f"{CONTROLLERS}/a", options))["kind"] == "Status"
    assert (await api.ask("GET", f"{CONTROLLERS}/a"))["code"] == 404


async def test_who_waits_for_dependents_does_not_leave_them(api: Api) -> None:
    """A second deletion without a policy keeps the first one's."""
    await api.ask("DELETE", f"{CONTROLLERS}/a", {"propagationPolicy": "Foreground"})
    answer = await api.ask("DELETE", f"{CONTROLLERS}/a", {})
    assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]
