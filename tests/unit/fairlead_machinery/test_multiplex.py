"""
Watches that share connections, against a server on loopback that speaks HTTP/2.

Aspects: as many connections as the server's limit asks for; the end of a watch, from both sides; a server that goes
away; a connection that is dead without a word; a watch that nobody reads; servers that speak no HTTP/2; credentials.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import cast

import orjson
import pytest
from aiohttp import ClientSession, web
from h2.errors import ErrorCodes
from yarl import URL

from fairlead_api.errors import Expired
from fairlead_machinery import http2, multiplex
from fairlead_machinery.client import Client, Event, Gvr, Unreachable
from fairlead_machinery.kubeconfig import Credentials
from fairlead_machinery.reflector import Delta, Reflector
from tests.support.http2_server import Http2Server, Trust, http2_server, make_trust

CONFIG_MAPS = Gvr("", "v1", "configmaps")


def line(name: str, **data: str) -> bytes:
    metadata = {"name": name, "namespace": "n", "uid": name, "resourceVersion": "7"}
    return orjson.dumps({"type": "ADDED", "object": {"metadata": metadata, "data": data}}) + b"\n"


def credentials(server: Http2Server, token: str = "t") -> Credentials:
    return Credentials(server.url, token=token, ca=server.authority)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return make_trust(tmp_path_factory.mktemp("trust"))


@asynccontextmanager
async def watching(trust: Trust) -> AsyncIterator[tuple[Http2Server, Client]]:
    async with http2_server(trust) as server, Client(credentials(server), has_many_watches=True) as client:
        yield server, client


def watch(client: Client, number: int = 0) -> AsyncGenerator[Event, None]:
    return client.watch(CONFIG_MAPS, namespace=f"n{number}", resource_version="5")


async def first(stream: AsyncGenerator[Event, None]) -> str:
    """Return the name of the first object."""
    event = await anext(stream)
    return str(event.object["metadata"]["name"])


async def test_as_many_connections_as_the_server_asks_for(trust: Trust) -> None:
    async with watching(trust) as (server, client):
        streams = [watch(client, number) for number in range(250)]
        names = [asyncio.create_task(first(stream)) for stream in streams]
        await server.until_asked(250)
        for asked in server.asked:
            asked.send(line(asked.headers[":path"].split("/")[4]))
        assert await asyncio.gather(*names) == [f"n{number}" for number in range(250)]
        assert len(server.connections) == 3
        headers = server.asked[0].headers
        assert headers["authorization"] == "Bearer t"
        assert headers["user-agent"] == "fairlead"
        assert "resourceVersion=5" in headers[":path"]
        for stream in streams:
            await stream.aclose()


async def test_a_watch_that_is_not_wanted_any_more_is_cancelled(trust: Trust) -> None:
    async with watching(trust) as (server, client):
        server.most_streams = 1
        task = asyncio.create_task(first(watch(client)))
        asked = await server.until_asked(1)
        task.cancel()
        await asyncio.wait([task])
        again = asyncio.create_task(first(watch(client)))
        (await server.until_asked(2)).send(line("b"))
        assert await again == "b"
        assert asked.connection.resets[0] == (asked.stream, ErrorCodes.CANCEL)
        assert len(server.connections) == 1, "its place is free again"


async def test_the_server_ends_a_watch(trust: Trust) -> None:
    async with watching(trust) as (server, client):
        reading = asyncio.create_task(_all(watch(client)))
        asked = await server.until_asked(1)
        asked.send(line("a")[:20])
        asked.send(line("a")[20:] + line("b"), end=True)
        assert await reading == ["a", "b"]
        assert asked.connection.resets == []


async def _all(stream: AsyncGenerator[Event, None]) -> list[str]:
    return [event.object["metadata"]["name"] async for event in stream]


@pytest.mark.parametrize("code", [ErrorCodes.INTERNAL_ERROR, ErrorCodes.NO_ERROR])
async def test_a_watch_that_is_reset_is_broken(trust: Trust, code: ErrorCodes) -> None:
    async with watching(trust) as (server, client), aclosing(watch(client)) as stream:
        reading = asyncio.create_task(first(stream))
        (await server.until_asked(1)).reset(code)
        with pytest.raises(Unreachable, match=code.name):
            await reading


async def test_a_refusal_has_its_status(trust: Trust) -> None:
    async with watching(trust) as (server, client):
        server.answers = False
        reading = asyncio.create_task(first(watch(client)))
        asked = await server.until_asked(1)
        asked.head(410)
        asked.send(orjson.dumps({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}), end=True)
        with pytest.raises(Expired, match="too old"):
            await reading


async def test_a_server_that_goes_away_finishes_what_it_began(trust: Trust) -> None:
    """GOAWAY: what runs goes on, what is new is asked elsewhere, and the connection ends with its last watch."""
    async with watching(trust) as (server, client):
        stream = watch(client)
        reading = asyncio.create_task(first(stream))
        old = await server.until_asked(1)
        old.connection.go_away(2**31 - 1)
        old.connection.go_away(old.stream)
        old.send(line("a"))
        assert await reading == "a"
        new = asyncio.create_task(first(watch(client)))
        asked = await server.until_asked(2)
        assert asked.connection is not old.connection
        asked.send(line("b"))
        assert await new == "b"
        assert old.connection.is_open
        old.send(b"", end=True)
        assert [event async for event in stream] == []
        await server.until_closed(old.connection)


@pytest.mark.parametrize("way", ["goaway", "refused"])
async def test_what_the_server_did_not_take_up_is_asked_elsewhere(trust: Trust, way: str) -> None:
    async with watching(trust) as (server, client):
        server.answers = False
        reading = asyncio.create_task(first(watch(client)))
        asked = await server.until_asked(1)
        server.answers = True
        if way == "goaway":
            asked.connection.go_away(0)
        else:
            asked.reset(ErrorCodes.REFUSED_STREAM)
        (await server.until_asked(2)).send(line("a"))
        assert await reading == "a"
        assert len(server.connections) == (2 if way == "goaway" else 1)


async def test_a_connection_that_is_dead_without_a_word(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its watches go on elsewhere from where they were: nothing is listed again, and one connection is made."""
    monkeypatch.setattr(http2, "QUIET_S", 0.2)
    monkeypatch.setattr(http2, "ANSWER_S", 0.1)
    heard: list[Delta] = []
    lists = 0
    async with watching(trust) as (server, client):

        class Source:
            async def list(self, gvr: Gvr, **_: object) -> tuple[list[dict[str, object]], str]:
                nonlocal lists
                lists += 1
                return [], "5"

            def watch(self, gvr: Gvr, **options: object) -> AsyncGenerator[Event, None]:
                return client.watch(gvr, resource_version=str(options["resource_version"]))

        reflectors = [Reflector(Source(), CONFIG_MAPS, heard.append) for _ in range(20)]
        tasks = [asyncio.create_task(reflector.run()) for reflector in reflectors]
        dead = (await server.until_asked(20)).connection
        dead.is_silent = True
        again = await server.until_asked(40)
        for asked in server.asked[20:]:
            asked.send(line("a"))
        while sum(delta.kind == "added" for delta in heard) < 20:  # noqa: ASYNC110 - no event tells of a delta
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert lists == 20
        assert len(server.connections) == 2
        assert again.connection is not dead
        assert "resourceVersion=5" in again.headers[":path"]


async def test_a_quiet_server_that_answers_is_not_given_up(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "QUIET_S", 0.04)
    monkeypatch.setattr(http2, "ANSWER_S", 0.03)
    async with watching(trust) as (server, client):
        reading = asyncio.create_task(first(watch(client)))
        asked = await server.until_asked(1)
        for _ in range(5):
            server.changed.clear()
            await server.changed.wait()  # a ping, answered by h2
        asked.send(line("a"))
        assert await reading == "a"
        assert len(server.connections) == 1


async def test_a_watch_that_nobody_reads_holds_up_no_other(trust: Trust) -> None:
    async with watching(trust) as (server, client):
        slow, quick = watch(client, 1), watch(client, 2)
        begun = [asyncio.create_task(first(stream)) for stream in (slow, quick)]
        await server.until_asked(2)
        for asked in server.asked:
            asked.send(line("a"))
        await asyncio.gather(*begun)
        unread, read = server.asked
        sent = 0
        while room := unread.room():  # as far as its own window goes
            unread.send(b"x" * room)
            sent += room
        assert http2.STREAM_WINDOW // 2 < sent <= http2.STREAM_WINDOW
        big = line("b", k="v" * 10_000)
        reading = asyncio.create_task(_count(quick, 3 * http2.CONNECTION_WINDOW // len(big)))
        for _ in range(3 * http2.CONNECTION_WINDOW // len(big)):
            while read.room() < len(big):
                server.changed.clear()
                await server.changed.wait()
            read.send(big)
        await reading
        assert len(server.connections) == 1
        for stream in (slow, quick):
            await stream.aclose()


async def _count(stream: AsyncGenerator[Event, None], count: int) -> None:
    for _ in range(count):
        await anext(stream)


async def test_an_event_may_be_larger_than_any_window(trust: Trust) -> None:
    async with watching(trust) as (server, client):
        reading = asyncio.create_task(first(watch(client)))
        asked = await server.until_asked(1)
        data = line("a", k="v" * (2 * http2.STREAM_WINDOW))
        while data:
            while not (room := asked.room()):
                server.changed.clear()
                await server.changed.wait()
            asked.send(data[:room])
            data = data[room:]
        assert await reading == "a"


async def test_a_server_that_cannot_be_reached_is_asked_once_for_all(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    dials = 0
    dial = multiplex.SharedConnections._dial

    async def counted(self: multiplex.SharedConnections, url: URL, name: str | None) -> bool:
        nonlocal dials
        dials += 1
        return await dial(self, url, name)

    monkeypatch.setattr(multiplex.SharedConnections, "_dial", counted)
    async with Client(Credentials("https://127.0.0.1:9", ca=trust.authority), has_many_watches=True) as client:
        tasks = [asyncio.create_task(first(watch(client))) for _ in range(50)]
        await asyncio.wait(tasks)
        assert {type(task.exception()) for task in tasks} == {Unreachable}
        assert dials == 1


async def test_who_does_not_speak_the_protocol_is_left(trust: Trust) -> None:
    async with watching(trust) as (server, client):
        reading = asyncio.create_task(first(watch(client)))
        asked = await server.until_asked(1)
        assert asked.connection.transport is not None
        asked.connection.transport.write(b"\xff\xff\xff" + b"\0" * 100)
        with pytest.raises(Unreachable, match="broke the protocol"):
            await reading
        await server.until_closed(asked.connection)


async def test_other_credentials_are_used_from_the_next_watch_on(trust: Trust) -> None:
    async with watching(trust) as (server, client):
        old = watch(client)
        reading = asyncio.create_task(first(old))
        before = await server.until_asked(1)
        await client.transport.replace(credentials(server, "other"))
        client.transport._token = "other"
        new = asyncio.create_task(first(watch(client)))
        after = await server.until_asked(2)
        assert (before.headers["authorization"], after.headers["authorization"]) == ("Bearer t", "Bearer other")
        assert before.connection is not after.connection
        before.send(line("a"))
        after.send(line("b"))
        assert [await reading, await new] == ["a", "b"]
        await client.close()
        await server.until_closed(before.connection)
        await server.until_closed(after.connection)
        with pytest.raises(Unreachable):
            await anext(old)


async def test_what_is_idle_is_closed(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiplex, "IDLE_S", 0.05)
    async with watching(trust) as (server, client):
        reading = asyncio.create_task(first(watch(client)))
        asked = await server.until_asked(1)
        asked.send(line("a"))
        await reading
        await server.until_closed(asked.connection)


@pytest.mark.parametrize("disabled", [False, True])
async def test_without_http2_a_watch_is_a_connection(
    trust: Trust, monkeypatch: pytest.MonkeyPatch, disabled: bool
) -> None:
    """The server chooses HTTP/1.1, or the environment forbids another; what is no watch always goes that way."""
    if disabled:
        monkeypatch.setenv("DISABLE_HTTP2", "1")

    async def handle(request: web.BaseRequest) -> web.Response:
        if request.query.get("watch") == "true":
            return web.Response(body=line("a"))
        return web.json_response({"metadata": {"name": "got"}})

    trust.context.set_alpn_protocols(["http/1.1"])
    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trust.context).start()
    target = Credentials(f"https://127.0.0.1:{runner.addresses[0][1]}", ca=trust.authority)
    async with Client(target, has_many_watches=True) as client:
        assert isinstance(client.transport.session, multiplex.SharedConnections) is not disabled
        assert await _all(watch(client)) == ["a"]
        assert (await client.get(CONFIG_MAPS, "x", namespace="n"))["metadata"]["name"] == "got"
    await runner.cleanup()


class Passed:
    """A session that only takes note."""

    def request(self, method: str, url: URL, **options: object) -> str:
        return f"{method} {url} by {options.get('proxy')}"


async def test_through_a_proxy_a_watch_is_a_connection() -> None:
    """That is what aiohttp can do."""
    session = cast("ClientSession", Passed())
    shared = multiplex.SharedConnections(session, ssl.create_default_context(), "agent", 1.0)
    url = URL("https://server/api?watch=true")
    assert shared.request("GET", url, proxy="http://proxy") == "GET https://server/api?watch=true by http://proxy"
    assert isinstance(shared.request("GET", url, proxy=None), multiplex._Watch)
