"""The client against a server on loopback that plays Kubernetes' answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from fairlead_api.errors import ApiError, Conflict, Expired, NotFound, ServiceUnavailable, TooManyRequests
from fairlead_machinery import client as client_module
from fairlead_machinery import transport
from fairlead_machinery.client import Client, Gvr, Unreachable
from fairlead_machinery.kubeconfig import Credentials

CONFIG_MAPS = Gvr("", "v1", "configmaps")
DEPLOYMENTS = Gvr("apps", "v1", "deployments")
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answer(value: object, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=code, body=orjson.dumps(value), headers=headers, content_type="application/json")


def status(code: int, reason: str, message: str = "no") -> dict[str, object]:
    return {"kind": "Status", "code": code, "reason": reason, "message": message}


def test_paths_follow_kubernetes() -> None:
    assert CONFIG_MAPS.path("default", "a") == "/api/v1/namespaces/default/configmaps/a"
    assert DEPLOYMENTS.path() == "/apis/apps/v1/deployments"
    assert DEPLOYMENTS.path("n", "a b/..", "scale") == "/apis/apps/v1/namespaces/n/deployments/a%20b%2F../scale"
    assert str(DEPLOYMENTS) == "deployments.v1.apps"


async def test_a_workspace_is_a_view_of_the_same_server() -> None:
    seen: list[str] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        seen.append(f"{request.method} {request.path_qs} {request.headers.get('Authorization')}")
        return answer({"metadata": {"name": "a"}})

    async with serving(handle) as url, Client(Credentials(f"{url}/clusters/root", token="t")) as client:
        await client.get(CONFIG_MAPS, "a", namespace="n")
        await client.at("root:x").delete(CONFIG_MAPS, "a", uid="u", propagation="Orphan")
        await client.apply(DEPLOYMENTS, {"metadata": {"name": "a"}}, field_manager="me", force=True)
    assert seen == [
        "GET /clusters/root/api/v1/namespaces/n/configmaps/a Bearer t",
        "DELETE /clusters/root:x/api/v1/configmaps/a Bearer t",
        "PATCH /clusters/root/apis/apps/v1/deployments/a?fieldManager=me&force=true Bearer t",
    ]


async def test_errors_come_back_as_their_classes() -> None:
    answers = iter([(404, status(404, "NotFound")), (409, status(409, "Conflict")), (404, "text")])

    async def handle(_: web.BaseRequest) -> web.Response:
        code, value = next(answers)
        return answer(value, code)

    async with serving(handle) as url, Client(Credentials(url)) as client:
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAPS, "a")
        with pytest.raises(Conflict):
            await client.update(CONFIG_MAPS, {"metadata": {"name": "a"}})
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAPS, "a")


async def test_only_an_api_servers_word_about_the_object_is_absence() -> None:
    """A 404 of a path nobody serves, of a proxy, or about something else says nothing of the object."""
    named = {"name": "a", "kind": "configmaps"}
    answers = iter(
        [
            {**status(404, "NotFound"), "details": named},
            status(404, "NotFound"),
            {**status(404, "NotFound"), "details": {"name": "team", "kind": "namespaces"}},
            "text",
        ]
    )

    async def handle(_: web.BaseRequest) -> web.Response:
        return answer(next(answers), 404)

    async with serving(handle) as url, Client(Credentials(url)) as client:
        assert await client.find(CONFIG_MAPS, "a") is None
        for _ in range(3):
            with pytest.raises(Unreachable):
                await client.find(CONFIG_MAPS, "a")


async def test_retry_after_is_heeded_a_few_times() -> None:
    tries = 0

    async def handle(_: web.BaseRequest) -> web.Response:
        nonlocal tries
        tries += 1
        return answer(status(503, "ServiceUnavailable"), 503, {"Retry-After": "0"}) if tries % 7 else answer({"a": 1})

    async with serving(handle) as url, Client(Credentials(url)) as client:
        with pytest.raises(ServiceUnavailable):
            await client.get(CONFIG_MAPS, "a")
        assert tries == client_module.MAX_RETRIES + 1
        assert await client.get(CONFIG_MAPS, "a") == {"a": 1}


async def test_who_has_a_queue_is_told_when_to_come_back() -> None:
    """Nothing waits here with an old body in its hands; so in all views of the server."""
    tries = 0

    async def handle(_: web.BaseRequest) -> web.Response:
        nonlocal tries
        tries += 1
        return answer(status(429, "TooManyRequests"), 429, {"Retry-After": "7"})

    async with serving(handle) as url, Client(Credentials(url)) as client:
        client.waits = False
        for one in (client, client.at("root")):
            with pytest.raises(TooManyRequests) as refused:
                await one.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace="n")
            assert refused.value.retry_after_s == 7
    assert tries == 2


async def test_no_answer_is_not_an_answer() -> None:
    async with Client(Credentials("http://127.0.0.1:9")) as client:
        with pytest.raises(Unreachable):
            await client.get(CONFIG_MAPS, "a")

    async def handle(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return answer({})

    async with serving(handle) as url, Client(Credentials(url)) as client:
        with pytest.raises(Unreachable):
            await client.get(CONFIG_MAPS, "a")


async def test_an_answer_that_never_comes_is_unreachable() -> None:
    async def handle(_: web.BaseRequest) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(handle) as url, Client(Credentials(url)) as client:
        with pytest.raises(Unreachable, match="no answer within"):
            await client.request("GET", "/version", timeout_s=0.05)


async def test_a_watch_that_is_never_answered_is_unreachable() -> None:
    """Not a TimeoutError, which nobody who watches expects: it ended the agent."""

    async def silent(_: web.BaseRequest) -> web.Response:
        await asyncio.Event().wait()
        return answer({})

    async with serving(silent) as url, Client(Credentials(url)) as client:
        with pytest.raises(Unreachable, match="TimeoutError"):
            async with client.stream("GET", "/api/v1/pods", {"watch": "true"}, open_timeout_s=0.05):
                pass


async def test_a_list_is_all_pages_of_one_snapshot() -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        page = int(request.query.get("continue") or 0)
        metadata = {"resourceVersion": "7"}
        if page < 2:
            metadata["continue"] = str(page + 1)
        return answer(
            {
                "kind": "ConfigMapList",
                "apiVersion": "v1",
                "metadata": metadata,
                "items": [{"metadata": {"name": str(page)}}],
            }
        )

    async with serving(handle) as url, Client(Credentials(url)) as client:
        items, version = await client.list(CONFIG_MAPS)
    assert [item["metadata"]["name"] for item in items] == ["0", "1", "2"]
    assert items[0]["kind"] == "ConfigMap"
    assert version == "7"


async def test_pages_of_two_snapshots_are_no_list() -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        second = "continue" in request.query
        metadata: dict[str, str] = {"resourceVersion": "8"} if second else {"resourceVersion": "7", "continue": "x"}
        return answer({"kind": "ConfigMapList", "metadata": metadata, "items": []})

    async with serving(handle) as url, Client(Credentials(url)) as client:
        with pytest.raises(Expired):
            await client.list(CONFIG_MAPS)


def watching(*chunks: bytes) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0)
        return response

    return handle


async def test_a_watch_splits_lines_of_any_length() -> None:
    big = orjson.dumps({"type": "ADDED", "object": {"metadata": {"name": "x" * 3_000_000}}}) + b"\n"
    small = b'{"type":"MODIFIED","object":{"metadata":{"name":"a"}}}\n'
    chunks = [big[:10], big[10:2_000_000], big[2_000_000:] + small + small[:5], small[5:]]
    async with serving(watching(*chunks)) as url, Client(Credentials(url)) as client:
        events = [event async for event in client.watch(CONFIG_MAPS)]
    assert [event.type for event in events] == ["ADDED", "MODIFIED", "MODIFIED"]
    assert len(events[0].object["metadata"]["name"]) == 3_000_000


async def test_an_error_event_and_a_cut_are_told_apart_from_an_end() -> None:
    gone = orjson.dumps({"type": "ERROR", "object": status(410, "Expired", "too old")}) + b"\n"
    async with serving(watching(gone)) as url, Client(Credentials(url)) as client:
        with pytest.raises(Expired, match="too old"):
            await anext(client.watch(CONFIG_MAPS))
    async with serving(watching(b'{"type":"AD')) as url, Client(Credentials(url)) as client:
        with pytest.raises(Unreachable, match="middle of an event"):
            await anext(client.watch(CONFIG_MAPS))


async def test_closing_a_watch_frees_its_connection() -> None:
    ended = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"5"}}}\n')
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async with serving(handle) as url, Client(Credentials(url), connections=1) as client:
        async with aclosing(client.watch(CONFIG_MAPS)) as events:
            assert (await anext(events)).type == "BOOKMARK"
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_rotated_token_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return answer({})

    monkeypatch.setattr(transport, "TOKEN_MAX_AGE_S", -1.0)
    file = tmp_path / "token"
    async with serving(handle) as url, Client(Credentials(url, token_file=str(file))) as client:
        for token in ("one", "two\n"):
            await asyncio.to_thread(file.write_text, token)
            await client.get(CONFIG_MAPS, "a")
    assert seen == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    "body", [b"<html>sorry</html>\n", b"[]\n", b"{}\n", b'{"type": "ADDED", "object": {}}\n', b'"x"\n']
)
async def test_what_no_api_server_says_is_no_answer(body: bytes) -> None:
    """A page of something in between, with 200: nothing follows from it, and nobody ends by it."""

    async def handle(_: web.BaseRequest) -> web.Response:
        return web.Response(body=body)

    async with serving(handle) as url, Client(Credentials(url)) as client:
        async with aclosing(client.watch(CONFIG_MAPS)) as events:
            with pytest.raises(Unreachable, match="no event"):
                await anext(events)
        with pytest.raises((Unreachable, ApiError)):
            await client.list(CONFIG_MAPS)
