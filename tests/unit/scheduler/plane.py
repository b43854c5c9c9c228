"""A control plane in memory, as much of it as the scheduler uses: one feed of versions, lists, watches, writes."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, Conflict, NotFound, ServiceUnavailable
from fairlead_machinery.client import MERGE_PATCH, STRATEGIC_PATCH, Event, Gvr

Key = tuple[str, str, str, str]
"""Resource, logical cluster, namespace, name."""
MOST_WRITES = 400
GENERATED = {"assignments", "placements", "synctargets", "locations"}


class FakePlane:
    """
    All workspaces.

    Attributes:
        writes: Every write a client made, as (verb, resource, cluster, name).
        paths: Logical cluster by path.
        allowed: (user, logical cluster) that access reviews allow.
        fail: Called before each write of a client with its verb and resource; may raise.
    """

    def __init__(self) -> None:
        self.objects: dict[Key, JsonObject] = {}
        self.log: list[tuple[int, str, Key, JsonObject]] = []
        self.changed = asyncio.Event()
        self.writes: list[tuple[str, str, str, str]] = []
        self.reviews: list[tuple[str, str]] = []
        self.paths: dict[str, str] = {}
        self.allowed: set[tuple[str, str]] = set()
        self.fail: list[Exception] = []
        self.version = 1

    def at(self, cluster: str) -> FakePlace:
        """Return a workspace."""
        return FakePlace(self, self.paths.get(cluster, cluster))

    def put(self, resource: str, cluster: str, obj: JsonObject, namespace: str = "") -> JsonObject:
        """Store an object as the server does."""
        key = (resource, cluster, namespace, obj["metadata"]["name"])
        old = self.objects.get(key)
        self.version += 1
        new = copy.deepcopy(obj)
        metadata = new["metadata"]
        metadata["resourceVersion"] = str(self.version)
        metadata["uid"] = old["metadata"]["uid"] if old else metadata.get("uid") or f"uid-{self.version}"
        metadata.setdefault("annotations", {})["kcp.io/cluster"] = cluster
        if resource in GENERATED:
            generation = old["metadata"]["generation"] if old else 0
            metadata["generation"] = generation + (old is None or old.get("spec") != new.get("spec"))
        self.objects[key] = new
        self._record("MODIFIED" if old else "ADDED", key, new)
        return copy.deepcopy(new)

    def drop(self, resource: str, cluster: str, name: str, namespace: str = "") -> None:
        """Delete an object, if it is there."""
        obj = self.objects.pop((resource, cluster, namespace, name), None)
        if obj is not None:
            self.version += 1
            last = copy.deepcopy(obj)
            last["metadata"]["resourceVersion"] = str(self.version)
            self._record("DELETED", (resource, cluster, namespace, name), last)

    def _record(self, kind: str, key: Key, obj: JsonObject) -> None:
        self.log.append((self.version, kind, key, copy.deepcopy(obj)))
        self.changed.set()
        self.changed = asyncio.Event()


class FakePlace:
    """One workspace, or all as ``*``."""

    def __init__(self, plane: FakePlane, cluster: str) -> None:
        self._plane = plane
        self._cluster = cluster

    def _key(self, gvr: Gvr, name: str, namespace: str = "") -> Key:
        return gvr.resource.partition(":")[0], self._cluster, namespace, name

    def _selects(self, gvr: Gvr, key: Key) -> bool:
        return key[0] == gvr.resource.partition(":")[0] and self._cluster in {"*", key[1]}

    def _find(self, gvr: Gvr, name: str) -> JsonObject:
        obj = self._plane.objects.get(self._key(gvr, name))
        if obj is None:
            raise NotFound(f"{gvr.resource} {name!r} not found")
        return obj

    async def list(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None, limit: int = 500
    ) -> tuple[list[JsonObject], str]:
        await asyncio.sleep(0)
        items = [copy.deepcopy(obj) for key, obj in self._plane.objects.items() if self._selects(gvr, key)]
        version = str(self._plane.version)
        await asyncio.sleep(0.001)  # the answer takes its time, during which watches go on
        return items, version

    async def pages(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None, limit: int = 500
    ) -> AsyncIterator[JsonObject]:
        items, version = await self.list(gvr)
        yield {"metadata": {"resourceVersion": version}, "items": items[:limit]}

    async def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        position = 0
        while True:
            changed = self._plane.changed
            for version, kind, key, obj in self._plane.log[position:]:
                if version > int(resource_version) and self._selects(gvr, key):
                    yield Event(kind, copy.deepcopy(obj))
            position = len(self._plane.log)
            if changed is self._plane.changed:
                await changed.wait()

    async def get(self, gvr: Gvr, name: str) -> JsonObject:
        await asyncio.sleep(0)
        if gvr.resource == "logicalclusters":
            if self._cluster not in self._plane.paths.values():
                raise NotFound(f"workspace {self._cluster} not found")
            path = next(path for path, cluster in self._plane.paths.items() if cluster == self._cluster)
            marks = {"kcp.io/cluster": self._cluster, "kcp.io/path": path}
            return {"metadata": {"name": "cluster", "annotations": marks}}
        return copy.deepcopy(self._find(gvr, name))

    async def create(self, gvr: Gvr, body: JsonObject, *, namespace: str = "") -> JsonObject:
        if gvr.resource == "subjectaccessreviews":
            asked = (body["spec"]["user"], self._cluster)
            self._plane.reviews.append(asked)
            return {**body, "status": {"allowed": asked in self._plane.allowed}}
        name = body["metadata"]["name"]
        await self._write("create", gvr, name)
        if self._key(gvr, name, namespace) in self._plane.objects:
            raise AlreadyExists(f"{gvr.resource} {name!r} already exists")
        stored = {key: body[key] for key in body if key != "status"}
        return self._plane.put(gvr.resource, self._cluster, stored, namespace)

    async def update(self, gvr: Gvr, body: JsonObject) -> JsonObject:
        await self._write("update", gvr, body["metadata"]["name"])
        old = self._find(gvr, body["metadata"]["name"])
        self._check(old, resource_version=body["metadata"]["resourceVersion"])
        return self._plane.put(gvr.resource, self._cluster, {**body, "status": old.get("status", {})})

    async def patch(
        self, gvr: Gvr, name: str, body: object, *, type_: str = MERGE_PATCH, subresource: str = ""
    ) -> JsonObject:
        await self._write("patch", gvr, name)
        assert isinstance(body, dict)
        old = self._find(gvr, name)
        self._check(old, uid=body.get("metadata", {}).get("uid", ""))
        new = _merged(old, body)
        if type_ == STRATEGIC_PATCH:
            types = {one["type"] for one in body["status"]["conditions"]}
            kept = [one for one in old.get("status", {}).get("conditions", []) if one["type"] not in types]
            new["status"]["conditions"] = kept + new["status"]["conditions"]
        changed = {"status": new.get("status", {})} if subresource else {"metadata": new["metadata"]}
        return self._plane.put(gvr.resource, self._cluster, {**old, **changed})

    async def delete(self, gvr: Gvr, name: str, *, uid: str = "", resource_version: str = "") -> JsonObject:
        await self._write("delete", gvr, name)
        old = self._find(gvr, name)
        self._check(old, uid=uid, resource_version=resource_version)
        self._plane.drop(gvr.resource, self._cluster, name)
        return old

    async def _write(self, verb: str, gvr: Gvr, name: str) -> None:
        await asyncio.sleep(0.001)
        self._plane.writes.append((verb, gvr.resource, self._cluster, name))
        if len(self._plane.writes) > MOST_WRITES:
            raise ServiceUnavailable("somebody writes without end")
        if self._plane.fail:
            raise self._plane.fail.pop(0)

    def _check(self, old: JsonObject, *, uid: str = "", resource_version: str = "") -> None:
        metadata = old["metadata"]
        if uid not in {"", metadata["uid"]} or resource_version not in {"", metadata["resourceVersion"]}:
            raise Conflict("the object has been modified")


def _merged(old: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
