"""
Tenancy and API sharing put together: what the ``workspaces`` profile has beyond one Kubernetes API server.

The server asks for :func:`workspace_rooms` once the store is open, hands its members to authorization, admission, the
registry and the dispatcher, and awaits :meth:`WorkspaceRooms.begin` before it lets anybody in.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fairlead_api.names import ROOT
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.admission.contract import Plugin
from fairlead_control_plane.auth.authorize import Decision, Workspace, seen_from
from fairlead_control_plane.auth.policies import Policies
from fairlead_control_plane.controllers.bindings import BindingController
from fairlead_control_plane.controllers.exports import ExportController
from fairlead_control_plane.controllers.runner import Controller
from fairlead_control_plane.controllers.workspaces import WorkspaceDeletion, WorkspaceInitialization
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.change import Effects
from fairlead_control_plane.kinds.custom import resource_from_crd, resource_from_schema
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.main.bootstrap import Room, bootstrap
from fairlead_control_plane.main.bootstrap_schemas import exported_schemas
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.admission import BindingAdmission, ExportAdmission, ReservedCrds, SchemaAdmission
from fairlead_control_plane.sharing.bindings import Bindings
from fairlead_control_plane.sharing.catalog import FromCrd, FromSchema, WorkspaceCatalog
from fairlead_control_plane.sharing.exports import ExportEffects, Exports
from fairlead_control_plane.sharing.objects import Maker, by_name
from fairlead_control_plane.sharing.policy import MaximalPermissionPolicy
from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.tenancy.admission import (
    Allows,
    LogicalClusterAdmission,
    PathAnnotation,
    WorkspaceAdmission,
    WorkspaceTypeAdmission,
)
from fairlead_control_plane.tenancy.creation import ClusterMaker
from fairlead_control_plane.tenancy.home import NAME, HomeWorkspaces
from fairlead_control_plane.tenancy.lifecycle import WorkspaceEffects
from fairlead_control_plane.tenancy.paths import Tenancy
from fairlead_control_plane.tenancy.types import Types
from fairlead_machinery.web import Request, Response, json_response

Serve = Callable[[RequestInfo, Request, User], Awaitable[Response]]

# Who may enter a workspace may also look at it and mend it while it is being deleted (kcp-core 1.7).
_STAYS_OPEN = frozenset({"Terminating", "Deleting"})


@dataclass(frozen=True, slots=True)
class WorkspaceRooms:
    """
    What the server composes.

    Attributes:
        catalog: For the registry, discovery and authentication of service accounts.
        tenancy: ``tenancy.resolve`` for the dispatcher, ``tenancy.is_going`` for the namespace lifecycle.
        plugins, effects: For the admission chain and the registry, in this order.
        clusters: Its ``external_url`` may still be set until :meth:`begin`, when the port is known late.
    """

    store: Store
    maker: Maker
    catalog: WorkspaceCatalog
    tenancy: Tenancy
    types: Types
    exports: Exports
    bindings: Bindings
    clusters: ClusterMaker
    homes: HomeWorkspaces
    workspaces: WorkspaceEffects
    export_effects: ExportEffects
    plugins: Sequence[Plugin]
    policy: MaximalPermissionPolicy
    root_ca: str

    @property
    def effects(self) -> tuple[Effects, ...]:
        """What happens beside writes."""
        return self.workspaces, self.export_effects, self.bindings

    async def begin(self) -> bool:
        """Make or update what an installation starts with; return whether anything had to be looked at."""
        return await bootstrap(self.room, exported_schemas())

    @property
    def room(self) -> Room:
        """What bootstrapping needs."""
        return Room(
            self.store,
            self.maker,
            self.tenancy,
            self.types,
            self.clusters,
            self.workspaces,
            self.export_effects,
            self.root_ca,
        )

    async def gate(self, cluster: str) -> Workspace | None:
        """Tell authorization what it must know of a logical cluster (``auth.authorize.Workspaces``)."""
        found = await self.tenancy.logical_cluster(cluster)
        if found is None or found.is_inactive:
            return None
        return Workspace("Ready" if found.phase in _STAYS_OPEN else found.phase, found.required_groups)

    async def guard(self, user: User, info: RequestInfo) -> Decision | None:
        """Refuse what a provider's maximal permission policy does (``auth.authorize.Guard``)."""
        if not info.is_resource or user.is_master or not info.cluster or info.cluster == "*":
            return None
        resource = await self.catalog.lookup(info.cluster, info.group, info.resource)
        refusal = await self.policy.refusal(user, info, resource)
        return Decision(False, refusal) if refusal else None

    def serving(self, serve: Serve) -> Serve:
        """Return ``serve`` (the registry's) with home workspaces: ``GET workspaces/~`` in root."""

        async def served(info: RequestInfo, request: Request, user: User) -> Response:
            asked = (info.cluster, info.group, info.resource, info.name, info.verb, info.subresource)
            if asked == (ROOT, "tenancy.kcp.io", "workspaces", NAME, "get", ""):
                return json_response(await self.homes.get(user))
            return await serve(info, request, user)

        return served

    def controllers(self, registry: Registry) -> tuple[Controller, ...]:
        """Return what keeps workspaces, exports and bindings as they should be."""
        return (
            WorkspaceDeletion(registry, self.maker),
            WorkspaceInitialization(registry, self.maker, self.types, self.bindings),
            BindingController(registry, self.maker, self.bindings),
            ExportController(registry, self.maker, self.export_effects),
        )


@dataclass(frozen=True, slots=True)
class Kinds:
    """
    What the rooms know of kinds.

    Attributes:
        builtin, own: Those there are from the start, Kubernetes' and ours.
        from_crd, from_schema: Make the others from what defines them.
    """

    builtin: Sequence[Resource]
    own: Sequence[Resource]
    from_crd: FromCrd = resource_from_crd
    from_schema: FromSchema = resource_from_schema

    def all(self) -> tuple[Resource, ...]:
        """Return those there are from the start."""
        return (*self.builtin, *self.own)


def workspace_rooms(store: Store, policies: Policies, *, external_url: str, root_ca: str) -> WorkspaceRooms:
    """
    Build tenancy and sharing over a store.

    Args:
        policies: RBAC of all logical clusters.
        external_url: ``https://host:port`` that users reach the server by.
        root_ca: PEM text of the server's CA.
    """

    async def allows(user: User, info: RequestInfo) -> bool:
        if user.is_master:
            return True
        known = seen_from(user, info.cluster)
        return (await policies.index(info.cluster)).user(known).allows(info) is not None

    kinds = Kinds(builtin_resources("workspaces"), own_resources())
    return compose(store, kinds, allows, external_url=external_url, root_ca=root_ca)


def compose(
    store: Store,
    kinds: Kinds,
    allows: Allows,
    *,
    external_url: str,
    root_ca: str,
    now_s: Callable[[], float] = time.time,
) -> WorkspaceRooms:
    """Put the rooms together, of any kinds; ``allows`` is RBAC, ``now_s`` seconds since the epoch."""
    records = by_name(kinds.all())
    maker = Maker(records, now_s=now_s)
    tenancy = Tenancy(store, records["core.kcp.io", "logicalclusters"])
    types = Types(store, records["tenancy.kcp.io", "workspacetypes"], tenancy)
    exports = Exports(store, maker)
    bindings = Bindings(store, maker, exports, tenancy.resolve)
    clusters = ClusterMaker(maker, types, bindings, external_url=external_url, root_ca=root_ca)
    return WorkspaceRooms(
        store=store,
        maker=maker,
        catalog=WorkspaceCatalog(
            store, builtin=kinds.builtin, own=kinds.own, from_crd=kinds.from_crd, from_schema=kinds.from_schema
        ),
        tenancy=tenancy,
        types=types,
        exports=exports,
        bindings=bindings,
        clusters=clusters,
        homes=HomeWorkspaces(store, maker, types, clusters, allows),
        workspaces=WorkspaceEffects(store, maker, tenancy, types, clusters),
        export_effects=ExportEffects(store, maker, root_ca),
        plugins=(
            WorkspaceAdmission(tenancy, types, allows),
            WorkspaceTypeAdmission(),
            LogicalClusterAdmission(),
            PathAnnotation(tenancy),
            SchemaAdmission(),
            ExportAdmission(),
            BindingAdmission(tenancy.resolve, allows),
            ReservedCrds({(kind.group, kind.plural) for kind in kinds.all()}),
        ),
        policy=MaximalPermissionPolicy(exports, allows),
        root_ca=root_ca,
    )
