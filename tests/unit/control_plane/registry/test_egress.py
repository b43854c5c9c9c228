"""Which addresses the server can be made to ask."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from fairlead_control_plane.registry import egress

_TLS = ssl.create_default_context()
_INNER = (
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "[::1]", "[fe80::1]", "[fd00::1]",
    "[::ffff:10.0.0.1]", "100.64.0.1", "224.0.0.1", "[ff02::1]",
)  # fmt: skip


@pytest.mark.parametrize("host", _INNER)
async def test_no_tenant_has_the_servers_own_network_asked(host: str) -> None:
    """S52: neither the machine itself, nor its neighbours, nor the cloud's metadata."""
    with pytest.raises(egress.NotAllowed, match="is not a public address"):
        await egress.post(f"https://{host}:6443/convert", b"{}", {}, _TLS, timeout_s=5, confined=True)


async def test_a_name_is_judged_by_all_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """S52: a name that resolves to an inner address, now or beside a public one, is refused before connecting."""

    def resolved(*_: Any, **__: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("93.184.216.34", "127.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(egress.NotAllowed, match="is not a public address"):
        await egress.post("https://rebind.example/convert", b"{}", {}, _TLS, timeout_s=5, confined=True)


async def test_administrators_of_a_plain_cluster_may_name_any_address() -> None:
    """There users are its owners, and webhooks run beside it: only the connection fails here."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(OSError, match="Cannot connect"):
            await egress.post(f"https://127.0.0.1:{port}/", b"{}", {}, _TLS, timeout_s=5, confined=False)
