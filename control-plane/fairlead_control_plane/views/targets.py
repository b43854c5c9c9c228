"""
The SyncTargets of all workspaces, in memory: a bounded set that every write to a synced kind must ask.

Kept exact by the store's listeners, so that a write never sees a target as it was before a write it follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Event, Store, prefix_end

_ALWAYS = frozenset({("", "configmaps"), ("", "secrets")})
# Pods come up from the cluster; what a cluster derives is never sent down.
_NEVER = frozenset({("", "pods"), ("", "events"), ("", "endpoints"), ("discovery.k8s.io", "endpointslices")})
_KEPT_SECRETS = frozenset(
    {"helm.sh/release.v1", "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"}
)


class TargetIndex:
    """Live SyncTargets by uid."""

    def __init__(self, store: Store, synctargets: Resource) -> None:
        self._store = store
        self._resource = synctargets
        self.prefix = keys.range_prefix(synctargets)
        self._targets: dict[str, JsonObject] = {}
        self._keys: dict[str, str] = {}  # by object key; "" if deleted while loading, lest the load revive it
        self._loaded = False
        self._followers: dict[str, dict[object, Callable[[], None]]] = {}

    async def start(self) -> None:
        """Load all SyncTargets; from then on the index follows every write before its writer hears of it."""
        self._store.listen(self._on_events)
        found = await self._store.range(self.prefix, prefix_end(self.prefix))
        for row in found.rows:
            # A listener may have brought a newer row, or removed this one, while the range was read.
            if row.key not in self._keys:
                self._put(row.key, encoding.decode(row))
        self._loaded = True
        self._keys = {key: uid for key, uid in self._keys.items() if uid}

    def get(self, uid: str) -> JsonObject | None:
        """Return the SyncTarget of that uid; not to be changed."""
        return self._targets.get(uid)

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

    def cluster_of(self, target: JsonObject) -> str:
        """Return the logical cluster a SyncTarget is registered in."""
        return str(target["metadata"]["annotations"]["kcp.io/cluster"])

    def accepts(self, uid: str, resource: Resource) -> bool:
        """Tell whether objects of a resource go down to a target: its API is accepted there under this identity."""
        name = (resource.group, resource.plural)
        target = self._targets.get(uid)
        if target is None or not resource.namespaced or name in _NEVER:
            return False
        if name in _ALWAYS and not resource.identity:
            return True
        return any(
            (synced.get("group", ""), synced["resource"]) == name
            and synced.get("identityHash", "") == resource.identity
            and synced.get("state") == "Accepted"
            for synced in (target.get("status") or {}).get("syncedResources") or ()
        )

    def resources_of(self, uid: str) -> Sequence[tuple[str, str, str]]:
        """
        Return (group, plural, identity) of every resource a target may hold rows of, accepted or not.

        The namespace itself is not among them: its row is handled with the Assignment.
        """
        target = self._targets.get(uid) or {}
        synced = (target.get("status") or {}).get("syncedResources") or ()
        names = [(one.get("group", ""), one["resource"], one.get("identityHash", "")) for one in synced]
        return [(group, plural, "") for group, plural in sorted(_ALWAYS)] + [
            name for name in names if name[:2] not in _NEVER
        ]

    def _on_events(self, events: Sequence[Event], revision: int) -> None:
        del revision
        for event in events:
            if event.key.startswith(self.prefix):
                before = self._keys.get(event.key, "")
                self._forget(event.key)
                if event.row is not None:
                    self._put(event.key, encoding.decode(event.row))
                elif not self._loaded:
                    self._keys[event.key] = ""
                for on_change in list(self._followers.get(before, {}).values()):
                    on_change()

    def _put(self, key: str, obj: JsonObject) -> None:
        uid = obj["metadata"]["uid"]
        self._keys[key] = uid
        self._targets[uid] = obj

    def _forget(self, key: str) -> None:
        self._targets.pop(self._keys.pop(key, ""), None)


def stays_upstream(resource: Resource, obj: JsonObject) -> bool:
    """Tell whether this one object never leaves its workspace: release records of helm, tokens of the workspace."""
    return resource.plural == "secrets" and not resource.group and obj.get("type") in _KEPT_SECRETS


def fingerprint(value: object) -> str:
    """Return a short stable hash of a JSON value."""
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()
