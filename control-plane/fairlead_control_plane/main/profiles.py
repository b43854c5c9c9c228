"""
What differs between the profiles: which kinds there are, and whether there is more than one logical cluster.

``cluster``: one logical cluster called ``root``, all of Kubernetes' kinds, bare paths.
``workspaces``: a tree of logical clusters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists
from fairlead_control_plane.admission.contract import Plugin
from fairlead_control_plane.auth.authorize import Workspace, Workspaces
from fairlead_control_plane.http.dispatch import Resolve
from fairlead_control_plane.kinds.builtin import builtin_resource, builtin_resources
from fairlead_control_plane.kinds.catalog import Catalog, StaticCatalog
from fairlead_control_plane.kinds.change import Effects
from fairlead_control_plane.main.settings import Settings
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
        begin: Makes the first objects, once; called before the server listens.
        closers: Called when the server ends.
    """

    catalog: Catalog
    workspaces: Workspaces | None
    resolve: Resolve | None
    home: str
    begin: Callable[[Registry], Awaitable[None]]
    plugins: Sequence[Plugin] = ()
    effects: Sequence[Effects] = ()
    closers: Sequence[Callable[[], None]] = ()


async def of_profile(settings: Settings, store: Store) -> Profile:
    """Build the rooms of the profile that the settings name."""
    del store
    catalog = StaticCatalog(builtin_resources(settings.profile))
    if settings.profile == "cluster":
        return Profile(catalog, None, None, ROOT, _first_namespaces)
    return Profile(catalog, _only_root, _resolve_root, "", _first_namespaces)


async def _only_root(cluster: str) -> Workspace | None:
    return Workspace() if cluster == ROOT else None


async def _resolve_root(path: str) -> str | None:
    return ROOT if path == ROOT else None


async def _first_namespaces(registry: Registry) -> None:
    kind = builtin_resource("", "namespaces")
    assert kind is not None, "namespaces are built in"
    for name in _NAMESPACES:
        namespace: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            await registry.create(kind, ROOT, namespace)
        except AlreadyExists:
            continue
