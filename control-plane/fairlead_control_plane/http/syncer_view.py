"""
``/services/syncer/``: what one agent may see and say, and nothing else (design section 6, number 7).

A list or watch is a range over the target's own rows; an object is what this target must run; a tombstone stays until
the agent has confirmed. One object that cannot be shown is left out and reported, it never fails the list.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import orjson
import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import (
    BadRequest,
    Cause,
    Conflict,
    Expired,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    RequestTooLarge,
)
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth import agents
from fairlead_control_plane.auth.leaders import EPOCH_HEADER
from fairlead_control_plane.controllers.departed import hide_pods
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
from fairlead_control_plane.views import adoption, build, rows
from fairlead_control_plane.views.bin import Bin
from fairlead_control_plane.views.targets import TargetIndex
from fairlead_control_plane.watch.hub import Hub
from fairlead_control_plane.watch.subscription import Delivery
from fairlead_machinery.web import Request, Response, json_response

_log = structlog.get_logger()
_DEFAULT_PAGE, _LARGEST_PAGE = 500, 5000
_LONGEST_WATCH_S = 3600
_BOOKMARK_S = 15.0
MAX_REPORT_BYTES = 1536 * 1024
"""What the store takes as one value; a status of more is none that a cluster would keep."""
_DIGITS = 18
_ADMINS = frozenset({"bootstrap", "adopt"})
"""Words for who may change the SyncTarget; no agent may."""
LONGEST_TOKEN_S = 24 * 3600
"""What is minted for pods ends within a day, whatever is asked for: an agent may have been stolen."""


@dataclass(frozen=True, slots=True)
class SyncerWorkspace:
    """
    The virtual workspace of all agents.

    Attributes:
        may: Asks whether a user has a verb on ``synctargets/<name>`` in a logical cluster (kcp's ``sync``; ``update``
            for making a bootstrap token).
        mint: Issues a service account token for a SyncTarget: (cluster, namespace, name, request body, uid) to
            TokenRequest.
        bin: Keeps what agents are about to delete; None when nothing is kept.
    """

    store: Store
    hub: Hub
    catalog: Catalog
    targets: TargetIndex
    door: AgentDoor
    reports: SyncTargetReports
    statuses: StatusWriter
    may: Callable[[User, str, str, str], object]
    mint: Callable[[str, str, str, JsonObject, str], object]
    bin: Bin | None = None

    async def __call__(self, request: Request, user: User, rest: str) -> Response:
        """Answer a request below ``/services/syncer/``."""
        route = parse_route(request, rest)
        target = self.live_target(route)
        proved = {"enroll": self.door.enroll, "token": self.door.token, "rotate": self.door.rotate}.get(route.word)
        if proved is not None:  # needs no bearer token of an agent: whoever says it proves a key
            _by_its_method(route, request)
            return await proved(route.cluster, target, request)
        await self.authorize(user, route, target)
        return await self._answer(route, target, request)

    async def _answer(self, route: Route, target: JsonObject, request: Request) -> Response:
        _by_its_method(route, request)
        if route.word == "bootstrap":
            return await self.door.bootstrap(route.cluster, target)
        if route.word == "adopt":
            return await self._adopt(target, request)
        if route.word == "lead":
            return await self.door.lead(route.cluster, target, request)
        self.fence(target, request)
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
            message = f"SyncTarget {route.name} with uid {route.uid} is not registered here"
            raise Forbidden(message, causes=[Cause("SyncTargetGone", message)])
        return target

    async def authorize(self, user: User, route: Route, target: JsonObject) -> None:
        """
        Let the target's own agent in, with the key that is pinned now, and users with the verb ``sync``.

        Raises:
            Forbidden: Anybody else, other targets' agents included.
        """
        if agents.GROUP in user.groups:
            if user.uid == target["metadata"]["uid"] and route.word not in _ADMINS:
                return
        else:
            verb = "update" if route.word in _ADMINS else "sync"
            if await self.may(user, verb, route.cluster, route.name):  # type: ignore[misc]  # awaitable bool
                return
        raise Forbidden(f"user {user.name!r} may not sync for SyncTarget {route.name}")

    def fence(self, target: JsonObject, request: Request, *, removes: bool = False) -> None:
        """
        Refuse what an agent says or asks that is no longer at work; reading stays open to one that waits.

        Raises:
            Conflict: It is of another epoch, or says none about a removal; see :meth:`Leaders.check`.
        """
        if request.method != "GET":
            self.door.leaders.check(target, request.headers.get(EPOCH_HEADER), removes=removes)

    async def _resources(self, target: JsonObject) -> list[JsonObject]:
        found = []
        for (group, plural), identities in self.targets.accepted(target["metadata"]["uid"]).items():
            # A cluster has one API of that name, whoever provides it to the workspaces.
            known = [await self.catalog.lookup("*", group, plural, identity) for identity in identities]
            resource = next((one for one in known if one is not None), None)
            if resource is not None:
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
        if info.cluster == "*" or not info.name:
            raise MethodNotAllowed("only list and watch work across all logical clusters, and without a name")
        row = await self._row(info, target)
        if info.verb == "get" and not info.subresource:
            shown = None if row is None else await build.view_object(self.store, row, self._key(target))
            if shown is None:
                raise NotFound(f'{info.resource} "{info.name}" not found')
            return json_response(shown)
        if info.verb == "update" and info.subresource == "status":
            return json_response(await self.statuses.report(target, row, await json_body(request, MAX_REPORT_BYTES)))
        if info.verb == "delete" and not info.subresource:
            return await self._confirm(info, target, row, request)
        if row is None:
            raise NotFound(f'{info.resource} "{info.name}" not found')
        raise MethodNotAllowed("the server does not allow this method on the requested resource")

    async def _row(self, info: RequestInfo, target: JsonObject) -> Row | None:
        """Return the target's row of an object."""
        uid = target["metadata"]["uid"]
        if (info.group, info.resource) == ("", "namespaces"):
            return await self.store.get(rows.namespace_row_key(uid, info.cluster, info.name))
        stand_in = Resource(info.group, info.resource, "", ())
        return await self.store.get(
            rows.view_key(uid, keys.object_key(stand_in, info.cluster, info.namespace, info.name))
        )

    async def _list(self, info: RequestInfo, target: JsonObject, request: Request) -> Response:
        """List a page of one snapshot; the continue token is the revision and the last key."""
        prefix = rows.target_prefix(target["metadata"]["uid"], info.group, info.resource)
        limit = min(_number(request, "limit") or _DEFAULT_PAGE, _LARGEST_PAGE)
        revision, start = 0, prefix
        if request.query.get("continue"):
            text, _, last = request.query["continue"].partition(":")
            if not _is_number(text) or not last.startswith(prefix) or await self._is_future(int(text)):
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

    async def _is_future(self, revision: int) -> bool:
        return revision > self.store.revision and revision > await self.store.current_revision()

    async def _watch(self, info: RequestInfo, target: JsonObject, request: Request) -> Response:
        after = _number(request, "resourceVersion") or self.hub.revision
        if await self._is_future(after):
            raise Expired("too large resource version")  # of another store: this one was restored, or it is forged
        timeout_s = min(_number(request, "timeoutSeconds") or _LONGEST_WATCH_S, _LONGEST_WATCH_S)
        prefix = rows.target_prefix(target["metadata"]["uid"], info.group, info.resource)
        return Response(stream=self._stream(prefix, after, target, info, float(timeout_s)))

    async def _stream(
        self, prefix: str, after: int, target: JsonObject, info: RequestInfo, timeout_s: float
    ) -> AsyncIterator[bytes]:
        """Follow rows until the time is over, the SyncTarget is gone or replaced, or another key was pinned to it."""
        found: list[Event] = []

        def note(delivery: Delivery) -> bytes:
            found.append(delivery.event)
            return b"."

        uid, key = target["metadata"]["uid"], agents.pinned_key(target)
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        subscription = self.hub.watch(prefix, after=after, frame=note, key=object(), limit_bytes=1 << 40)

        def end_if_replaced() -> None:
            now = self.targets.get(uid)
            if now is None or agents.pinned_key(now) != key:
                subscription.end()

        leave = self.targets.follow(uid, end_if_replaced)
        try:
            while not subscription.is_closed and (left_s := deadline_s - loop.time()) > 0:
                await subscription.take(min(left_s, _BOOKMARK_S))
                batch, found[:] = list(found), []
                revision = self.hub.revision
                data = await self._frames(batch, target, info.cluster)
                if subscription.is_current and not found:
                    data += _frame("BOOKMARK", _bookmark(info, revision))
                yield data
        except Compacted:
            yield _frame("ERROR", Expired("too old resource version").status())
        finally:
            leave()
            await subscription.close()

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

    async def _confirm(self, info: RequestInfo, target: JsonObject, row: Row | None, request: Request) -> Response:
        """
        Drop a tombstone whose object the agent has removed; once it is gone the answer is the same.

        With ``dryRun=All`` nothing is dropped: it says whether the view the agent goes by, named by uid and
        resourceVersion, is the one there is now. Agents ask so before they delete anything, and say with it what the
        cluster has (``lastSeen``), which is kept in the workspace's bin.
        """
        self.fence(target, request, removes=True)
        uid = request.query.get("uid", "")
        if request.query.get("dryRun"):
            version = request.query.get("resourceVersion")
            if row is None or rows.decode(row).uid != uid or str(row.mod_revision) != version:
                raise Conflict("the view changed meanwhile; read it again")
            await self._keep(row, target, await json_body(request))
            self.reports.deleting(target, rows.decode(row))
            return _success(uid)
        if row is None:
            return _success(uid)
        view = rows.decode(row)
        if view.state != rows.REMOVED or view.uid != uid:
            raise Conflict("the object must still run here: there is no removal of that uid to confirm")
        try:
            if (info.group, info.resource) == ("", "namespaces"):
                await self.hide_pods(info, target)
                gone = Delete(adoption.key_of(target["metadata"]["uid"], info.cluster, info.name))
                await self.store.commit([gone], [Compare(row.key, row.mod_revision)])
            await self.statuses.drop(row)
        except CompareFailed as error:
            raise Conflict("the view changed meanwhile; read it again") from error
        return _success(uid)

    async def _adopt(self, target: JsonObject, request: Request) -> Response:
        """Hand over what is in the cluster, on an administrator's word (see :mod:`views.adoption`)."""
        if request.method != "POST":
            raise MethodNotAllowed("something is handed over by POST")
        try:
            given = await adoption.record(self.store, target["metadata"]["uid"], await json_body(request))
        except CompareFailed as error:
            raise Conflict("the namespace changed meanwhile; try again") from error
        return json_response({"home": given.home, "uid": given.uid, "objects": list(given.objects)})

    async def _keep(self, row: Row, target: JsonObject, body: JsonObject) -> None:
        """Keep what the cluster has, if the agent says it, before the agent hears that it may delete it."""
        last_seen = body.get("lastSeen")
        if self.bin is None or not isinstance(last_seen, dict):
            return
        try:
            await self.bin.keep_last_seen(row, target["metadata"]["name"], last_seen)
        except CompareFailed as error:
            raise Conflict("the view changed meanwhile; read it again") from error

    async def hide_pods(self, info: RequestInfo, target: JsonObject) -> None:
        """Take away the Pods a target shows in a namespace that has left it."""
        pods = await self.catalog.lookup(info.cluster, "", "pods")
        if pods is not None:
            await hide_pods(self.store, pods, target["metadata"]["uid"], info.cluster, info.name)

    async def _token(self, info: RequestInfo, target: JsonObject, request: Request) -> Response:
        """Mint a workspace token for pods of an assigned namespace (S80: bound, short, for this target's use)."""
        row = await self.store.get(rows.namespace_row_key(target["metadata"]["uid"], info.cluster, info.namespace))
        if row is None or rows.decode(row).state != rows.SYNC:
            raise Forbidden(f"namespace {info.namespace} is not assigned to this target")
        spec = (await json_body(request)).get("spec") or {}
        seconds = spec.get("expirationSeconds") if isinstance(spec, dict) else None
        if not isinstance(seconds, int):
            raise BadRequest("spec.expirationSeconds must be a whole number")
        # Nothing else is taken from an agent: no audiences and no bindings of its choice.
        body: JsonObject = {"spec": {"expirationSeconds": min(seconds, LONGEST_TOKEN_S)}}
        uid = target["metadata"]["uid"]
        minted = await self.mint(info.cluster, info.namespace, info.name, body, uid)  # type: ignore[misc]  # awaitable
        return json_response(minted, 201)

    @staticmethod
    def _key(target: JsonObject) -> str:
        return str((target["metadata"].get("labels") or {}).get("internal.workload.kcp.io/key", ""))


async def json_body(request: Request, limit_bytes: int = MAX_REPORT_BYTES) -> JsonObject:
    """Return the JSON object in a body; ``{}`` when it is empty."""
    raw = await request.body()
    if len(raw) > limit_bytes:
        raise RequestTooLarge(f"the body is {len(raw)} bytes long; the limit is {limit_bytes}")
    try:
        body = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not valid JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def _by_its_method(route: Route, request: Request) -> None:
    """
    Take a word by its own method alone: what is read is not fenced, so nothing may be said by a GET.

    Raises:
        MethodNotAllowed: It is said in another way.
    """
    method = "GET" if route.word == "resources" else "POST"
    if route.word and request.method != method:
        raise MethodNotAllowed(f"{route.word} is asked by {method}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def _number(request: Request, name: str) -> int:
    """Return a query parameter that is a number of at least 0; 0 when it is not given."""
    text = request.query.get(name) or "0"
    if not _is_number(text):
        raise BadRequest(f"invalid {name}: {text[:40]!r} is no number")
    return int(text)


def _success(uid: str) -> Response:
    body: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return json_response({**body, "details": {"uid": uid}})


def _bookmark(info: RequestInfo, revision: int) -> JsonObject:
    version = f"{info.group}/{info.version}" if info.group else info.version
    return {"kind": "Bookmark", "apiVersion": version, "metadata": {"resourceVersion": str(revision)}}


def _frame(kind: str, obj: JsonObject) -> bytes:
    return orjson.dumps({"type": kind, "object": obj}) + b"\n"
