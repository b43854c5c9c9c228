"""
How an agent comes by its credential: ``bootstrap``, ``enroll`` and ``token`` of the syncer's virtual workspace.

Each answers for one SyncTarget, named by logical cluster, name and uid; a uid that is not the live one is refused.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Forbidden, RequestTooLarge, Unauthorized
from fairlead_control_plane.auth import agents
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_machinery.web import Request, Response, json_response

_LARGEST_BODY, _DIGITS = 16 << 10, 9


class AgentDoor:
    """Lets agents in, one SyncTarget at a time."""

    def __init__(
        self, registry: Registry, synctargets: Resource, tokens: agents.AgentTokens, now_s: Callable[[], float]
    ) -> None:
        self._registry = registry
        self._synctargets = synctargets
        self._tokens = tokens
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
        return json_response({"token": token, "expires": expires})

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
