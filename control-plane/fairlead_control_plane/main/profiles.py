"""
What differs between the profiles: which kinds there are, and whether there is more than one logical cluster.

``cluster``: one logical cluster called ``root``, all of Kubernetes' kinds, bare paths.
``workspaces``: a tree of logical clusters.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists
from fairlead_control_plane.admission.contract import Plugin
from fairlead_control_plane.admission.lifecycle import NamespaceLifecycle
from fairlead_control_plane.admission.namespace_objects import NamespaceObjects
from fairlead_control_plane.admission.reserved import ReservedMetadata
from fairlead_control_plane.auth.authorize import Workspace, Workspaces
from fairlead_control_plane.controllers.crds import Definitions
from fairlead_control_plane.controllers.garbage import Garbage
from fairlead_control_plane.controllers.namespaces import Namespaces
from fairlead_control_plane.controllers.rootca import RootCa
from fairlead_control_plane.controllers.runner import Controller
from fairlead_control_plane.http.dispatch import Resolve
from fairlead_control_plane.kinds.builtin import builtin_resource, builtin_resources
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.change import Effects
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.main.cluster_catalog import ClusterCatalog
from fairlead_control_plane.main.settings import Settings
from fairlead_control_plane.registry.call import at, new_uid
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Store

ROOT = "root"
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


@dataclass(frozen=True, slots=True)
class Profile:
    """
    The rooms of a profile.

    Attributes:
        workspaces, resolve: None where there is one logical cluster only.
        home: The logical cluster of bare paths.
        plugins: Admission, in order; the check against escalation comes after them.
        begin: Makes the first objects; called before the server listens.
        controllers: What runs beside the server.
        closers: Called when the server ends.
    """

    catalog: Catalog
    workspaces: Workspaces | None
    resolve: Resolve | None
    home: str
    plugins: Sequence[Plugin]
    effects: Sequence[Effects]
    begin: Callable[[Registry], Awaitable[None]]
    controllers: Callable[[Registry], Sequence[Controller]]
    closers: Sequence[Callable[[], None]] = ()


async def of_profile(settings: Settings, store: Store, ca_pem: str) -> Profile:
    """Build the rooms of the profile that the settings name."""
    workspaces = settings.profile == "workspaces"
    namespaces, definitions = _builtin("", "namespaces"), _builtin("apiextensions.k8s.io", "customresourcedefinitions")
    catalog = ClusterCatalog(store, builtin_resources(settings.profile), definitions)
    first = NamespaceObjects(
        _builtin("", "configmaps"),
        _builtin("", "serviceaccounts"),
        lambda: ca_pem,
        new_uid,
        lambda: at(time.time()),
        marks_cluster=workspaces,
    )

    def controllers(registry: Registry) -> Sequence[Controller]:
        return (
            Garbage(registry),
            Namespaces(registry, namespaces),
            Definitions(registry, definitions, resource_from_crd),
            RootCa(registry, namespaces, first),
        )

    return Profile(
        catalog,
        workspaces=_only_root if workspaces else None,
        resolve=_resolve_root if workspaces else None,
        home="" if workspaces else ROOT,
        plugins=(ReservedMetadata(), NamespaceLifecycle(store, namespaces)),
        effects=(first.effects,),
        begin=_first_namespaces,
        controllers=controllers,
        closers=(catalog.close,),
    )


def _builtin(group: str, plural: str) -> Resource:
    found = builtin_resource(group, plural)
    if found is None:
        raise LookupError(f"{plural}.{group} is built in")
    return found


async def _only_root(cluster: str) -> Workspace | None:
    return Workspace() if cluster == ROOT else None


async def _resolve_root(path: str) -> str | None:
    return ROOT if path == ROOT else None


async def _first_namespaces(registry: Registry) -> None:
    kind = _builtin("", "namespaces")
    for name in _NAMESPACES:
        namespace: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            await registry.create(kind, ROOT, namespace)
        except AlreadyExists:
            continue
