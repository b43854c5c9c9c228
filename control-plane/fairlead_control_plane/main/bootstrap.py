"""
Makes what an installation starts with, at every start, in as few transactions as it can.

What exists is brought up to date, never replaced: uids, identities and what others wrote stay. Nothing is read but one
row when the last start already wrote exactly this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import orjson

from fairlead_api import JsonObject, names
from fairlead_api.request import SYSTEM
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.change import Change
from fairlead_control_plane.main import bootstrap_objects as objects
from fairlead_control_plane.sharing.exports import ExportEffects
from fairlead_control_plane.sharing.objects import (
    EXPORTS,
    LOGICAL_CLUSTERS,
    SCHEMAS,
    WORKSPACE_TYPES,
    WORKSPACES,
    Maker,
    namespace_with_content,
)
from fairlead_control_plane.store.contract import MAX_OPERATIONS, Compare, Operation, Put, Store
from fairlead_control_plane.tenancy.creation import FIRST_NAMESPACES, ClusterMaker, NewCluster
from fairlead_control_plane.tenancy.lifecycle import WorkspaceEffects
from fairlead_control_plane.tenancy.paths import LOGICAL_CLUSTER_NAME, Tenancy
from fairlead_control_plane.tenancy.types import Types

DONE = "/meta/bootstrap"
"""Holds the digest of what was written last."""
SYSTEM_CLUSTER = "system:admin"
_FORMAT = "1"
"""Counted up when this module writes other objects from the same input."""


@dataclass(frozen=True, slots=True)
class Room:
    """The parts of tenancy and sharing that bootstrap works with."""

    store: Store
    maker: Maker
    tenancy: Tenancy
    types: Types
    clusters: ClusterMaker
    workspaces: WorkspaceEffects
    exports: ExportEffects
    root_ca: str


@dataclass(frozen=True, slots=True)
class Schemas:
    """
    The APIResourceSchemas to export, made only when they are needed.

    Attributes:
        digest: Changes whenever the schemas would.
        system: By name of root's export, without what the server sets.
        compute: Of ``kubernetes`` in root:compute.
    """

    digest: str
    system: Callable[[], dict[str, Sequence[JsonObject]]]
    compute: Callable[[], Sequence[JsonObject]]


async def bootstrap(room: Room, schemas: Schemas) -> bool:
    """Make or update what an installation starts with; return whether anything had to be looked at."""
    digest = sha256(f"{_FORMAT} {schemas.digest} {room.clusters.external_url}".encode()).hexdigest().encode()
    row = await room.store.get(DONE)
    if row is not None and row.value == digest:
        return False
    run = _Run(room)
    await run.root(schemas.system())
    await run.clusters()
    await run.compute(schemas.compute())
    await room.store.commit([Put(DONE, digest)])
    return True


class _Run:
    """One pass; each step finds what the steps before it wrote."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._maker = room.maker

    async def root(self, schemas: dict[str, Sequence[JsonObject]]) -> None:
        """Write types, exports, rights and the shard of root."""
        wanted = [*objects.workspace_types(), objects.shard(self._room.clusters.external_url), *objects.root_rights()]
        for name, members in schemas.items():
            wanted += [(SCHEMAS, schema) for schema in members]
            wanted.append((EXPORTS, objects.export(name, members)))
        await self._apply(names.ROOT, wanted, path=names.ROOT)

    async def clusters(self) -> None:
        """Make the logical clusters root, system:admin and root:compute."""
        room = self._room
        if await room.tenancy.logical_cluster(names.ROOT) is None:
            kind = await room.types.find("root", "root", below="")
            rows = await room.clusters.first_rows(NewCluster(names.ROOT, names.ROOT, kind))
            await room.store.commit(rows.operations, rows.compares)
        if await room.tenancy.logical_cluster(SYSTEM_CLUSTER) is None:
            await room.store.commit(self._system_cluster())
        if await room.tenancy.resolve(f"{names.ROOT}:{objects.COMPUTE}") is None:
            await self._workspace(objects.COMPUTE)

    def _system_cluster(self) -> list[Operation]:
        status = {"URL": self._room.clusters.url(SYSTEM_CLUSTER), "phase": "Ready"}
        metadata = {"name": LOGICAL_CLUSTER_NAME, "annotations": {names.PATH_ANNOTATION: SYSTEM_CLUSTER}}
        body = {"metadata": metadata, "spec": {}, "status": status}
        writes: list[Operation] = [self._maker.create(LOGICAL_CLUSTERS, SYSTEM_CLUSTER, body)]
        for namespace in FIRST_NAMESPACES:
            writes += namespace_with_content(self._maker, SYSTEM_CLUSTER, namespace, self._room.root_ca)
        return writes

    async def _workspace(self, name: str) -> None:
        """Make a universal workspace below root, the way anybody's is made."""
        kind = {"path": names.ROOT, "name": "universal"}
        obj = self._maker.complete(WORKSPACES, names.ROOT, {"metadata": {"name": name}, "spec": {"type": kind}})
        change = Change(self._maker.records[WORKSPACES], names.ROOT, "", name, None, obj, SYSTEM)
        effect = await self._room.workspaces(change)
        key = self._maker.key(WORKSPACES, names.ROOT, name)
        put = self._maker.put(WORKSPACES, names.ROOT, effect.new or obj)
        await self._room.store.commit([put, *effect.operations], [Compare(key, 0), *effect.compares])

    async def compute(self, schemas: Sequence[JsonObject]) -> None:
        """Write the export ``kubernetes`` of root:compute."""
        path = names.join(names.ROOT, objects.COMPUTE)
        cluster = await self._room.tenancy.resolve(path)
        if cluster is None:
            raise RuntimeError(f"{path} was made and is not there")
        annotations = {objects.COMPUTE_ANNOTATION: "true", objects.SKIP_DEFAULT_OBJECTS: "true"}
        exported = objects.export(objects.COMPUTE_EXPORT, schemas, annotations=annotations)
        wanted = [*((SCHEMAS, schema) for schema in schemas), (EXPORTS, exported), *objects.compute_rights()]
        await self._apply(cluster, wanted, path=path)

    async def _apply(self, cluster: str, wanted: Iterable[objects.Made], *, path: str) -> None:
        """Create what is missing in a cluster and update what differs, in slices of one transaction each."""
        # A namespace that two of them need is written once.
        operations: dict[str, Operation] = {}
        for kind, obj in wanted:
            if kind in {EXPORTS, WORKSPACE_TYPES}:
                annotations = {**obj["metadata"].get("annotations", {}), names.PATH_ANNOTATION: path}
                obj["metadata"]["annotations"] = annotations
            for operation in await self._writes(kind, cluster, obj):
                operations.setdefault(operation.key, operation)
        pending = list(operations.values())
        for start in range(0, len(pending), MAX_OPERATIONS):
            await self._room.store.commit(pending[start : start + MAX_OPERATIONS])

    async def _writes(self, kind: tuple[str, str], cluster: str, obj: JsonObject) -> Sequence[Operation]:
        key = self._maker.key(kind, cluster, obj["metadata"]["name"])
        row = await self._room.store.get(key)
        if row is not None:
            stored = encoding.decode(row)
            updated = _updated(stored, obj)
            return [] if updated == stored else [self._maker.put(kind, cluster, updated)]
        made = self._maker.complete(kind, cluster, obj)
        if kind != EXPORTS:
            return [self._maker.put(kind, cluster, made)]
        effect = await self._room.exports.identify(cluster, made)
        return [self._maker.put(kind, cluster, effect.new or made), *effect.operations]


def _updated(stored: JsonObject, wanted: JsonObject) -> JsonObject:
    """Return the stored object with what is wanted of it, members of ``spec`` and ``metadata`` one by one."""
    metadata = dict(stored["metadata"])
    for field in ("annotations", "labels"):
        if wanted["metadata"].get(field):
            metadata[field] = {**metadata.get(field, {}), **wanted["metadata"][field]}
    updated = {**stored, **wanted, "metadata": metadata}
    if "spec" in wanted and "spec" in stored:
        updated["spec"] = {**stored["spec"], **wanted["spec"]}
    # Compared with what was stored, key order aside, so that a start that changes nothing writes nothing.
    return updated if orjson.dumps(updated, option=orjson.OPT_SORT_KEYS) != _sorted(stored) else stored


def _sorted(obj: JsonObject) -> bytes:
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
