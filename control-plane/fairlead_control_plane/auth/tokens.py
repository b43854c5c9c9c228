"""
Service account tokens: what is in them, and when one counts.

Claims are those of Kubernetes' bound tokens plus ``kubernetes.io.clusterName``, as kcp has it. Signed with ES256.

Source: k8s.io/kubernetes pkg/serviceaccount (claims.go, jwt.go).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fairlead_api import JsonObject

ALGORITHM = "ES256"
MIN_SECONDS, MAX_SECONDS = 600, 2**32
_TARGET_CLAIM = "workload.kcp.io/synctarget"
_LONGEST_HEAD = 1024
_SKEW_S = 10
"""Accepted difference between the clocks of two servers that share a key."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The object a token lives and dies with; ``kind`` is ``Pod``, ``Secret`` or ``Node``."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified token: whose it is and what must still exist."""

    cluster: str
    namespace: str
    name: str
    uid: str
    audiences: tuple[str, ...]
    expires_s: float
    identifier: str
    bound: Bound | None = None
    target: str = ""
    """Uid of the SyncTarget it was minted for; it counts while the namespace runs there."""


class ServiceAccountTokens:
    """
    Signs and verifies tokens with one key.

    Args:
        key: Private key, P-256.
        issuer: The ``iss`` claim, also the default audience and the base of the OIDC documents.
        clock: Returns seconds since the epoch.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, issuer: str, clock: Callable[[], float]) -> None:
        self._key = key
        self._public = key.public_key()
        self._clock = clock
        self.issuer = issuer
        spki = self._public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.key_id = base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).rstrip(b"=").decode()

    def issue(self, claims: Claims) -> str:
        """Sign a token for ``claims`` (``identifier`` may be empty; then one is made)."""
        about: JsonObject = {
            "namespace": claims.namespace,
            "serviceaccount": {"name": claims.name, "uid": claims.uid},
            "clusterName": claims.cluster,
        }
        if claims.bound is not None:
            about[claims.bound.kind.lower()] = {"name": claims.bound.name, "uid": claims.bound.uid}
        now = int(self._clock())
        body = {
            "aud": list(claims.audiences),
            "exp": int(claims.expires_s),
            "iat": now,
            "nbf": now,
            "iss": self.issuer,
            "jti": claims.identifier or str(uuid4()),
            "kubernetes.io": about,
            "sub": f"system:serviceaccount:{claims.namespace}:{claims.name}",
        }
        if claims.target:
            body[_TARGET_CLAIM] = {"uid": claims.target}
        return jwt.encode(body, self._key, ALGORITHM, {"kid": self.key_id})

    def is_ours(self, token: str) -> bool:
        """Tell whether a token claims to come from this issuer; says nothing about whether it is genuine."""
        try:
            body = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return False
        return bool(body.get("iss") == self.issuer)

    def verify(self, token: str, audiences: Sequence[str] = ()) -> Claims | None:
        """
        Return what a genuine, current token says, or None.

        Args:
            token: The compact JWT.
            audiences: At least one of them must be the token's; default is the issuer.
        """
        if _signed_with(token.partition(".")[0]) != (ALGORITHM, self.key_id):
            return None
        try:
            body = jwt.decode(
                token,
                self._public,
                [ALGORITHM],
                issuer=self.issuer,
                audience=list(audiences) or [self.issuer],
                # Times are checked below, against the clock passed in.
                options={
                    "require": ["exp", "nbf", "iat", "iss", "aud", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            claims = _claims(body)
            not_before = float(body["nbf"])
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            return None
        now = self._clock()
        if claims.expires_s <= now or not_before > now + _SKEW_S:
            return None
        expected = f"system:serviceaccount:{claims.namespace}:{claims.name}"
        return claims if body["sub"] == expected and claims.cluster and claims.uid else None

    def jwks(self) -> bytes:
        """Return the key set that others verify our tokens with."""
        key = jwt.algorithms.ECAlgorithm.to_jwk(self._public, as_dict=True)
        return orjson.dumps({"keys": [{"use": "sig", "kid": self.key_id, "alg": ALGORITHM, **key}]})

    def discovery(self, base_url: str) -> bytes:
        """Return the OpenID provider document."""
        return orjson.dumps(
            {
                "issuer": self.issuer,
                "jwks_uri": f"{base_url}/openid/v1/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
            }
        )


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """
    Read the signing key, or make it (mode 0600) at first start.

    Raises:
        ValueError: The file holds something else than a P-256 private key.
        OSError: It cannot be read or written.
    """
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError(f"{path} must hold an ECDSA P-256 private key")
        return key
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return key


@lru_cache(64)
def _signed_with(head: str) -> tuple[object, object] | None:
    """
    Return algorithm and key id of a JWT's encoded header; None for what is none.

    Remembered: it is asked of every request, those of other issuers' tokens included, and is the same for all of a key.
    """
    if len(head) > _LONGEST_HEAD:
        return None
    try:
        header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return None
    return (header.get("alg"), header.get("kid")) if isinstance(header, dict) else None


def _claims(body: JsonObject) -> Claims:
    about = body["kubernetes.io"]
    account = about["serviceaccount"]
    bound = None
    for kind in ("Pod", "Secret", "Node"):
        ref = about.get(kind.lower())
        if ref:
            bound = Bound(kind, str(ref["name"]), str(ref["uid"]))
            break
    audience = body["aud"]
    return Claims(
        cluster=str(about["clusterName"]),
        namespace=str(about["namespace"]),
        name=str(account["name"]),
        uid=str(account["uid"]),
        audiences=(audience,) if isinstance(audience, str) else tuple(audience),
        expires_s=float(body["exp"]),
        identifier=str(body.get("jti", "")),
        bound=bound,
        target=str(body[_TARGET_CLAIM]["uid"]) if _TARGET_CLAIM in body else "",
    )
