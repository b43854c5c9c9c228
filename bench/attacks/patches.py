"""Patches that do much with few words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson

from bench.attacks.attack import Attack, Requests
from bench.attacks.ground import Ground
from bench.attacks.objects import LISTS
from fairlead_api import JsonObject

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
Prepare = Callable[[Ground], Awaitable[Requests]]
_MOST = 10_000
"""Operations a JSON patch may have."""


def _on_list(patch: Callable[[], object], kind: str, spec: Callable[[], JsonObject]) -> Prepare:
    """Patch one object of a kind with lists."""
    return _on("lists", patch, kind, spec)


def _on_open(patch: Callable[[], object], kind: str, spec: Callable[[], JsonObject] = lambda: {}) -> Prepare:
    """Patch one object of a kind that keeps everything."""
    return _on("opens", patch, kind, spec)


def _on(plural: str, patch: Callable[[], object], kind: str, spec: Callable[[], JsonObject]) -> Prepare:
    schema = LISTS if plural == "lists" else {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

    async def prepare(ground: Ground) -> Requests:
        path = await ground.define(plural, schema)
        body = patch()
        name = f"p-{abs(hash(orjson.dumps(body))) % 10**9}"
        await ground.post(path, ground.object(plural, name, spec()))
        request = ground.target.request("PATCH", f"{path}/{name}", orjson.dumps(body), kind)
        return lambda _: request

    return prepare


def _on_config_map(patch: Callable[[], object], kind: str, data: Callable[[], JsonObject]) -> Prepare:
    async def prepare(ground: Ground) -> Requests:
        path = ground.path("configmaps", group="")
        body = patch()
        name = f"p-{abs(hash(orjson.dumps(body))) % 10**9}"
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data()}
        await ground.post(path, obj)
        request = ground.target.request("PATCH", f"{path}/{name}", orjson.dumps(body), kind)
        return lambda _: request

    return prepare


def _on_deployment(patch: Callable[[], object], variables: int) -> Prepare:
    """Patch the first container of a Deployment that has some variables."""

    async def prepare(ground: Ground) -> Requests:
        path = ground.path("deployments", group="apps")
        name = f"d-{variables}"
        container = {"name": "c", "image": "i", "env": [{"name": f"V{n}", "value": "v"} for n in range(variables)]}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
        spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
        await ground.post(path, obj)
        body = {"spec": {"template": {"spec": {"containers": [{"name": "c", **_as_object(patch())}]}}}}
        request = ground.target.request("PATCH", f"{path}/{name}", orjson.dumps(body), STRATEGIC)
        return lambda _: request

    return prepare


def _as_object(value: object) -> JsonObject:
    assert isinstance(value, dict)
    return value


def _doubling() -> list[JsonObject]:
    start: list[JsonObject] = [{"op": "add", "path": "/spec/a0", "value": ["x" * 100] * 10}]
    return start + [
        {"op": "add", "path": f"/spec/a{n}", "value": []}
        if n % 2
        else {"op": "copy", "from": "/spec", "path": f"/spec/a{n}"}
        for n in range(1, 60)
    ]


def _set(count: int) -> JsonObject:
    return {"set": [f"item-{number}" for number in range(count)]}


def _nested(levels: int) -> JsonObject:
    found: JsonObject = {"end": "x"}
    for _ in range(levels):
        found = {"a": found}
    return found


def _variables(count: int, **extra: object) -> list[JsonObject]:
    return [{"name": f"V{n}", "value": "w", **extra} for n in range(count)]


ATTACKS = (
    Attack(
        "patches: 10k inserts at the front",
        _on_list(
            lambda: [{"op": "add", "path": "/spec/set/0", "value": f"n{n}"} for n in range(_MOST)],
            JSON_PATCH,
            lambda: _set(40_000),
        ),
    ),
    Attack(
        "patches: 10k tests of 1 MB",
        _on_open(
            lambda: [{"op": "test", "path": "/spec/t", "value": "x" * 250}] * _MOST,
            JSON_PATCH,
            lambda: {"t": "x" * 250},
        ),
    ),
    Attack(
        "patches: 10k tests of a large list",
        _on_list(
            lambda: (
                [{"op": "add", "path": "/spec/short", "value": []}]
                + [
                    {"op": "copy", "from": "/spec/set", "path": "/spec/short"},
                    {"op": "test", "path": "/spec/set", "value": _set(2_000)["set"]},
                ]
                * 80
            ),
            JSON_PATCH,
            lambda: _set(2_000),
        ),
    ),
    Attack("patches: doubling copies", _on_open(_doubling, JSON_PATCH)),
    Attack(
        "patches: 10k copies of nothing",
        _on_open(
            lambda: [{"op": "copy", "from": "/spec/b", "path": f"/spec/c{n}"} for n in range(_MOST)],
            JSON_PATCH,
            lambda: {"b": {}},
        ),
    ),
    Attack(
        "patches: 10k moves of a large list",
        _on_list(
            lambda: [
                {
                    "op": "move",
                    "from": f"/spec/{'set' if n % 2 == 0 else 'short'}",
                    "path": f"/spec/{'short' if n % 2 == 0 else 'set'}",
                }
                for n in range(_MOST)
            ],
            JSON_PATCH,
            lambda: _set(40_000),
        ),
    ),
    Attack(
        "patches: long paths",
        _on_open(lambda: [{"op": "test", "path": "/a" * 140, "value": 1}] * _MOST, JSON_PATCH),
    ),
    Attack(
        "patches: deep paths",
        _on_open(
            lambda: [{"op": "replace", "path": "/spec" + "/a" * 120 + "/end", "value": n} for n in range(_MOST)],
            JSON_PATCH,
            lambda: _nested(120),
        ),
    ),
    Attack("patches: 10,001 operations", _on_open(lambda: [{"op": "remove", "path": "/spec/x"}] * 10_001, JSON_PATCH)),
    Attack("patches: merge nested 180", _on_open(lambda: {"spec": _nested(180)}, MERGE)),
    Attack("patches: merge nested 240", _on_open(lambda: {"spec": _nested(240)}, MERGE)),
    Attack(
        "patches: merge of 20k keys",
        _on_config_map(lambda: {"data": {f"k{n}": "v" for n in range(20_000)}}, MERGE, dict),
    ),
    Attack(
        "patches: merge of 200k nulls",
        _on_config_map(lambda: {"data": {f"k{n}": None for n in range(200_000)}}, MERGE, dict),
    ),
    Attack(
        "patches: strategic 200k keys",
        _on_config_map(lambda: {"data": {f"k{n}": None for n in range(200_000)}}, STRATEGIC, dict),
    ),
    Attack("patches: strategic 9k variables", _on_deployment(lambda: {"env": _variables(9_000)}, 9_000)),
    Attack(
        "patches: order of 9k variables",
        _on_deployment(lambda: {"$setElementOrder/env": [{"name": f"V{n}"} for n in range(8_999, -1, -1)]}, 9_001),
    ),
    Attack(
        "patches: order of 50k strangers",
        _on_deployment(lambda: {"$setElementOrder/env": [{"name": f"X{n}"} for n in range(50_000)]}, 9_002),
    ),
    Attack(
        "patches: 50k deletions",
        _on_deployment(lambda: {"env": [{"name": f"X{n}", "$patch": "delete"} for n in range(50_000)]}, 9_003),
    ),
    Attack(
        "patches: 50k times the same variable",
        _on_deployment(lambda: {"env": [{"name": "V1", "value": f"{n}"} for n in range(50_000)]}, 9_004),
    ),
    Attack(
        "patches: retain 50k keys",
        _on_config_map(
            lambda: {
                "data": {
                    "$retainKeys": [f"k{n}" for n in range(20_000)],
                    **{f"k{n}": "v" for n in range(19_999, 0, -1)},
                }
            },
            STRATEGIC,
            dict,
        ),
    ),
)
