"""
The agent's own credential: a key it made, short tokens minted against it.

The key never leaves the agent's folder. The token lies in a file that the client reads again, so renewal interrupts
nothing; after days away a proof by the key is all it takes to be back.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import ECAlgorithm

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Forbidden
from fairlead_machinery.client import Client
from fairlead_machinery.transport import Unreachable

_RENEW_SHARE = 0.7
_RETRY_S = 2.0
_log = structlog.get_logger(__name__)

TARGET_GONE = "SyncTargetGone"
"""Cause of the refusal that says so in as many words: any other 403 may be anybody's."""


class TargetGone(Exception):
    """The SyncTarget this agent was made for is no more."""


class Identity:
    """
    The credential of one agent for one SyncTarget.

    Args:
        folder: Holds ``agent.key`` (PEM, 0600) and ``token`` (0600); made when missing, 0700.
        client: Reaches the control plane without a credential.
        path: ``/services/syncer/<cluster>/<name>/<uid>``.
        now_s: Seconds since the epoch.
    """

    def __init__(self, folder: Path, client: Client, path: str, now_s: Callable[[], float]) -> None:
        self._folder = folder
        self._client = client
        self._path = path
        self._now_s = now_s
        self._key = _load_or_make(folder)
        self._wanted = asyncio.Event()
        self.ready = asyncio.Event()
        """Set once there is a token."""

    @property
    def token_file(self) -> Path:
        """Return where the current token lies."""
        return self._folder / "token"

    def secret(self) -> bytes:
        """Return a secret that follows from the key, for marks on objects; never sent anywhere."""
        raw = self._key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return HKDF(hashes.SHA256(), 32, None, b"fairlead object proofs").derive(raw)

    async def enroll(self, bootstrap: str) -> None:
        """
        Pin the key to the SyncTarget; harmless when it is pinned already.

        Raises:
            Forbidden: The bootstrap token is used, late or another's.
            Unreachable: No answer.
        """
        body = {"publicKey": orjson.loads(ECAlgorithm.to_jwk(self._key.public_key())), "proof": self._proof("/enroll")}
        await self._call("/enroll", body, {"Authorization": f"Bearer {bootstrap}"})

    async def renew(self) -> float:
        """
        Mint a token, write it, and return in how many seconds to do it again.

        Raises:
            TargetGone: The SyncTarget was deleted, whether or not there is another of its name now.
        """
        try:
            answer = await self._call("/token", {"proof": self._proof("/token")}, {})
        except Forbidden as error:
            if any(cause.reason == TARGET_GONE for cause in error.causes):
                raise TargetGone(
                    f"{error.message}: this agent has nothing left to do; join the cluster again"
                ) from error
            raise
        token = answer["token"]
        if not isinstance(token, str) or not token:
            raise ValueError("the control plane answered without a token")
        await asyncio.to_thread(write_private, self.token_file, token.encode())
        self.ready.set()
        return max((float(answer["expires"]) - self._now_s()) * _RENEW_SHARE, _RETRY_S)

    def renew_now(self) -> None:
        """Ask for a new token before the old one is over: it is no longer taken."""
        self._wanted.set()

    async def run(self) -> None:
        """
        Keep the token fresh, for ever; without the control plane, keep trying.

        Raises:
            TargetGone: There is nothing to keep it for.
        """
        while True:
            self._wanted.clear()
            try:
                wait_s = await self.renew()
            except (ApiError, Unreachable, KeyError, TypeError, ValueError) as error:
                _log.warning("no token could be had", error=str(error))
                wait_s = _RETRY_S
            await asyncio.sleep(_RETRY_S)  # however loudly it is asked for
            with suppress(TimeoutError):
                async with asyncio.timeout(max(wait_s - _RETRY_S, 0.0)):
                    await self._wanted.wait()

    def _proof(self, word: str) -> str:
        claims = {"aud": self._path + word, "iat": self._now_s(), "jti": str(uuid.uuid4())}
        return jwt.encode(claims, self._key, algorithm="ES256")

    async def _call(self, word: str, body: JsonObject, headers: dict[str, str]) -> Any:
        answer = await self._client.request("POST", self._path + word, body=orjson.dumps(body), headers=headers)
        return answer.json()


def _load_or_make(folder: Path) -> ec.EllipticCurvePrivateKey:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "agent.key"
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path} holds no EC key; remove it and join the cluster again")
        return key
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(path, pem)
    return key


def write_private(path: Path, data: bytes) -> None:
    """Replace a file atomically, readable by its owner alone from the first byte."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
