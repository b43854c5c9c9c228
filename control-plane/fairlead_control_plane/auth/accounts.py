"""
From a service account's token to its user, as long as the account and what the token is bound to exist.

Verified tokens are remembered by hash together with the store keys they rest on; a write to one of those keys
forgets them before the writer hears of its write, so a deleted account is refused at once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.request import User
from fairlead_control_plane.auth.authorize import CLUSTER_NAME
from fairlead_control_plane.auth.tokens import Bound, Claims, ServiceAccountTokens
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.keys import object_key
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Event, Store

SERVICE_ACCOUNTS = Resource("", "serviceaccounts", "ServiceAccount", ())
Assigned = Callable[[str, str, str], Awaitable[tuple[str, ...] | None]]
"""Logical cluster, namespace and uid of a SyncTarget to the keys of the rows by which it runs there; or None."""

_VIEWS, _NAMESPACE = "/views/", "/core/namespaces/"
"""Rows that say which namespaces run on which SyncTarget (``views.rows``)."""
_RESTED_ON = (
    "/core/serviceaccounts/",
    "/core/secrets/",
    "/core/pods/",
    "/core/nodes/",
    "/workload.kcp.io/synctargets/",
)
_PLURALS = {"ServiceAccount": "serviceaccounts", "Pod": "pods", "Secret": "secrets", "Node": "nodes"}


@dataclass(frozen=True, slots=True)
class _Known:
    user: User
    claims: Claims
    keys: tuple[str, ...]


class ServiceAccounts:
    """
    Authenticates service account tokens against the store.

    Args:
        catalog: Says where the objects lie that tokens are bound to (Pods may come in through a binding).
        clock: Seconds since the epoch.
        size: Most tokens remembered.
        assigned: Asked about tokens that were minted for a SyncTarget; without it there are none.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        tokens: ServiceAccountTokens,
        clock: Callable[[], float],
        *,
        size: int = 8192,
        assigned: Assigned | None = None,
    ) -> None:
        self.tokens = tokens
        self._catalog = catalog
        self._reader = ObjectReader(store)
        self._clock = clock
        self._size = size
        self._assigned = assigned
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._by_key: dict[str, set[bytes]] = {}
        self._writes = 0
        self._stop = store.listen(self._changed)

    async def authenticate(self, token: str) -> User | None:
        """Return the user of a token meant for this server, or None."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is None:
            return await self._learn(token, digest)
        if known.claims.expires_s <= self._clock():
            self._forget(digest)
            return None
        return known.user

    async def review(self, token: str, audiences: Sequence[str]) -> tuple[User, Claims] | None:
        """Check a token for other audiences (TokenReview); nothing is remembered."""
        claims = self.tokens.verify(token, audiences)
        if claims is None or await self._keys(claims) is None:
            return None
        return user_of(claims), claims

    def close(self) -> None:
        """Stop listening to the store."""
        self._stop()

    async def _learn(self, token: str, digest: bytes) -> User | None:
        claims = self.tokens.verify(token)
        if claims is None:
            return None
        writes = self._writes
        keys = await self._keys(claims)
        if keys is None:
            return None
        user = user_of(claims)
        if writes == self._writes:  # else one of the keys may have changed meanwhile: ask again next time
            self._known[digest] = _Known(user, claims, keys)
            for key in keys:
                self._by_key.setdefault(key, set()).add(digest)
            if len(self._known) > self._size:
                self._forget(next(iter(self._known)))
        return user

    async def find(self, kind: str, cluster: str, namespace: str, name: str) -> JsonObject | None:
        """Return a ServiceAccount, or a Pod, Secret or Node that a token can be bound to; None when it is not there."""
        resource = await self._resource(kind, cluster)
        if resource is None:
            return None
        try:
            return await self._reader.get(resource, cluster, namespace, name)
        except ValueError:  # a name that cannot be one
            return None

    async def _resource(self, kind: str, cluster: str) -> Resource | None:
        if kind == "ServiceAccount":
            return SERVICE_ACCOUNTS
        return await self._catalog.lookup(cluster, "", _PLURALS[kind])

    async def _keys(self, claims: Claims) -> tuple[str, ...] | None:
        """Return the keys of the objects a token rests on; None when one is gone or is another of that name."""
        keys = []
        parts = [("ServiceAccount", claims.name, claims.uid)]
        if claims.bound is not None:
            parts.append((claims.bound.kind, claims.bound.name, claims.bound.uid))
        for kind, name, uid in parts:
            obj = await self.find(kind, claims.cluster, claims.namespace, name)
            resource = await self._resource(kind, claims.cluster)
            if obj is None or resource is None or obj["metadata"].get("uid") != uid:
                return None
            keys.append(object_key(resource, claims.cluster, claims.namespace, name))
        if claims.target:
            runs = await self._assigned(claims.cluster, claims.namespace, claims.target) if self._assigned else None
            if runs is None:
                return None
            keys += runs
        return tuple(keys)

    def _changed(self, events: Sequence[Event], revision: int) -> None:
        del revision
        for event in events:
            is_view = event.key.startswith(_VIEWS) and _NAMESPACE in event.key
            if is_view or event.key.startswith(_RESTED_ON):
                self._writes += 1
                for digest in tuple(self._by_key.get(event.key, ())):
                    self._forget(digest)

    def _forget(self, digest: bytes) -> None:
        known = self._known.pop(digest, None)
        for key in known.keys if known is not None else ():
            found = self._by_key.get(key)
            if found is not None:
                found.discard(digest)
                if not found:
                    del self._by_key[key]


def user_of(claims: Claims) -> User:
    """Return the user a token stands for."""
    extra = {CLUSTER_NAME: (claims.cluster,)}
    if claims.identifier:
        extra["authentication.kubernetes.io/credential-id"] = (f"JTI={claims.identifier}",)
    bound: Bound | None = claims.bound
    if bound is not None and bound.kind in ("Pod", "Node"):
        kind = bound.kind.lower()
        extra[f"authentication.kubernetes.io/{kind}-name"] = (bound.name,)
        extra[f"authentication.kubernetes.io/{kind}-uid"] = (bound.uid,)
    return User(
        f"system:serviceaccount:{claims.namespace}:{claims.name}",
        ("system:serviceaccounts", f"system:serviceaccounts:{claims.namespace}", "system:authenticated"),
        claims.uid,
        extra,
    )
