"""
Who sends a request: client certificate, then bearer token, else anonymous.

Source: k8s.io/apiserver authenticator union; an offered bearer token that nobody vouches for is 401, never anonymous.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from fairlead_api.request import ANONYMOUS, User
from fairlead_control_plane.auth import subprotocols
from fairlead_machinery.web import Request

AUTHENTICATED = "system:authenticated"

_TOKEN = re.compile(r"[!-+\--~]+")
"""Printable ASCII without spaces and without the comma that joins repeated headers."""

TokenVerifier = Callable[[str], Awaitable[User | None]]
"""Returns the user of a bearer token, or None when it is none of this verifier's or not valid."""


class TokenTable:
    """Fixed tokens; kept as hashes, so that looking one up takes no longer the more of it is right."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = {_digest(token): user for token, user in users.items()}

    async def __call__(self, token: str) -> User | None:
        """Return the user of a token."""
        return self._users.get(_digest(token))


class Authenticator:
    """
    Tells who sends a request.

    Args:
        verifiers: Asked in order about bearer tokens.
        anonymous: Whether requests without credentials pass as ``system:anonymous``.
        clock: Seconds since the epoch, for the validity of client certificates.
    """

    def __init__(
        self, verifiers: Sequence[TokenVerifier], *, clock: Callable[[], float], anonymous: bool = True
    ) -> None:
        self._verifiers = tuple(verifiers)
        self._anonymous = anonymous
        self._clock = clock
        self._certificates: OrderedDict[bytes, tuple[User | None, float, float]] = OrderedDict()

    async def authenticate(self, request: Request) -> User | None:
        """Return the caller, or None when credentials are wrong or missing where they are needed."""
        if request.peer_certificate is not None:
            user = self._of_certificate(request.peer_certificate)
            if user is not None:
                return user
        token = _token_of(request.headers)
        if token is None:
            return ANONYMOUS if self._anonymous else None
        if not _TOKEN.fullmatch(token):
            return None
        for verify in self._verifiers:
            user = await verify(token)
            if user is not None:
                return user
        return None

    def _of_certificate(self, der: bytes) -> User | None:
        """Return the user of a certificate that TLS has verified; CN is the name, each O a group."""
        known = self._certificates.get(der)
        if known is None:
            certificate = x509.load_der_x509_certificate(der)
            known = (
                _certificate_user(certificate),
                certificate.not_valid_before_utc.timestamp(),
                certificate.not_valid_after_utc.timestamp(),
            )
            self._certificates[der] = known
            if len(self._certificates) > 1024:
                self._certificates.popitem(last=False)
        user, start_s, end_s = known
        # A connection can outlive the certificate it was made with.
        return user if start_s <= self._clock() <= end_s else None


def _token_of(headers: Mapping[str, str]) -> str | None:
    """Return the bearer token, in the header or among the subprotocols of a WebSocket; "" for one that cannot be."""
    header = headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None
    try:
        return subprotocols.token_of(headers) or None
    except ValueError:
        return ""


def authenticated(name: str, groups: Sequence[str] = (), uid: str = "") -> User:
    """Return a user with the group that everybody who is authenticated has."""
    return User(name, (*(group for group in groups if group != AUTHENTICATED), AUTHENTICATED), uid)


def read_token_file(path: Path) -> dict[str, User]:
    """
    Read a token file: ``token,user,uid[,"group1,group2"]`` a line.

    Raises:
        OSError: It cannot be read.
        ValueError: A line has too few columns or an empty token; names the line.
    """
    users: dict[str, User] = {}
    for number, row in enumerate(csv.reader(io.StringIO(path.read_text()), skipinitialspace=True), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) < 3 or not row[0].strip() or not row[1].strip():
            raise ValueError(f"{path}:{number}: expected token,user,uid[,groups]")
        groups = [group.strip() for group in row[3].split(",") if group.strip()] if len(row) > 3 else []
        users[row[0].strip()] = authenticated(row[1].strip(), groups, row[2].strip())
    return users


def _certificate_user(certificate: x509.Certificate) -> User | None:
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return authenticated(names[0], groups) if names and names[0] else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
