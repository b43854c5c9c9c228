"""
How an agent comes by its credential and its turn: ``bootstrap``, ``enroll``, ``token``, ``rotate`` and ``lead`` of the
syncer's virtual workspace.

Each answers for one SyncTarget, named by logical cluster, name and uid; a uid that is not the live one is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict, Forbidden, RequestTooLarge, Unauthorized
from fairlead_control_plane.auth import agents
from fairlead_control_plane.auth.leaders import LEADER_ANNOTATION, LEASE_S, Claim, Leader, Leaders
from fairlead_control_plane.controllers.heartbeats import Heartbeats
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_machinery.web import Request, Response, json_response

_LARGEST_BODY, _DIGITS = 16 << 10, 9


class AgentDoor:
    """
    Lets agents in, one SyncTarget at a time.

    Args:
        leaders: Decides which agent is at work.
        beats: Is told which agents wait for their turn.
        now_s: Seconds since the epoch.
    """

    def __init__(
        self,
        registry: Registry,
        synctargets: Resource,
        tokens: agents.AgentTokens,
        leaders: Leaders,
        beats: Heartbeats,
        now_s: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._synctargets = synctargets
        self._tokens = tokens
        self.leaders = leaders
        self._beats = beats
        self._now_s = now_s

    async def bootstrap(self, cluster: str, target: JsonObject) -> Response:
        """Make a bootstrap token; the caller has been found allowed to update the SyncTarget."""
        token, record = agents.new_bootstrap(self._now_s())
        await self._annotate(cluster, target, {agents.BOOTSTRAP_ANNOTATION: record})
        return json_response({"token": token, "expiresInSeconds": agents.BOOTSTRAP_LIFETIME_S}, 201)

    async def enroll(self, cluster: str, target: JsonObject, request: Request) -> Response:
        """
        Pin the key in the body to the SyncTarget's uid; the bootstrap token is used up in the same write.

        Raises:
            Unauthorized: No bootstrap token, or the proof does not fit the key.
            Forbidden: The bootstrap token is used, late or another's.
        """
        bearer = bearer_token(request)
        body = await _body(request)
        key, proof = body.get("publicKey"), body.get("proof")
        if not isinstance(key, dict) or not isinstance(proof, str):
            raise BadRequest("the body must hold publicKey (a JWK) and proof (a JWT signed by it)")
        agents.public_key(key)
        record = agents.pinned_key(target)
        is_known = record is not None and agents.thumbprint(record) == agents.thumbprint(key)
        if not is_known:  # before the proof, so that only who has been asked in makes the server remember one
            remembered = (target["metadata"].get("annotations") or {}).get(agents.BOOTSTRAP_ANNOTATION)
            agents.check_bootstrap(remembered, bearer, self._now_s())
        self._tokens.check_proof(proof, key, request.path)
        if is_known:
            return json_response({"thumbprint": agents.thumbprint(key)})  # the answer to a first try was lost

        def pin(obj: JsonObject) -> JsonObject:
            annotations = obj["metadata"].setdefault("annotations", {})
            agents.check_bootstrap(annotations.get(agents.BOOTSTRAP_ANNOTATION), bearer, self._now_s())
            del annotations[agents.BOOTSTRAP_ANNOTATION]
            annotations[agents.KEY_ANNOTATION] = orjson.dumps(key).decode()
            return obj

        name = target["metadata"]["name"]
        await self._registry.modify(self._synctargets, cluster, "", name, _same(target, pin))
        return json_response({"thumbprint": agents.thumbprint(key)})

    async def token(self, cluster: str, target: JsonObject, request: Request) -> Response:
        """
        Mint a short token against a proof by the pinned key.

        Raises:
            Forbidden: No agent has enrolled for this SyncTarget.
            Unauthorized: The proof does not hold.
        """
        key = agents.pinned_key(target)
        if key is None:
            raise Forbidden("no agent has enrolled for this SyncTarget")
        proof = (await _body(request)).get("proof")
        if not isinstance(proof, str):
            raise BadRequest("the body must hold proof, a JWT signed by the enrolled key")
        self._tokens.check_proof(proof, key, request.path)
        metadata = target["metadata"]
        claims = agents.AgentClaims(cluster, metadata["name"], metadata["uid"], agents.thumbprint(key))
        token, expires = self._tokens.issue(claims)
        # How long, not only until when: the agent's clock may be wrong.
        return json_response({"token": token, "expires": expires, "expiresInSeconds": agents.TOKEN_LIFETIME_S})

    async def rotate(self, cluster: str, target: JsonObject, request: Request) -> Response:
        """
        Pin a new key in the place of the old, by a proof of each; the old one is refused from then on.

        Asked again after a lost answer it says the same: the new key is pinned already, and proves itself.

        Raises:
            Forbidden: No agent has enrolled, or the old key is no longer the pinned one.
            Unauthorized: A proof does not hold.
        """
        body = await _body(request)
        new, proof, by_old = body.get("publicKey"), body.get("proof"), body.get("proofByOldKey")
        if not isinstance(new, dict) or not isinstance(proof, str) or not isinstance(by_old, str):
            raise BadRequest(
                "the body must hold publicKey (a JWK), proof (by it) and proofByOldKey (by the pinned one)"
            )
        agents.public_key(new)
        pinned, mark = agents.pinned_key(target), agents.thumbprint(new)
        if pinned is None:
            raise Forbidden("no agent has enrolled for this SyncTarget")
        if agents.thumbprint(pinned) != mark:  # the old key names the new one: a proof for one is none for another
            self._tokens.check_proof(by_old, pinned, f"{request.path}#{mark}")
        self._tokens.check_proof(proof, new, request.path)
        if agents.thumbprint(pinned) == mark:
            return json_response({"thumbprint": mark})

        def pin(obj: JsonObject) -> JsonObject:
            if agents.pinned_key(obj) != pinned:
                raise Forbidden("another key was pinned meanwhile")
            obj["metadata"]["annotations"][agents.KEY_ANNOTATION] = orjson.dumps(new).decode()
            return obj

        name = target["metadata"]["name"]
        await self._registry.modify(self._synctargets, cluster, "", name, _same(target, pin))
        return json_response({"thumbprint": mark})

    async def lead(self, cluster: str, target: JsonObject, request: Request) -> Response:
        """
        Grant, renew or refuse a claim to be the agent at work; with ``release`` give it back.

        Returns:
            ``{leading, epoch, holder, durationSeconds, serverTime}``.
        """
        body = await _body(request)
        claim, uid = Claim.of(body), target["metadata"]["uid"]
        leader = Leader.of(target)
        wanted = self.leaders.judge(uid, leader, claim)
        if body.get("release") is True:
            if leader is not None and leader.process == claim.process:
                self.leaders.release(uid, leader)
            wanted = None
        elif wanted is None:
            self._beats.wait(uid, claim.process, claim.host)
        elif wanted is leader or await self._take(cluster, target, leader, wanted):
            self._beats.leave(uid, claim.process)
            self.leaders.renew(uid, wanted)
        else:
            wanted = None
        shown = wanted or leader
        return json_response(
            {
                "leading": wanted is not None,
                "epoch": shown.epoch if shown else 0,
                "holder": shown.host if shown else "",
                "durationSeconds": LEASE_S,
                "serverTime": datetime.fromtimestamp(self._now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    async def _take(self, cluster: str, target: JsonObject, before: Leader | None, leader: Leader) -> bool:
        """Write a new leader in the place of the one judged; False when somebody else was quicker."""

        def write(obj: JsonObject) -> JsonObject:
            if Leader.of(obj) != before:
                raise Conflict("another agent was quicker")
            obj["metadata"].setdefault("annotations", {})[LEADER_ANNOTATION] = leader.text()
            return obj

        try:
            name = target["metadata"]["name"]
            await self._registry.modify(self._synctargets, cluster, "", name, _same(target, write))
        except Conflict:
            return False
        return True

    async def _annotate(self, cluster: str, target: JsonObject, annotations: dict[str, str]) -> None:
        def change(obj: JsonObject) -> JsonObject:
            obj["metadata"].setdefault("annotations", {}).update(annotations)
            return obj

        name = target["metadata"]["name"]
        await self._registry.modify(self._synctargets, cluster, "", name, _same(target, change))


def _same(target: JsonObject, change: Callable[[JsonObject], JsonObject]) -> Callable[[JsonObject], JsonObject]:
    """Guard a change by uid: a SyncTarget made again meanwhile is another one."""

    def guarded(obj: JsonObject) -> JsonObject:
        if obj["metadata"]["uid"] != target["metadata"]["uid"]:
            raise Forbidden("the SyncTarget has been replaced by another of the same name")
        return change(obj)

    return guarded


def bearer_token(request: Request) -> str:
    """
    Return the bearer token of a request.

    Raises:
        Unauthorized: There is none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("a bootstrap token is needed")
    return token.strip()


async def _body(request: Request) -> JsonObject:
    """Return the body; it comes before anything is proved, so nothing is read whose length is not known to be small."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or len(length) > _DIGITS or int(length) > _LARGEST_BODY:
        raise RequestTooLarge(f"the body must have a Content-Length of at most {_LARGEST_BODY}")
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not valid JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body
