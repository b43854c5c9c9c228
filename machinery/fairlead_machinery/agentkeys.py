"""
The key of an agent: what the agent itself, and who replaces it for the agent, do with it.

Source: RFC 7517 (JWK), RFC 7519 (JWT), RFC 7638 (thumbprint). Importing this is slow: it loads cryptography.
"""

from __future__ import annotations

import hashlib
import uuid

import jwt
import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import ECAlgorithm

from fairlead_api import JsonObject

KEY, NEXT_KEY, MARKS = "agent.key", "agent.key.next", "marks.secret"
"""Names of files, and of a Secret's keys: the key, the one that is to follow it, the secret of marks on objects."""

Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    """Return a new key."""
    return ec.generate_private_key(ec.SECP256R1())


def to_pem(key: Key) -> bytes:
    """Return a key as PEM, in plain."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def from_pem(pem: bytes) -> Key:
    """
    Read a key.

    Raises:
        ValueError: It is none, or of another kind.
    """
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an EC key")  # noqa: TRY004 - a wrong value, not a programmer's mistake
    return key


def public_jwk(key: Key) -> JsonObject:
    """Return the public half as a JWK."""
    public: JsonObject = orjson.loads(ECAlgorithm.to_jwk(key.public_key()))
    return public


def thumbprint(jwk: JsonObject) -> str:
    """Return the thumbprint of a public key, as lower-case hex."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).hexdigest()


def marks_of(key: Key) -> bytes:
    """Return the secret that marks on objects are made with; it has to outlive the key it follows from."""
    plain = serialization.NoEncryption()
    raw = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)
    return HKDF(hashes.SHA256(), 32, None, b"fairlead object proofs").derive(raw)


def proof(key: Key, audience: str, now_s: float) -> str:
    """Return a proof for one use: ``audience`` is the path called, ``now_s`` the control plane's time."""
    return jwt.encode({"aud": audience, "iat": now_s, "jti": str(uuid.uuid4())}, key, algorithm="ES256")
