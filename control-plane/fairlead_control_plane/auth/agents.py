"""
Who an agent in a physical cluster is (design section 6, "Identity").

The agent makes its own key. A single-use bootstrap token pins the key to the SyncTarget's uid; from then on short
tokens are minted against proofs signed by that key, also after days away. No admin credential reaches an agent, and
a SyncTarget made again under the same name has another uid and knows no key.

Source: RFC 7517 (JWK), RFC 7519 (JWT), RFC 7638 (thumbprint).
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from jwt.algorithms import ECAlgorithm

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Forbidden, TooManyRequests, Unauthorized
from fairlead_api.request import User

AUDIENCE = "fairlead-syncer"
BOOTSTRAP_PREFIX = "fairlead-bootstrap."
ENROLLING = User("system:fairlead:enrolling", ("system:fairlead:enrolling",))
"""Who presents a bootstrap token, whatever it is worth: may do nothing but enroll, where it is checked."""
USER_PREFIX = "system:fairlead:syncer:"
GROUP = "system:fairlead:syncers"
KEY_ANNOTATION = "internal.workload.kcp.io/agent-key"
BOOTSTRAP_ANNOTATION = "internal.workload.kcp.io/bootstrap"
TOKEN_LIFETIME_S = 3600
BOOTSTRAP_LIFETIME_S = 900
PROOF_LIFETIME_S = 60
"""How old a proof may be; also how long its id is remembered, so that none is used twice."""
_PROOFS_OF_ONE_KEY = 128
"""More within two minutes is no agent's doing; counted for each key, so that nobody locks others out."""
_MOST_VERIFIED = 4096
"""Tokens whose signature need not be checked again; each target has one, and the one before it."""


@dataclass(frozen=True, slots=True)
class AgentClaims:
    """What a verified agent token says: which SyncTarget, and which key it was minted for."""

    cluster: str
    name: str
    uid: str
    thumbprint: str

    @property
    def user(self) -> User:
        """Return the agent as a caller; not of ``system:authenticated``, whose rights are people's."""
        return User(USER_PREFIX + self.uid, (GROUP,), self.uid)


class AgentTokens:
    """
    Mints and verifies the short tokens of agents.

    Args:
        signing_key: PEM or key object of the server's EC P-256 private key.
        verifying_key: Its public half.
        now_s: Returns seconds since the epoch.
    """

    def __init__(self, signing_key: Any, verifying_key: Any, now_s: Callable[[], float]) -> None:
        self._signing_key = signing_key
        self._verifying_key = verifying_key
        self._now_s = now_s
        self._seen: OrderedDict[tuple[str, bytes], float] = OrderedDict()
        self._count: Counter[str] = Counter()
        self._verified: OrderedDict[str, tuple[AgentClaims, float]] = OrderedDict()

    def issue(self, claims: AgentClaims) -> tuple[str, int]:
        """Return a token and when it expires (seconds since the epoch)."""
        now = int(self._now_s())
        payload = {
            "aud": AUDIENCE,
            "sub": USER_PREFIX + claims.uid,
            "iat": now,
            "exp": now + TOKEN_LIFETIME_S,
            "cluster": claims.cluster,
            "name": claims.name,
            "uid": claims.uid,
            "thumbprint": claims.thumbprint,
        }
        return jwt.encode(payload, self._signing_key, algorithm="ES256"), now + TOKEN_LIFETIME_S

    def verify(self, token: str) -> AgentClaims | None:
        """Return what a token says, or None when it is not a valid one of ours (another authenticator's perhaps)."""
        known = self._verified.get(token)
        if known is None:
            known = self._checked(token)
            if known is None:
                return None
            # An agent sends the same token for most of an hour; its signature is as good the second time.
            self._verified[token] = known
            if len(self._verified) > _MOST_VERIFIED:
                self._verified.popitem(last=False)
        claims, expires_s = known
        return claims if expires_s > self._now_s() else None

    def _checked(self, token: str) -> tuple[AgentClaims, float] | None:
        """Return what a token signed by us says and when it expires, whether it has or not."""
        try:
            claims = jwt.decode(
                token,
                self._verifying_key,
                algorithms=["ES256"],
                audience=AUDIENCE,
                options={"require": ["exp", "sub", "uid", "thumbprint"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return None
        found = AgentClaims(claims["cluster"], claims["name"], claims["uid"], claims["thumbprint"])
        return found, claims["exp"]

    def check_proof(self, proof: str, jwk: JsonObject, audience: str) -> None:
        """
        Check that the holder of a key signed a fresh proof for this request.

        Raises:
            Unauthorized: Wrong key, audience or age, or a proof seen before.
            BadRequest: The key is no P-256 public key.
        """
        key = public_key(jwk)
        options: Any = {"require": ["iat", "jti"], "verify_iat": False}
        try:
            claims = jwt.decode(proof, key, algorithms=["ES256"], audience=audience, options=options)
            made, proof_id = float(claims["iat"]), str(claims["jti"])
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError) as error:
            raise Unauthorized("the proof is not valid for this key and address") from error
        now = self._now_s()
        if not abs(now - made) <= PROOF_LIFETIME_S:  # also when it is no number
            raise Unauthorized(f"the proof was made {now - made:.0f} s ago: check the agent's clock")
        self._use_once(thumbprint(jwk), hashlib.sha256(proof_id.encode(errors="surrogatepass")).digest(), now)

    def _use_once(self, holder: str, proof_id: bytes, now: float) -> None:
        while self._seen and next(iter(self._seen.values())) < now - 2 * PROOF_LIFETIME_S:
            (other, _), _ = self._seen.popitem(last=False)
            self._count[other] -= 1
            if not self._count[other]:
                del self._count[other]
        if (holder, proof_id) in self._seen:
            raise Unauthorized("the proof has been used before")
        if self._count[holder] >= _PROOFS_OF_ONE_KEY:
            raise TooManyRequests("too many proofs by this key; wait two minutes", retry_after_s=2 * PROOF_LIFETIME_S)
        self._seen[holder, proof_id] = now
        self._count[holder] += 1


def public_key(jwk: JsonObject) -> Any:
    """
    Return the key of a JWK.

    Raises:
        BadRequest: It is not a public EC key on P-256.
    """
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or "d" in jwk:
        raise BadRequest("publicKey must be a public JWK of type EC on curve P-256")
    try:
        return ECAlgorithm.from_jwk(orjson.dumps(jwk).decode())
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest("publicKey is not a valid JWK") from error


def thumbprint(jwk: JsonObject) -> str:
    """Return the RFC 7638 thumbprint of an EC key, as lower-case hex."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).hexdigest()


def new_bootstrap(now_s: float) -> tuple[str, str]:
    """Return a bootstrap token and the annotation that remembers it (its hash and end, never the token)."""
    token = BOOTSTRAP_PREFIX + secrets.token_urlsafe(32)
    record = {"sha256": hashlib.sha256(token.encode()).hexdigest(), "expires": int(now_s) + BOOTSTRAP_LIFETIME_S}
    return token, orjson.dumps(record).decode()


def check_bootstrap(annotation: str | None, token: str, now_s: float) -> None:
    """
    Check a bootstrap token against what the SyncTarget remembers.

    Raises:
        Forbidden: There is none (used up or never made), it is another one, or its 15 minutes are over.
    """
    refusal = "the bootstrap token is not valid or has been used: run 'kubectl fairlead cluster join' again"
    if not annotation:
        raise Forbidden(refusal)
    record = orjson.loads(annotation)
    presented = hashlib.sha256(token.encode()).hexdigest()
    if not secrets.compare_digest(presented, record["sha256"]):
        raise Forbidden(refusal)
    if record["expires"] <= now_s:
        raise Forbidden("the bootstrap token has expired: run 'kubectl fairlead cluster join' again")


def pinned_key(target: JsonObject) -> JsonObject | None:
    """Return the JWK pinned to a SyncTarget, or None before its agent has enrolled."""
    text = (target["metadata"].get("annotations") or {}).get(KEY_ANNOTATION)
    key: JsonObject | None = orjson.loads(text) if text else None
    return key
