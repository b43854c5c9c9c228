"""
``serviceaccounts/token``: a token for an account, perhaps bound to a Pod, Secret or Node.

Source: k8s.io/kubernetes pkg/registry/core/serviceaccount/storage/token.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Cause, Conflict, Invalid, NotFound
from fairlead_control_plane.auth.accounts import ServiceAccounts
from fairlead_control_plane.auth.reviews import Asked
from fairlead_control_plane.auth.tokens import MAX_SECONDS, MIN_SECONDS, Bound, Claims

_DEFAULT_SECONDS = 3600
_KIND = "TokenRequest.authentication.k8s.io"


class TokenRequests:
    """Issues service account tokens."""

    def __init__(self, accounts: ServiceAccounts, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._clock = clock

    async def __call__(self, asked: Asked, request: JsonObject, *, target: str = "") -> JsonObject:
        """
        Answer a TokenRequest for the account named in the path.

        Args:
            target: Uid of the SyncTarget whose Pods it is for: it ends when the namespace leaves there.

        Raises:
            NotFound: No such account or bound object.
            Conflict: The bound object is another one of that name.
            Invalid, BadRequest: The request is wrong.
        """
        account = await self._accounts.find("ServiceAccount", asked.cluster, asked.namespace, asked.name)
        if account is None:
            raise NotFound(f'serviceaccounts "{asked.name}" not found', kind="serviceaccounts", name=asked.name)
        spec = request.get("spec") or {}
        metadata = request.get("metadata") or {}
        _check_place(metadata, asked)
        seconds = spec.get("expirationSeconds")
        seconds = _DEFAULT_SECONDS if seconds is None else seconds
        _check_seconds(seconds)
        tokens = self._accounts.tokens
        now = self._clock()
        claims = Claims(
            asked.cluster,
            asked.namespace,
            asked.name,
            account["metadata"]["uid"],
            tuple(spec.get("audiences") or (tokens.issuer,)),
            now + seconds,
            str(uuid4()),
            target=target,
        )
        ref = spec.get("boundObjectRef")
        if ref:
            claims = replace(claims, bound=await self._bound(asked, ref))
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                **metadata,
                "name": asked.name,
                "namespace": asked.namespace,
                "uid": claims.uid,
                "creationTimestamp": _time(now),
            },
            "spec": {
                **spec,
                "audiences": list(claims.audiences),
                "expirationSeconds": seconds,
                "boundObjectRef": ref or None,
            },
            "status": {"token": tokens.issue(claims), "expirationTimestamp": _time(claims.expires_s)},
        }

    async def _bound(self, asked: Asked, ref: JsonObject) -> Bound:
        kind, name, uid = ref.get("kind", ""), ref.get("name", ""), ref.get("uid", "")
        if kind not in ("Pod", "Secret", "Node") or ref.get("apiVersion", "v1") != "v1":
            group, _, version = str(ref.get("apiVersion") or "").rpartition("/")
            raise BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
        plural = f"{kind.lower()}s"
        obj = await self._accounts.find(kind, asked.cluster, asked.namespace, name)
        if obj is None:
            raise NotFound(f'{plural} "{name}" not found', kind=plural, name=name)
        if kind == "Pod" and (obj.get("spec") or {}).get("serviceAccountName") != asked.name:
            message = f'cannot bind token for serviceaccount "{asked.name}" to pod running with different'
            raise BadRequest(f"{message} serviceaccount name.")
        found: str = obj["metadata"]["uid"]
        if uid and uid != found:
            raise Conflict(
                f'Operation cannot be fulfilled on {kind} "{name}": the UID in the bound object reference ({uid}) does'
                " not match the UID in record. The object might have been deleted and then recreated",
                kind=kind,
                name=name,
            )
        return Bound(kind, name, found)


def _check_place(metadata: JsonObject, asked: Asked) -> None:
    for field, wanted in (("name", asked.name), ("namespace", asked.namespace)):
        found = metadata.get(field)
        if found and found != wanted:
            raise _invalid(
                asked.name, f"metadata.{field}", f'"{found}"', f"must match the service account {field} if specified"
            )


def _check_seconds(seconds: object) -> None:
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise BadRequest("spec.expirationSeconds must be a whole number")
    if seconds < MIN_SECONDS:
        raise _invalid("", "spec.expirationSeconds", str(seconds), "may not specify a duration less than 10 minutes")
    if seconds > MAX_SECONDS:
        message = "may not specify a duration larger than 2^32 seconds"
        raise _invalid("", "spec.expirationSeconds", str(seconds), message)


def _invalid(name: str, field: str, value: str, message: str) -> Invalid:
    text = f"Invalid value: {value}: {message}"
    return Invalid(
        f'{_KIND} "{name}" is invalid: {field}: {text}',
        group="authentication.k8s.io",
        kind="TokenRequest",
        name=name,
        causes=[Cause("FieldValueInvalid", text, field)],
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
