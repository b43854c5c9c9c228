"""
What differs between the profiles: which kinds there are, and whether there is more than one logical cluster.

``cluster``: one logical cluster called ``root``, all of Kubernetes' kinds, bare paths.
``workspaces``: a tree of logical clusters, and the transparent half: agents, views, the scheduler.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from fairlead_api import JsonObject
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.admission.certificates import CertificateRights
from fairlead_control_plane.admission.contract import Plugin
from fairlead_control_plane.admission.lifecycle import NamespaceLifecycle
from fairlead_control_plane.admission.namespace_objects import NamespaceObjects
from fairlead_control_plane.admission.placements import May, PlacementAdmission
from fairlead_control_plane.admission.plain import plain_plugins
from fairlead_control_plane.admission.policies.composing import admission_policies
from fairlead_control_plane.admission.policies.plugin import Surroundings
from fairlead_control_plane.admission.reserved import ReservedMetadata
from fairlead_control_plane.allocation.repair import note_given
from fairlead_control_plane.allocation.services import ServiceAllocation
from fairlead_control_plane.auth.accounts import Assigned
from fairlead_control_plane.auth.authenticate import TokenVerifier
from fairlead_control_plane.auth.authorize import Authorizer, Guard, Workspaces
from fairlead_control_plane.auth.policies import Policies
from fairlead_control_plane.auth.token_request import TokenRequests
from fairlead_control_plane.controllers.crds import Definitions
from fairlead_control_plane.controllers.flow_schemas import FlowSchemas
from fairlead_control_plane.controllers.garbage import Garbage
from fairlead_control_plane.controllers.namespaces import Namespaces
from fairlead_control_plane.controllers.rootca import RootCa
from fairlead_control_plane.controllers.runner import Controller
from fairlead_control_plane.http.dispatch import Resolve, Serve
from fairlead_control_plane.http.virtual import VirtualWorkspace
from fairlead_control_plane.kinds.builtin import builtin_resource, builtin_resources
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.change import Effects
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.main import compute
from fairlead_control_plane.main.children import supervise
from fairlead_control_plane.main.cluster_catalog import ClusterCatalog
from fairlead_control_plane.main.default_objects import make_default_objects
from fairlead_control_plane.main.first_objects import make_first_objects
from fairlead_control_plane.main.readings import Agents
from fairlead_control_plane.main.rights import Rights, zone_offset
from fairlead_control_plane.main.settings import Settings
from fairlead_control_plane.main.workspaces import workspace_rooms
from fairlead_control_plane.registry.call import Target, at, new_uid, random_suffix
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.watch.hub import Hub
from fairlead_schema.cel.standard import use_zones

ROOT = "root"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a profile stands on; ``ca_pem`` is the server's CA certificate, ``url`` how users reach the server."""

    store: Store
    policies: Policies
    ca_pem: str
    url: str


@dataclass(frozen=True, slots=True)
class Built:
    """What there is once the registry is."""

    registry: Registry
    hub: Hub
    authorizer: Authorizer
    mint: TokenRequests
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What runs over the registry.

    Attributes:
        controllers: For the one runner.
        background: Endless work of its own.
        virtual: Virtual workspaces by name.
        verifiers: Of bearer tokens, after the common ones.
        agents: For the metrics; None where no agent can join.
    """

    controllers: Sequence[Controller]
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    virtual: Mapping[str, VirtualWorkspace] = field(default_factory=dict)
    verifiers: Sequence[TokenVerifier] = ()
    agents: Agents | None = None


def _unchanged(serve: Serve) -> Serve:
    return serve


def _no_more(authorizer: Authorizer) -> Sequence[Plugin]:
    del authorizer
    return ()


@dataclass(frozen=True, slots=True)
class Profile:
    """
    The rooms of a profile.

    Attributes:
        workspaces, resolve: None where there is one logical cluster only.
        home: The logical cluster of bare paths.
        plugins: Admission, in order; then those that ask the authorizer, then the check against escalation.
        begin: Makes the first objects; called before the server listens.
        build: Makes what runs over the registry.
        closers: Called when the server ends.
        assigned: Says whether a namespace runs on a SyncTarget; None where there are none.
    """

    catalog: Catalog
    workspaces: Workspaces | None
    resolve: Resolve | None
    home: str
    plugins: Sequence[Plugin]
    effects: Sequence[Effects]
    begin: Callable[[Registry], Awaitable[None]]
    build: Callable[[Built], Parts]
    guards: Sequence[Guard] = ()
    authorized: Callable[[Authorizer], Sequence[Plugin]] = _no_more
    serving: Callable[[Serve], Serve] = _unchanged
    closers: Sequence[Callable[[], None]] = ()
    assigned: Assigned | None = None


async def of_profile(settings: Settings, ground: Ground) -> Profile:
    """Build the rooms of the profile that the settings name."""
    use_zones(zone_offset)
    return await _workspaces(settings, ground) if settings.profile == "workspaces" else _cluster(settings, ground)


@dataclass(frozen=True, slots=True)
class _Common:
    """What both profiles have: namespaces with their first objects, and the housekeeping controllers."""

    namespaces: Resource
    definitions: Resource
    first: NamespaceObjects
    served: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, ca_pem: str, *, workspaces: bool) -> _Common:
        accounts, config_maps = _builtin("", "serviceaccounts"), _builtin("", "configmaps")
        first = NamespaceObjects(
            config_maps, accounts, lambda: ca_pem, new_uid, lambda: at(time.time()), marks_cluster=workspaces
        )
        definitions = _builtin("apiextensions.k8s.io", "customresourcedefinitions")
        kinds = (
            *builtin_resources("workspaces" if workspaces else "cluster"),
            *(own_resources() if workspaces else ()),
        )
        served = frozenset((kind.group, kind.plural) for kind in kinds)
        return cls(_builtin("", "namespaces"), definitions, first, served)

    def controllers(self, registry: Registry) -> tuple[Controller, ...]:
        return (
            Garbage(registry),
            Namespaces(registry, self.namespaces),
            Definitions(registry, self.definitions, resource_from_crd, self.served),
            RootCa(registry, self.namespaces, self.first),
        )


def _flow_schemas(registry: Registry) -> FlowSchemas:
    group = "flowcontrol.apiserver.k8s.io"
    return FlowSchemas(registry, _builtin(group, "flowschemas"), _builtin(group, "prioritylevelconfigurations"))


def _cluster(settings: Settings, ground: Ground) -> Profile:
    common = _Common.of(ground.ca_pem, workspaces=False)
    catalog = ClusterCatalog(ground.store, builtin_resources("cluster"), common.definitions)
    addresses = _builtin("networking.k8s.io", "ipaddresses")
    rights = Rights()
    policies = admission_policies(Surroundings(ground.store, catalog, rights), _builtin)
    allocation = ServiceAllocation(ground.store, addresses, new_uid, lambda: at(time.time()))

    async def begin(registry: Registry) -> None:
        await note_given(ground.store, allocation, _builtin("", "services"), ROOT)
        await make_first_objects(registry, ROOT, _builtin, ground.url)
        if not settings.is_simulated:
            await make_default_objects(registry, ROOT, _builtin)

    return Profile(
        catalog,
        workspaces=None,
        resolve=None,
        home=ROOT,
        # No metadata is reserved here: agents mark what they bring into a plain cluster.
        plugins=(
            NamespaceLifecycle(ground.store, common.namespaces),
            *plain_plugins(
                ground.store,
                _builtin,
                random_suffix,
                has_controllers=not settings.is_simulated,
                policies=policies.plugins,
            ),
        ),
        effects=(common.first.effects, allocation.effects),
        begin=begin,
        build=lambda built: Parts((*common.controllers(built.registry), _flow_schemas(built.registry))),
        authorized=lambda authorizer: (CertificateRights(_may(authorizer)), *rights.use(authorizer)),
        closers=(catalog.close, policies.close),
    )


async def _workspaces(settings: Settings, ground: Ground) -> Profile:
    common = _Common.of(ground.ca_pem, workspaces=True)
    rooms = workspace_rooms(ground.store, ground.policies, external_url=ground.url, root_ca=ground.ca_pem)
    half = await compute.Compute.open(
        ground.store, rooms.maker.records, lambda: ground.url, bin_retention_s=settings.bin_retention_hours * 3600.0
    )

    rights = Rights()
    policies = admission_policies(Surroundings(ground.store, rooms.catalog, rights), _builtin)

    async def begin(registry: Registry) -> None:
        del registry
        await rooms.begin()

    def build(built: Built) -> Parts:
        async def mint(cluster: str, namespace: str, name: str, body: JsonObject, uid: str) -> JsonObject:
            accounts = _builtin("", "serviceaccounts")
            target = Target(accounts, accounts.storage_version, cluster, namespace, name, "token")
            return await built.mint(target, body, target=uid)

        around = compute.Surroundings(
            built.hub, rooms.catalog, built.registry, built.authorizer, rooms.tenancy.resolve, mint
        )
        parts = compute.build(half, around, built.key)
        background = list(parts.background)
        if settings.with_scheduler:
            background.append(lambda: supervise("scheduler", _scheduler(settings)))
        return Parts(
            controllers=(*common.controllers(built.registry), *rooms.controllers(built.registry), *parts.controllers),
            background=background,
            virtual=parts.virtual,
            verifiers=(parts.authenticate,),
            agents=parts.agents,
        )

    return Profile(
        rooms.catalog,
        workspaces=rooms.gate,
        resolve=rooms.tenancy.resolve,
        home="",
        plugins=(
            ReservedMetadata(),
            NamespaceLifecycle(ground.store, common.namespaces, rooms.tenancy.is_going),
            *rooms.plugins,
        ),
        effects=(common.first.effects, *rooms.effects, *half.effects),
        begin=begin,
        build=build,
        guards=(rooms.guard,),
        authorized=lambda authorizer: (
            PlacementAdmission(_may(authorizer), rooms.tenancy.resolve),
            *rights.use(authorizer),
            *policies.plugins,
        ),
        serving=rooms.serving,
        closers=(policies.close,),
        assigned=half.assigned,
    )


def _may(authorizer: Authorizer) -> May:
    """Return what asks about a right of a user in another workspace."""

    async def may(user: User, verb: str, cluster: str, group: str, resource: str, name: str) -> bool:
        info = RequestInfo(cluster, "", verb, True, group, resource=resource, name=name)
        return (await authorizer.authorize(user, info)).allowed

    return may


def _scheduler(settings: Settings) -> list[str]:
    kubeconfig = settings.root_directory.absolute() / "scheduler.kubeconfig"
    return [sys.executable, "-m", "fairlead_scheduler", "--kubeconfig", str(kubeconfig)]


def _builtin(group: str, plural: str) -> Resource:
    found = builtin_resource(group, plural)
    if found is None:
        raise LookupError(f"{plural}.{group} is built in")
    return found
