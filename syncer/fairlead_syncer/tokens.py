"""
Workspace tokens for pods: a Secret per service account in use, renewed in place.

The Secret's name never changes, so renewal changes no pod template and restarts nothing. Tokens are bound to the
workspace's service account and short; what leaks ends by itself (S80).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, NotFound
from fairlead_machinery.client import MERGE_PATCH, Client, Gvr
from fairlead_syncer.plan import PROOF, annotations_of
from fairlead_syncer.state import State
from fairlead_syncer.target import Key
from fairlead_syncer.upstream import Upstream
from fairlead_transforms.names import token_secret
from fairlead_transforms.podtemplate import TARGET_LABEL

SECRETS = Gvr("", "v1", "secrets")
LIFETIME_S = 6 * 3600
RENEW_SHARE = 0.5
"""A token is renewed when this share of its life is over, so that an outage of hours finds it valid."""
RENEW_AT = "internal.workload.kcp.io/renew-at"

Place = tuple[str, str, str]
"""Logical cluster, upstream namespace, service account."""


@dataclass(slots=True)
class _Token:
    renew_at_s: float


class Tokens:
    """Keeps the token Secrets of one cluster; ``now_s`` returns seconds since the epoch."""

    def __init__(self, state: State, upstream: Upstream, cluster: Client, now_s: Callable[[], float]) -> None:
        self._state = state
        self._upstream = upstream
        self._cluster = cluster
        self._now_s = now_s
        self._kept: dict[Place, _Token] = {}

    async def ensure(self, cluster: str, namespace: str, account: str) -> None:
        """Make sure that the Secret pods of a service account mount is there and will be renewed."""
        place = (cluster, namespace, account)
        if place in self._kept:
            return
        found = await self._read(place)
        if found is not None and self._is_ours(place, found):
            self._kept[place] = _Token(float(annotations_of(found).get(RENEW_AT) or 0))
            return
        await self._write(place, exists=found is not None)

    async def renew_due(self) -> None:
        """Renew what is due; drop those whose namespace has left."""
        for place, token in list(self._kept.items()):
            if not self._state.wants_namespace(place[0], place[1]):
                del self._kept[place]
            elif token.renew_at_s <= self._now_s():
                await self._write(place, exists=True)

    async def _read(self, place: Place) -> JsonObject | None:
        try:
            return await self._cluster.get(SECRETS, token_secret(place[2]), namespace=self._home(place))
        except NotFound:
            return None

    async def _write(self, place: Place, *, exists: bool) -> None:
        cluster, namespace, account = place
        minted = await self._upstream.mint(cluster, namespace, account, LIFETIME_S)
        renew_at_s = self._now_s() + LIFETIME_S * RENEW_SHARE
        data = {"token": _encoded(minted["token"]), "namespace": _encoded(namespace)}
        marks = {PROOF: self._proof(place), RENEW_AT: str(int(renew_at_s))}
        metadata = {"annotations": marks, "labels": {TARGET_LABEL: self._state.target.key}}
        body = {"metadata": metadata, "data": data}
        name = token_secret(account)
        if exists:
            found = await self._read(place)
            if found is None or not self._is_ours(place, found):
                raise AlreadyExists(f"the cluster has a Secret {name!r} in {self._home(place)} that is not ours")
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
            await self._cluster.patch(SECRETS, name, body, type_=MERGE_PATCH, namespace=self._home(place))
        else:
            full = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", **body}
            full["metadata"] = {**metadata, "name": name}
            await self._cluster.create(SECRETS, full, namespace=self._home(place))
        self._kept[place] = _Token(renew_at_s)

    def _is_ours(self, place: Place, secret: JsonObject) -> bool:
        return annotations_of(secret).get(PROOF) == self._proof(place)

    def _proof(self, place: Place) -> str:
        cluster, namespace, account = place
        return self._state.target.proof(Key("", "secrets", cluster, namespace, token_secret(account)), "token")

    def _home(self, place: Place) -> str:
        return self._state.target.namespace(place[0], place[1])


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
