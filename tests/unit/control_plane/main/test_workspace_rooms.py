"""Who may do what in a new installation: real kinds, real RBAC, the registry, nothing stubbed but the listener."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import orjson
import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_api.names import home_cluster_name
from fairlead_api.request import ANONYMOUS, RequestInfo, User
from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.auth.authorize import Authorizer
from fairlead_control_plane.auth.bootstrap import shared_policy
from fairlead_control_plane.auth.policies import Policies
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.main.bootstrap_schemas import exported_schemas
from fairlead_control_plane.main.workspaces import WorkspaceRooms, workspace_rooms
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.watch.hub import Hub
from fairlead_machinery.web import Request, Response

# Read from files when first asked for: before any loop runs, as the server does at its start.
builtin_resources("workspaces")
own_resources()
facts.types()
exported_schemas().compute()
SHARED = shared_policy(workspaces=True)

ALICE = User("alice", ("system:authenticated",))
BOB = User("bob", ("system:authenticated",))
ADMIN = User("kcp-admin", ("system:kcp:admin", "system:authenticated"))


@dataclass
class Server:
    rooms: WorkspaceRooms
    registry: Registry
    authorizer: Authorizer

    async def may(self, user: User, verb: str, cluster: str, resource: str, *, name: str = "") -> bool:
        plural, _, group = resource.partition(".")
        plural, _, subresource = plural.partition("/")
        version = "v1" if group in {"", "apps"} else "v1alpha1"
        info = RequestInfo(cluster, "", verb, True, group, version, resource=plural, name=name, subresource=subresource)
        return (await self.authorizer.authorize(user, info)).allowed

    async def create(self, user: User, cluster: str, resource: str, obj: JsonObject) -> JsonObject:
        plural, _, group = resource.partition(".")
        assert await self.may(user, "create", cluster, resource)
        kind = await self.rooms.catalog.lookup(cluster, group, plural)
        assert kind is not None
        return await self.registry.create(kind, cluster, obj, user=user)


@pytest.fixture
async def server() -> AsyncGenerator[Server, None]:
    store = await SqliteStore.open(":memory:")
    policies = Policies(store, SHARED)
    rooms = workspace_rooms(store, policies, external_url="https://fairlead.test", root_ca="CA")
    await rooms.begin()
    hub = Hub(store)
    registry = Registry(store, rooms.catalog, hub, admission=Chain(rooms.plugins), effects=rooms.effects)
    yield Server(rooms, registry, Authorizer(policies, workspaces=rooms.gate, guards=[rooms.guard]))
    hub.close()
    await store.close()


def workspace(name: str, kind: str = "organization") -> JsonObject:
    return {"metadata": {"name": name}, "spec": {"type": {"name": kind, "path": "root"}}}


async def home_of(server: Server, user: User) -> JsonObject:
    async def no_registry(info: RequestInfo, request: Request, user: User) -> Response:
        raise AssertionError("homes are not the registry's")

    info = RequestInfo("root", "", "get", True, "tenancy.kcp.io", "v1alpha1", resource="workspaces", name="~")
    await server.authorizer.require(user, info)
    response = await server.rooms.serving(no_registry)(info, None, user)  # type: ignore[arg-type] # not looked at
    shown: JsonObject = orjson.loads(response.body)
    return shown


async def test_everybody_enters_root_and_creates_nothing_there(server: Server) -> None:
    """Users look around in root; only administrators make workspaces in it; anonymous stays out."""
    assert await server.may(ALICE, "list", "root", "workspaces.tenancy.kcp.io")
    assert not await server.may(ALICE, "create", "root", "workspaces.tenancy.kcp.io")
    assert not await server.may(ANONYMOUS, "list", "root", "workspaces.tenancy.kcp.io")
    made = await server.create(ADMIN, "root", "workspaces.tenancy.kcp.io", workspace("org"))
    assert made["status"]["phase"] == "Ready"
    assert not await server.may(ALICE, "list", made["spec"]["cluster"], "configmaps")


async def test_user_builds_in_the_own_home(server: Server) -> None:
    """The first look makes the home; its user is admin there and below, nobody else gets in."""
    home = await home_of(server, ALICE)
    cluster = home["spec"]["cluster"]
    assert cluster == home_cluster_name("alice")
    made = await server.create(ALICE, cluster, "workspaces.tenancy.kcp.io", workspace("app", "universal"))
    child = made["spec"]["cluster"]
    assert await server.may(ALICE, "create", child, "configmaps")
    for other in (cluster, child):
        assert not await server.may(BOB, "get", other, "configmaps")
    with pytest.raises(Forbidden):
        await home_of(server, ANONYMOUS)


async def test_everybody_binds_compute_and_pods_are_read_only(server: Server) -> None:
    """The provider's policy holds for the workspace's own administrator."""
    cluster = (await home_of(server, ALICE))["spec"]["cluster"]
    reference = {"reference": {"export": {"path": "root:compute", "name": "kubernetes"}}}
    body = {"metadata": {"name": "kubernetes"}, "spec": reference}
    bound = await server.create(ALICE, cluster, "apibindings.apis.kcp.io", body)
    assert bound["status"]["phase"] == "Bound"
    assert await server.may(ALICE, "create", cluster, "deployments.apps")
    assert await server.may(ALICE, "create", cluster, "services")
    assert await server.may(ALICE, "list", cluster, "pods")
    assert not await server.may(ALICE, "create", cluster, "pods")
    assert not await server.may(ALICE, "update", cluster, "deployments/status.apps")


async def test_nobody_forges_status_of_what_the_system_decides(server: Server) -> None:
    """Workspace status, binding status and assignments are read-only even for a workspace's administrator."""
    cluster = (await home_of(server, ALICE))["spec"]["cluster"]
    assert await server.may(ALICE, "update", cluster, "workspaces.tenancy.kcp.io")
    assert not await server.may(ALICE, "update", cluster, "workspaces/status.tenancy.kcp.io")
    assert not await server.may(ALICE, "update", cluster, "apibindings/status.apis.kcp.io")
    assert await server.may(ALICE, "list", cluster, "assignments.scheduling.fairlead.io")
    assert not await server.may(ALICE, "create", cluster, "assignments.scheduling.fairlead.io")
    assert await server.may(ALICE, "create", cluster, "placements.scheduling.kcp.io")
    assert await server.may(ALICE, "create", cluster, "synctargets.workload.kcp.io")
