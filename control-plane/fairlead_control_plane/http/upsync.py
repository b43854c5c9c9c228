"""
``/services/upsyncer/``: Pods that came to be in a cluster, shown in the workspace they belong to.

An agent may show Pods only in namespaces assigned to its target, and change only those it has shown itself. Of what it
sends, only spec, status and the user's own labels and annotations are taken (S73).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict, Forbidden, MethodNotAllowed, NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_api.validation import dns1123_subdomain
from fairlead_control_plane.http.syncer_routes import parse_route
from fairlead_control_plane.http.syncer_view import SyncerWorkspace, json_body
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, CompareFailed, Delete, Operation, Put, Row
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.build import STATE_LABEL
from fairlead_machinery.web import Request, Response, json_response
from fairlead_transforms.strip import travelling_metadata

ORIGIN = "internal.workload.kcp.io/origin"
"""Label on an upsynced object: uid of the SyncTarget it came from, fixed at creation."""
_TRIES = 5
_SUCCESS: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


@dataclass(frozen=True, slots=True)
class UpsyncerWorkspace:
    """
    The way up.

    Attributes:
        syncer: Knows targets and who may speak for them.
        now: RFC 3339 time, for Pods that name none.
    """

    syncer: SyncerWorkspace
    now: Callable[[], str]

    async def __call__(self, request: Request, user: User, rest: str) -> Response:
        """Answer a request below ``/services/upsyncer/``."""
        route = parse_route(request, rest)
        target = self.syncer.live_target(route)
        await self.syncer.authorize(user, route, target)
        info = route.info
        if info is None or (info.group, info.resource, info.subresource) != ("", "pods", ""):
            raise NotFound("only pods come up")
        if not info.name or not info.namespace or info.cluster == "*":
            raise MethodNotAllowed("name one pod of one namespace of one logical cluster")
        resource = await self._pods(info, target)
        if info.verb == "update":
            return json_response(await self._show(resource, info, target, await json_body(request)))
        if info.verb == "delete":
            await self._hide(resource, info, target)
            return json_response(_SUCCESS)
        raise MethodNotAllowed("pods come up by PUT and go by DELETE")

    async def _pods(self, info: RequestInfo, target: JsonObject) -> Resource:
        """Return the workspace's Pods, if the namespace is this target's (leaving counts: its last Pods go too)."""
        store, uid = self.syncer.store, target["metadata"]["uid"]
        if await store.get(rows.namespace_row_key(uid, info.cluster, info.namespace)) is None:
            raise Forbidden(f"namespace {info.namespace} is not assigned to this target")
        resource = await self.syncer.catalog.lookup(info.cluster, "", "pods")
        if resource is None:
            raise NotFound("the workspace has not bound pods")
        return resource

    async def _show(self, resource: Resource, info: RequestInfo, target: JsonObject, body: JsonObject) -> JsonObject:
        pod = body.get("pod")
        if not isinstance(pod, dict) or not isinstance(pod.get("metadata"), dict):
            raise BadRequest("the body must hold pod, and owner ({group, resource, name}) where it has one")
        if dns1123_subdomain(info.name):
            raise BadRequest(f"{info.name!r} is no name for a pod")
        owner = await self._owner(info, body.get("owner"))
        for _ in range(_TRIES):
            key, row = await self._place(resource, info, target)
            made = self._pod(pod, info, target, owner, key, row)
            value = encoding.encode(made)
            if row is not None and row.value == value:
                return {"metadata": {"resourceVersion": str(row.mod_revision)}}
            try:
                revision = await self._commit(Put(key, value), row)
            except CompareFailed:
                continue
            return {"metadata": {"resourceVersion": str(revision)}}
        raise Conflict("the pod keeps changing; send it again")

    async def _hide(self, resource: Resource, info: RequestInfo, target: JsonObject) -> None:
        for _ in range(_TRIES):
            key, row = await self._place(resource, info, target)
            if row is None:
                return
            try:
                await self._commit(Delete(key), row)
            except CompareFailed:
                continue
            return
        raise Conflict("the pod keeps changing; delete it again")

    async def _commit(self, operation: Operation, row: Row | None) -> int:
        compare = Compare(operation.key, 0 if row is None else row.mod_revision)
        return await self.syncer.store.commit([operation], [compare])

    async def _place(self, resource: Resource, info: RequestInfo, target: JsonObject) -> tuple[str, Row | None]:
        """Return where this target's Pod lies: under its own name, or a suffixed one when another target has that."""
        key = keys.object_key(resource, info.cluster, info.namespace, info.name)
        row = await self.syncer.store.get(key)
        if row is None or _origin(row) == target["metadata"]["uid"]:
            return key, row
        suffixed = f"{info.name}-{target['metadata']['uid'][:8]}"
        key = keys.object_key(resource, info.cluster, info.namespace, suffixed)
        return key, await self.syncer.store.get(key)

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
        metadata["uid"] = str(given.get("uid") or old.get("uid"))
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


def _origin(row: Row) -> str:
    labels = encoding.decode(row)["metadata"].get("labels") or {}
    return str(labels.get(ORIGIN, ""))
