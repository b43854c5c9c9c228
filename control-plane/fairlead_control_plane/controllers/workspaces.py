"""
Deletes the content of workspaces that are on their way out, and ends the initialization of those that wait for APIs.

All that is to be done can be read from rows (``/meta/deleting/``, ``/meta/initializing/``), so a restart goes on where
the last process stopped.

Source: kcp-core 1.6, 1.7.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, NotFound
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.controllers.sweeping import delete_all, remaining
from fairlead_control_plane.kinds.keys import parse_key, range_prefix
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.bindings import Bindings
from fairlead_control_plane.sharing.conditions import condition, merged
from fairlead_control_plane.sharing.objects import (
    BINDINGS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CRDS,
    LOGICAL_CLUSTERS,
    NAMESPACES,
    WORKSPACES,
    Maker,
)
from fairlead_control_plane.store.contract import Event, prefix_end
from fairlead_control_plane.tenancy.creation import DELETION_FINALIZER
from fairlead_control_plane.tenancy.lifecycle import DELETING, INITIALIZING
from fairlead_control_plane.tenancy.paths import LOGICAL_CLUSTER_NAME
from fairlead_control_plane.tenancy.types import BINDINGS_INITIALIZER, Types, default_bindings

_LOOK_AGAIN_S = 5.0
"""While something holds content back; removals of content ask for a look at once."""
_OBJECT_SEGMENTS = 7

_DEFINES_APIS = (CRDS, BINDINGS)
_RIGHTS = (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES)
_LATER = frozenset({LOGICAL_CLUSTERS, *_DEFINES_APIS, *_RIGHTS})


class _Phase(ABC):
    """
    A phase of logical clusters that ends when something in them is done; keys are (cluster,).

    Args:
        rows: Prefix of the rows that name the logical clusters in it.
    """

    def __init__(self, registry: Registry, maker: Maker, rows: str) -> None:
        self._registry = registry
        self._maker = maker
        self._rows = rows
        self._kind = maker.records[LOGICAL_CLUSTERS]
        self._prefix = range_prefix(self._kind)
        self._waiting: set[str] = set()

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield every logical cluster in the phase."""
        store = self._registry.parts.store
        for row in (await store.range(self._rows, prefix_end(self._rows))).rows:
            yield (row.key.removeprefix(self._rows),)

    async def reconcile(self, key: Key) -> float | None:
        """Do what can be done now; end the phase when nothing is left."""
        (cluster,) = key
        try:
            logical_cluster = await self._registry.get(self._kind, cluster, "", LOGICAL_CLUSTER_NAME)
        except NotFound:
            self._waiting.discard(cluster)
            return None
        if self._is_in(logical_cluster):
            self._waiting.add(cluster)
            if not await self._proceed(cluster, logical_cluster):
                return _LOOK_AGAIN_S
            await self._end(cluster)
        self._waiting.discard(cluster)
        return None

    @abstractmethod
    def _is_in(self, logical_cluster: JsonObject) -> bool:
        """Tell whether a logical cluster is in the phase."""

    @abstractmethod
    async def _proceed(self, cluster: str, logical_cluster: JsonObject) -> bool:
        """Do what can be done now; return whether nothing is left."""

    @abstractmethod
    async def _end(self, cluster: str) -> None:
        """Take what marks the phase from the logical cluster."""


class WorkspaceDeletion(_Phase):
    """
    Empties logical clusters that are being deleted.

    In this order: child workspaces, namespaces and all other objects; then what defines APIs, bindings last; then
    rights. A child workspace is emptied the same way, so that a tree goes from its leaves.

    Args:
        registry: Deletes, so that finalizers, owners and views are honoured.
        maker: Knows the kinds.
    """

    name = "workspace-deletion"

    def __init__(self, registry: Registry, maker: Maker) -> None:
        super().__init__(registry, maker, DELETING)

    def keys(self, event: Event) -> Iterable[Key]:
        """Look at logical clusters being deleted, and again whenever something in one is gone."""
        if event.row is not None:
            is_going = event.key.startswith(self._prefix) and b'"deletionTimestamp"' in event.row.value
            return [(event.key.split("/")[4],)] if is_going else []
        if not self._waiting:
            return []
        parts = event.key.split("/")
        return [(parts[4],)] if len(parts) == _OBJECT_SEGMENTS and parts[4] in self._waiting else []

    def _is_in(self, logical_cluster: JsonObject) -> bool:
        return "deletionTimestamp" in logical_cluster["metadata"]

    async def _proceed(self, cluster: str, logical_cluster: JsonObject) -> bool:
        del logical_cluster
        left = await self._delete_content(cluster)
        if left:
            await self._tell(cluster, left)
        return not left

    async def _end(self, cluster: str) -> None:
        await self._registry.modify(self._kind, cluster, "", LOGICAL_CLUSTER_NAME, _without_finalizer)

    async def _delete_content(self, cluster: str) -> dict[str, int]:
        """Delete stage by stage; return how many objects of which resources hold the present stage."""
        served = {(kind.group, kind.plural): kind for kind in await self._registry.parts.catalog.resources(cluster)}
        content = [kind for name, kind in served.items() if name not in _LATER and _can_be_deleted(kind)]
        content.sort(key=lambda kind: (kind.group, kind.plural) not in {WORKSPACES, NAMESPACES})
        stages = [content, *([served[name]] for name in (*_DEFINES_APIS, *_RIGHTS) if name in served)]
        for stage in stages:
            left = {kind.name: count for kind in stage if (count := await self._delete_all(kind, cluster))}
            if left:
                return left
        return {}

    async def _delete_all(self, kind: Resource, cluster: str) -> int:
        """Delete all objects of a resource; return how many are left. Namespaced ones go with their namespace."""
        if kind.namespaced:
            return len((await self._registry.list(kind, cluster))[0])
        return await delete_all(self._registry, kind, cluster)

    async def _tell(self, cluster: str, left: dict[str, int]) -> None:
        """Say on the logical cluster what holds its deletion."""
        said = condition(
            "WorkspaceContentDeleted",
            False,
            reason="SomeResourcesRemain",
            message=remaining(left),
            severity="Info",
        )

        def change(obj: JsonObject) -> JsonObject | None:
            status = obj.get("status") or {}
            found = merged(status.get("conditions") or (), [said], self._maker.now())
            return None if found == status.get("conditions") else {**obj, "status": {**status, "conditions": found}}

        await self._registry.modify(self._kind, cluster, "", LOGICAL_CLUSTER_NAME, change, subresource="status")


def _can_be_deleted(kind: Resource) -> bool:
    return not kind.strategy.virtual and {"delete", "list"} <= kind.strategy.verbs


def _without_finalizer(obj: JsonObject) -> JsonObject:
    metadata = dict(obj["metadata"])
    metadata["finalizers"] = [each for each in metadata.get("finalizers", ()) if each != DELETION_FINALIZER]
    return {**obj, "metadata": metadata}


class WorkspaceInitialization(_Phase):
    """
    Makes the default bindings that could not be made with their workspace, and ends its wait once all are bound.

    Args:
        registry, maker, types: As everywhere.
        bindings: Names and completes default bindings.
    """

    name = "workspace-initialization"

    def __init__(self, registry: Registry, maker: Maker, types: Types, bindings: Bindings) -> None:
        super().__init__(registry, maker, INITIALIZING)
        self._types = types
        self._bindings = bindings

    def keys(self, event: Event) -> Iterable[Key]:
        """Look at logical clusters that wait, and again when one of their bindings changes."""
        if event.row is None:
            return []
        if event.key.startswith(self._prefix):
            waits = b'"Initializing"' in event.row.value and BINDINGS_INITIALIZER.encode() in event.row.value
            return [(event.key.split("/")[4],)] if waits else []
        if not self._waiting or not event.key.startswith(f"/{BINDINGS[0]}/{BINDINGS[1]}/"):
            return []
        cluster = parse_key(event.key).cluster
        return [(cluster,)] if cluster in self._waiting else []

    def _is_in(self, logical_cluster: JsonObject) -> bool:
        return BINDINGS_INITIALIZER in ((logical_cluster.get("status") or {}).get("initializers") or ())

    async def _end(self, cluster: str) -> None:
        await self._registry.modify(self._kind, cluster, "", LOGICAL_CLUSTER_NAME, _initialized, subresource="status")

    async def _proceed(self, cluster: str, logical_cluster: JsonObject) -> bool:
        """Create what is missing; return whether all are bound."""
        qualified = logical_cluster["metadata"]["annotations"]["internal.tenancy.kcp.io/type"]
        aliases = await self._types.aliases(await self._types.of(qualified))
        kind = self._maker.records[BINDINGS]
        is_bound = True
        for wanted in await self._bindings.defaults(cluster, default_bindings(aliases)):
            bare = {"metadata": {"name": wanted["metadata"]["name"]}, "spec": wanted["spec"]}
            try:
                found = await self._registry.get(kind, cluster, "", wanted["metadata"]["name"])
            except NotFound:
                try:
                    found = await self._registry.create(kind, cluster, bare)
                except AlreadyExists:
                    return False
            is_bound = is_bound and (found.get("status") or {}).get("phase") == "Bound"
        return is_bound


def _initialized(obj: JsonObject) -> JsonObject:
    left = [each for each in obj["status"]["initializers"] if each != BINDINGS_INITIALIZER]
    return {**obj, "status": {**obj["status"], "initializers": left}}
