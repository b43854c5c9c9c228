"""
A proxy that breaks things on the way to an API server: answers that are wrong, late, cut short or never come.

For the tests of "absence is never a cause": whatever a syncer is told here, nothing may be deleted for it.
Runs on a loop and thread of its own, so that plain and coroutine tests use it alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

from fairlead_api import JsonObject
from tests.support.certificates import Certificate

START_TIMEOUT_S = 10.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"}
_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


@dataclass(slots=True)
class Exchange:
    """
    One request on its way, as a fault sees it.

    Attributes:
        request: What came in; its body is read already.
        body: That body.
        forward: Sends it on and returns the whole answer: status, content type, body.
        stream: Sends it on and passes the answer back chunk by chunk, to the end; given a function, line by line
            without the lines of which it is false.
    """

    request: web.BaseRequest
    body: bytes
    forward: Callable[[], Awaitable[tuple[int, str, bytes]]]
    stream: Callable[..., Awaitable[web.StreamResponse]]


Fault = Callable[[Exchange], Awaitable[web.StreamResponse]]
"""Makes the answer, with or without asking upstream."""


def pass_on() -> Fault:
    """Forward unchanged, watches included."""
    return lambda exchange: exchange.stream()


def delay(seconds: float) -> Fault:
    """Forward after so many seconds."""

    async def late(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await exchange.stream()

    return late


def status(code: int) -> Fault:
    """Answer with a Kubernetes ``Status`` of this HTTP code, without asking upstream."""
    failure = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"fault proxy: {code}",
        "reason": _REASONS.get(code, ""),
        "code": code,
    }
    return canned(code, failure)


def canned(code: int, body: JsonObject) -> Fault:
    """Answer with this code and JSON body, without asking upstream."""

    async def answer(_: Exchange) -> web.StreamResponse:
        return web.Response(status=code, body=orjson.dumps(body), content_type="application/json")

    return answer


def keep_items(share: float) -> Fault:
    """Answer a list with only the first ``share`` (0 to 1) of its items, as if it were whole; others pass unchanged."""

    async def partial(exchange: Exchange) -> web.StreamResponse:
        if exchange.request.query.get("watch") in ("1", "true") or exchange.request.method != "GET":
            return await exchange.stream()
        code, content_type, body = await exchange.forward()
        if code == 200 and "json" in content_type:
            document = orjson.loads(body)
            if isinstance(document.get("items"), list):
                document["items"] = document["items"][: int(len(document["items"]) * share)]
                for hint in ("continue", "remainingItemCount"):
                    document.get("metadata", {}).pop(hint, None)
                body = orjson.dumps(document)
        return web.Response(status=code, body=body, headers={"Content-Type": content_type})

    return partial


def empty_list() -> Fault:
    """Answer a list with 200 and no items, with the right kind and resourceVersion."""
    return keep_items(0)


def stale() -> Fault:
    """Answer each URL for ever as it was answered first, like a replica that no longer follows; watches stay silent."""
    first: dict[str, tuple[int, str, bytes]] = {}

    async def old(exchange: Exchange) -> web.StreamResponse:
        if exchange.request.method != "GET":
            return await exchange.stream()
        if exchange.request.query.get("watch") in ("1", "true"):
            return await _silence(exchange)
        url = exchange.request.raw_path
        if url not in first:
            first[url] = await exchange.forward()
        code, content_type, body = first[url]
        return web.Response(status=code, body=body, headers={"Content-Type": content_type})

    return old


def cut(after_bytes: int = 0) -> Fault:
    """Forward, and reset the connection when ``after_bytes`` of the answer's body are through."""

    async def short(exchange: Exchange) -> web.StreamResponse:
        code, content_type, body = await exchange.forward()
        response = web.StreamResponse(
            status=code, headers={"Content-Type": content_type, "Content-Length": str(len(body))}
        )
        if after_bytes:
            await response.prepare(exchange.request)
            await response.write(body[:after_bytes])
        transport = exchange.request.transport
        if transport is not None:
            transport.abort()
        return response

    return short


def half_open() -> Fault:
    """Take the request and never answer, like a peer that is gone without a word."""

    async def nothing(_: Exchange) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return nothing


def drop_events(keep: Callable[[JsonObject], bool]) -> Fault:
    """Pass watches on without the events of which ``keep`` is false; everything else unchanged."""

    async def lossy(exchange: Exchange) -> web.StreamResponse:
        if exchange.request.query.get("watch") not in ("1", "true"):
            return await exchange.stream()
        return await exchange.stream(lambda line: not line.strip() or keep(orjson.loads(line)))

    return lossy


async def _silence(exchange: Exchange) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(exchange.request)
    await asyncio.Event().wait()
    return response


async def _lines(answer: ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


@dataclass(slots=True)
class FaultProxy:
    """
    A running proxy; made by :func:`fault_proxy`.

    Attributes:
        url: Where clients connect.
        seen: Method and raw path of every request so far.
    """

    upstream: str
    _upstream_tls: ssl.SSLContext
    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)
    _faults: list[tuple[str, str, Fault]] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def inject(self, fault: Fault, *, method: str = "", path: str = "") -> None:
        """Answer with ``fault`` from now on where method (empty: any) and a part of the path match; the latest wins."""
        self._faults.insert(0, (method, path, fault))

    def heal(self) -> None:
        """Forward everything unchanged again."""
        self._faults.clear()

    def sever(self) -> None:
        """Reset every open connection, watches included; new ones are taken."""
        self._loop.call_soon_threadsafe(self._abort_all)

    _connections: set[asyncio.Transport] = field(default_factory=set)

    def _abort_all(self) -> None:
        for transport in list(self._connections):
            transport.abort()

    def _fault_for(self, request: web.BaseRequest) -> Fault:
        for method, path, fault in self._faults:
            if method in ("", request.method) and path in request.path:
                return fault
        return pass_on()

    async def serve(self, tls: ssl.SSLContext, ready: threading.Event) -> None:
        """Serve until :meth:`stop`; ``ready`` is set once ``url`` is known."""
        connector = TCPConnector(ssl=self._upstream_tls, limit=0)
        timeout = ClientTimeout(total=None, sock_connect=START_TIMEOUT_S)
        async with ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=DummyCookieJar()
        ) as client:
            runner = web.ServerRunner(
                web.Server(lambda request: self._handle(request, client), handler_cancellation=True),
                shutdown_timeout=0.1,
            )
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
            await site.start()
            self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await self._stopping.wait()
            await runner.cleanup()
        await _end_handshakes()

    async def _handle(self, request: web.BaseRequest, client: ClientSession) -> web.StreamResponse:
        self.seen.append((request.method, request.raw_path))
        transport = request.transport
        if transport is not None:
            self._connections.add(transport)
        body = await request.read()
        url = f"{self.upstream}{request.raw_path}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}

        async def forward() -> tuple[int, str, bytes]:
            # Whole answers get changed, so they must not be compressed.
            plain = {**headers, "Accept-Encoding": "identity"}
            async with client.request(request.method, url, headers=plain, data=body or None) as answer:
                return answer.status, answer.headers.get("Content-Type", ""), await answer.read()

        async def stream(keep: Callable[[bytes], bool] | None = None) -> web.StreamResponse:
            sent = headers if keep is None else {**headers, "Accept-Encoding": "identity"}
            async with client.request(request.method, url, headers=sent, data=body or None) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                response = web.StreamResponse(status=answer.status, headers=kept)
                await response.prepare(request)
                if keep is not None:
                    async for line in _lines(answer):
                        if keep(line):
                            await response.write(line)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response

        try:
            return await self._fault_for(request)(Exchange(request, body, forward, stream))
        finally:
            if transport is not None:
                self._connections.discard(transport)

    def stop(self) -> None:
        """Ask the proxy's loop to end."""
        self._loop.call_soon_threadsafe(self._stopping.set)


async def _end_handshakes() -> None:
    """End what has not got as far as being a connection: nobody else does, and its socket would stay open."""
    unfinished = asyncio.all_tasks() - {asyncio.current_task()}
    for task in unfinished:
        task.cancel()
    if unfinished:
        await asyncio.wait(unfinished)
        await asyncio.sleep(0)  # sockets are closed in the loop's next turn


@contextlib.contextmanager
def fault_proxy(upstream: str, upstream_authority: Path, serving: Certificate) -> Iterator[FaultProxy]:
    """
    Run a proxy in front of an API server for the length of a ``with`` block.

    Args:
        upstream: URL of the API server, without path.
        upstream_authority: File its certificate is checked against.
        serving: What clients are shown; see :mod:`tests.support.certificates`.
    """
    proxy = FaultProxy(upstream, ssl.create_default_context(cafile=str(upstream_authority)))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(serving.certificate, serving.key)
    ready = threading.Event()

    def run() -> None:
        asyncio.set_event_loop(proxy._loop)
        with contextlib.closing(proxy._loop):
            proxy._loop.run_until_complete(proxy.serve(tls, ready))

    thread = threading.Thread(target=run, name="fault proxy")
    thread.start()
    try:
        if not ready.wait(START_TIMEOUT_S):
            raise TimeoutError("the fault proxy did not start")
        yield proxy
    finally:
        proxy.stop()
        thread.join(START_TIMEOUT_S)
