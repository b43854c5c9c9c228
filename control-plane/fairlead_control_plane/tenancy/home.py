"""
Home workspaces: ``GET /clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces/~``.

Made on first use, Ready in the one transaction that makes it, so that nobody has to be told to come back later.

Source: kcp-core 1.8.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, InternalError
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.sharing.objects import LOGICAL_CLUSTERS, Maker
from fairlead_control_plane.store.contract import CompareFailed, Store
from fairlead_control_plane.tenancy.creation import ClusterMaker, NewCluster
from fairlead_control_plane.tenancy.paths import LOGICAL_CLUSTER_NAME
from fairlead_control_plane.tenancy.types import Types

HOME_TYPE = ("root", "home")
NAME = "~"

Allows = Callable[[User, RequestInfo], Awaitable[bool]]
"""Whether a user may do this in the cluster the request info names."""


class HomeWorkspaces:
    """
    Shows users their home, making it when they have none.

    Args:
        store, maker, types, clusters: As everywhere.
        allows: RBAC in root; who may create ``workspaces "~"`` there may have a home.
    """

    def __init__(self, store: Store, maker: Maker, types: Types, clusters: ClusterMaker, allows: Allows) -> None:
        self._store = store
        self._maker = maker
        self._types = types
        self._clusters = clusters
        self._allows = allows

    async def get(self, user: User) -> JsonObject:
        """
        Return the Workspace that stands for a user's home; it is stored nowhere and in no list.

        Raises:
            Forbidden: There is none and the user may not have one.
            UnresolvableType: Root has no type ``home``: it was never bootstrapped.
        """
        cluster = names.home_cluster_name(user.name)
        key = self._maker.key(LOGICAL_CLUSTERS, cluster, LOGICAL_CLUSTER_NAME)
        if await self._store.get(key) is None:
            await self._create(user, cluster)
        row = await self._store.get(key)
        if row is None:
            raise InternalError("the home workspace vanished while it was shown")
        return self._shown(encoding.decode(row), cluster)

    async def _create(self, user: User, cluster: str) -> None:
        info = RequestInfo(
            names.ROOT, "", "create", True, "tenancy.kcp.io", "v1alpha1", resource="workspaces", name=NAME
        )
        if not await self._allows(user, info):
            text = f'workspaces.tenancy.kcp.io "{NAME}" is forbidden: User "{user.name}" cannot create a home workspace'
            raise Forbidden(text, group="tenancy.kcp.io", kind="workspaces", name=NAME)
        path = f"user:{user.name}"
        new = NewCluster(
            name=cluster,
            # A user called "a:b" must not get the path of a workspace "b" in the home of "a".
            path=path if names.valid_path(path) and ":" not in user.name else "",
            kind=await self._types.find(*HOME_TYPE, below=""),
            creator=user,
        )
        rows = await self._clusters.first_rows(new)
        try:
            await self._store.commit(rows.operations, rows.compares)
        except CompareFailed:
            # The same user asked twice at once; the other request made it.
            return

    def _shown(self, logical_cluster: JsonObject, cluster: str) -> JsonObject:
        metadata, status = logical_cluster["metadata"], logical_cluster.get("status") or {}
        return {
            "kind": "Workspace",
            "apiVersion": "tenancy.kcp.io/v1alpha1",
            "metadata": {
                "name": LOGICAL_CLUSTER_NAME,
                "creationTimestamp": metadata["creationTimestamp"],
                "annotations": {names.CLUSTER_ANNOTATION: names.ROOT},
            },
            "spec": {"cluster": cluster, "URL": status.get("URL", "")},
            "status": {key: value for key, value in status.items() if key != "URL"},
        }
