"""Definitions: large ones, many, and those whose objects grow."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import orjson

from bench.attacks.attack import Attack, Requests
from bench.attacks.ground import GROUP, Ground, definition
from fairlead_api import JsonObject

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Prepare = Callable[[Ground], Awaitable[Requests]]
_numbers = itertools.count()


def _creates(
    schema: Callable[[], JsonObject], *, dry_run: bool = True, versions: int = 1, **version: object
) -> Prepare:
    async def prepare(ground: Ground) -> Requests:
        crd = definition("placeholders", schema(), **version)
        first = crd["spec"]["versions"][0]
        crd["spec"]["versions"] = [{**first, "name": f"v{n + 1}", "storage": n == 0} for n in range(versions)]
        body = orjson.dumps(crd)
        run = next(_numbers)

        def request(number: int) -> bytes:
            named = body.replace(b"placeholder", b"p%dx%d" % (run, number)).replace(
                b"Placeholder", b"P%dx%d" % (run, number)
            )
            return ground.target.request("POST", CRDS + ("?dryRun=All" if dry_run else ""), named)

        return request

    return prepare


def _properties(count: int, inner: JsonObject) -> JsonObject:
    return {"type": "object", "properties": {f"p{n}": inner for n in range(count)}}


def _nested(levels: int) -> JsonObject:
    found: JsonObject = {"type": "string"}
    for _ in range(levels):
        found = {"type": "object", "properties": {"a": found}}
    return found


def _logic(levels: int) -> JsonObject:
    found: JsonObject = {"type": "integer"}
    for _ in range(levels):
        found = {"anyOf": [found, found]}
    return {"type": "object", "properties": {"x": {"type": "integer", **found}}}


def _defaults() -> JsonObject:
    value = {f"k{n}": "v" * 10 for n in range(40_000)}
    return {
        "type": "object",
        "properties": {"d": {"type": "object", "additionalProperties": {"type": "string"}, "default": value}},
    }


def _growing() -> JsonObject:
    """Return a schema whose objects are a thousand times as large as what is sent."""
    item = {"type": "object", "properties": {f"f{n}": {"type": "string", "default": "v" * 20} for n in range(50)}}
    return {"type": "object", "properties": {"l": {"type": "array", "items": item}}}


async def _grown(ground: Ground) -> Requests:
    path = await ground.define("growns", _growing())
    obj = ground.object("growns", "", {"l": [{}] * 50_000})
    request = ground.target.request("POST", path, orjson.dumps({**obj, "metadata": {"generateName": "a-"}}))
    return lambda _: request


async def _updated(ground: Ground) -> Requests:
    """Change a definition over and over, and read what is published of it."""
    await ground.define("changes", _properties(3_000, {"type": "string"}))
    document = ground.target.request("GET", f"/openapi/v3/apis/{GROUP}/v1")
    index = ground.target.request("GET", "/openapi/v2")

    def request(number: int) -> bytes:
        if number % 3:
            return document if number % 3 == 1 else index
        patch = orjson.dumps(
            {"metadata": {"labels": {"n": str(number)}}, "spec": {"names": {"shortNames": [f"c{number}"]}}}
        )
        return ground.target.request("PATCH", f"{CRDS}/changes.{GROUP}", patch, "application/merge-patch+json")

    return request


async def _logical(ground: Ground) -> Requests:
    path = await ground.define("logics", _logic(12))
    body = orjson.dumps({**ground.object("logics", "", {"x": "no"}), "metadata": {"generateName": "a-"}})
    request = ground.target.request("POST", path, body)
    return lambda _: request


ATTACKS = (
    Attack("definitions: 20k properties", _creates(lambda: _properties(20_000, {"type": "string"}))),
    Attack(
        "definitions: 5k described", _creates(lambda: _properties(5_000, {"type": "string", "description": "d" * 200}))
    ),
    Attack("definitions: 60 levels", _creates(lambda: _nested(60))),
    Attack("definitions: 90 levels", _creates(lambda: _nested(90))),
    Attack("definitions: 40 versions", _creates(lambda: _properties(500, {"type": "string"}), versions=40)),
    Attack("definitions: 40k values as default", _creates(_defaults)),
    Attack(
        "definitions: 100k enums",
        _creates(
            lambda: {
                "type": "object",
                "properties": {"e": {"type": "string", "enum": [f"e{n}" for n in range(100_000)]}},
            }
        ),
    ),
    Attack("definitions: one after the other", _creates(lambda: _properties(20, {"type": "string"}), dry_run=False)),
    Attack("definitions: large ones for good", _creates(lambda: _properties(3_000, {"type": "string"}), dry_run=False)),
    Attack("definitions: changed and read", _updated),
    Attack("definitions: anyOf of anyOf", _creates(lambda: _logic(12))),
    Attack("definitions: objects of anyOf", _logical),
    Attack("definitions: defaults that grow", _grown),
)
