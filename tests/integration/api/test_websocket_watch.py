"""A watch over WebSocket says the same, message by message, as a real kube-apiserver does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.integration.security.wire import Wire
from tests.support import process_cluster, processes
from tests.support.servers import fairlead_server

pytestmark = pytest.mark.integration
MAPS = "/api/v1/namespaces/default/configmaps"
SELECTED = f"{MAPS}?watch=1&labelSelector=told&timeoutSeconds=1&resourceVersion="
SWITCHED, TEXT, CLOSE = 101, 1, 8
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


async def _opened(side: Side, path: str, **more: str) -> tuple[int, str, list[tuple[int, bytes]]]:
    """Ask for a WebSocket; return the code, the subprotocol, and what comes until the end: opcode and payload."""
    where = urlsplit(side.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=side.tls)
    headers = {
        "Host": where.netloc, "Origin": "https://console.example.com", "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }  # fmt: skip
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    try:
        async with asyncio.timeout(20):
            writer.write("\r\n".join(lines).encode())
            status, *head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            code = int(status.split()[1])
            agreed = next((line.split(": ")[1] for line in head if line.startswith("Sec-WebSocket-Protocol")), "")
            return code, agreed, [frame async for frame in _frames(reader)] if code == SWITCHED else []
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the frames that a server sends until it hangs up."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            first, length = await reader.readexactly(2)
            if length > 125:
                length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
            yield first & 15, await reader.readexactly(length)


def _told(frames: list[tuple[int, bytes]]) -> list[str]:
    """Return what events say. At the end Kubernetes hangs up, where we say goodbye."""
    told = []
    for opcode, payload in frames:
        if opcode == CLOSE:
            continue
        assert opcode == TEXT
        assert payload.endswith(b"\n")
        event = json.loads(payload)
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
        offered = f"base64url.bearer.authorization.k8s.io.{token}, v1.watch.example.com"
        asked = _opened(side, SELECTED + since, Accept=accept, Sec_WebSocket_Protocol=offered)
        code, agreed, frames = asyncio.run(asked)
        told.append((code, agreed, _told(frames)))
    assert told[0] == told[1]
    assert told[0][:2] == (SWITCHED, "v1.watch.example.com")
    assert len(told[0][2]) == 2


@pytest.mark.parametrize("offered", ["", "base64url.bearer.authorization.k8s.io.bm9uZQ, a", "no.token"])
def test_without_a_good_token(sides: tuple[Side, Side], offered: str) -> None:
    """Nobody is 403, somebody that cannot be is 401."""
    more = {"Sec_WebSocket_Protocol": offered} if offered else {}
    ours, theirs = (asyncio.run(_opened(side, SELECTED, **more)) for side in sides)
    assert ours == theirs
    assert ours[0] in (401, 403)


@pytest.mark.parametrize("path", [MAPS, SELECTED + "x"])
def test_other_answers_stay_what_they_are(sides: tuple[Side, Side], path: str) -> None:
    """Only a watch can become a WebSocket; the refusal of one is an answer like any other."""
    ours, theirs = (asyncio.run(_opened(side, path, Authorization=f"Bearer {side.token}")) for side in sides)
    assert ours == theirs
    assert ours[0] in (200, 500)
