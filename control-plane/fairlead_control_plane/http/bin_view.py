"""
``/services/bin/<workspace>``: what was deleted in a workspace and can be restored.

``GET /services/bin/<workspace>?namespace=`` lists, ``GET /services/bin/<workspace>/<uid>?namespace=`` shows one with
what to create to have it again. To restore is to create: it goes through the workspace's API, with the user's own
rights. Nobody sees here what they could not have seen while it was there: who has rights in a namespace only is not
shown what an earlier one of that name held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, MethodNotAllowed, NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.authorize import Authorizer, forbidden
from fairlead_control_plane.auth.impersonation import is_requested
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.keys import namespace_key
from fairlead_control_plane.store.contract import Row, Store, prefix_end
from fairlead_control_plane.views import bin as bins
from fairlead_machinery.web import Request, Response, json_response

_PAGE = 500
Resolve = Callable[[str], Awaitable[str | None]]


@dataclass(slots=True)
class _Entry:
    """The rows of one object."""

    place: bins.Place
    object: Row | None = None
    asked: Row | None = None
    clusters: dict[str, Row] = field(default_factory=dict)

    @property
    def last(self) -> bins.Note:
        """What happened last."""
        found = self.object or next(iter(self.clusters.values()), None) or self.asked
        assert found is not None, "an entry is made of a row"
        return bins.note_of(found)


@dataclass(frozen=True, slots=True)
class _Lives:
    """A namespace as it is now: its uid and since when, as RFC 3339 text; "" when there is none."""

    uid: str = ""
    since: str = ""

    def had(self, note: bins.Note) -> bool:
        """Tell whether what was deleted was in this very namespace, as far as can be told."""
        return note.namespace_uid == self.uid if self.uid and note.namespace_uid else note.at >= self.since


@dataclass(frozen=True, slots=True)
class BinWorkspace:
    """
    The virtual workspace of all bins.

    Attributes:
        resolve: From a workspace's path to its logical cluster.
        retention_s: How long what is deleted is kept.
        name_of: Returns the name of a SyncTarget by uid; "" for one that is gone.
    """

    store: Store
    authorizer: Authorizer
    resolve: Resolve
    retention_s: float
    name_of: Callable[[str], str]

    async def __call__(self, request: Request, user: User, rest: str) -> Response:
        """Answer a request below ``/services/bin/``."""
        if request.method != "GET":
            raise MethodNotAllowed("a bin can only be read; to restore is to create the object again")
        if is_requested(request.headers):
            raise BadRequest("a bin is shown to the user who asks, not to one they act as")
        path, _, uid = rest.strip("/").partition("/")
        cluster = await self.resolve(path) if path else None
        if cluster is None or not await self.authorizer.may_enter(user, cluster):  # alike: who asks learns nothing
            raise forbidden(user, _info("", request.path, "list", "", "", "", ""), "access denied")
        namespace = request.query.get("namespace", "")
        entries = await self._entries(cluster, namespace)
        asked_for = [entry for entry in entries if not uid or entry.place.uid == uid]
        shown = await self._shown(user, "get" if uid else "list", asked_for, request.path)
        by_uid = {entry.place.uid: entry for entry in entries if entry.place.resource == "namespaces"}
        if not uid:
            items = []
            for number, entry in enumerate(shown, start=1):
                items.append(self._item(entry, by_uid))
                if not number % _PAGE:
                    await asyncio.sleep(0)  # others have their turn
            items.sort(key=lambda item: str(item["deletedAt"]), reverse=True)
            return json_response({"kind": "BinList", "retentionSeconds": int(self.retention_s), "items": items})
        if not shown:
            raise NotFound(f'"{uid}" is not in the bin')
        return json_response({**self._item(shown[0], by_uid), **_contents(shown[0])})

    async def _shown(self, user: User, verb: str, entries: Sequence[_Entry], path: str) -> list[_Entry]:
        """Return those that a user may see."""
        may: dict[tuple[str, str, str], bool] = {}
        lives: dict[str, _Lives] = {}
        return [one for one in entries if await self._may(user, verb, await self._asked_of(one, lives), path, may)]

    async def _entries(self, cluster: str, namespace: str) -> list[_Entry]:
        """Return what is kept; of the namespaces themselves, too, as they say who took their content away."""
        found: dict[tuple[str, ...], _Entry] = {}
        prefixes = [bins.prefix(cluster)]
        if namespace:
            prefixes = [bins.prefix(cluster, namespace), bins.prefix(cluster, "-") + "core/namespaces/"]
        for prefix in prefixes:
            start = prefix
            while True:
                page = await self.store.range(start, prefix_end(prefix), limit=_PAGE)
                for row in page.rows:
                    _add(found, row)
                if not page.more:
                    break
                start = page.rows[-1].key + "\0"
        return [one for one in found.values() if one.object is not None or one.clusters]

    async def _asked_of(self, entry: _Entry, lives: dict[str, _Lives]) -> bins.Place:
        """Return where rights must be had to see an entry: in all namespaces, if its own is no more."""
        place = entry.place
        if not place.namespace:
            return place
        if place.namespace not in lives:
            row = await self.store.get(namespace_key(place.cluster, place.namespace))
            metadata = {} if row is None else encoding.decode(row)["metadata"]
            lives[place.namespace] = _Lives(metadata.get("uid", ""), metadata.get("creationTimestamp", ""))
        return place if lives[place.namespace].had(entry.last) else place._replace(namespace="")

    async def _may(
        self, user: User, verb: str, place: bins.Place, path: str, known: dict[tuple[str, str, str], bool]
    ) -> bool:
        question = (place.group, place.resource, place.namespace)
        name = place.name if verb == "get" else ""
        if question not in known:
            info = _info(place.cluster, path, verb, place.group, place.resource, place.namespace, name)
            known[question] = (await self.authorizer.authorize(user, info)).allowed
        return known[question]

    def _item(self, entry: _Entry, namespaces: Mapping[str, _Entry]) -> JsonObject:
        place, last = entry.place, entry.last
        asked = entry.asked
        if asked is None and last.namespace_uid in namespaces:
            asked = namespaces[last.namespace_uid].asked
        until = datetime.fromisoformat(last.at) + timedelta(seconds=self.retention_s)
        return {
            "apiVersion": last.api_version,
            "kind": last.kind,
            "group": place.group,
            "resource": place.resource,
            "namespace": place.namespace,
            "name": place.name,
            "uid": place.uid,
            "deletedAt": last.at,
            "deletedBy": last.by if asked is None else bins.note_of(asked).by,
            "cause": last.cause,
            "namespaceUID": last.namespace_uid,
            "until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "restorable": entry.object is not None and bins.has_object(entry.object),
            "clusters": [
                {"uid": uid, "name": self.name_of(uid), "cause": bins.note_of(row).cause, "at": bins.note_of(row).at}
                for uid, row in sorted(entry.clusters.items())
            ],
        }


def _add(found: dict[tuple[str, ...], _Entry], row: Row) -> None:
    place = bins.place_of(row.key)
    # A cluster knows nothing of whose API it is: identity is no part of what an entry is.
    key = (place.namespace, place.group, place.resource, place.name, place.uid)
    entry = found.setdefault(key, _Entry(place))
    if place.part == bins.OBJECT:
        entry.object = row
    elif place.part == bins.ASKED:
        entry.asked = row
    else:
        entry.clusters[place.part] = row


def _contents(entry: _Entry) -> JsonObject:
    """Return what only one who asks for this object by its uid is shown."""
    obj = None if entry.object is None else bins.object_of(entry.object)
    return {
        "manifest": None if obj is None else bins.manifest(entry.place, obj),
        "lastSeen": {uid: bins.object_of(row) for uid, row in sorted(entry.clusters.items())},
    }


def _info(cluster: str, path: str, verb: str, group: str, resource: str, namespace: str, name: str) -> RequestInfo:  # noqa: PLR0913, PLR0917 - the parts of a RequestInfo
    return RequestInfo(
        cluster, path, verb, bool(resource), group, "v1", namespace=namespace, resource=resource, name=name
    )
