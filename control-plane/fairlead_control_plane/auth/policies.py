"""RBAC indexes of logical clusters: built when first asked for, dropped when one of their objects changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from fairlead_control_plane.auth.rbac import GROUP, Index, Policy, parse_binding, parse_cluster_role, parse_rules
from fairlead_control_plane.kinds.keys import parse_key
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Event, Store

ROLES = Resource(GROUP, "roles", "Role", ())
ROLE_BINDINGS = Resource(GROUP, "rolebindings", "RoleBinding", ())
CLUSTER_ROLES = Resource(GROUP, "clusterroles", "ClusterRole", (), namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(GROUP, "clusterrolebindings", "ClusterRoleBinding", (), namespaced=False)

_PREFIX = f"/{GROUP}/"


class Policies:
    """
    A bounded cache of :class:`Index` by logical cluster.

    Invariant: once a write to an RBAC object has been acknowledged, no decision is made on what was there before,
    because the store tells listeners before it answers the writer.
    """

    def __init__(self, store: Store, shared: Policy, *, size: int = 2048) -> None:
        self._reader = ObjectReader(store)
        self._shared = shared
        self.shared = Index(Policy(), shared)
        """What holds where a logical cluster has no objects of its own."""
        self._size = size
        self._cache: OrderedDict[str, Index] = OrderedDict()
        self._changes: dict[str, int] = {}
        self._building: dict[str, int] = {}
        self._stop = store.listen(self._changed)

    async def index(self, cluster: str) -> Index:
        """Return the index of a logical cluster."""
        found = self._cache.get(cluster)
        if found is not None:
            self._cache.move_to_end(cluster)
            return found
        return await self._build(cluster)

    def close(self) -> None:
        """Stop listening to the store."""
        self._stop()

    async def _build(self, cluster: str) -> Index:
        self._building[cluster] = self._building.get(cluster, 0) + 1
        try:
            while True:
                before = self._changes.get(cluster, 0)
                policy = await self._read(cluster)
                if before == self._changes.get(cluster, 0):
                    break
        finally:
            self._building[cluster] -= 1
            if not self._building[cluster]:
                del self._building[cluster]
                self._changes.pop(cluster, None)
        built = Index(policy, self._shared)
        self._cache[cluster] = built
        if len(self._cache) > self._size:
            self._cache.popitem(last=False)
        return built

    async def _read(self, cluster: str) -> Policy:
        read = self._reader.list
        roles = await read(ROLES, cluster)
        cluster_roles = await read(CLUSTER_ROLES, cluster)
        bindings = [*await read(CLUSTER_ROLE_BINDINGS, cluster), *await read(ROLE_BINDINGS, cluster)]
        return Policy(
            {each["metadata"]["name"]: parse_cluster_role(each) for each in cluster_roles},
            {
                (each["metadata"]["namespace"], each["metadata"]["name"]): parse_rules(each.get("rules"))
                for each in roles
            },
            tuple(parse_binding(each) for each in bindings),
        )

    def _changed(self, events: Sequence[Event], revision: int) -> None:
        del revision
        for event in events:
            if event.key.startswith(_PREFIX):
                cluster = parse_key(event.key).cluster
                self._cache.pop(cluster, None)
                if cluster in self._building:
                    self._changes[cluster] = self._changes.get(cluster, 0) + 1
