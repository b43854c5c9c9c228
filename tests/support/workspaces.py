"""Tenancy and sharing put together over a store in memory, with a writer that does what the registry does of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cache

import orjson

from fairlead_api import JsonObject
from fairlead_api.request import SYSTEM, RequestInfo, User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.change import Change
from fairlead_control_plane.kinds.record import Resource, Strategy, Version
from fairlead_control_plane.main.bootstrap import Schemas, bootstrap
from fairlead_control_plane.main.workspaces import Kinds, WorkspaceRooms, compose
from fairlead_control_plane.sharing.catalog import FromCrd, FromSchema
from fairlead_control_plane.store.contract import Compare, Delete, Operation, Put
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_schema.structural import Structural, compile_schema

URL = "https://fairlead.test:6443"
ALICE = User("alice", ("team-a", "system:authenticated"))


@cache
def _open() -> Structural:
    """Return a schema that takes any object."""
    return compile_schema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})


def record(
    group: str, plural: str, kind: str, version: str = "v1", *, namespaced: bool = False, generation: bool = True
) -> Resource:
    """Return a record that can be stored and told apart, no more."""
    strategy = Strategy(generation_of=lambda obj: obj.get("spec")) if generation else Strategy()
    versions = (Version(version, _open, subresources=frozenset({"status"})),)
    return Resource(group, plural, kind, versions, namespaced=namespaced, strategy=strategy)


BUILTIN = (
    record("", "namespaces", "Namespace", generation=False),
    record("", "secrets", "Secret", namespaced=True, generation=False),
    record("", "configmaps", "ConfigMap", namespaced=True, generation=False),
    record("", "serviceaccounts", "ServiceAccount", namespaced=True, generation=False),
    record("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", generation=False),
    record("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", generation=False),
    record("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition"),
)
OWN = tuple(
    record(group, kind.lower() + "s", kind, "v1alpha1")
    for group, kinds in {
        "apis.kcp.io": ("APIResourceSchema", "APIExport", "APIBinding"),
        "core.kcp.io": ("LogicalCluster", "Shard"),
        "tenancy.kcp.io": ("Workspace", "WorkspaceType"),
        "topology.kcp.io": ("Partition",),
        "scheduling.kcp.io": ("Location", "Placement"),
        "workload.kcp.io": ("SyncTarget",),
        "apiresource.kcp.io": ("APIResourceImport",),
        "scheduling.fairlead.io": ("Assignment",),
    }.items()
    for kind in kinds
)
NATIVE = record("apps", "deployments", "Deployment", namespaced=True)


def schema(resource: Resource, prefix: str = "v1", **properties: str) -> JsonObject:
    """Return an APIResourceSchema of a resource; ``properties`` become the schema's."""
    version = resource.storage_version.name
    open_api = {"type": "object", "properties": {name: {"type": kind} for name, kind in properties.items()}}
    return {
        "metadata": {"name": f"{prefix}.{resource.plural}.{resource.group or 'core'}"},
        "spec": {
            "group": resource.group,
            "names": {
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
            },
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [{"name": version, "served": True, "storage": True, "schema": open_api}],
        },
    }


def crd(group: str, kind: str, **properties: str) -> JsonObject:
    """Return a CustomResourceDefinition that is established."""
    made = schema(record(group, kind.lower() + "s", kind), **properties)
    status = {"conditions": [{"type": "Established", "status": "True"}]}
    return {"metadata": {"name": f"{kind.lower()}s.{group}"}, "spec": made["spec"], "status": status}


def _from_definition(obj: JsonObject, identity: str = "", owner: str = "") -> Resource:
    spec = obj["spec"]
    made = record(spec["group"], spec["names"]["plural"], spec["names"]["kind"], spec["versions"][0]["name"])
    version = Version("v1", _open, open_api=spec["versions"][0]["schema"])
    namespaced = spec["scope"] == "Namespaced"
    return Resource(
        made.group,
        made.plural,
        made.kind,
        (version,),
        namespaced=namespaced,
        identity=identity,
        origin="bound" if identity else "crd",
        owner=owner,
    )


def _system_schemas() -> dict[str, Sequence[JsonObject]]:
    groups = ("tenancy.kcp.io", "topology.kcp.io", "scheduling.kcp.io", "workload.kcp.io", "apiresource.kcp.io")
    return {group: [schema(kind, "v1") for kind in OWN if kind.group == group] for group in groups}


@dataclass(frozen=True, slots=True)
class World(WorkspaceRooms):
    """
    The rooms as the server has them, and writes as users and the system make them.

    ``allowed`` decides what RBAC would: (user name, verb, resource, cluster) it holds are allowed to users.
    """

    allowed: set[tuple[str, str, str, str]] = field(default_factory=set)

    async def bootstrap(self, digest: str = "1", *, schemas: Schemas | None = None) -> bool:
        """Bootstrap with these schemas, by default those of the records above; another digest looks at all again."""
        if schemas is None:
            schemas = Schemas("", _system_schemas, lambda: [schema(NATIVE, "v136")])
        return await bootstrap(self.room, replace(schemas, digest=schemas.digest + digest))

    async def get(self, kind: tuple[str, str], cluster: str, name: str, namespace: str = "") -> JsonObject | None:
        """Read an object."""
        row = await self.store.get(self.maker.key(kind, cluster, name, namespace))
        return None if row is None else encoding.decode(row)

    async def create(self, kind: tuple[str, str], cluster: str, obj: JsonObject, *, user: User = SYSTEM) -> JsonObject:
        """Create an object as the registry does: admission, effects, one transaction."""
        obj = orjson.loads(orjson.dumps(obj))
        attributes = self._attributes("CREATE", kind, cluster, obj, None, user)
        for plugin in self.plugins:
            await plugin.admit(attributes)
        for plugin in self.plugins:
            await plugin.validate(attributes)
        made = self.maker.complete(kind, cluster, obj)
        return await self._write(kind, cluster, None, made, user) or {}

    async def modify(
        self,
        kind: tuple[str, str],
        cluster: str,
        name: str,
        change: Callable[[JsonObject], None],
        *,
        user: User = SYSTEM,
    ) -> JsonObject | None:
        """Change an object in place; None when that removed it."""
        old = await self.get(kind, cluster, name)
        assert old is not None
        new = orjson.loads(orjson.dumps(old))
        change(new)
        attributes = self._attributes("UPDATE", kind, cluster, new, old, user)
        for plugin in self.plugins:
            await plugin.admit(attributes)
        for plugin in self.plugins:
            await plugin.validate(attributes)
        return await self._write(kind, cluster, old, new, user)

    async def delete(self, kind: tuple[str, str], cluster: str, name: str, *, user: User = SYSTEM) -> JsonObject | None:
        """Delete an object; what is left of it while finalizers hold it."""
        old = await self.get(kind, cluster, name)
        assert old is not None
        attributes = self._attributes("DELETE", kind, cluster, None, old, user)
        for plugin in self.plugins:
            await plugin.validate(attributes)
        new = orjson.loads(orjson.dumps(old))
        new["metadata"]["deletionTimestamp"] = self.maker.now()
        return await self._write(kind, cluster, old, new, user)

    async def _write(
        self, kind: tuple[str, str], cluster: str, old: JsonObject | None, new: JsonObject, user: User
    ) -> JsonObject | None:
        metadata = new["metadata"]
        is_gone = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        name = metadata["name"]
        after = None if is_gone else new
        resource = self.maker.records[kind]
        revision = int(old["metadata"]["resourceVersion"]) if old is not None else 0
        operations: list[Operation] = []
        compares = [Compare(self.maker.key(kind, cluster, name), revision)]
        for effects in self.effects:
            effect = await effects(Change(resource, cluster, "", name, old, after, user))
            operations += effect.operations
            compares += effect.compares
            after = effect.new or after
        key = self.maker.key(kind, cluster, name)
        operations.append(Delete(key) if after is None else Put(key, encoding.encode(after)))
        await self.store.commit(operations, list(dict.fromkeys(compares)))
        return after

    def _attributes(
        self,
        operation: str,
        kind: tuple[str, str],
        cluster: str,
        obj: JsonObject | None,
        old: JsonObject | None,
        user: User,
    ) -> Attributes:
        resource = self.maker.records[kind]
        name = (obj or old or {})["metadata"]["name"]
        return Attributes(operation, resource, "v1alpha1", cluster, "", name, "", user, obj, old)


@asynccontextmanager
async def world(
    builtin: Sequence[Resource] = BUILTIN,
    own: Sequence[Resource] = OWN,
    from_crd: FromCrd = _from_definition,
    from_schema: FromSchema = _from_definition,
) -> AsyncGenerator[World, None]:
    """Open a world without anything in it; of plain records, or of the kinds given."""
    store = await SqliteStore.open(":memory:")
    allowed: set[tuple[str, str, str, str]] = set()

    async def allows(user: User, info: RequestInfo) -> bool:
        return user.is_master or (user.name, info.verb, f"{info.resource}/{info.name}", info.cluster) in allowed

    kinds = Kinds(builtin, own, from_crd, from_schema)
    rooms = compose(store, kinds, allows, external_url=URL, root_ca="CA", now_s=lambda: 1_700_000_000.0)
    made = World(**{one.name: getattr(rooms, one.name) for one in fields(rooms)}, allowed=allowed)
    try:
        yield made
    finally:
        await store.close()
