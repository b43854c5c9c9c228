"""A watch over WebSocket says the same, message by message, as a real kube-apiserver does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.integration.security.wire import Wire

pytestmark = pytest.mark.integration
MAPS = "/api/v1/namespaces/default/configmaps"
SELECTED = f"{MAPS}?watch=1&labelSelector=told&timeoutSeconds=1&resourceVersion="
SWITCHED, TEXT, CLOSE = 101, 1, 8
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


async def _opened(wire: Wire, path: str, **more: str) -> tuple[int, str, list[tuple[int, bytes]]]:
    """Ask for a WebSocket; return the code, the subprotocol, and what comes until the end: opcode and payload."""
    where = urlsplit(wire.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=wire.tls)
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
def test_each_event_is_a_message(wires: tuple[Wire, Wire], accept: str) -> None:
    """With the bearer token as a subprotocol, as a browser has to send it."""
    told = []
    for wire in wires:
        since = wire.ask("GET", MAPS).json["metadata"]["resourceVersion"]
        name = f"told-{len(accept)}"
        made = {"metadata": {"name": name, "labels": {"told": "1"}}}
        assert wire.ask("POST", MAPS, made).code == 201
        assert wire.ask("DELETE", f"{MAPS}/{name}").code == 200
        token = base64.urlsafe_b64encode(wire.token.encode()).decode().rstrip("=")
        offered = f"base64url.bearer.authorization.k8s.io.{token}, v1.watch.example.com"
        asked = _opened(wire, SELECTED + since, Accept=accept, Sec_WebSocket_Protocol=offered)
        code, agreed, frames = asyncio.run(asked)
        told.append((code, agreed, _told(frames)))
    assert told[0] == told[1]
    assert told[0][:2] == (SWITCHED, "v1.watch.example.com")
    assert len(told[0][2]) == 2


@pytest.mark.parametrize("offered", ["", "base64url.bearer.authorization.k8s.io.bm9uZQ, a", "no.token"])
def test_without_a_good_token(wires: tuple[Wire, Wire], offered: str) -> None:
    """Nobody is 403, somebody that cannot be is 401."""
    more = {"Sec_WebSocket_Protocol": offered} if offered else {}
    ours, theirs = (asyncio.run(_opened(wire, SELECTED, **more)) for wire in wires)
    assert ours == theirs
    assert ours[0] in (401, 403)


@pytest.mark.parametrize("path", [MAPS, SELECTED + "x"])
def test_other_answers_stay_what_they_are(wires: tuple[Wire, Wire], path: str) -> None:
    """Only a watch can become a WebSocket; the refusal of one is an answer like any other."""
    ours, theirs = (asyncio.run(_opened(wire, path, Authorization=f"Bearer {wire.token}")) for wire in wires)
    assert ours == theirs
    assert ours[0] in (200, 500)
