"""
What a write to a Workspace or LogicalCluster brings with it, in the same transaction.

Workspace and LogicalCluster never disagree: phases, deletion and removal are written to both under one revision.

Source: kcp-core 1.6, 1.7.
"""

from __future__ import annotations

import secrets

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.sharing.bindings import API_LOCKS
from fairlead_control_plane.sharing.conditions import condition, merged
from fairlead_control_plane.sharing.objects import LOGICAL_CLUSTERS, WORKSPACES, Maker
from fairlead_control_plane.store.contract import Compare, Delete, Operation, Put, Row, Store
from fairlead_control_plane.tenancy.creation import (
    OWNER_ANNOTATION,
    PHASE_LABEL,
    ClusterMaker,
    NewCluster,
    cluster_status,
    initialized,
    owner_name,
    phase_labels,
)
from fairlead_control_plane.tenancy.paths import (
    LOGICAL_CLUSTER_NAME,
    REQUIRED_GROUPS_ANNOTATION,
    Tenancy,
    path_key,
    path_value,
)
from fairlead_control_plane.tenancy.types import Types, UnresolvableType

WORKSPACE_FINALIZER = "core.kcp.io/logicalcluster"
CHOSEN_CLUSTER_ANNOTATION = "internal.tenancy.kcp.io/cluster"
CHOSEN_SHARD_ANNOTATION = "internal.tenancy.kcp.io/shard"
DELETING = "/meta/deleting/"
"""``/meta/deleting/<cluster>``: a logical cluster whose content is being deleted; how the controller finds its work."""
INITIALIZING = "/meta/initializing/"
"""``/meta/initializing/<cluster>``: a logical cluster that waits for its default bindings."""

_DELETING = "Deleting"
_RANDOM_BYTES = 32


class WorkspaceEffects:
    """
    The effects of tenancy.

    Args:
        store, maker, tenancy, types: As everywhere.
        clusters: Makes first rows.
    """

    def __init__(self, store: Store, maker: Maker, tenancy: Tenancy, types: Types, clusters: ClusterMaker) -> None:
        self._store = store
        self._maker = maker
        self._tenancy = tenancy
        self._types = types
        self._clusters = clusters

    async def __call__(self, change: Change) -> Effect:
        """See :data:`fairlead_control_plane.kinds.change.Effects`."""
        kind = (change.resource.group, change.resource.plural)
        if change.resource.identity or kind not in {WORKSPACES, LOGICAL_CLUSTERS}:
            return Effect()
        if kind == WORKSPACES:
            return await self._workspace(change)
        return await self._logical_cluster(change)

    async def _workspace(self, change: Change) -> Effect:
        if change.new is None:
            return await self._workspace_removed(change.old or {})
        if change.old is None:
            try:
                return await self._created(change, change.new)
            except UnresolvableType as error:
                raise Forbidden(str(error)) from error
        if _starts_deletion(change):
            return await self._workspace_deleted(change.new)
        return Effect()

    async def _created(self, change: Change, workspace: JsonObject) -> Effect:
        parent = await self._tenancy.logical_cluster(change.cluster)
        if parent is None:
            raise Forbidden(f"logical cluster {change.cluster!r} does not exist")
        annotations = workspace["metadata"].get("annotations") or {}
        groups = annotations.get(REQUIRED_GROUPS_ANNOTATION)
        asked = workspace["spec"].get("type") or {}
        kind = await self._types.find(asked.get("path", ""), asked.get("name", ""), below=parent.path)
        new = NewCluster(
            name=workspace["spec"].get("cluster") or names.new_cluster_name(secrets.token_bytes(_RANDOM_BYTES)),
            path=names.join(parent.path, change.name),
            kind=kind,
            owner=_owner(change, workspace),
            creator=change.user if OWNER_ANNOTATION in annotations else None,
            annotations={REQUIRED_GROUPS_ANNOTATION: groups} if groups else {},
        )
        rows = await self._clusters.first_rows(new)
        operations = list(rows.operations)
        if rows.pending:
            operations.append(Put(INITIALIZING + new.name, b"{}"))
        parent_key = self._maker.key(LOGICAL_CLUSTERS, change.cluster, LOGICAL_CLUSTER_NAME)
        # The parent must not vanish meanwhile, or the child would be left behind.
        compares = [*rows.compares, Compare(parent_key, parent.revision)]
        return Effect(operations, compares, self._complete(workspace, new, rows.pending))

    def _complete(self, workspace: JsonObject, new: NewCluster, pending: tuple[str, ...]) -> JsonObject:
        """Return a new Workspace as it is once its logical cluster is there."""
        metadata = dict(workspace["metadata"])
        metadata["finalizers"] = sorted({*metadata.get("finalizers", ()), WORKSPACE_FINALIZER})
        metadata["annotations"] = {
            **metadata.get("annotations", {}),
            CHOSEN_CLUSTER_ANNOTATION: new.name,
            CHOSEN_SHARD_ANNOTATION: names.shard_name_hash(self._clusters.shard),
        }
        spec = {**workspace["spec"], "cluster": new.name}
        spec.setdefault("URL", self._clusters.url(new.path))
        return self._with_phase({**workspace, "metadata": metadata, "spec": spec}, pending)

    def _with_phase(self, workspace: JsonObject, pending: tuple[str, ...]) -> JsonObject:
        now = self._maker.now()
        metadata = dict(workspace["metadata"])
        labels = {key: value for key, value in metadata.get("labels", {}).items() if not _is_initializer_label(key)}
        metadata["labels"] = {**labels, **phase_labels(pending)}
        annotations = metadata.get("annotations", {})
        if not pending and OWNER_ANNOTATION in annotations:
            metadata["annotations"] = {**annotations, OWNER_ANNOTATION: owner_name(annotations[OWNER_ANNOTATION])}
        said = [condition("WorkspaceScheduled", True), initialized(pending)]
        old = workspace.get("status") or {}
        status: JsonObject = {
            "phase": metadata["labels"][PHASE_LABEL],
            "conditions": merged(old.get("conditions") or (), said, now),
        }
        if pending:
            status["initializers"] = list(pending)
        return {**workspace, "metadata": metadata, "status": status}

    async def _workspace_deleted(self, workspace: JsonObject) -> Effect:
        """Let the logical cluster go the same way at the same moment."""
        cluster = workspace["spec"].get("cluster", "")
        if not cluster:
            return Effect()
        operations: list[Operation] = [Put(DELETING + cluster, b"{}"), Delete(INITIALIZING + cluster)]
        row = await self._read(LOGICAL_CLUSTERS, cluster, LOGICAL_CLUSTER_NAME)
        compares = [
            Compare(self._maker.key(LOGICAL_CLUSTERS, cluster, LOGICAL_CLUSTER_NAME), row.mod_revision if row else 0)
        ]
        if row is not None:
            leaving = _deleting(encoding.decode(row), self._maker.now())
            operations.append(self._maker.put(LOGICAL_CLUSTERS, cluster, leaving))
        return Effect(operations, compares, _with_deleting_phase(workspace))

    async def _workspace_removed(self, workspace: JsonObject) -> Effect:
        """
        Free the path of a Workspace whose row goes although its logical cluster is still there.

        The controller removes both at once; this is for somebody who took the finalizer away by hand. Content is then
        deleted all the same, so that nothing is left that no path leads to.
        """
        cluster = workspace.get("spec", {}).get("cluster", "")
        row = await self._read(LOGICAL_CLUSTERS, cluster, LOGICAL_CLUSTER_NAME) if cluster else None
        if row is None:
            return Effect()
        left = encoding.decode(row)
        path = left["metadata"]["annotations"].get(names.PATH_ANNOTATION, cluster)
        leaving = self._maker.put(LOGICAL_CLUSTERS, cluster, _deleting(left, self._maker.now()))
        operations: list[Operation] = [
            leaving,
            Put(DELETING + cluster, b"{}"),
            Delete(INITIALIZING + cluster),
            Delete(path_key(path)),
        ]
        return Effect(operations, [Compare(row.key, row.mod_revision)])

    async def _logical_cluster(self, change: Change) -> Effect:
        if change.new is None:
            return await self._cluster_removed(change.cluster, change.old or {})
        if _starts_deletion(change):
            return await self._cluster_deleted(change.cluster, change.new)
        if change.old is not None and _pending(change.old) != _pending(change.new):
            return await self._progressed(change.cluster, change.new)
        return Effect()

    async def _cluster_deleted(self, cluster: str, logical_cluster: JsonObject) -> Effect:
        """Take the Workspace along when a logical cluster is deleted directly."""
        operations: list[Operation] = [Put(DELETING + cluster, b"{}"), Delete(INITIALIZING + cluster)]
        compares = []
        row = await self._owner_row(logical_cluster)
        if row is not None:
            parent = row.key.split("/")[4]
            leaving = _deleting(encoding.decode(row), self._maker.now())
            operations.append(self._maker.put(WORKSPACES, parent, leaving))
            compares.append(Compare(row.key, row.mod_revision))
        return Effect(operations, compares, _with_deleting_phase(logical_cluster))

    async def _cluster_removed(self, cluster: str, logical_cluster: JsonObject) -> Effect:
        """Remove the path, our own rows and the Workspace with its logical cluster."""
        path = (logical_cluster["metadata"].get("annotations") or {}).get(names.PATH_ANNOTATION, "")
        gone = [DELETING + cluster, INITIALIZING + cluster, API_LOCKS + cluster]
        compares = []
        target = await self._store.get(path_key(path)) if path else None
        if target is not None and target.value == path_value(cluster):
            # Somebody may have made a workspace anew under this path after taking the finalizer away by hand.
            gone.append(target.key)
            compares.append(Compare(target.key, target.mod_revision))
        operations: list[Operation] = [Delete(key) for key in gone]
        row = await self._owner_row(logical_cluster)
        if row is not None:
            operations.append(self._released(row))
            compares.append(Compare(row.key, row.mod_revision))
        return Effect(operations, compares)

    def _released(self, row: Row) -> Operation:
        """Return the removal of a Workspace, or its release when others hold it by finalizers of their own."""
        workspace = encoding.decode(row)
        metadata = workspace["metadata"]
        left = [finalizer for finalizer in metadata.get("finalizers", ()) if finalizer != WORKSPACE_FINALIZER]
        if not left:
            return Delete(row.key)
        metadata["finalizers"] = left
        return self._maker.put(WORKSPACES, row.key.split("/")[4], workspace)

    async def _progressed(self, cluster: str, logical_cluster: JsonObject) -> Effect:
        """Carry what is left of the initializers, and Ready when none is, to labels, conditions and the Workspace."""
        pending = _pending(logical_cluster)
        metadata = dict(logical_cluster["metadata"])
        labels = {key: value for key, value in metadata.get("labels", {}).items() if not _is_initializer_label(key)}
        metadata["labels"] = {**labels, **phase_labels(pending)}
        status = cluster_status(logical_cluster["status"], pending, self._maker.now())
        operations: list[Operation] = [] if pending else [Delete(INITIALIZING + cluster)]
        compares = []
        row = await self._owner_row(logical_cluster)
        if row is not None:
            workspace = self._with_phase(encoding.decode(row), pending)
            operations.append(self._maker.put(WORKSPACES, row.key.split("/")[4], workspace))
            compares.append(Compare(row.key, row.mod_revision))
        return Effect(operations, compares, {**logical_cluster, "metadata": metadata, "status": status})

    async def _owner_row(self, logical_cluster: JsonObject) -> Row | None:
        """Return the row of the Workspace a logical cluster is for; None when it has none or that was made anew."""
        owner = (logical_cluster.get("spec") or {}).get("owner") or {}
        if not owner.get("cluster") or not owner.get("name"):
            return None
        row = await self._read(WORKSPACES, owner["cluster"], owner["name"])
        is_same = row is not None and encoding.decode(row)["metadata"]["uid"] == owner.get("uid")
        return row if is_same else None

    async def _read(self, kind: tuple[str, str], cluster: str, name: str) -> Row | None:
        return await self._store.get(self._maker.key(kind, cluster, name))


def _owner(change: Change, workspace: JsonObject) -> JsonObject:
    return {
        "apiVersion": "tenancy.kcp.io/v1alpha1",
        "resource": "workspaces",
        "name": change.name,
        "cluster": change.cluster,
        "uid": workspace["metadata"]["uid"],
    }


def _starts_deletion(change: Change) -> bool:
    old, new = change.old or {"metadata": {}}, change.new or {"metadata": {}}
    return "deletionTimestamp" in new["metadata"] and "deletionTimestamp" not in old["metadata"]


def _deleting(obj: JsonObject, now: str) -> JsonObject:
    """Return a Workspace or LogicalCluster on its way out."""
    metadata = {"deletionTimestamp": now, "deletionGracePeriodSeconds": 0} | obj["metadata"]
    return _with_deleting_phase({**obj, "metadata": metadata})


def _with_deleting_phase(obj: JsonObject) -> JsonObject:
    metadata = {**obj["metadata"], "labels": {**obj["metadata"].get("labels", {}), PHASE_LABEL: _DELETING}}
    return {**obj, "metadata": metadata, "status": {**(obj.get("status") or {}), "phase": _DELETING}}


def _pending(logical_cluster: JsonObject) -> tuple[str, ...]:
    return tuple((logical_cluster.get("status") or {}).get("initializers") or ())


def _is_initializer_label(key: str) -> bool:
    return key.startswith(names.INITIALIZER_LABEL_PREFIX)
