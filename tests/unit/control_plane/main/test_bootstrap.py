"""A new installation with the kinds the server really has: compute is bound, workloads are written, trees go."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.custom import resource_from_crd, resource_from_schema
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.main.bootstrap_schemas import exported_schemas
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.objects import BINDINGS, EXPORTS, SCHEMAS, WORKSPACES
from fairlead_control_plane.watch.hub import Hub
from tests.support.workspaces import World, world

# Read from files when first asked for: before any loop runs, as the server does at its start.
BUILTIN, OWN, SCHEMAS_TO_EXPORT = builtin_resources("workspaces"), own_resources(), exported_schemas()
facts.types()
SCHEMAS_TO_EXPORT.compute()


@dataclass
class Server:
    rooms: World
    registry: Registry

    async def create(self, cluster: str, group: str, plural: str, obj: JsonObject) -> JsonObject:
        resource = await self.rooms.catalog.lookup(cluster, group, plural)
        assert resource is not None
        return await self.registry.create(resource, cluster, obj)


@pytest.fixture
async def server() -> AsyncGenerator[Server, None]:
    async with world(BUILTIN, OWN, resource_from_crd, resource_from_schema) as rooms:
        await rooms.bootstrap(schemas=SCHEMAS_TO_EXPORT)
        hub = Hub(rooms.store)
        yield Server(
            rooms, Registry(rooms.store, rooms.catalog, hub, admission=Chain(rooms.plugins), effects=rooms.effects)
        )
        hub.close()


DEPLOYMENT: JsonObject = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx"}]},
        },
    },
}


async def test_application_team_gets_a_workspace_and_compute(server: Server) -> None:
    """There are no deployments until root:compute is bound; then they are Kubernetes' own, with defaults."""
    spec = {"type": {"name": "universal", "path": "root"}}
    made = await server.create("root", *WORKSPACES, {"metadata": {"name": "app"}, "spec": spec})
    assert made["status"]["phase"] == "Ready"
    cluster = made["spec"]["cluster"]
    assert await server.rooms.catalog.lookup(cluster, "apps", "deployments") is None
    reference = {"reference": {"export": {"path": "root:compute", "name": "kubernetes"}}}
    bound = await server.create(cluster, *BINDINGS, {"metadata": {"name": "kubernetes"}, "spec": reference})
    assert bound["status"]["phase"] == "Bound"
    assert bound["metadata"]["annotations"]["extra.apis.kcp.io/compute.workload.kcp.io"] == "true"
    stored = await server.create(cluster, "apps", "deployments", DEPLOYMENT)
    assert stored["spec"]["replicas"] == 1
    assert stored["spec"]["strategy"]["type"] == "RollingUpdate"
    deployments = await server.rooms.catalog.lookup(cluster, "apps", "deployments")
    assert deployments is not None
    everywhere = await server.rooms.catalog.lookup("*", "apps", "deployments", deployments.identity)
    assert everywhere is not None
    items, _ = await server.registry.list(everywhere)
    assert [(item["metadata"]["name"], item["metadata"]["annotations"]["kcp.io/cluster"]) for item in items] == [
        ("web", cluster)
    ]


async def test_exported_schemas_keep_the_rules_of_their_own_kind(server: Server) -> None:
    """What bootstrap writes past admission would have passed it."""
    for cluster in ("root", await server.rooms.tenancy.resolve("root:compute")):
        assert cluster is not None
        resource = await server.rooms.catalog.lookup(cluster, *SCHEMAS)
        assert resource is not None
        items, _ = await server.registry.list(resource, cluster)
        assert items
        for item in items:
            copy = {"metadata": {"name": item["metadata"]["name"]}, "spec": item["spec"]}
            copy["metadata"]["annotations"] = item["metadata"]["annotations"]
            await server.registry.create(resource, "system:admin", copy)


async def test_second_start_writes_nothing_and_keeps_identities(server: Server) -> None:
    """Also when it looks at everything again, as after an upgrade."""
    compute = await server.rooms.tenancy.resolve("root:compute")
    assert compute is not None
    before = await server.rooms.get(EXPORTS, compute, "kubernetes")
    revision = server.rooms.store.revision
    assert not await server.rooms.bootstrap(schemas=SCHEMAS_TO_EXPORT)
    assert server.rooms.store.revision == revision
    await server.rooms.bootstrap("other", schemas=SCHEMAS_TO_EXPORT)
    assert await server.rooms.get(EXPORTS, compute, "kubernetes") == before


async def test_workspace_that_exists_is_a_conflict(server: Server) -> None:
    """The second create is AlreadyExists, which ``--ignore-existing`` of the plugin relies on."""
    body = {"metadata": {"name": "app"}, "spec": {}}
    await server.create("root", *WORKSPACES, body)
    with pytest.raises(ApiError) as refused:
        await server.create("root", *WORKSPACES, body)
    assert refused.value.reason == "AlreadyExists"
