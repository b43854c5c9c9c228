"""Requests as they go over the wire, without a client library that would mend or refuse them."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.support.servers import FairleadServer

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and after how many seconds."""

    code: int
    body: bytes
    headers: dict[str, str]
    took_s: float

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The text of a ``Status``, else the body's beginning."""
        try:
            return str(self.json.get("message", ""))
        except ValueError:
            return self.body[:200].decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Wire:
    """A server's address, and the token that is sent unless another (``""``: none) is given."""

    url: str
    token: str
    tls: ssl.SSLContext

    @classmethod
    def to(cls, server: FairleadServer) -> Wire:
        """Return the wire to a server, as its ``system:masters``."""
        return cls(server.url, server.token, server.tls())

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | dict[str, Any] | None = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send one request on a connection of its own; header names have ``_`` for ``-``."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S, context=self.tls)
        raw = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        used = self.token if token is None else token
        if used:
            sent["Authorization"] = f"Bearer {used}"
        started = time.monotonic()
        try:
            connection.request(method, path, raw, sent)
            answer = connection.getresponse()
            found = answer.read()
            took_s = time.monotonic() - started
            return Answer(answer.status, found, {key.lower(): value for key, value in answer.getheaders()}, took_s)
        finally:
            connection.close()

    @contextmanager
    def raw(self) -> Iterator[ssl.SSLSocket]:
        """Give a connected TLS socket."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        with (
            socket.create_connection((host, parts.port or 443), timeout=TIMEOUT_S) as plain,
            self.tls.wrap_socket(plain, server_hostname=host) as secure,
        ):
            yield secure

    def send_raw(self, data: bytes) -> bytes:
        """Send bytes as they are and return what comes back until the server closes or is silent for a second."""
        with self.raw() as connection:
            connection.sendall(data)
            connection.settimeout(1.0)
            found = b""
            try:
                while part := connection.recv(65536):
                    found += part
            except TimeoutError:
                pass
            return found
