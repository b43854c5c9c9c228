"""How long certificates and tokens are good for."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from fairlead_cli.checking.asking import ANSWER_S
from fairlead_cli.checking.model import Finding, Level
from fairlead_machinery.transport import Unreachable, reason_of

SOON, VERY_SOON = timedelta(days=30), timedelta(days=3)
AUTHORITY_SOON = timedelta(days=60)
"""From then on a start of the control plane renews it, and everybody has to be given the next one."""


async def presented(server: str, name: str = "") -> bytes:
    """
    Return the certificate a server shows, DER, without judging it; b"" for one without TLS.

    Args:
        server: Its URL.
        name: To ask for, when it is not the host's.

    Raises:
        Unreachable: Nobody listens, or what listens does not speak TLS.
    """
    parts = urlsplit(server)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    context: ssl.SSLContext | None = None
    if is_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    port = parts.port or (443 if is_tls else 80)
    try:
        async with asyncio.timeout(ANSWER_S):
            opened = asyncio.open_connection(
                host, port, ssl=context, server_hostname=(name or host) if context else None
            )
            _, writer = await opened
    except (OSError, TimeoutError) as error:
        raise Unreachable(f"{host}:{port}: {reason_of(error)}") from error
    shown = writer.get_extra_info("ssl_object")
    certificate = shown.getpeercert(binary_form=True) if shown is not None else b""
    writer.close()
    return certificate or b""


def until(what: str, ends: datetime, now: datetime, fix: str, *, soon: timedelta = SOON) -> Finding | None:
    """Judge how long something is still good for."""
    left = ends - now
    if left > soon:
        return None
    when = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    if left <= timedelta():
        return Finding(f"{what} ended at {when}", fix, Level.ERROR)
    return Finding(f"{what} ends at {when}", fix, Level.ERROR if left < VERY_SOON else Level.WARNING)


def ends_of(certificate: bytes) -> datetime:
    """Return when a certificate, DER or PEM, ends."""
    from cryptography import x509  # noqa: PLC0415 - slow to load, needed by few

    load = x509.load_pem_x509_certificate if certificate.startswith(b"-----") else x509.load_der_x509_certificate
    return load(certificate).not_valid_after_utc


def last_end_of(bundle: bytes) -> datetime:
    """Return when the last certificate of a PEM bundle ends: an authority is changed by giving both for a time."""
    from cryptography import x509  # noqa: PLC0415 - slow to load, needed by few

    return max(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(bundle))


def expiry_of(token: str) -> int | None:
    """Return when a JSON web token ends, in seconds since the epoch; None when it is none or does not say."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return int(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
