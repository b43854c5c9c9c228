"""
The agent's own credential: a key it made, short tokens minted against it.

The key never leaves the agent's folder. The token lies in a file that the client reads again, so renewal interrupts
nothing; after days away a proof by the key is all it takes to be back.

A key is replaced in two steps, each of which may be the last before a crash: the next key is written beside the old
one, then the control plane pins it by a proof of each, and only then it takes the old one's place. As long as both are
there it is asked for again, which is harmless; whichever of the two is pinned, the agent has it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Forbidden, Unauthorized
from fairlead_machinery import agentkeys, failpoints
from fairlead_machinery.agentkeys import KEY, MARKS, NEXT_KEY, Key, public_jwk, thumbprint
from fairlead_machinery.client import Client
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.clock import ServerClock

_RENEW_SHARE = 0.7
_RETRY_S = 2.0
_MOST_RETRY_S = 30.0
_MOST_ASKED_S = 300.0
"""The longest ``Retry-After`` that is believed; a token outlives it."""
_log = structlog.get_logger(__name__)

TARGET_GONE = "SyncTargetGone"
"""Cause of the refusal that says so in as many words: any other 403 may be anybody's."""


class TargetGone(Exception):
    """The SyncTarget this agent was made for is no more."""


class NotLetIn(Forbidden):
    """The control plane does not take the bootstrap token, and there is nothing else to come in with."""


class Identity:
    """
    The credential of one agent for one SyncTarget.

    Args:
        folder: Holds ``agent.key`` (PEM, 0600) and ``token`` (0600); made when missing, 0700. While a key is being
            replaced also ``agent.key.next``, and ever after ``marks.secret``.
        client: Reaches the control plane without a credential.
        path: ``/services/syncer/<cluster>/<name>/<uid>``.
        clock: The control plane's, which judges how old a proof is.
        given: Where the key is given to the agent, if it is: a Secret's folder, which follows the Secret.
        jitter: Random part in [0, 1) of pauses.
    """

    def __init__(
        self,
        folder: Path,
        client: Client,
        path: str,
        clock: ServerClock,
        given: Path | None = None,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._folder = folder
        self._client = client
        self._path = path
        self._clock = clock
        self._given = given
        self._jitter = jitter
        self._backoff_s = _RETRY_S
        self._key = _load_or_make(folder)
        self._marks = _marks((given, folder) if given else (folder,), self._key)
        self._wanted = asyncio.Event()
        self._rotation = asyncio.Lock()
        self.key_lifetime_s = 0.0
        """After how many seconds a key is replaced; 0 for never."""
        self.bootstrap = ""
        """The single-use token of the first start, until it has been used."""
        self.invitation: Callable[[], str] = str
        """Reads that token again from where it came: whoever joins the cluster again puts another one there."""
        self._tried = ""
        self.ready = asyncio.Event()
        """Set once there is a token."""

    @property
    def token_file(self) -> Path:
        """Return where the current token lies."""
        return self._folder / "token"

    def secret(self) -> bytes:
        """Return a secret that follows from the first key, for marks on objects; never sent anywhere."""
        return self._marks

    async def enroll(self, bootstrap: str) -> None:
        """
        Pin the key to the SyncTarget; harmless when it is pinned already.

        Raises:
            Forbidden: The bootstrap token is used, late or another's.
            ApiError, Unreachable: No answer, or none that decides anything.
        """
        headers = {"Authorization": f"Bearer {bootstrap}"}
        await self._prove(
            "/enroll", lambda: {"publicKey": public_jwk(self._key), "proof": self._proof("/enroll")}, headers
        )

    async def _come_in(self) -> None:
        """
        Enroll if that is still to be done; an agent that had a token before can do without.

        Raises:
            NotLetIn: The control plane said no. What only says nothing, or is not the control plane, is asked again.
        """
        if not self.bootstrap:
            return
        self._tried = self.bootstrap
        has_token = await asyncio.to_thread(self.token_file.exists)
        try:
            await self.enroll(self.bootstrap)
        except (ApiError, Unreachable) as error:
            is_refusal = isinstance(error, Forbidden | Unauthorized) and error.is_status
            if is_refusal:
                _raise_if_gone(error)
            if is_refusal and not has_token:
                raise NotLetIn(f"the control plane does not let this agent in: {error}") from error
            if not has_token:
                raise
            _log.warning("the bootstrap token was not taken; going on with the key there is", error=str(error))
            if not is_refusal:
                return  # to be tried again with the next token
        self.bootstrap = ""

    async def renew(self) -> float:
        """
        Mint a token, write it, and return in how many seconds to do it again.

        Raises:
            TargetGone: The SyncTarget was deleted, whether or not there is another of its name now.
            NotLetIn: See :meth:`_come_in`.
        """
        await self._come_in()
        try:
            answer = await self._token()
        except Forbidden as error:
            _raise_if_gone(error)
            raise
        token = answer["token"]
        if not isinstance(token, str) or not token:
            raise ValueError("the control plane answered without a token")
        await asyncio.to_thread(write_private, self.token_file, token.encode())
        self.ready.set()
        left_s = answer.get("expiresInSeconds") or float(answer["expires"]) - self._clock.now_s()
        return max(float(left_s) * _RENEW_SHARE, _RETRY_S)

    async def _token(self) -> Any:
        """Ask for a token; refused, with the key given to us by now, or after coming in by a new bootstrap token."""
        if await asyncio.to_thread(self._is_due):
            await self.rotate()
        try:
            return await self._ask()
        except Unauthorized as error:
            refusal = error
        for mend in (self._take_given, self._come_in_anew):
            if await mend():
                try:
                    return await self._ask()
                except Unauthorized as error:
                    refusal = error
        raise self._explained(refusal) from refusal

    async def _ask(self) -> Any:
        return await self._prove("/token", lambda: {"proof": self._proof("/token")}, {})

    async def _take_given(self) -> bool:
        return await asyncio.to_thread(self._look_for_another)

    async def _come_in_anew(self) -> bool:
        """Come in by a bootstrap token that was not tried yet; return whether there is one."""
        token = await asyncio.to_thread(self.invitation)
        if not token or token == self._tried:
            return False
        self.bootstrap = token
        await self._come_in()
        return True

    def _explained(self, refusal: Unauthorized) -> Unauthorized:
        """Return a refusal with what to do: the control plane knows another key, as after a restore."""
        if not refusal.is_status:
            return refusal
        name = self._path.split("/")[-2]
        fix = f"if it stays so, let the agent in anew: kubectl fairlead cluster join {name} --context CLUSTER"
        return Unauthorized(f"{refusal.message}; {fix}", retry_after_s=refusal.retry_after_s)

    def _is_due(self) -> bool:
        """Tell whether the key is being replaced, or has been in use for long enough."""
        if self._given is not None:
            return False
        age_s = time.time() - (self._folder / KEY).stat().st_mtime if self.key_lifetime_s else 0.0
        return (self._folder / NEXT_KEY).exists() or age_s > self.key_lifetime_s

    async def rotate(self) -> None:
        """
        Replace the key by a new one, or finish doing so.

        Raises:
            Forbidden, Unauthorized: Neither key is taken; the agent has to be let in again.
            Unreachable: No answer; it is asked again before the next token.
        """
        if self._given is not None:
            _log.warning("the key is kept in a Secret; replace it with kubectl fairlead cluster rotate")
            return
        async with self._rotation:
            following = await asyncio.to_thread(_load_or_make, self._folder, NEXT_KEY)
            mark = thumbprint(public_jwk(following))
            failpoints.hit("syncer-next-key-written")
            await self._prove(
                "/rotate",
                lambda: {
                    "publicKey": public_jwk(following),
                    "proof": self._proof("/rotate", following),
                    "proofByOldKey": self._proof(f"/rotate#{mark}"),
                },
                {},
            )
            failpoints.hit("syncer-next-key-pinned")
            await asyncio.to_thread(self._promote)
            self._key = following
            _log.info("the key was replaced", thumbprint=mark)
        self.renew_now()

    def _promote(self) -> None:
        """Let the next key take the old one's place; marks on objects stay those of the first."""
        if not (self._folder / MARKS).exists():
            write_private(self._folder / MARKS, self._marks)
        failpoints.hit("syncer-marks-written")
        (self._folder / NEXT_KEY).replace(self._folder / KEY)

    def _look_for_another(self) -> bool:
        """Take another key that was given to us meanwhile; return whether there is one."""
        for path in (self._given / KEY, self._given / NEXT_KEY) if self._given is not None else ():
            if path.exists():
                key = _load(path)
                if thumbprint(public_jwk(key)) != thumbprint(public_jwk(self._key)):
                    self._key = key
                    return True
        return False

    async def follow_wish(self, unwanted: str) -> None:
        """Replace the key if it is the one, named by its thumbprint, that somebody wants to be replaced."""
        if unwanted and unwanted == thumbprint(public_jwk(self._key)):
            try:
                await self.rotate()
            except (ApiError, Unreachable) as error:
                _log.warning("the key could not be replaced yet", error=str(error))

    def renew_now(self) -> None:
        """Ask for a new token before the old one is over: it is no longer taken."""
        self._wanted.set()

    async def run(self) -> None:
        """
        Keep the token fresh, for ever; without the control plane, keep trying.

        Raises:
            TargetGone: There is nothing to keep it for.
            NotLetIn: There never was one, and none is to be had.
        """
        while True:
            self._wanted.clear()
            pause_s = _RETRY_S  # however loudly it is asked for
            try:
                wait_s = await self.renew()
                self._backoff_s = _RETRY_S
            except NotLetIn:
                raise
            except (ApiError, Unreachable, KeyError, TypeError, ValueError, OSError) as error:  # a full disk, say
                wait_s = pause_s = self._pause_s(error)
                _log.warning("no token could be had", error=str(error), retry_in_s=round(wait_s, 1))
            await asyncio.sleep(pause_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(wait_s - pause_s, 0.0)):
                    await self._wanted.wait()

    def _pause_s(self, error: Exception) -> float:
        """Return how long to wait after a failure: ever longer, and no shorter than was asked for."""
        asked_s = float(error.retry_after_s) if isinstance(error, ApiError) else 0.0
        wait_s = self._backoff_s * (1 + self._jitter() / 2)
        self._backoff_s = min(self._backoff_s * 2, _MOST_RETRY_S)
        return max(wait_s, min(asked_s, _MOST_ASKED_S))

    def _proof(self, word: str, key: Key | None = None) -> str:
        return agentkeys.proof(key or self._key, self._path + word, self._clock.now_s())

    async def _prove(self, word: str, body: Callable[[], JsonObject], headers: dict[str, str]) -> Any:
        """Call with fresh proofs; once more when they were refused and the clocks were found to differ."""
        try:
            return await self._call(word, body(), headers)
        except Unauthorized:
            if not await self._clock.learn():
                raise
        return await self._call(word, body(), headers)

    async def _call(self, word: str, body: JsonObject, headers: dict[str, str]) -> Any:
        answer = await self._client.request("POST", self._path + word, body=orjson.dumps(body), headers=headers)
        return answer.json()


def _raise_if_gone(error: Exception) -> None:
    causes = error.causes if isinstance(error, ApiError) else ()
    if any(cause.reason == TARGET_GONE for cause in causes):
        raise TargetGone(f"{error}: this agent has nothing left to do; join the cluster again") from error


def _load_or_make(folder: Path, name: str = KEY) -> Key:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if path.exists():
        return _load(path)
    key = agentkeys.new_key()
    write_private(path, agentkeys.to_pem(key))
    return key


def _load(path: Path) -> Key:
    try:
        return agentkeys.from_pem(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} holds no EC key; remove it and join the cluster again") from error


def _marks(folders: Iterable[Path], key: Key) -> bytes:
    """Return the secret for marks: what was kept as the first key went, else what follows from the key."""
    for folder in folders:
        if (folder / MARKS).exists():
            return (folder / MARKS).read_bytes()
    return agentkeys.marks_of(key)


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
