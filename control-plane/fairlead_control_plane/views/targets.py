"""
The SyncTargets of all workspaces, in memory: a bounded set that every write to a synced kind must ask.

Kept exact by the store's listeners, so that a write never sees a target as it was before a write it follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, Event, Row, Store, prefix_end
from fairlead_control_plane.views import rows

_ALWAYS = frozenset({("", "configmaps"), ("", "secrets")})
# Pods come up from the cluster; what a cluster derives is never sent down.
_NEVER = frozenset({("", "pods"), ("", "events"), ("", "endpoints"), ("discovery.k8s.io", "endpointslices")})
_KEPT_SECRETS = frozenset(
    {"helm.sh/release.v1", "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"}
)


_ACCEPTED = "/accepted/"

Api = tuple[str, str]
"""Group and plural name: what a cluster tells APIs apart by."""


def accepted_key(uid: str) -> str:
    """Return the key of the row that changes exactly when what a SyncTarget accepts does."""
    return f"{_ACCEPTED}{uid}"


class TargetIndex:
    """Live SyncTargets by uid."""

    def __init__(self, store: Store, synctargets: Resource) -> None:
        self._store = store
        self.resource = synctargets
        self.prefix = keys.range_prefix(synctargets)
        self._targets: dict[str, JsonObject] = {}
        self._keys: dict[str, str] = {}  # by object key; "" if deleted while loading, lest the load revive it
        self._compares: dict[str, Compare] = {}
        self._accepting: dict[str, Compare] = {}
        self._accepted: dict[str, Mapping[Api, Sequence[str]]] = {}
        self._held: dict[str, set[Api]] = {}  # of which a target may have rows
        self._holds = 0
        self._loaded = False
        self._followers: dict[str, dict[object, Callable[[], None]]] = {}

    async def start(self) -> None:
        """Load all SyncTargets; from then on the index follows every write before its writer hears of it."""
        self._store.listen(self._on_events)
        found = await self._store.range(self.prefix, prefix_end(self.prefix))
        for row in found.rows:
            # A listener may have brought a newer row, or removed this one, while the range was read.
            if row.key not in self._keys:
                self._put(row)
        for row in (await self._store.range(_ACCEPTED, prefix_end(_ACCEPTED), revision=found.revision)).rows:
            self._accepting.setdefault(row.key.removeprefix(_ACCEPTED), Compare(row.key, row.mod_revision))
        await self._load_held()
        self._loaded = True
        self._keys = {key: uid for key, uid in self._keys.items() if uid}

    async def _load_held(self) -> None:
        """Look for the first row of each API of each target, whatever the number of its rows."""
        start, end = rows.PREFIX, prefix_end(rows.PREFIX)
        while (page := await self._store.range(start, end, limit=1)).rows:
            key = page.rows[0].key
            self._hold(key)
            start = prefix_end(rows.target_prefix(rows.split_key(key)[0], *rows.api_of(key)))

    async def forget_empty(self, uid: str) -> None:
        """Forget the APIs that a target does not accept and holds no row of any more; all, once it is gone."""
        for api in sorted(self._held.get(uid, set()) - set(self.accepted(uid))):
            before, prefix = self._holds, rows.target_prefix(uid, *api)
            found = await self._store.range(prefix, prefix_end(prefix), limit=1)
            if not found.rows and self._holds == before:
                self._held.get(uid, set()).discard(api)
        if not self._held.get(uid, True):
            del self._held[uid]

    def get(self, uid: str) -> JsonObject | None:
        """Return the SyncTarget of that uid; not to be changed."""
        return self._targets.get(uid)

    def compare(self, uid: str) -> Compare | None:
        """Return what holds while the SyncTarget is as it is here; None when it is gone, which is for good."""
        return self._compares.get(uid)

    def accepting(self, uid: str) -> Compare | None:
        """
        Return what holds while the SyncTarget accepts what it does here; None when there is none.

        Goes into every transaction that was decided by that.
        """
        found = self._compares.get(uid)
        return found and self._accepting.get(uid, found)

    def has_acceptance(self, uid: str) -> bool:
        """Tell whether there is a row for what a SyncTarget accepts; those of old servers come without."""
        return uid in self._accepting

    def follow(self, uid: str, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call ``on_change`` whenever a SyncTarget changes or goes; returns what ends that."""
        mark = object()
        self._followers.setdefault(uid, {})[mark] = on_change

        def leave() -> None:
            followers = self._followers.get(uid, {})
            followers.pop(mark, None)
            if not followers:
                self._followers.pop(uid, None)

        return leave

    def all(self) -> Sequence[JsonObject]:
        """Return all SyncTargets; not to be changed."""
        return tuple(self._targets.values())

    def name_of(self, uid: str) -> str:
        """Return the name of a SyncTarget; "" when it is gone."""
        target = self._targets.get(uid)
        return "" if target is None else str(target["metadata"]["name"])

    def cluster_of(self, target: JsonObject) -> str:
        """Return the logical cluster a SyncTarget is registered in."""
        return str(target["metadata"]["annotations"]["kcp.io/cluster"])

    def accepts(self, uid: str, resource: Resource) -> bool:
        """Tell whether objects of a resource go down to a target: its API is accepted there under this identity."""
        identities = self.accepted(uid).get((resource.group, resource.plural), ())
        return resource.namespaced and resource.identity in identities

    def accepted(self, uid: str) -> Mapping[Api, Sequence[str]]:
        """Return every API a target accepts, and under which identities."""
        return self._accepted.get(uid, {})

    def apis_of(self, uid: str) -> Sequence[Api]:
        """
        Return every API a target may hold rows of: what it accepts, and what there are rows of although it does not.

        The namespace itself is not among them: its row is handled with the Assignment.
        """
        return sorted({*self.accepted(uid), *self._held.get(uid, ())})

    def _on_events(self, events: Sequence[Event], revision: int) -> None:
        del revision
        for event in events:
            if event.previous is None and event.key.startswith(rows.PREFIX):
                self._hold(event.key)
            elif event.key.startswith(_ACCEPTED):
                uid = event.key.removeprefix(_ACCEPTED)
                self._accepting.pop(uid, None)
                if event.row is not None:
                    self._accepting[uid] = Compare(event.key, event.row.mod_revision)
            elif event.key.startswith(self.prefix):
                before = self._keys.get(event.key, "")
                self._forget(event.key)
                if event.row is not None:
                    self._put(event.row)
                else:
                    self._held.pop(before, None)
                    if not self._loaded:
                        self._keys[event.key] = ""
                for on_change in list(self._followers.get(before, {}).values()):
                    on_change()

    def _hold(self, key: str) -> None:
        api = rows.api_of(key)
        if api != ("", "namespaces"):
            self._holds += 1
            self._held.setdefault(rows.split_key(key)[0], set()).add(api)

    def _put(self, row: Row) -> None:
        obj = encoding.decode(row)
        uid = obj["metadata"]["uid"]
        self._keys[row.key] = uid
        self._targets[uid] = obj
        self._compares[uid] = Compare(row.key, row.mod_revision)
        self._accepted[uid] = accepted_by(obj)

    def _forget(self, key: str) -> None:
        uid = self._keys.pop(key, "")
        self._targets.pop(uid, None)
        self._compares.pop(uid, None)
        self._accepted.pop(uid, None)


def accepted_by(target: JsonObject) -> Mapping[Api, Sequence[str]]:
    """Return every API that a SyncTarget accepts, and under which identities."""
    found: dict[Api, list[str]] = {name: [""] for name in sorted(_ALWAYS)}
    for synced in (target.get("status") or {}).get("syncedResources") or ():
        name = (synced.get("group", ""), synced["resource"])
        if synced.get("state") == "Accepted" and name not in _NEVER and name not in _ALWAYS:
            found.setdefault(name, []).append(synced.get("identityHash", ""))
    return found


def never_travels(resource: Resource) -> bool:
    """Tell whether no target can ever take a resource, so that a write to it need not ask."""
    return (resource.group, resource.plural) in _NEVER


def stays_upstream(resource: Resource, obj: JsonObject) -> bool:
    """Tell whether this one object never leaves its workspace: release records of helm, tokens of the workspace."""
    return resource.plural == "secrets" and not resource.group and obj.get("type") in _KEPT_SECRETS


def fingerprint(value: object) -> str:
    """Return a short stable hash of a JSON value."""
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()
