"""Service account tokens: what counts and what does not."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fairlead_control_plane.auth.accounts import SERVICE_ACCOUNTS, ServiceAccounts
from fairlead_control_plane.auth.tokens import Bound, Claims, ServiceAccountTokens
from fairlead_control_plane.kinds.catalog import StaticCatalog
from fairlead_control_plane.kinds.reader import delete, put
from fairlead_control_plane.store.contract import Delete, Put
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore

NOW = 1_700_000_000.0
KEY = ec.generate_private_key(ec.SECP256R1())
TOKENS = ServiceAccountTokens(KEY, "https://issuer", lambda: NOW)
CLAIMS = Claims("team", "default", "builder", "uid-1", ("https://issuer",), NOW + 600, "id-1")


def forged(**changes: object) -> str:
    body = jwt.decode(TOKENS.issue(CLAIMS), options={"verify_signature": False})
    return jwt.encode({**body, **changes}, KEY, "ES256", {"kid": TOKENS.key_id})


def test_verifies_what_it_issued() -> None:
    """All parts come back, the bound object and the SyncTarget too."""
    claims = replace(CLAIMS, bound=Bound("Pod", "p", "uid-p"), target="uid-t")
    assert TOKENS.verify(TOKENS.issue(claims)) == claims


@pytest.mark.parametrize(
    "token",
    [
        forged(iss="https://other"), forged(aud=["other"]), forged(exp=int(NOW)), forged(nbf=int(NOW) + 60),
        forged(sub="system:serviceaccount:default:other"), forged(**{"kubernetes.io": {}}), forged(aud=None),
        jwt.encode({"sub": "x"}, KEY, "ES256", {"kid": TOKENS.key_id}), "a.b.c", "", "Zm9v.Zm9v.Zm9v",
    ],
)  # fmt: skip
def test_refuses_wrong_claims(token: str) -> None:
    """S12: issuer, audience, times, subject, shape."""
    assert TOKENS.verify(token) is None


def test_refuses_other_keys_and_algorithms() -> None:
    """S12: ``none``, HMAC with the public key, another key under our id, an unknown or path-like key id."""
    body = jwt.decode(TOKENS.issue(CLAIMS), options={"verify_signature": False})
    public = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    other = ec.generate_private_key(ec.SECP256R1())
    for token in (
        jwt.encode(body, "", "none", {"kid": TOKENS.key_id}),
        _hmac(body, public),
        jwt.encode(body, other, "ES256", {"kid": TOKENS.key_id}),
        jwt.encode(body, KEY, "ES256", {"kid": "../../etc/passwd"}),
        jwt.encode(body, KEY, "ES256"),
    ):
        assert TOKENS.verify(token) is None


def _hmac(body: dict[str, object], key: bytes) -> str:
    """PyJWT refuses to sign this way, so it is done by hand."""
    parts = [{"alg": "HS256", "typ": "JWT", "kid": TOKENS.key_id}, body]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    mac = hmac.digest(key, text, "sha256")
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def test_publishes_keys_that_verify() -> None:
    """What the OIDC documents say is enough to check a token."""
    key = jwt.PyJWK(json.loads(TOKENS.jwks())["keys"][0])
    assert jwt.decode(TOKENS.issue(CLAIMS), key, ["ES256"], audience="https://issuer", options={"verify_exp": False})
    assert json.loads(TOKENS.discovery("https://h"))["jwks_uri"] == "https://h/openid/v1/jwks"


async def test_a_token_ends_with_its_account() -> None:
    """Deleted: refused at once. Made again under the same name: still refused, the uid is another."""
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    accounts = ServiceAccounts(store, StaticCatalog([]), TOKENS, lambda: NOW)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder", "namespace": "default"}}
    token = TOKENS.issue(CLAIMS)
    try:
        assert await accounts.authenticate(token) is None
        account["metadata"]["uid"] = "uid-1"  # type: ignore[index]
        await store.commit([put(SERVICE_ACCOUNTS, "team", account)])
        user = await accounts.authenticate(token)
        assert user is not None
        assert user.name == "system:serviceaccount:default:builder"
        assert user.extra["authentication.kubernetes.io/cluster-name"] == ("team",)
        assert await accounts.authenticate(token) is user
        await store.commit([delete(SERVICE_ACCOUNTS, "team", "default", "builder")])
        assert await accounts.authenticate(token) is None
        account["metadata"]["uid"] = "uid-2"  # type: ignore[index]
        await store.commit([put(SERVICE_ACCOUNTS, "team", account)])
        assert await accounts.authenticate(token) is None
    finally:
        accounts.close()
        await store.close()


async def test_a_token_for_a_target_ends_when_its_namespace_leaves() -> None:
    """S80: refused with the very write by which the namespace leaves, and by a server that knows of no targets."""
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    row = "/views/target-1/core/namespaces/-/team/-/default"

    async def assigned(cluster: str, namespace: str, uid: str) -> tuple[str, ...] | None:
        key = f"/views/{uid}/core/namespaces/-/{cluster}/-/{namespace}"
        return (key,) if await store.get(key) is not None else None

    accounts = ServiceAccounts(store, StaticCatalog([]), TOKENS, lambda: NOW, assigned=assigned)
    without = ServiceAccounts(store, StaticCatalog([]), TOKENS, lambda: NOW)
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    account["metadata"] = {"name": "builder", "namespace": "default", "uid": "uid-1"}  # type: ignore[assignment]
    token = TOKENS.issue(replace(CLAIMS, target="target-1"))
    try:
        await store.commit([put(SERVICE_ACCOUNTS, "team", account)])
        assert await accounts.authenticate(token) is None
        await store.commit([Put(row, b"{}")])
        user = await accounts.authenticate(token)
        assert user is not None
        assert await accounts.authenticate(token) is user
        assert await accounts.authenticate(TOKENS.issue(replace(CLAIMS, target="target-2"))) is None
        assert await without.authenticate(token) is None
        await store.commit([Delete(row)])
        assert await accounts.authenticate(token) is None
        assert await accounts.review(token, ()) is None
    finally:
        accounts.close()
        without.close()
        await store.close()
