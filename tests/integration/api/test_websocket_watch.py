"""A watch over WebSocket says the same, message by message, as a real kube-apiserver does."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp
import pytest

from tests.integration.security.wire import Wire
from tests.support import process_cluster, processes
from tests.support.servers import fairlead_server

pytestmark = pytest.mark.integration
MAPS = "/api/v1/namespaces/default/configmaps"
SELECTED = f"{MAPS}?watch=1&labelSelector=told&timeoutSeconds=1&resourceVersion="
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Side:
    """A server, how it is asked, and how its WebSockets are opened."""

    wire: Wire
    url: str
    token: str
    tls: ssl.SSLContext


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    folder = processes.run_directory() / "websockets"
    cluster = process_cluster.start_api("sockets", folder / "cluster")
    try:
        with fairlead_server(folder, "--no-scheduler", "--profile=cluster") as server:
            tls = ssl.create_default_context(cafile=str(cluster.certificate_authority))
            theirs = Side(Wire(cluster.server, cluster.token, tls), cluster.server, cluster.token, tls)
            yield Side(Wire.to(server), server.url, server.token, server.tls()), theirs
    finally:
        cluster.stop()


async def _messages(side: Side, path: str, accept: str, protocols: tuple[str, ...]) -> list[str]:
    """Return what a watch tells: the subprotocol and its messages. Kubernetes hangs up at its end, we say goodbye."""
    headers = {"Accept": accept, "Origin": "https://console.example.com"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(side.url + path, ssl=side.tls, headers=headers, protocols=protocols) as socket,
        asyncio.timeout(20),
    ):
        told = [str(socket.protocol)]
        async for message in socket:
            assert message.type is aiohttp.WSMsgType.TEXT
            assert message.data.endswith("\n")
            event = json.loads(message.data)
            names = [row["object"]["metadata"]["name"] for row in event["object"].get("rows", [event])]
            told.append(f"{event['type']} {event['object']['kind']} {names}")
        return told


@pytest.mark.parametrize("accept", ["application/json", TABLE])
def test_each_event_is_a_message(sides: tuple[Side, Side], accept: str) -> None:
    """With the bearer token as a subprotocol, as a browser has to send it."""
    told = []
    for side in sides:
        since = side.wire.ask("GET", MAPS).json["metadata"]["resourceVersion"]
        name = f"told-{len(accept)}"
        made = {"metadata": {"name": name, "labels": {"told": "1"}}}
        assert side.wire.ask("POST", MAPS, made).code == 201
        assert side.wire.ask("DELETE", f"{MAPS}/{name}").code == 200
        token = base64.urlsafe_b64encode(side.token.encode()).decode().rstrip("=")
        protocols = (f"base64url.bearer.authorization.k8s.io.{token}", "v1.watch.example.com")
        told.append(asyncio.run(_messages(side, SELECTED + since, accept, protocols)))
    assert told[0] == told[1]
    assert len(told[0]) == 3


@pytest.mark.parametrize("protocols", [(), ("base64url.bearer.authorization.k8s.io.bm9uZQ", "a"), ("no.token",)])
def test_without_a_good_token(sides: tuple[Side, Side], protocols: tuple[str, ...]) -> None:
    """Nobody is 403, somebody that cannot be is 401."""
    codes = []
    for side in sides:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            asyncio.run(_messages(side, SELECTED, "application/json", protocols))
        codes.append(refused.value.status)
    assert codes[0] == codes[1]


def test_a_list_stays_a_list(sides: tuple[Side, Side]) -> None:
    """Only a watch can become a WebSocket; the refusal of a watch is an answer like any other."""
    for path in (MAPS, SELECTED + "x"):
        codes = []
        for side in sides:
            headers = {"Authorization": f"Bearer {side.token}", "Origin": "https://a"}
            codes.append(asyncio.run(_code(side, path, headers)))
        assert codes[0] == codes[1]


async def _code(side: Side, path: str, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(side.url + path, ssl=side.tls, headers=headers)
    return refused.value.status
