"""Deletion of whole trees, initialization, and bindings that follow their exports, through the real registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from fairlead_api import JsonObject, conditions
from fairlead_api.errors import NotFound
from fairlead_api.request import User
from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.controllers.bindings import BindingController
from fairlead_control_plane.controllers.exports import ExportController
from fairlead_control_plane.controllers.namespaces import Namespaces
from fairlead_control_plane.controllers.runner import Controller
from fairlead_control_plane.controllers.workspaces import WorkspaceDeletion, WorkspaceInitialization
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.identity import secret
from fairlead_control_plane.sharing.objects import (
    BINDINGS,
    EXPORTS,
    LOGICAL_CLUSTERS,
    NAMESPACES,
    SCHEMAS,
    SECRETS,
    WORKSPACE_TYPES,
    WORKSPACES,
)
from fairlead_control_plane.store.contract import prefix_end
from fairlead_control_plane.watch.hub import Hub
from tests.support.workspaces import World, record, schema, world

# Read from files when first asked for: before any loop runs, as the server does at its start.
facts.definition_name("", "v1", "Secret")
facts.types()

COWBOYS = record("wildwest.dev", "cowboys", "Cowboy", namespaced=True)


@dataclass
class Server:
    """A world whose writes go through the registry, with its controllers run by hand until nothing is left to do."""

    rooms: World
    registry: Registry
    controllers: tuple[Controller, ...]

    async def create(self, kind: tuple[str, str], cluster: str, obj: JsonObject) -> JsonObject:
        return await self.registry.create(self.rooms.maker.records[kind], cluster, obj)

    async def get(self, kind: tuple[str, str], cluster: str, name: str) -> JsonObject:
        return await self.registry.get(self.rooms.maker.records[kind], cluster, "", name)

    async def delete(self, kind: tuple[str, str], cluster: str, name: str) -> JsonObject | None:
        return await self.registry.delete(self.rooms.maker.records[kind], cluster, "", name)

    async def settle(self) -> None:
        """Reconcile everything there may be to do until a round writes nothing, as after a restart."""
        for _ in range(20):
            before = self.rooms.store.revision
            for controller in self.controllers:
                for key in [key async for key in controller.all_keys()]:
                    await controller.reconcile(key)
            if self.rooms.store.revision == before:
                return
        raise AssertionError("the controllers do not come to rest")

    async def keys_with(self, text: str) -> list[str]:
        """Return every key of the store that holds ``text``."""
        found = await self.rooms.store.range("/", prefix_end("/"))
        return [row.key for row in found.rows if text in row.key]


@pytest.fixture
async def server() -> AsyncGenerator[Server, None]:
    async with world() as rooms:
        await rooms.bootstrap()
        hub = Hub(rooms.store)
        records = rooms.maker.records
        registry = Registry(
            rooms.store, rooms.catalog, hub, admission=Chain(rooms.plugins), effects=rooms.effects,
            now_s=rooms.maker.now_s,
        )  # fmt: skip
        yield Server(
            rooms,
            registry,
            (
                WorkspaceDeletion(registry, rooms.maker),
                WorkspaceInitialization(registry, rooms.maker, rooms.types, rooms.bindings),
                BindingController(registry, rooms.maker, rooms.bindings),
                ExportController(registry, rooms.maker, rooms.export_effects),
                Namespaces(registry, records[NAMESPACES]),
            ),
        )
        hub.close()


async def workspace(server: Server, parent: str, name: str, kind: str = "universal") -> str:
    spec = {"type": {"name": kind, "path": "root"}}
    made = await server.create(WORKSPACES, parent, {"metadata": {"name": name}, "spec": spec})
    assert made["status"]["phase"] == "Ready"
    cluster: str = made["spec"]["cluster"]
    return cluster


async def provider(server: Server, name: str = "provider") -> str:
    cluster = await workspace(server, "root", name)
    body = schema(COWBOYS, "today", spec="object")
    await server.create(SCHEMAS, cluster, body)
    spec = {"latestResourceSchemas": [body["metadata"]["name"]]}
    await server.create(EXPORTS, cluster, {"metadata": {"name": "west"}, "spec": spec})
    return cluster


async def bind(server: Server, cluster: str, path: str = "root:provider") -> JsonObject:
    spec = {"reference": {"export": {"path": path, "name": "west"}}}
    return await server.create(BINDINGS, cluster, {"metadata": {"name": "west"}, "spec": spec})


async def cowboy(server: Server, cluster: str) -> None:
    resource = await server.rooms.catalog.lookup(cluster, "wildwest.dev", "cowboys")
    assert resource is not None
    await server.registry.create(resource, cluster, {"metadata": {"name": "billy", "namespace": "default"}, "spec": {}})


async def test_deleting_a_tree_leaves_no_row_of_it(server: Server) -> None:
    """An organization with children, bound APIs, their objects and secrets goes completely; neighbours stay."""
    await provider(server)
    org = await workspace(server, "root", "org")
    neighbour = await workspace(server, "root", "org-b")
    child = await workspace(server, org, "team")
    grandchild = await workspace(server, child, "deep")
    await bind(server, child)
    await cowboy(server, child)
    await server.create(SECRETS, grandchild, {"metadata": {"name": "s", "namespace": "default"}, "data": {}})
    leaving = await server.delete(WORKSPACES, "root", "org")
    assert leaving is not None
    assert leaving["status"]["phase"] == "Deleting"
    await server.settle()
    for cluster in (org, child, grandchild):
        assert await server.keys_with(cluster) == []
    assert await server.keys_with("root:org:") == []
    with pytest.raises(NotFound):
        await server.get(WORKSPACES, "root", "org")
    assert await server.rooms.tenancy.resolve("root:org-b") == neighbour
    assert await server.get(LOGICAL_CLUSTERS, neighbour, "cluster")


async def test_deletion_waits_for_what_holds_content_and_says_so(server: Server) -> None:
    """A finalizer of the user's own keeps the workspace, and the condition names the resource."""
    org = await workspace(server, "root", "org")
    types = {"metadata": {"name": "held", "finalizers": ["mine.dev/hold"]}, "spec": {}}
    await server.create(WORKSPACE_TYPES, org, types)
    await server.delete(WORKSPACES, "root", "org")
    await server.settle()
    said = conditions.get(
        (await server.get(LOGICAL_CLUSTERS, org, "cluster"))["status"]["conditions"], "WorkspaceContentDeleted"
    )
    assert said is not None
    assert (said["status"], said["reason"]) == ("False", "SomeResourcesRemain")
    assert said["message"] == "Some resources are remaining: workspacetypes.tenancy.kcp.io has 1 resource instances"
    kind = server.rooms.maker.records[WORKSPACE_TYPES]

    def release(obj: JsonObject) -> JsonObject:
        obj["metadata"]["finalizers"] = []
        return obj

    await server.registry.modify(kind, org, "", "held", release)
    await server.settle()
    assert await server.keys_with(org) == []


async def test_directly_deleted_home_goes_with_its_path(server: Server) -> None:
    """Also a logical cluster without a Workspace is emptied and forgotten."""
    server.rooms.allowed.add(("bob", "create", "workspaces/~", "root"))
    home = (await server.rooms.homes.get(User("bob", ("system:authenticated",))))["spec"]["cluster"]
    await server.delete(LOGICAL_CLUSTERS, home, "cluster")
    await server.settle()
    assert await server.keys_with(home) == []
    assert await server.rooms.tenancy.resolve("user:bob") is None


async def test_deleting_a_binding_deletes_its_instances_first(server: Server) -> None:
    """While it goes nothing can be created; then the API and its objects are gone, the provider's are not."""
    await provider(server)
    consumer = await workspace(server, "root", "consumer")
    await bind(server, consumer)
    await cowboy(server, consumer)
    resource = await server.rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys")
    assert resource is not None
    await server.delete(BINDINGS, consumer, "west")
    leaving = await server.rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys")
    assert leaving is not None
    assert "create" not in leaving.strategy.verbs
    await server.settle()
    with pytest.raises(NotFound):
        await server.get(BINDINGS, consumer, "west")
    assert await server.rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys") is None
    assert await server.keys_with(resource.identity) == []


async def test_bindings_follow_their_export(server: Server) -> None:
    """A new schema in the export is what consumers serve next; a new extra annotation reaches them too."""
    cluster = await provider(server)
    consumer = await workspace(server, "root", "consumer")
    await bind(server, consumer)
    newer = schema(COWBOYS, "tomorrow", spec="object", hat="string")
    await server.create(SCHEMAS, cluster, newer)
    key = "extra.apis.kcp.io/compute.workload.kcp.io"

    def change(obj: JsonObject) -> JsonObject:
        obj["spec"]["latestResourceSchemas"] = [newer["metadata"]["name"]]
        obj["metadata"]["annotations"][key] = "true"
        return obj

    await server.registry.modify(server.rooms.maker.records[EXPORTS], cluster, "", "west", change)
    await server.settle()
    served = await server.rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys")
    assert served is not None
    assert "hat" in served.versions[0].open_api["properties"]
    bound = await server.get(BINDINGS, consumer, "west")
    assert bound["metadata"]["annotations"][key] == "true"
    assert bound["status"]["boundResources"][0]["schema"]["name"] == "tomorrow.cowboys.wildwest.dev"


async def test_binding_survives_the_removal_of_its_export(server: Server) -> None:
    """What is bound stays served; the condition says that the export is gone."""
    cluster = await provider(server)
    consumer = await workspace(server, "root", "consumer")
    await bind(server, consumer)
    await server.delete(EXPORTS, cluster, "west")
    for controller in server.controllers:
        if isinstance(controller, BindingController):
            await controller.reconcile(("export", cluster, "west"))
    bound = await server.get(BINDINGS, consumer, "west")
    assert bound["status"]["phase"] == "Bound"
    assert (conditions.get(bound["status"]["conditions"], "APIExportValid") or {})["reason"] == "APIExportNotFound"
    assert await server.rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys") is not None


async def test_workspace_waits_for_a_default_binding_and_becomes_ready(server: Server) -> None:
    """A type may name an export that comes later."""
    spec = {"defaultAPIBindings": [{"path": "root:provider", "export": "west"}]}
    await server.create(WORKSPACE_TYPES, "root", {"metadata": {"name": "western"}, "spec": spec})
    body = {"metadata": {"name": "w"}, "spec": {"type": {"name": "western", "path": "root"}}}
    made = await server.create(WORKSPACES, "root", body)
    assert made["status"]["initializers"] == ["system:apibindings"]
    await server.settle()
    assert (await server.get(WORKSPACES, "root", "w"))["status"]["phase"] == "Initializing"
    await provider(server)
    await server.settle()
    done = await server.get(WORKSPACES, "root", "w")
    assert done["status"]["phase"] == "Ready"
    assert await server.keys_with("/meta/initializing/") == []


async def test_export_is_identified_when_its_secret_comes(server: Server) -> None:
    """The identity is that of the key the user brought."""
    cluster = await workspace(server, "root", "provider")
    reference = {"secretRef": {"namespace": "default", "name": "mine"}}
    made = await server.create(EXPORTS, cluster, {"metadata": {"name": "west"}, "spec": {"identity": reference}})
    assert "identityHash" not in made["status"]
    brought = secret("mine", "k" * 43)
    brought["metadata"]["namespace"] = "default"
    await server.create(SECRETS, cluster, brought)
    await server.settle()
    found = await server.get(EXPORTS, cluster, "west")
    assert conditions.is_true(found["status"]["conditions"], "IdentityValid")
    assert len(found["status"]["identityHash"]) == 64
