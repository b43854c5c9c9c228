"""
The agent's credential in the cluster, when it is a token that ends.

``cluster join --as-process`` gives the agent a token of its service account in the cluster. Inside a cluster the
kubelet renews such tokens; a process on its own asks for the next one itself, with the one it has.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import structlog

from fairlead_api.errors import ApiError
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.kubeconfig import SERVICE_ACCOUNT_FOLDER, Credentials, KubeconfigError
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.clock import ServerClock
from fairlead_syncer.identity import write_private

_ACCOUNTS = Gvr("", "v1", "serviceaccounts")
_SUBJECT = "system:serviceaccount:"
_SHARE = 0.5
"""A token is replaced when half of what it had left is over."""
_RETRY_S = 30.0
_LOOK_S = 10.0
"""How often to look for a token that somebody gave us anew: the old one may be refused long before its end."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claims:
    """
    What a service account's token says of itself; read, not verified: the cluster does that.

    Attributes:
        issued_s, expires_s: Seconds since the epoch.
    """

    namespace: str
    account: str
    issued_s: float
    expires_s: float


def claims_of(token: str) -> Claims | None:
    """Return the claims of a service account's token that ends; None for any other credential."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        namespace, account = payload["sub"].removeprefix(_SUBJECT).split(":")
        claims = Claims(namespace, account, float(payload["iat"]), float(payload["exp"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return claims if payload["sub"] == f"{_SUBJECT}{namespace}:{account}" else None


class ClusterToken:
    """
    Keeps a token alive in a file of the agent's own.

    Args:
        credentials: As the agent was given them.
        folder: The agent's; the file outlives a restart.
        now_s: Seconds since the epoch.
        reload: Reads them again from where they came; None for only what file they name.
    """

    def __init__(
        self,
        credentials: Credentials,
        folder: Path,
        now_s: Callable[[], float],
        reload: Callable[[], Credentials] | None = None,
    ) -> None:
        self._now_s = now_s
        self._given = credentials
        self._reload = reload
        self._file = folder / "cluster-token"
        token, self._claims = _latest(credentials, self._file)
        self.credentials = credentials
        if self._claims is not None:
            write_private(self._file, token.encode())
            self.credentials = replace(credentials, token="", token_file=str(self._file))

    async def run(self, cluster: Client) -> None:
        """Ask for the next token in time, for ever; nothing to do for a credential that does not end."""
        clock = ServerClock(cluster, "cluster", self._now_s)  # the cluster judges whether it has ended
        due_s, has_compared = 0.0, False
        while self._claims is not None:
            if await asyncio.to_thread(self._take_given) or not has_compared:
                await clock.learn()
                has_compared = True
                due_s = self._due_s(clock.now_s())
            if clock.now_s() < due_s:
                await asyncio.sleep(min(due_s - clock.now_s(), _LOOK_S))
                continue
            has_compared = False
            try:
                await self._renew(cluster, self._claims)
            except (ApiError, Unreachable, KeyError, TypeError, OSError) as error:  # OSError: a full disk, say
                self._complain(error, clock.now_s())
                await asyncio.sleep(_RETRY_S)
        await asyncio.Event().wait()

    def _due_s(self, now_s: float) -> float:
        """Return when to renew, in seconds since the epoch."""
        return now_s + max(self._claims.expires_s - now_s, 0.0) * _SHARE if self._claims is not None else 0.0

    def _complain(self, error: Exception, now_s: float) -> None:
        left_s = self._claims.expires_s - now_s if self._claims is not None else 0.0
        if left_s > 0:
            _log.warning("the agent's token in the cluster could not be renewed", error=str(error), left_s=left_s)
        else:
            _log.error("the agent's token in the cluster has ended; join again to give it another", error=str(error))

    def _take_given(self) -> bool:
        """Take the token that lies where the first was given to us, if somebody has put a later one there."""
        try:
            token, claims = _latest(self._reload() if self._reload is not None else self._given, self._file)
        except (KubeconfigError, OSError, ValueError):
            return False  # it is just being written, or gone: the one we have is as good as before
        if claims is None or claims == self._claims:
            return False
        try:
            write_private(self._file, token.encode())
        except OSError as error:
            _log.warning("the token that was given anew cannot be kept", error=str(error))
            return False
        self._claims = claims
        return True

    async def _renew(self, cluster: Client, claims: Claims) -> None:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": max(int(claims.expires_s - claims.issued_s), 600)},
        }
        answer = await cluster.create(
            _ACCOUNTS, body, namespace=claims.namespace, name=claims.account, subresource="token"
        )
        token = str(answer["status"]["token"])
        renewed = claims_of(token)
        if renewed is None:
            raise TypeError("the cluster answered with something other than a token")
        await asyncio.to_thread(write_private, self._file, token.encode())
        self._claims = renewed


def _latest(credentials: Credentials, file: Path) -> tuple[str, Claims | None]:
    """Return the token that ends last, of the one given and the one kept; the kubelet's own is left to the kubelet."""
    given = credentials.token
    if credentials.token_file:
        path = Path(credentials.token_file)
        if path.is_relative_to(SERVICE_ACCOUNT_FOLDER):
            return "", None
        given = path.read_text().strip()
    claims = claims_of(given)
    if claims is None or not file.exists():
        return given, claims
    kept = file.read_text().strip()
    old = claims_of(kept)
    is_newer = old is not None and old.expires_s > claims.expires_s
    same = old is not None and (old.namespace, old.account) == (claims.namespace, claims.account)
    return (kept, old) if is_newer and same else (given, claims)
