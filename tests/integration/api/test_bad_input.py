"""Input that is wrong or built to hurt: a clear answer for each, nothing stored, and nobody else kept waiting."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fairlead_api import JsonObject
from tests.integration.security.wire import Answer, Wire
from tests.support import processes
from tests.support.servers import FairleadServer, fairlead_server, make_workspace
from tests.support.waiting import wait_until

W = "/clusters/root:bad"
MAPS = f"{W}/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = f"{W}/apis/apps/v1/namespaces/default/deployments"
CRDS = f"{W}/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JSON_PATCH, MERGE_PATCH, APPLY = "json-patch+json", "merge-patch+json", "apply-patch+yaml"
SLOWEST_S = 8.0
OTHERS_P99_S = 0.4
"""A plain GET takes two milliseconds; this leaves room for a machine of two cores that runs other tests."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A request that must be refused with ``code`` and ``words`` in its message."""

    name: str
    body: str | bytes
    code: int
    words: str
    path: str = MAPS
    content_type: str = "json"
    encoding: str = ""

    def send(self, wire: Wire) -> Answer:
        """Post it, or patch with it when it is a patch."""
        is_patch = "patch" in self.content_type
        headers = {"Content_Type": f"application/{self.content_type}"}
        if self.encoding:
            headers["Content_Encoding"] = self.encoding
        path = f"{self.path}/kept?fieldManager=test" if is_patch else self.path
        return wire.ask("PATCH" if is_patch else "POST", path, self.body, **headers)


def _map(rest: str, name: str = "bad") -> str:
    return f'{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}}{rest}}}'


def _deployment(replicas: str) -> str:
    spec = f'"spec":{{"replicas":{replicas}}}'
    return f'{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"bad"}},{spec}}}'


def _alias_bomb() -> str:
    lines = ["apiVersion: v1", "a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{new}: &{new} [{', '.join(['*' + old] * 9)}]" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    return "\n".join(lines)


def _crd(kind: str, schema: JsonObject) -> JsonObject:
    plural = f"{kind.lower()}s"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    spec = {"group": "bad.example", "scope": "Namespaced", "names": names, "versions": [version]}
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**head, "metadata": {"name": f"{plural}.bad.example"}, "spec": spec}


def _pattern(kind: str, pattern: str) -> JsonObject:
    return _crd(kind, {"type": "object", "properties": {"text": {"type": "string", "pattern": pattern}}})


_COPIES = [{"op": "copy", "from": "/data", "path": f"/data/k{i}"} for i in range(60)]
BAD = (
    Bad("malformed", '{"a":', 400, "unexpected end of JSON input"),
    Bad("empty", "", 400, "unexpected end of JSON input"),
    Bad("array", "[]", 400, "cannot unmarshal array"),
    Bad("deep", "[" * 100_000, 400, "depth limit"),
    Bad("deep value", _map(',"data":' + '{"a":' * 90_000 + "1" + "}" * 90_000), 400, "depth limit"),
    Bad("oversized", _map(',"data":{"a":"' + "x" * (3 << 20) + '"}'), 413, "limit is 3145728"),
    Bad("large value", _map(',"data":{"a":"' + "x" * (2 << 20) + '"}'), 422, "may not be more than 1048576 bytes"),
    Bad("many keys", _map(',"data":{' + ",".join(f'"{i:06d}":""' for i in range(200_000)) + "}"), 413, "too large"),
    Bad(
        "duplicate key",
        _map(',"data":{"a":"1","a":"2"}'),
        400,
        'duplicate field "data.a"',
        f"{MAPS}?fieldValidation=Strict",
    ),
    Bad("unknown field", _map(',"dataa":{}'), 400, 'unknown field "dataa"', f"{MAPS}?fieldValidation=Strict"),
    Bad("wrong kind", _map("").replace("ConfigMap", "Secret"), 400, "converting (v1.Secret) to (core.ConfigMap)"),
    Bad("wrong version", _map("").replace('"v1"', '"v9"'), 400, 'for version "v9"'),
    Bad("NaN", _map(',"data":{"a":NaN}'), 400, "json parse error"),
    Bad("infinite", _deployment("1e400"), 400, "infinity", DEPLOYMENTS),
    Bad("5000 digits", _deployment("9" * 5000), 400, "infinity", DEPLOYMENTS),
    Bad("over 64 bits", _deployment("9223372036854775808"), 400, "cannot unmarshal number", DEPLOYMENTS),
    Bad("lone surrogate", _map(',"data":{"a":"\\ud800"}'), 400, "surrogate"),
    Bad("not UTF-8", _map(',"data":{"a":"X"}').encode().replace(b"X", b"\xff"), 400, "UTF-8"),
    Bad("byte order mark", b"\xef\xbb\xbf" + _map("").encode(), 400, "byte order mark"),
    Bad("trailing data", _map("") + "{}", 400, "after top-level value"),
    Bad("NUL in a name", _map("", "a\\u0000b"), 422, "RFC 1123"),
    Bad("name is a number", _map("").replace('"bad"', "5"), 400, "metadata.name of type string"),
    Bad("YAML alias bomb", _alias_bomb(), 400, "aliases are not supported", content_type="yaml"),
    Bad("applied alias bomb", _alias_bomb(), 400, "aliases are not supported", content_type=APPLY),
    Bad("deep YAML", "[" * 100_000, 400, "200 levels", content_type=APPLY),
    Bad("large YAML", "a: [" + "x," * 300_000 + "x]", 400, "invalid object type", content_type=APPLY),
    Bad("gzip", gzip.compress(_map("").encode()), 415, "compressed", encoding="gzip"),
    Bad("text", "hello", 415, "accepted media types", content_type="x-hello"),
    Bad("protobuf", b"k8s\0\xff\xff\xff\xff", 400, "protobuf", content_type="vnd.kubernetes.protobuf"),
    Bad(
        "10001 operations",
        json.dumps([{"op": "test", "path": "/kind"}] * 10_001),
        413,
        "10000",
        content_type=JSON_PATCH,
    ),
    Bad("copies", json.dumps(_COPIES), 422, "rejected our request", content_type=JSON_PATCH),
    Bad("deep path", json.dumps([{"op": "add", "path": "/a" * 99_999}]), 422, "rejected", content_type=JSON_PATCH),
    Bad("deep merge", '{"data":' * 90_000 + "1" + "}" * 90_000, 400, "depth limit", content_type=MERGE_PATCH),
    Bad("lookahead", json.dumps(_pattern("Ahead", "(?=x)")), 422, "pattern", CRDS),
    Bad("repetition", json.dumps(_pattern("Again", "(a){1000}{1000}")), 422, "pattern", CRDS),
)
QUERIES = (
    ("fieldSelector=metadata.nope=1", 400, "not a known field selector"),
    ("labelSelector=x+in+(" + "%28" * 15_000 + ")", 400, "unable to parse requirement"),
    ("labelSelector=" + ",".join(f"a{i}=b" for i in range(8_000)), 200, ""),
    ("limit=1&continue=junk", 400, "continue key is not valid"),
    ("limit=1&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi8uLi94In0", 400, "not recognize"),
    ("limit=1&continue=" + "A" * 50_000, 400, "continue key is not valid"),
    ("limit=x", 400, "ParseInt"),
    ("resourceVersion=x", 400, "invalid resource version"),
    ("resourceVersion=99999999999", 504, "Too large resource version"),
    ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden"),
    ("sendInitialEvents=true", 422, "forbidden for list"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[FairleadServer]:
    """Give a server with the workspace ``root:bad`` and one ConfigMap in it."""
    folder = processes.run_directory() / "bad-input"
    folder.mkdir()
    with fairlead_server(folder, "--no-scheduler") as running:
        make_workspace(running, "bad", compute=True)
        assert Wire.to(running).ask("POST", MAPS, _map(',"data":{"x":"' + "y" * 100 + '"}', "kept")).code == 201
        yield running


@pytest.fixture
def wire(server: FairleadServer) -> Wire:
    """Give its wire."""
    return Wire.to(server)


@pytest.fixture
def others(wire: Wire) -> Iterator[list[float]]:
    """Ask for the ConfigMap all the time, and hold how long that took against what is bearable."""
    took_s: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answer = wire.ask("GET", f"{MAPS}/kept")
            assert answer.code == 200
            took_s.append(answer.took_s)

    thread = threading.Thread(target=ask)
    thread.start()
    yield took_s
    stop.set()
    thread.join()
    assert sorted(took_s)[int(len(took_s) * 0.99)] < OTHERS_P99_S


def test_bad_bodies_are_refused_one_by_one(wire: Wire, others: list[float]) -> None:
    """Each gets a ``Status`` that says what is wrong; nothing of it is stored; reads go on meanwhile."""
    before = wire.ask("GET", f"{MAPS}/kept").json
    for bad in BAD:
        answer = bad.send(wire)
        assert (bad.name, answer.code, answer.json["kind"]) == (bad.name, bad.code, "Status")
        assert bad.words in answer.message, bad.name
        assert answer.took_s < SLOWEST_S, bad.name
    assert wire.ask("GET", f"{MAPS}/kept").json == before
    assert wire.ask("GET", f"{MAPS}/bad").code == 404
    assert wire.ask("GET", f"{DEPLOYMENTS}/bad").code == 404
    assert others


@pytest.mark.parametrize(("query", "code", "words"), QUERIES, ids=[query[:30] for query, *_ in QUERIES])
def test_bad_queries_are_refused(wire: Wire, query: str, code: int, words: str) -> None:
    """Selectors and continue tokens are read in bounded time, and say what is wrong with them."""
    answer = wire.ask("GET", f"{MAPS}?{query}")
    assert answer.code == code
    assert words in answer.message
    assert answer.took_s < SLOWEST_S


def test_doubled_and_unknown_fields_warn_by_default(wire: Wire) -> None:
    """They are dropped and named in a Warning header, as kubectl --validate=warn shows it."""
    doubled = wire.ask("POST", MAPS, _map(',"data":{"a":"1","a":"2"}', "warned"))
    assert (doubled.code, doubled.json["data"]) == (201, {"a": "2"})
    assert 'duplicate field \\"data.a\\"' in doubled.headers["warning"]
    unknown = wire.ask("POST", MAPS, _map(',"dataa":{}', "warned-2"))
    assert "dataa" not in unknown.json
    assert 'unknown field \\"dataa\\"' in unknown.headers["warning"]


def test_a_catastrophic_pattern_takes_no_time(wire: Wire, others: list[float]) -> None:
    """A pattern on which backtracking engines never end is matched in linear time."""
    assert wire.ask("POST", CRDS, _pattern("Evil", "^(a+)+$")).code == 201
    path = f"{W}/apis/bad.example/v1/namespaces/default/evils"
    wait_until(lambda: wire.ask("GET", path).code == 200, 10)
    made = {"apiVersion": "bad.example/v1", "kind": "Evil", "metadata": {"name": "e"}, "text": "a" * 50_000 + "!"}
    answer = wire.ask("POST", path, made)
    assert answer.code == 422
    assert answer.took_s < SLOWEST_S
    assert others


def test_a_body_in_chunks_of_one_byte_is_read(wire: Wire) -> None:
    """Chunked encoding is no way around anything, and slow senders are no harm."""
    body = _map("", "chunked").encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = (
        f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {wire.token}\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert wire.send_raw(head.encode() + chunks).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize(
    "head",
    [
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        "GET {path} HTTP/1.1\nHost: x\n\n",
        "GET https://elsewhere{path} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET no-slash HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunk\u00e9d\r\n\r\n",
    ],
    ids=["both lengths", "folded header", "bare line feed", "absolute form", "no slash", "odd encoding"],
)
def test_requests_that_two_parsers_read_differently_are_refused(wire: Wire, head: str) -> None:
    """400, and the connection is closed: nothing can hide behind such a request (S10)."""
    text = head.format(path=MAPS) + f"GET /version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {wire.token}\r\n\r\n"
    answer = wire.send_raw(text.encode())
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"gitVersion" not in answer
