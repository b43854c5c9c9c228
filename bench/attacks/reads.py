"""Reads that look at much: selectors, long lists, tables, watches; and deleting a collection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import orjson

from bench.attacks.attack import Attack, Requests
from bench.attacks.ground import Ground, close
from bench.client import ask, connect
from fairlead_api import JsonObject

Prepare = Callable[[Ground], Awaitable[Requests]]
COUNT = 8_000
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_COLUMNS = [{"name": f"C{n}", "type": "string", "jsonPath": ".spec.l[?(@.a==" + str(n) + ")].b"} for n in range(40)]
_ITEMS: JsonObject = {
    "type": "object",
    "properties": {
        "l": {
            "type": "array",
            "items": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}},
        }
    },
}


async def _fill(ground: Ground, path: str, make: Callable[[int], JsonObject], count: int = COUNT) -> None:
    """Create objects unless they are there."""
    status, _ = await ground.send("GET", f"{path}/item-{count - 1}")
    if status == 200:
        return
    connections = await connect(ground.target, 8)
    numbers = iter(range(count))

    async def work(worker: int) -> None:
        for number in numbers:
            request = ground.target.request("POST", path, orjson.dumps(make(number)))
            await ask(connections[worker], request, (201, 409))

    async with asyncio.TaskGroup() as group:
        for worker in range(len(connections)):
            group.create_task(work(worker))
    close(connections)


def _secret(number: int) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"item-{number}", "labels": {"n": str(number), "app": "x"}},
        "stringData": {"k": "v" * 100},
    }


def _secrets(query: str, accept: str = "", method: str = "GET") -> Prepare:
    async def prepare(ground: Ground) -> Requests:
        path = ground.path("secrets", group="")
        await _fill(ground, path, _secret)
        request = ground.target.request(method, path + query)
        if accept:
            request = request.replace(b"Accept: application/json", b"Accept: " + accept.encode(), 1)
        return lambda _: request

    return prepare


def _table(query: str) -> Prepare:
    async def prepare(ground: Ground) -> Requests:
        path = await ground.define("columns", _ITEMS, additionalPrinterColumns=_COLUMNS)
        items = [{"a": n, "b": "v"} for n in range(100)]
        await _fill(ground, path, lambda n: ground.object("columns", f"item-{n}", {"l": items}), 300)
        request = ground.target.request("GET", path + query)
        request = request.replace(b"Accept: application/json", b"Accept: " + TABLE.encode(), 1)
        return lambda _: request

    return prepare


async def _watches(ground: Ground) -> Requests:
    path = ground.path("secrets", group="")
    await _fill(ground, path, _secret)

    query = "?watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"

    def request(number: int) -> bytes:
        return ground.target.request("GET", f"{path}{query}&allowWatchBookmarks=true&labelSelector=n%3D{number}")

    return request


async def _writes_with_watchers(ground: Ground) -> Requests:
    """Open watches with as many selectors, and write."""
    path = ground.path("configmaps", group="")
    opened = await connect(ground.target, 400)
    for number, connection in enumerate(opened):
        selector = quote(f"n notin ({','.join(str(n) for n in range(number, number + 100))})")
        connection.send(
            ground.target.request("GET", f"{path}?watch=true&timeoutSeconds=12&labelSelector={selector}"), keep=False
        )
    await asyncio.sleep(1)

    def request(number: int) -> bytes:
        body = {"metadata": {"generateName": "w-", "labels": {"n": str(number)}}, "data": {"k": "v" * 1000}}
        return ground.target.request("POST", path, orjson.dumps(body))

    return request


def _in(count: int) -> str:
    return "?labelSelector=" + quote(f"n in ({','.join(f'{n:x}' for n in range(count))})", safe="(),")


async def _deletes(ground: Ground) -> Requests:
    path = ground.path("endpoints", group="")
    await _fill(
        ground, path, lambda n: {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": f"item-{n}"}}, 3_000
    )
    request = ground.target.request("DELETE", path)
    return lambda _: request


ATTACKS = (
    Attack("reads: list of 8k", _secrets("")),
    Attack("reads: list of 8k, indented", _secrets("?pretty=true")),
    Attack("reads: list of 8k as YAML", _secrets("", "application/yaml")),
    Attack("reads: list of 8k as Table", _secrets("", TABLE)),
    Attack("reads: list of 8k, metadata", _secrets("", PARTIAL)),
    Attack("reads: 8k by label", _secrets("?labelSelector=app%3Dx%2Cn%21%3D3")),
    Attack("reads: 8k by no label", _secrets("?labelSelector=%21nothing")),
    Attack("reads: in 9k values", _secrets(_in(9_000))),
    Attack("reads: selector of brackets", _secrets("?labelSelector=a" + "=" * 60_000)),
    Attack("reads: selector of 5k terms", _secrets("?labelSelector=" + ",".join(f"!a{n}" for n in range(7_000)))),
    Attack("reads: fields of 60 KB", _secrets("?fieldSelector=" + ",".join(["metadata.name!=a"] * 3_500))),
    Attack("reads: fields escaped", _secrets("?fieldSelector=metadata.name%3D" + "%5C%5C" * 10_000)),
    Attack("reads: limit of 10^18", _secrets("?limit=1000000000000000000")),
    Attack("reads: pages of one", _secrets("?limit=1&labelSelector=n%3D7999")),
    Attack("reads: head of 2 MB", _secrets("?labelSelector=" + "a" * 2_000_000)),
    Attack("reads: table of 40 filters", _table("")),
    Attack("reads: watches of 8k by label", _watches),
    Attack("reads: writes to 400 watches", _writes_with_watchers),
    Attack("reads: collections deleted", _deletes),
)
