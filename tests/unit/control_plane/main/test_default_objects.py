"""What a plain cluster has from its first start on for its users to change."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_control_plane.auth.bootstrap import kubernetes_objects
from fairlead_control_plane.main.default_objects import flow_objects, make_default_objects
from tests.unit.control_plane.in_process import Api, in_process, known

RBAC, FLOW = "rbac.authorization.k8s.io", "flowcontrol.apiserver.k8s.io"
ROOT = "root"
# Read before any loop runs.
kubernetes_objects()
flow_objects()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process() as made:
        for name in ("kube-system", "kube-public"):
            await made.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield made


async def test_a_second_start_leaves_what_users_made_of_the_objects(api: Api) -> None:
    """What was deleted comes back, and what was changed stays."""
    roles = f"/apis/{RBAC}/v1/clusterroles"
    await make_default_objects(api.registry, ROOT, known)
    made = await api.registry.list(known(RBAC, "clusterroles"), ROOT)
    assert {"cluster-admin", "view"} <= {each["metadata"]["name"] for each in made[0]}
    assert len((await api.registry.list(known(FLOW, "flowschemas"), ROOT))[0]) == 11
    await api.ask("DELETE", f"{roles}/view")
    await api.ask("PATCH", f"{roles}/edit", {"metadata": {"labels": {"a": "b"}}}, kind="application/merge-patch+json")
    await make_default_objects(api.registry, ROOT, known)
    assert (await api.ask("GET", f"{roles}/view"))["metadata"]["name"] == "view"
    assert (await api.ask("GET", f"{roles}/edit"))["metadata"]["labels"]["a"] == "b"
