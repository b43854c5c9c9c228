"""Bodies that are hard to read: deep, doubled, unknown, multiplying, compressed."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable

from bench.attacks.attack import Attack, Requests
from bench.attacks.ground import Ground

_FULL = 2_900_000
"""Bytes, just below what a body may have."""
_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
YAML = "application/yaml"


def _config_map(inner: str) -> bytes:
    return f'{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"generateName":"a-"}},{inner}}}'.encode()


def _to_config_maps(
    body: bytes, content_type: str = "application/json", query: str = ""
) -> Callable[..., Awaitable[Requests]]:
    async def prepare(ground: Ground) -> Requests:
        request = ground.target.request("POST", ground.path("configmaps", group="") + query, body, content_type)
        return lambda _: request

    return prepare


def _to_open(inner: str, content_type: str = "application/json", query: str = "") -> Callable[..., Awaitable[Requests]]:
    """Post objects of a kind that keeps whatever it is sent; ``inner`` is the text of ``spec``."""

    async def prepare(ground: Ground) -> Requests:
        path = await ground.define("opens", _OPEN)
        head = '{"apiVersion":"attacks.example.com/v1","kind":"Opens","metadata":{"generateName":"a-"},"spec":'
        request = ground.target.request("POST", path + query, (head + inner + "}").encode(), content_type)
        return lambda _: request

    return prepare


def _members(text: str, size: int = _FULL) -> str:
    """Return ``text`` with ``%d`` replaced by running numbers, joined by commas up to some size."""
    parts, length, number = [], 0, 0
    while length < size:
        part = text % number if "%" in text else text
        parts.append(part)
        length += len(part) + 1
        number += 1
    return ",".join(parts)


async def _compressed(ground: Ground) -> Requests:
    body = gzip.compress(b" " * (64 << 20), 9)
    path = ground.path("configmaps", group="")
    request = ground.target.request("POST", path, body)
    request = request.replace(b"Content-Type:", b"Content-Encoding: gzip\r\nContent-Type:", 1)
    return lambda _: request


_LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
_YAML_HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n"

ATTACKS = (
    Attack("bodies: one text of 2.9 MB", _to_config_maps(_config_map(f'"data":{{"k":"{"x" * _FULL}"}}'))),
    Attack("bodies: 900 KB accepted", _to_config_maps(_config_map(f'"data":{{"k":"{"x" * 900_000}"}}'))),
    Attack("bodies: 200k unknown fields", _to_config_maps(_config_map(_members('"u%d":1')))),
    Attack(
        "bodies: 200k unknown, strict",
        _to_config_maps(_config_map(_members('"u%d":1')), query="?fieldValidation=Strict"),
    ),
    Attack("bodies: 400k times one key", _to_config_maps(_config_map(_members('"a":1')))),
    Attack(
        "bodies: 30k keys twice", _to_config_maps(_config_map('"data":{' + _members('"k%d":"","k":""', 500_000) + "}"))
    ),
    Attack(
        "bodies: escaped text",
        _to_config_maps(_config_map(f'"data":{{"k":"{chr(92)}u0041{(chr(92) + "u0041") * 400_000}"}}')),
    ),
    Attack(
        "bodies: spaces behind quotes",
        _to_config_maps(_config_map('"data":{' + _members('"k%d"' + " " * 200 + ':""') + "}")),
    ),
    Attack("bodies: nested 10k deep", _to_open('{"a":' * 10_000 + "1" + "}" * 10_000)),
    Attack("bodies: nested 180 deep, wide", _to_open('{"a":' * 150 + "[" + _members("[]") + "]" + "}" * 150)),
    Attack("bodies: many empty lists", _to_open('{"l":[' + _members("[]") + "]}")),
    Attack("bodies: 58k small objects kept", _to_open('{"l":[' + _members('{"a":%d}', 500_000) + "]}")),
    Attack("bodies: many numbers", _to_open('{"l":[' + _members("1") + "]}")),
    Attack("bodies: 50k numbers kept", _to_open('{"l":[' + ",".join(["1"] * 50_000) + "]}")),
    Attack("bodies: a number of 2.9 MB", _to_open(f'{{"n":{"9" * _FULL}}}')),
    Attack("bodies: exponent", _to_open('{"n":1e1000000,"m":1e-1000000}')),
    Attack("bodies: yaml aliases", _to_config_maps((_YAML_HEAD + _LAUGHS).encode(), YAML)),
    Attack("bodies: yaml nested", _to_config_maps((_YAML_HEAD + "data: " + "[" * 100_000).encode(), YAML)),
    Attack("bodies: yaml flow mapping", _to_config_maps((_YAML_HEAD + "data: {" + "? " * 100_000).encode(), YAML)),
    Attack(
        "bodies: yaml of 2.9 MB",
        _to_config_maps((_YAML_HEAD + "data:\n" + "".join(f"  k{n}: v\n" for n in range(260_000))).encode(), YAML),
    ),
    Attack("bodies: yaml number", _to_config_maps((_YAML_HEAD + "data: {n: " + "9" * 1_000_000 + "}").encode(), YAML)),
    Attack(
        "bodies: yaml sexagesimal", _to_config_maps((_YAML_HEAD + "data: {n: 1" + ":59" * 300_000 + "}").encode(), YAML)
    ),
    Attack("bodies: gzip", _compressed),
)
