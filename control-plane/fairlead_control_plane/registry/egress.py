"""
Requests of the server to addresses that users name: webhooks.

Where users are tenants such an address is the server's way into its own network. There only public addresses are
asked, and it is the very address that was checked that is connected to, whatever the name is made to resolve to next.
Redirects are not followed, and no answer is read without end.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_MOST_BYTES = 64 << 20
_CHUNK = 1 << 16


class NotAllowed(ValueError):
    """The address is none that the server may be made to ask."""


async def post(
    url: str, body: bytes, headers: Mapping[str, str], tls: ssl.SSLContext, *, timeout_s: float, confined: bool
) -> tuple[int, bytes]:
    """
    Send a request and return status and body of its answer.

    Args:
        url: With ``https``.
        confined: Only public addresses are asked.

    Raises:
        NotAllowed: The address is not allowed.
        OSError, TimeoutError, aiohttp.ClientError: There is no answer.
        ValueError: The answer is too large.
    """
    if confined:
        _check(urlsplit(url).hostname or "")
    connector = aiohttp.TCPConnector(ssl=tls, resolver=_Confined() if confined else None)
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
        session.post(url, data=body, headers=dict(headers), allow_redirects=False) as answer,
    ):
        return answer.status, await _read(answer.content)


async def _read(content: aiohttp.StreamReader) -> bytes:
    found = bytearray()
    async for chunk in content.iter_chunked(_CHUNK):
        found += chunk
        if len(found) > _MOST_BYTES:
            raise ValueError(f"the answer is larger than {_MOST_BYTES >> 20} MiB")
    return bytes(found)


class _Confined(AbstractResolver):
    """Resolves names to public addresses; one that has any other is refused."""

    def __init__(self) -> None:
        self._resolver: AbstractResolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; ``NotAllowed`` when one of them is not public."""
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            _check(one["host"])
        return found

    async def close(self) -> None:
        """End the resolver behind."""
        await self._resolver.close()


def _check(host: str) -> None:
    """Refuse an address that is not public; names are checked once they are resolved."""
    address = _address(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped is not None and (not mapped.is_global or mapped.is_multicast):
        raise NotAllowed(f"{host} is not a public address: workspaces may not have others asked")


def _address(host: str) -> Any:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
