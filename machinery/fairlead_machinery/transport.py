"""The connections to one server and the credentials used on them; :mod:`client` is what others call."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fairlead_machinery.kubeconfig import Credentials, KubeconfigError

if TYPE_CHECKING:
    from aiohttp import ClientSession

CONNECT_TIMEOUT_S = 10.0
TOKEN_MAX_AGE_S = 10.0
_MOST_FORMER = 2
"""Connection pools of replaced credentials that are let go on; older ones are closed."""


class Unreachable(Exception):
    """No answer came: refused, cut off, timed out, or not verifiable. The outcome of a write is unknown."""


def reason_of(error: Exception) -> str:
    """Some network errors have no text of their own."""
    return str(error) or type(error).__name__


class Transport:
    """
    What all views of one server share: the connection pool and the token.

    Args:
        credentials, connections, user_agent: See :class:`fairlead_machinery.client.Client`.
        has_many_watches: Whether watches share connections, where the server speaks HTTP/2. The environment variable
            ``DISABLE_HTTP2``, set to anything, forbids that, as it does in Kubernetes' own clients.
    """

    def __init__(
        self, credentials: Credentials, connections: int, user_agent: str, *, has_many_watches: bool = False
    ) -> None:
        self.has_many_watches = has_many_watches and not os.environ.get("DISABLE_HTTP2")
        self.credentials = credentials
        self.connections = connections
        self.user_agent = user_agent
        self.session: ClientSession | None = None
        self._former: list[ClientSession] = []
        self._opening = asyncio.Lock()
        self._token = credentials.token
        self._token_read_s = float("-inf")

    async def open(self) -> ClientSession:
        """Open the connection pool, once, logging in first where that takes a program."""
        session = self.session
        if session is not None:
            return session
        async with self._opening:
            if self.session is None:
                self.session = await self._open()
            return self.session

    async def _open(self) -> ClientSession:
        import aiohttp  # noqa: PLC0415 - half a second that offline commands need not pay

        if self.credentials.needs_plugin:
            self.credentials = await _log_in(self.credentials)
            self._token = self.credentials.token
        context = await asyncio.to_thread(self.credentials.ssl_context)
        connector = aiohttp.TCPConnector(
            limit=self.connections,
            ssl=context if context is not None else True,
            keepalive_timeout=60,
            socket_factory=lambda address: _Socket(*address[:3]),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            headers={"User-Agent": self.user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            read_bufsize=256 * 1024,
        )
        if context is None or not self.has_many_watches:
            return session
        from fairlead_machinery.multiplex import SharedConnections  # noqa: PLC0415 - most clients need no HTTP/2

        negotiating = await asyncio.to_thread(self.credentials.ssl_context)
        assert negotiating is not None, "it was not a moment ago"
        shared = SharedConnections(session, negotiating, self.user_agent, CONNECT_TIMEOUT_S)
        return cast("ClientSession", shared)  # as much of one as the Client uses

    async def replace(self, credentials: Credentials) -> None:
        """
        Use other credentials from the next request on; what is under way goes on with the old ones.

        Raises:
            ssl.SSLError: They cannot be used; the old ones stay.
        """
        async with self._opening:
            before, self.credentials = self.credentials, credentials
            try:
                session = await self._open()
            except BaseException:
                self.credentials = before
                raise
            if self.session is not None:
                self._former.append(self.session)
            if len(self._former) > _MOST_FORMER:
                await self._former.pop(0).close()
            self.session = session

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._former = [*self._former, self.session], []
        self.session = None
        for session in sessions:
            if session is not None:
                await session.close()

    async def authorization(self) -> str:
        """Return the header's value; a token file is read again after a while, since tokens are rotated."""
        credentials = self.credentials
        if credentials.token_file and time.monotonic() - self._token_read_s > TOKEN_MAX_AGE_S:
            try:
                self._token = (await asyncio.to_thread(Path(credentials.token_file).read_text)).strip()
            except OSError as error:
                raise Unreachable(f"cannot read the token {credentials.token_file}: {error.strerror}") from error
            self._token_read_s = time.monotonic()
        if self._token:
            return f"Bearer {self._token}"
        if credentials.username:
            pair = f"{credentials.username}:{credentials.password}".encode()
            return "Basic " + base64.b64encode(pair).decode()
        return ""


class _Socket(socket.socket):
    """
    A socket that is closed by whoever has it, never by being forgotten.

    uvloop closes the descriptor of a connection that is reset before its transport has taken the socket over. The
    garbage collector would then close it once more: when it is another connection's, or a file's.
    Source: https://github.com/MagicStack/uvloop/issues/653.
    """

    def __del__(self) -> None:
        self.detach()


def _read_pair(certificate: str | None, key: str | None) -> tuple[bytes, bytes]:
    return (Path(certificate).read_bytes(), Path(key).read_bytes()) if certificate and key else (b"", b"")


async def _log_in(credentials: Credentials) -> Credentials:
    """Run the program or provider that the kubeconfig names for logging in."""
    from kubernetes_asyncio import client as kubernetes_client  # noqa: PLC0415 - 0.9 s, needed by few
    from kubernetes_asyncio.config import kube_config  # noqa: PLC0415

    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{"name": "one", "cluster": {"server": credentials.server}}],
        "users": [{"name": "one", "user": credentials.user}],
    }
    configuration = kubernetes_client.Configuration()
    await kube_config.load_kube_config_from_dict(content, client_configuration=configuration)
    authorization = configuration.api_key.get("BearerToken") or configuration.api_key.get("authorization") or ""
    certificate, key = await asyncio.to_thread(_read_pair, configuration.cert_file, configuration.key_file)
    if not authorization and not certificate:
        raise KubeconfigError("the login program of the kubeconfig gave neither a token nor a certificate")
    return replace(credentials, token=authorization.removeprefix("Bearer ").strip(), certificate=certificate, key=key)
