"""Objects as large as can be: lists that are sets and maps, many managers, quantities, annotations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson

from bench.attacks.attack import Attack, Requests
from bench.attacks.ground import Ground
from fairlead_api import JsonObject

APPLY = "application/apply-patch+yaml"
_MAP_ITEM: JsonObject = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
    "required": ["name"],
}
LISTS: JsonObject = {
    "type": "object",
    "properties": {
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "map": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": _MAP_ITEM,
        },
        "short": {"type": "array", "items": {"type": "string", "maxLength": 1}},
        "kinds": {"type": "array", "items": {"type": "string", "enum": [f"kind-{number}" for number in range(1000)]}},
        "date": {"type": "string", "format": "duration"},
    },
}
Prepare = Callable[[Ground], Awaitable[Requests]]


def _writes(spec: Callable[[], JsonObject], *, apply: bool = False, managers: int = 1) -> Prepare:
    async def prepare(ground: Ground) -> Requests:
        path = await ground.define("lists", LISTS)
        body = orjson.dumps({**ground.object("lists", "", spec()), "metadata": {"generateName": "a-"}})
        if not apply:
            request = ground.target.request("POST", path, body)
            return lambda _: request
        named = body.replace(b'"generateName":"a-"', b'"name":"applied"')
        made = [
            ground.target.request("PATCH", f"{path}/applied?force=true&fieldManager=m{number}", named, APPLY)
            for number in range(managers)
        ]
        return lambda number: made[number % managers]

    return prepare


def _updates(spec: Callable[[], JsonObject]) -> Prepare:
    """Replace one large object, changed a little each time."""

    async def prepare(ground: Ground) -> Requests:
        path = await ground.define("lists", LISTS)
        obj = ground.object("lists", "updated", spec())
        await ground.post(path, obj)

        def request(number: int) -> bytes:
            patch = orjson.dumps({"spec": {"date": f"{number}s"}})
            return ground.target.request("PATCH", f"{path}/updated", patch, "application/merge-patch+json")

        return request

    return prepare


def _config_map_with(metadata: JsonObject) -> Prepare:
    async def prepare(ground: Ground) -> Requests:
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-", **metadata}}
        request = ground.target.request("POST", ground.path("configmaps", group=""), orjson.dumps(obj))
        return lambda _: request

    return prepare


def _pod(container: JsonObject, **spec: object) -> Prepare:
    async def prepare(ground: Ground) -> Requests:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "a-"},
            "spec": {"serviceAccountName": "user", "containers": [{"name": "c", "image": "i", **container}], **spec},
        }
        request = ground.target.request("POST", ground.path("pods", group="") + "?dryRun=All", orjson.dumps(pod))
        return lambda _: request

    return prepare


def _fields(count: int) -> JsonObject:
    return {"f:data": {f"f:k{number}": {} for number in range(count)}}


def _owner(number: int, fields: JsonObject) -> JsonObject:
    return {
        "manager": f"m{number}",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2024-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _deep(levels: int) -> JsonObject:
    return {"f:a": _deep(levels - 1)} if levels else {}


def _set(count: int) -> JsonObject:
    return {"set": [f"item-{number}" for number in range(count)]}


def _map(count: int) -> JsonObject:
    return {"map": [{"name": f"n{number}", "value": "v"} for number in range(count)]}


ATTACKS = (
    Attack("objects: set of 50k", _writes(lambda: _set(50_000))),
    Attack("objects: set of 200k", _writes(lambda: _set(200_000))),
    Attack("objects: map of 19k", _writes(lambda: _map(19_000))),
    Attack("objects: 50k doubles in a set", _writes(lambda: {"set": _set(25_000)["set"] * 2})),
    Attack("objects: 50k wrong items", _writes(lambda: {"short": ["xx"] * 50_000})),
    Attack("objects: 50k enums of 1000", _writes(lambda: {"kinds": ["kind-999"] * 50_000})),
    Attack("objects: long duration", _writes(lambda: {"date": "1h" * 700_000 + "!"})),
    Attack("objects: digits as duration", _writes(lambda: {"date": "1" * 700_000 + "!"})),
    Attack("objects: set of 20k applied by 20", _writes(lambda: _set(20_000), apply=True, managers=20)),
    Attack("objects: map of 10k applied by 20", _writes(lambda: _map(10_000), apply=True, managers=20)),
    Attack("objects: map of 15k updated", _updates(lambda: _map(15_000))),
    Attack("objects: set of 50k updated", _updates(lambda: _set(50_000))),
    Attack(
        "objects: 600 owners sent",
        _config_map_with({"managedFields": [_owner(number, _fields(80)) for number in range(600)]}),
    ),
    Attack("objects: one owner of 110k fields", _config_map_with({"managedFields": [_owner(0, _fields(110_000))]})),
    Attack("objects: broken owners", _config_map_with({"managedFields": [_owner(1, {"x": {"y": 1}})] * 20_000})),
    Attack(
        "objects: deep owners",
        _config_map_with({"managedFields": [_owner(1, _deep(90))]}),
    ),
    Attack("objects: 40k labels", _config_map_with({"labels": {f"l{number}": "v" for number in range(40_000)}})),
    Attack("objects: 50k bad labels", _config_map_with({"labels": {f"/{number}": "-" for number in range(50_000)}})),
    Attack("objects: 250 KB annotations", _config_map_with({"annotations": {"a": "x" * 250_000}})),
    Attack("objects: 50k finalizers", _config_map_with({"finalizers": [f"a.b/{n}" for n in range(50_000)]})),
    Attack(
        "objects: 15k owner references",
        _config_map_with(
            {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": f"p{n}", "uid": f"u{n}"} for n in range(15_000)
                ]
            }
        ),
    ),
    Attack("objects: label of 1 MB", _config_map_with({"labels": {"a" * 1_000_000: "v" * 1_000_000}})),
    Attack(
        "objects: pod with 10k variables",
        _pod({"env": [{"name": f"V{n}", "value": f"$(V{n - 1})"} for n in range(10_000)]}),
    ),
    Attack("objects: pod with 10k ports", _pod({"ports": [{"containerPort": n + 1} for n in range(10_000)]})),
    Attack(
        "objects: pod with 10k containers",
        _pod({}, initContainers=[{"name": f"c{n}", "image": "i"} for n in range(10_000)]),
    ),
    Attack(
        "objects: pod with 8k volumes",
        _pod(
            {"volumeMounts": [{"name": f"v{n}", "mountPath": f"/v{n}"} for n in range(8_000)]},
            volumes=[{"name": f"v{n}", "emptyDir": {}} for n in range(8_000)],
        ),
    ),
    Attack(
        "objects: huge quantities", _pod({"resources": {"requests": {f"a.b/{n}": "1e999999999" for n in range(1000)}}})
    ),
    Attack(
        "objects: long quantities",
        _pod({"resources": {"requests": {"cpu": "1" * 1_000_000, "memory": "0." + "1" * 1_000_000}}}),
    ),
    Attack("objects: image of 1 MB", _pod({"image": "a/" * 700_000})),
    Attack(
        "objects: 10k tolerations",
        _pod({}, tolerations=[{"key": f"k{n}", "operator": "Exists"} for n in range(10_000)]),
    ),
)
