"""
Workspace tokens for pods: a Secret per service account in use, renewed in place.

The Secret's name never changes, so renewal changes no pod template and restarts nothing. Tokens are bound to the
workspace's service account and short; what leaks ends by itself (S80).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, NotFound
from fairlead_machinery import failpoints
from fairlead_machinery.client import MERGE_PATCH, Client, Gvr
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.plan import annotations_of, is_tombstone
from fairlead_syncer.proofs import OWN_MANAGER, PROOF, is_proved
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key
from fairlead_syncer.upstream import Upstream
from fairlead_transforms.names import is_token_secret, token_secret
from fairlead_transforms.podtemplate import TARGET_LABEL

SECRETS = Gvr("", "v1", "secrets")
LIFETIME_S = 6 * 3600
RENEW_SHARE = 0.5
"""A token is renewed when this share of its life is over, so that an outage of hours finds it valid."""
_WRITE = {"fieldManager": OWN_MANAGER}
RENEW_AT = "internal.workload.kcp.io/renew-at"
TOKENS = "internal.workload.kcp.io/token-uids"
"""On the view of a namespace: JSON of the uids of our Secrets in it, by name."""
_log = structlog.get_logger(__name__)

Place = tuple[str, str, str]
"""Logical cluster, upstream namespace, service account."""


class CannotMint(Exception):
    """Pods cannot have their token, for a reason that the user can mend; ``reason`` is in CamelCase."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class _Token:
    """When to renew, and the uid of the upstream namespace it was minted for."""

    renew_at_s: float
    namespace_uid: str


class Tokens:
    """Keeps the token Secrets of one cluster; ``now_s`` returns seconds since the epoch."""

    def __init__(self, state: State, upstream: Upstream, cluster: Client, now_s: Callable[[], float]) -> None:
        self._state = state
        self._upstream = upstream
        self._cluster = cluster
        self._now_s = now_s
        self._kept: dict[Place, _Token] = {}
        self._uids: dict[tuple[str, str], dict[str, str]] = {}  # of the Secrets in a namespace, as last told
        self._recording = asyncio.Lock()

    async def ensure(self, cluster: str, namespace: str, account: str) -> None:
        """
        Make sure that the Secret pods of a service account mount is there and will be renewed.

        Raises:
            CannotMint: The service account is not there, or the Secret's name is taken in the cluster.
        """
        place = (cluster, namespace, account)
        kept = self._kept.get(place)
        uid = self._namespace_uid(place)
        if kept is not None and kept.namespace_uid == uid:
            return
        found = await self._read(place)
        if found is not None and self._is_made(place, found) and kept is None:
            self._kept[place] = _Token(_number(annotations_of(found).get(RENEW_AT)), uid)
            return
        await self._write(place, found)

    async def mend(self, key: Key) -> None:
        """Make a token Secret again that somebody deleted or changed; other keys are none of ours."""
        if (key.group, key.resource) != ("", "secrets") or not is_token_secret(key.name):
            return
        for place in [place for place in self._kept if token_secret(place[2]) == key.name]:
            if place[:2] == (key.cluster, key.namespace) and key not in self._state.actual:
                del self._kept[place]
                if self._state.wants_namespace(*place[:2]):
                    await self.ensure(*place)

    def forget(self, cluster: str, namespace: str) -> None:
        """Take note that the Secrets of a namespace went with it."""
        self._uids.pop((cluster, namespace), None)
        for place in [place for place in self._kept if place[:2] == (cluster, namespace)]:
            del self._kept[place]

    async def renew_due(self) -> None:
        """Renew what is due, each on its own; what cannot be renewed now is tried again at the next call."""
        for place, token in list(self._kept.items()):
            view = self._state.views.get(Key("", "namespaces", place[0], "", place[1]))
            if view is not None and is_tombstone(view):
                self._kept.pop(place, None)
            elif token.renew_at_s <= self._now_s():
                try:
                    await self._write(place, await self._read(place))
                except (ApiError, Unreachable, CannotMint) as error:
                    _log.warning("a token could not be renewed", place="/".join(place), error=str(error))

    def made(self, cluster: str, namespace: str, secret: JsonObject) -> bool:
        """Tell whether we made this Secret for pods of an upstream namespace."""
        name = secret["metadata"]["name"]
        return is_token_secret(name) and self._is_ours((cluster, namespace, account_of(name)), secret)

    async def _read(self, place: Place) -> JsonObject | None:
        """Read what is there; what a crash kept us from recording is recorded now."""
        found = await self._cluster.find(SECRETS, token_secret(place[2]), namespace=self._home(place))
        if found is not None and self._is_ours(place, found):
            await self._record(place, found)
        return found

    async def _write(self, place: Place, found: JsonObject | None) -> None:
        name = token_secret(place[2])
        if not self._namespace_uid(place):
            raise Conflict(f"the namespace {place[1]!r} is not known yet")  # nor is what a proof has to be of
        if found is not None and not self._is_ours(place, found):
            raise CannotMint("NameTaken", f"the cluster already has a Secret {name!r} that is not of this workspace")
        if found is None and self._home(place) not in self._state.homes:
            raise Conflict(f"namespace {self._home(place)} is not known to be ours now")  # or gone, or somebody's copy
        minted = await self._mint(place)
        renew_at_s = self._now_s() + LIFETIME_S * RENEW_SHARE
        data = {"token": _encoded(minted), "namespace": _encoded(place[1])}
        marks = {RENEW_AT: str(int(renew_at_s))}
        metadata: JsonObject = {"annotations": marks, "labels": {TARGET_LABEL: self._state.target.key}}
        failpoints.hit("syncer-before-token")
        if found is not None:
            metadata |= {field: found["metadata"][field] for field in ("uid", "resourceVersion")}
            body = {"metadata": metadata, "data": data}
            made = await self._cluster.patch(
                SECRETS, name, body, type_=MERGE_PATCH, namespace=self._home(place), query=_WRITE
            )
        else:
            metadata["name"] = name
            marks[PROOF] = self._proof(place)  # of its making alone: with a newer one a copy of it would pass for ours
            full = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}
            try:
                made = await self._cluster.create(SECRETS, full, namespace=self._home(place), query=_WRITE)
            except AlreadyExists as error:
                raise Unreachable(f"another wrote {name} at the same moment") from error
        failpoints.hit("syncer-after-token")
        await self._record(place, made)
        self._kept[place] = _Token(renew_at_s, self._namespace_uid(place))

    async def _record(self, place: Place, made: JsonObject) -> None:
        """Tell upstream which Secret is ours, once: it is known again by that when this agent has lost its key."""
        name, uid = made["metadata"]["name"], made["metadata"]["uid"]
        async with self._recording:  # each report names all of them
            if self._is_recorded(place[:2], made):
                return
            known = {**self._recorded(place[:2]), name: uid}
            key = Key("", "namespaces", place[0], "", place[1])
            await self._upstream.report(NAMESPACES, key, self._namespace_uid(place), None, {"tokens": known})
            self._uids[place[:2]] = known

    def _is_recorded(self, home: tuple[str, str], secret: JsonObject) -> bool:
        uid: str = secret["metadata"]["uid"]
        return self._recorded(home).get(secret["metadata"]["name"]) == uid

    def _recorded(self, home: tuple[str, str]) -> dict[str, str]:
        """Return the uids of our Secrets in a namespace, by name, as upstream knows them."""
        view = self._state.views.get(Key("", "namespaces", home[0], "", home[1]))
        told: dict[str, str] = orjson.loads(annotations_of(view).get(TOKENS) or "{}") if view is not None else {}
        return {**told, **self._uids.get(home, {})}

    async def _mint(self, place: Place) -> str:
        try:
            return str((await self._upstream.mint(*place, LIFETIME_S))["token"])
        except NotFound as error:
            if error.kind != "serviceaccounts":
                raise
            message = f"pods need the service account {place[2]!r}, which the namespace does not have"
            raise CannotMint("ServiceAccountNotFound", message) from error

    def _namespace_uid(self, place: Place) -> str:
        """Return the uid of the upstream namespace; tokens of one that was replaced are worth nothing."""
        view = self._state.views.get(Key("", "namespaces", place[0], "", place[1]))
        return "" if view is None else str(view["metadata"]["uid"])

    def _is_ours(self, place: Place, secret: JsonObject) -> bool:
        return self._state.is_given(place[0], place[1], secret) or self._is_made(place, secret)

    def _is_made(self, place: Place, secret: JsonObject) -> bool:
        """Tell whether we made this Secret: it is the recorded one, or nothing was recorded since it got its proof."""
        return self._is_recorded(place[:2], secret) or is_proved(secret, self._proof(place))

    def _proof(self, place: Place) -> str:
        cluster, namespace, account = place
        key = Key("", "secrets", cluster, namespace, token_secret(account))
        return self._state.target.proof(key, "token", self._recorded(place[:2]).get(key.name, ""))

    def _home(self, place: Place) -> str:
        return self._state.target.namespace(place[0], place[1])


def account_of(secret_name: str) -> str:
    """Return the service account whose token a Secret of that name holds."""
    return secret_name.removeprefix(token_secret(""))


def _number(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0.0


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
