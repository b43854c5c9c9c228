"""
``/services/syncer/``: what one agent may see and say, and nothing else (design section 6, number 7).

A list or watch is a range over the target's own rows; an object is what this target must run; a tombstone stays until
the agent has confirmed. One object that cannot be shown is left out and reported, it never fails the list.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import orjson
import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict, Expired, Forbidden, MethodNotAllowed, NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth import agents
from fairlead_control_plane.controllers.synctargets import SyncTargetReports
from fairlead_control_plane.http.agent_door import AgentDoor
from fairlead_control_plane.http.syncer_routes import Route, parse_route
from fairlead_control_plane.http.syncer_status import StatusWriter
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import (
    Compacted,
    Compare,
    CompareFailed,
    Delete,
    Event,
    Row,
    Store,
    prefix_end,
)
from fairlead_control_plane.views import build, rows
from fairlead_control_plane.views.targets import TargetIndex
from fairlead_control_plane.watch.hub import Hub
from fairlead_machinery.web import Request, Response, json_response

_log = structlog.get_logger()
_DEFAULT_PAGE = 500


@dataclass(frozen=True, slots=True)
class SyncerWorkspace:
    """
    The virtual workspace of all agents.

    Attributes:
        may: Asks whether a user has a verb on ``synctargets/<name>`` in a logical cluster (kcp's ``sync``; ``update``
            for making a bootstrap token).
        mint: Issues a service account token: (cluster, namespace, name, request body) to TokenRequest.
    """

    store: Store
    hub: Hub
    catalog: Catalog
    targets: TargetIndex
    door: AgentDoor
    reports: SyncTargetReports
    statuses: StatusWriter
    may: Callable[[User, str, str, str], object]
    mint: Callable[[str, str, str, JsonObject], object]

    async def __call__(self, request: Request, user: User, rest: str) -> Response:
        """Answer a request below ``/services/syncer/``."""
        route = parse_route(request, rest)
        target = self.live_target(route)
        if route.word == "enroll":
            return await self.door.enroll(route.cluster, target, request)
        if route.word == "token":
            return await self.door.token(route.cluster, target, request)
        await self.authorize(user, route, target)
        if route.word == "bootstrap":
            return await self.door.bootstrap(route.cluster, target)
        if route.word == "heartbeat":
            return json_response(await self.reports.heartbeat(target, await json_body(request)))
        if route.word == "resources":
            return json_response({"resources": await self._resources(target)})
        if route.info is None or not route.info.is_resource:
            raise NotFound("the server could not find the requested resource")
        return await self._serve(route.info, target, request)

    def live_target(self, route: Route) -> JsonObject:
        """
        Return the SyncTarget a route names.

        Raises:
            Forbidden: There is none of that uid there: the same answer whether it never was or was made again.
        """
        target = self.targets.get(route.uid)
        if (
            target is None
            or target["metadata"]["name"] != route.name
            or self.targets.cluster_of(target) != route.cluster
        ):
            raise Forbidden(f"SyncTarget {route.name} with uid {route.uid} is not registered here")
        return target

    async def authorize(self, user: User, route: Route, target: JsonObject) -> None:
        """
        Let the target's own agent in, with the key that is pinned now, and users with the verb ``sync``.

        Raises:
            Forbidden: Anybody else, other targets' agents included.
        """
        if agents.GROUP in user.groups:
            if user.uid == target["metadata"]["uid"] and route.word != "bootstrap":
                return
        else:
            verb = "update" if route.word == "bootstrap" else "sync"
            if await self.may(user, verb, route.cluster, route.name):  # type: ignore[misc]  # awaitable bool
                return
        raise Forbidden(f"user {user.name!r} may not sync for SyncTarget {route.name}")

    async def _resources(self, target: JsonObject) -> list[JsonObject]:
        found = []
        for group, plural, identity in self.targets.resources_of(target["metadata"]["uid"]):
            resource = await self.catalog.lookup("*", group, plural, identity)
            if resource is not None and self.targets.accepts(target["metadata"]["uid"], resource):
                version = resource.storage_version.name
                found.append(
                    {"group": group, "version": version, "resource": plural, "kind": resource.kind, "namespaced": True}
                )
        return [
            *found,
            {"group": "", "version": "v1", "resource": "namespaces", "kind": "Namespace", "namespaced": False},
        ]

    async def _serve(self, info: RequestInfo, target: JsonObject, request: Request) -> Response:
        if info.subresource == "token" and info.resource == "serviceaccounts" and info.verb == "create":
            return await self._token(info, target, request)
        if info.verb == "list":
            return await self._list(info, target, request)
        if info.verb == "watch":
            return await self._watch(info, target, request)
        if info.cluster == "*":
            raise MethodNotAllowed("only list and watch work across all logical clusters")
        row = await self._row(info, target)
        if info.verb == "get" and row is not None:
            shown = await build.view_object(self.store, row, self._key(target))
            if shown is not None:
                return json_response(shown)
        if info.verb == "update" and info.subresource == "status":
            return json_response(await self.statuses.report(target, row, await json_body(request)))
        if info.verb == "delete":
            return await self._confirm(row, request)
        if row is None:
            raise NotFound(f'{info.resource} "{info.name}" not found')
        raise MethodNotAllowed("the server does not allow this method on the requested resource")

    async def _row(self, info: RequestInfo, target: JsonObject) -> Row | None:
        """Find the target's row of an object, whatever identity it is bound under."""
        uid = target["metadata"]["uid"]
        if (info.group, info.resource) == ("", "namespaces"):
            return await self.store.get(rows.namespace_row_key(uid, info.cluster, info.name))
        for group, plural, identity in self.targets.resources_of(uid):
            if (group, plural) == (info.group, info.resource):
                stand_in = Resource(group, plural, "", (), identity=identity)
                key = rows.view_key(uid, keys.object_key(stand_in, info.cluster, info.namespace, info.name))
                return await self.store.get(key)
        return None

    async def _list(self, info: RequestInfo, target: JsonObject, request: Request) -> Response:
        """List a page of one snapshot; the continue token is the revision and the last key."""
        prefix = rows.target_prefix(target["metadata"]["uid"], info.group, info.resource)
        limit = int(request.query.get("limit") or _DEFAULT_PAGE)
        revision, start = 0, prefix
        if request.query.get("continue"):
            text, _, last = request.query["continue"].partition(":")
            if not text.isdecimal() or not last.startswith(prefix):
                raise BadRequest("continue token not valid for this list")
            revision, start = int(text), last + "\0"
        try:
            found = await self.store.range(start, prefix_end(prefix), limit=limit, revision=revision)
        except Compacted as error:
            raise Expired("the list has expired; start again") from error
        items = [item for row in found.rows if (item := await self._shown(row, target, info.cluster)) is not None]
        metadata: JsonObject = {"resourceVersion": str(found.revision)}
        if found.more:
            metadata["continue"] = f"{found.revision}:{found.rows[-1].key}"
        return json_response({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items})

    async def _watch(self, info: RequestInfo, target: JsonObject, request: Request) -> Response:
        after = int(request.query.get("resourceVersion") or self.hub.revision)
        prefix = rows.target_prefix(target["metadata"]["uid"], info.group, info.resource)
        return Response(stream=self._stream(prefix, after, target, info.cluster))

    async def _stream(self, prefix: str, after: int, target: JsonObject, cluster: str) -> AsyncIterator[bytes]:
        # An agent is cut off when its SyncTarget is replaced or its key changed: checked with every batch.
        try:
            async for batch in self.hub.events(prefix, after=after):
                if self.targets.get(target["metadata"]["uid"]) is None:
                    return
                data = await self._frames(batch, target, cluster)
                if data:
                    yield data
        except Compacted:
            yield _frame("ERROR", Expired("too old resource version").status())

    async def _frames(self, batch: Sequence[Event], target: JsonObject, cluster: str) -> bytes:
        frames = []
        for event in batch:
            if event.row is None:  # confirmed and dropped: nothing is left to do, so it is only told
                if event.previous is not None:
                    _, object_key = rows.split_key(event.key)
                    gone = build.tombstone(rows.decode(event.previous), event.previous, object_key)
                    gone["metadata"]["resourceVersion"] = str(event.revision)
                    frames.append(_frame("DELETED", gone))
                continue
            shown = await self._shown(event.row, target, cluster)
            if shown is not None:
                frames.append(_frame("MODIFIED" if event.previous else "ADDED", shown))
        return b"".join(frames)

    async def _shown(self, row: Row, target: JsonObject, cluster: str) -> JsonObject | None:
        _, object_key = rows.split_key(row.key)
        if cluster not in {"*", keys.parse_key(object_key).cluster}:
            return None
        try:
            return await build.view_object(self.store, row, self._key(target))
        except (ValueError, KeyError, TypeError):
            _log.exception("view cannot be shown", key=row.key)
            return None

    async def _confirm(self, row: Row | None, request: Request) -> Response:
        """Drop a tombstone whose object the agent has removed; once it is gone the answer is the same."""
        if row is None:
            return json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        view = rows.decode(row)
        if view.state != rows.REMOVED or view.uid != request.query.get("uid"):
            raise Conflict("the object must still run here: there is no removal of that uid to confirm")
        try:
            await self.store.commit([Delete(row.key)], [Compare(row.key, row.mod_revision)])
        except CompareFailed as error:
            raise Conflict("the view changed meanwhile; read it again") from error
        return json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    async def _token(self, info: RequestInfo, target: JsonObject, request: Request) -> Response:
        """Mint a workspace token for pods of an assigned namespace (S80: bound, short, for this target's use)."""
        row = await self.store.get(rows.namespace_row_key(target["metadata"]["uid"], info.cluster, info.namespace))
        if row is None or rows.decode(row).state != rows.SYNC:
            raise Forbidden(f"namespace {info.namespace} is not assigned to this target")
        body = await json_body(request)
        minted = await self.mint(info.cluster, info.namespace, info.name, body)  # type: ignore[misc]  # awaitable
        return json_response(minted, 201)

    @staticmethod
    def _key(target: JsonObject) -> str:
        return str((target["metadata"].get("labels") or {}).get("internal.workload.kcp.io/key", ""))


async def json_body(request: Request) -> JsonObject:
    """Return the JSON object in a body; ``{}`` when it is empty."""
    raw = await request.body()
    try:
        body = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not valid JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def _frame(kind: str, obj: JsonObject) -> bytes:
    return orjson.dumps({"type": kind, "object": obj}) + b"\n"
