"""
``/services/upsyncer/``: Pods that came to be in a cluster, shown in the workspace they belong to.

An agent may show Pods only in namespaces assigned to its target, and change only those it has shown itself. Of what it
sends, only spec, status and the user's own labels and annotations are taken (S73).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict, Forbidden, MethodNotAllowed, NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_api.validation import dns1123_subdomain, label_value, qualified_name
from fairlead_control_plane.controllers.departed import ORIGIN
from fairlead_control_plane.http.syncer_routes import parse_route
from fairlead_control_plane.http.syncer_view import SyncerWorkspace, json_body
from fairlead_control_plane.http.upsync_bounds import UpsyncBounds
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, CompareFailed, Delete, Operation, Put, Row, prefix_end
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.build import STATE_LABEL
from fairlead_machinery.web import Request, Response, json_response
from fairlead_transforms.strip import travelling_metadata

_TRIES = 5
_PAGE = 500
_LONGEST_TEXT = 64
_SUCCESS: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


@dataclass(frozen=True, slots=True)
class UpsyncerWorkspace:
    """
    The way up.

    Attributes:
        syncer: Knows targets and who may speak for them.
        now: RFC 3339 time, for Pods that name none.
        bounds: How much may come up.
    """

    syncer: SyncerWorkspace
    now: Callable[[], str]
    bounds: UpsyncBounds

    async def __call__(self, request: Request, user: User, rest: str) -> Response:
        """Answer a request below ``/services/upsyncer/``."""
        route = parse_route(request, rest)
        target = self.syncer.live_target(route)
        await self.syncer.authorize(user, route, target)
        self.syncer.fence(target, request)
        info = route.info
        if info is None or (info.group, info.resource, info.subresource) != ("", "pods", ""):
            raise NotFound("only pods come up")
        is_named = bool(info.name) or info.verb == "list"
        if not info.namespace or info.cluster == "*" or not is_named:
            raise MethodNotAllowed("name one pod of one namespace of one logical cluster")
        resource, held = await self._pods(info, target)
        if info.verb == "list":
            return json_response({"pods": await self._shown(resource, info, target)})
        if info.verb == "update":
            body = await json_body(request, 2 * self.bounds.most.pod_bytes)
            return json_response(await self._show(resource, held, info, target, body))
        if info.verb == "delete":
            await self._hide(resource, info, target)
            return json_response(_SUCCESS)
        raise MethodNotAllowed("pods come up by PUT and go by DELETE")

    async def _pods(self, info: RequestInfo, target: JsonObject) -> tuple[Resource, Compare]:
        """
        Return the workspace's Pods, if the namespace is this target's (leaving counts: its last Pods go too).

        The compare holds for as long as it is: a Pod that comes up after the namespace's end would stay for ever.
        """
        store, uid = self.syncer.store, target["metadata"]["uid"]
        row = await store.get(rows.namespace_row_key(uid, info.cluster, info.namespace))
        if row is None:
            raise Forbidden(f"namespace {info.namespace} is not assigned to this target")
        resource = await self.syncer.catalog.lookup(info.cluster, "", "pods")
        if resource is None:
            raise NotFound("the workspace has not bound pods")
        return resource, Compare(row.key, row.mod_revision)

    async def _shown(self, resource: Resource, info: RequestInfo, target: JsonObject) -> list[str]:
        """Return the names, as its cluster has them, of the Pods a target shows in a namespace."""
        prefix = keys.range_prefix(resource, info.cluster, info.namespace)
        found = (await self.syncer.store.range(prefix, prefix_end(prefix))).rows
        own = [row for row in found if _origin(row) == target["metadata"]["uid"]]
        return [keys.parse_key(row.key).name.removesuffix(_suffix(target)) for row in own]

    async def _count(self, resource: Resource, uid: str, cluster: str, namespace: str) -> tuple[int, int]:
        """Return how many Pods of a target a namespace has, and their bytes; found by their label as it is stored."""
        mark = f'"{ORIGIN}":"{uid}"'.encode()
        prefix = keys.range_prefix(resource, cluster, namespace)
        start, pods, size = prefix, 0, 0
        while True:
            page = await self.syncer.store.range(start, prefix_end(prefix), limit=_PAGE)
            own = [len(row.value) for row in page.rows if mark in row.value]
            pods, size = pods + len(own), size + sum(own)
            if not page.more:
                return pods, size
            start = page.rows[-1].key + "\0"

    async def _show(
        self, resource: Resource, held: Compare, info: RequestInfo, target: JsonObject, body: JsonObject
    ) -> JsonObject:
        pod = checked_pod(body.get("pod"))
        if dns1123_subdomain(info.name):
            raise BadRequest(f"{info.name!r} is no name for a pod")
        owner = await self._owner(info, body.get("owner"))
        place = (target["metadata"]["uid"], info.cluster, info.namespace)
        count = partial(self._count, resource, *place)
        for _ in range(_TRIES):
            key, row = await self._place(resource, info, target)
            made = self._pod(pod, info, target, owner, key, row)
            value = encoding.encode(made)
            if row is not None and row.value == value:
                return {"metadata": {"resourceVersion": str(row.mod_revision)}}
            before = None if row is None else len(row.value)
            await self.bounds.check(place, before, len(value), count)
            try:
                if row is not None and encoding.decode(row)["metadata"]["uid"] != made["metadata"]["uid"]:
                    await self._commit(
                        Delete(key), row
                    )  # another Pod of that name: who watches must see the end of one
                    row = None
                guards = [held] if row is not None else [held, await self._lives(info)]
                revision = await self._commit(Put(key, value), row, *guards)
                self.bounds.note(place, before, len(value))
            except CompareFailed:
                _, held = await self._pods(info, target)
                continue
            return {"metadata": {"resourceVersion": str(revision)}}
        raise Conflict("the pod keeps changing; send it again")

    async def _lives(self, info: RequestInfo) -> Compare:
        """
        Return what holds while the namespace is as it is now, and takes new Pods.

        Raises:
            Forbidden: It is going or gone; a Pod that comes up would be there for ever.
        """
        key = keys.namespace_key(info.cluster, info.namespace)
        row = await self.syncer.store.get(key)
        if row is None or encoding.decode(row)["metadata"].get("deletionTimestamp"):
            raise Forbidden(f"namespace {info.namespace} is being terminated or gone")
        return Compare(key, row.mod_revision)

    async def _hide(self, resource: Resource, info: RequestInfo, target: JsonObject) -> None:
        for _ in range(_TRIES):
            key, row = await self._place(resource, info, target)
            if row is None:
                return
            try:
                await self._commit(Delete(key), row)
            except CompareFailed:
                continue
            place = (target["metadata"]["uid"], info.cluster, info.namespace)
            self.bounds.note(place, len(row.value), None)
            return
        raise Conflict("the pod keeps changing; delete it again")

    async def _commit(self, operation: Operation, row: Row | None, *held: Compare) -> int:
        compare = Compare(operation.key, 0 if row is None else row.mod_revision)
        return await self.syncer.store.commit([operation], [compare, *held])

    async def _place(self, resource: Resource, info: RequestInfo, target: JsonObject) -> tuple[str, Row | None]:
        """
        Return where this target's Pod lies: under its own name, or a suffixed one when another has that.

        A Pod that began under the suffixed name keeps it, also when the other one has gone.
        """
        uid = target["metadata"]["uid"]
        key = keys.object_key(resource, info.cluster, info.namespace, info.name)
        row = await self.syncer.store.get(key)
        if row is not None and _origin(row) == uid:
            return key, row
        suffixed = keys.object_key(resource, info.cluster, info.namespace, info.name + _suffix(target))
        other = await self.syncer.store.get(suffixed)
        if other is not None and _origin(other) == uid:
            return suffixed, other
        if row is None:
            return key, None
        if other is not None:
            raise Conflict(f"pods {info.name!r} and {info.name + _suffix(target)!r} are both another's")
        return suffixed, None

    async def _owner(self, info: RequestInfo, owner: object) -> list[JsonObject]:
        """Turn what a Pod belongs to into a reference to the workspace's own object, when that exists."""
        if not isinstance(owner, dict):
            return []
        group, plural, name = (str(owner.get(field, "")) for field in ("group", "resource", "name"))
        resource = await self.syncer.catalog.lookup(info.cluster, group, plural)
        if resource is None or dns1123_subdomain(name):
            return []
        row = await self.syncer.store.get(keys.object_key(resource, info.cluster, info.namespace, name))
        if row is None:
            return []
        found = encoding.decode(row)
        reference = {"apiVersion": found["apiVersion"], "kind": found["kind"], "name": name}
        return [{**reference, "uid": found["metadata"]["uid"], "controller": True}]

    def _pod(
        self,
        pod: JsonObject,
        info: RequestInfo,
        target: JsonObject,
        owner: list[JsonObject],
        key: str,
        row: Row | None,
    ) -> JsonObject:
        given = pod["metadata"]
        old = {} if row is None else encoding.decode(row)["metadata"]
        metadata = travelling_metadata(given)
        metadata["name"] = keys.parse_key(key).name
        metadata["namespace"] = info.namespace
        metadata["uid"] = given["uid"]
        metadata["creationTimestamp"] = given.get("creationTimestamp") or old.get("creationTimestamp") or self.now()
        if given.get("deletionTimestamp"):
            metadata["deletionTimestamp"] = given["deletionTimestamp"]
        target_key = target["metadata"]["labels"]["internal.workload.kcp.io/key"]
        marks = {ORIGIN: target["metadata"]["uid"], STATE_LABEL + target_key: "Upsync"}
        metadata["labels"] = {**metadata.get("labels", {}), **marks}
        metadata["annotations"] = {**metadata.get("annotations", {}), "kcp.io/cluster": info.cluster}
        if owner:
            metadata["ownerReferences"] = owner
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def checked_pod(pod: object) -> JsonObject:
    """
    Return a Pod an agent sent, found to have the types that are read here.

    Raises:
        BadRequest: It has not.
    """
    if not isinstance(pod, dict) or not isinstance(pod.get("metadata"), dict):
        raise BadRequest("the body must hold pod, and owner ({group, resource, name}) where it has one")
    for field in ("spec", "status"):
        if not isinstance(pod.get(field), dict | None):
            raise BadRequest(f"pod.{field} must be an object")
    metadata = pod["metadata"]
    for field in ("uid", "creationTimestamp", "deletionTimestamp"):
        if not isinstance(metadata.get(field), str | None) or len(metadata.get(field) or "") > _LONGEST_TEXT:
            raise BadRequest(f"pod.metadata.{field} must be a short text")
    if not metadata.get("uid"):
        raise BadRequest("pod.metadata.uid is missing")
    for field in ("labels", "annotations"):
        _check_marks(field, {} if metadata.get(field) is None else metadata[field])
    return pod


def _check_marks(field: str, values: object) -> None:
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise BadRequest(f"pod.metadata.{field} must map text to text")
    for key, value in values.items():
        if qualified_name(key.lower()) or (field == "labels" and label_value(value)):
            raise BadRequest(f"pod.metadata.{field} has an invalid entry {key[:80]!r}")


def _suffix(target: JsonObject) -> str:
    return f"-{target['metadata']['uid'][:8]}"


def _origin(row: Row) -> str:
    labels = encoding.decode(row)["metadata"].get("labels") or {}
    return str(labels.get(ORIGIN, ""))
