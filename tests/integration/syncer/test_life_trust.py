"""F35: the certificate authority of a server is replaced under a running agent."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest

from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client
from fairlead_machinery.transport import Unreachable
from fairlead_syncer import trust
from tests.support.certificates import make_authority
from tests.support.clusters import write_kubeconfig
from tests.support.waiting import wait_until_async

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
    writer.close()


async def test_f35_a_new_ca_is_read_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same client speaks to the server before and after; half a file in between changes nothing."""
    monkeypatch.setattr(trust, "_EVERY_S", 0.02)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authorities = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        authority = make_authority(folder)
        authorities.append((authority, authority.issue(folder, "server")))
    first, second = authorities
    serving.load_cert_chain(first[1].certificate, first[1].key)
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=serving)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, "server", url, first[0].certificate, "t")

    def reload() -> kubeconfig.Credentials:
        return kubeconfig.load([path], explicit=True).credentials()

    async with server, Client(reload()) as client:
        following = asyncio.create_task(trust.follow("server", client, reload))
        try:
            assert (await client.request("GET", "/")).code == 200
            serving.load_cert_chain(second[1].certificate, second[1].key)
            with pytest.raises(Unreachable, match=r"(?i)certificate"):
                await client.request("GET", "/")
            path.write_text("{half")
            await asyncio.to_thread(path.unlink)
            write_kubeconfig(path, "server", url, second[0].certificate, "t")

            async def answers() -> bool:
                try:
                    return (await client.request("GET", "/")).code == 200
                except Unreachable:
                    return False

            assert await wait_until_async(answers, 10)
        finally:
            following.cancel()
            await asyncio.wait([following])
