"""The same requests, byte for byte, to Fairlead and to a real kube-apiserver: code, body and warnings are the same."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.api import accepted
from tests.integration.api.requests import REQUESTS, Asked
from tests.integration.api.requests_forms import FORMS
from tests.integration.api.twins import twins
from tests.integration.security.wire import Answer, Wire
from tests.kubectl.compare import difference
from tests.support.chance import UID, without_repetition
from tests.support.waiting import wait_until

_GIVEN = (
    (UID, "UID"),
    (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "TIME"),
    (r'("(?:resourceVersion|continue)": ")[^"]+', r"\1GIVEN"),
    (r'"(?:nodePort|healthCheckNodePort)": 3\d{4},?\s*', ""),
    (r'"description": "(?:[^"\\]|\\.)*"', '"description": PROSE'),
    (r'"(?:gitVersion|gitCommit|goVersion|compiler|buildDate|gitTreeState)": "[^"]*"', "VERSION"),
    (r'^(   \s+)"\d+s"', r'\1"AGE"'),
    (r'"serverAddress": "[^"]+"', "ADDRESS"),
    (r"serverAddress: \S+", "ADDRESS"),
    (r"\b(UPPER|lower-)[a-z0-9]{5}\b", r"\1RANDOM"),
    (r'"clusterIP": "10\.96[^"]+",?\s*', ""),
    (r'"clusterIPs": \[\s*"10\.96[^"]+"\s*\],?\s*', ""),
)
"""What a server gives out; Fairlead gives a Service no address, it has one in each cluster it runs in."""

ALL = {**REQUESTS, **FORMS}
_HEADERS = ("warning", "vary", "cache-control", "content-encoding", "retry-after", "x-content-type-options")


@pytest.fixture(scope="module")
def wires() -> Iterator[tuple[Wire, Wire]]:
    """Give Fairlead with all of Kubernetes' kinds, and Kubernetes with its first controllers."""
    with twins("requests", keeps_house=True) as (ours, theirs):
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_until(lambda: theirs.ask("GET", account).code == 200, 30)
        yield ours, theirs


def _path(path: str, namespace: str) -> str:
    path = path.replace("{ns}", f"/api/v1/namespaces/{namespace}")
    return re.sub(r"\{ns:([^}]+)\}", rf"/apis/\1/namespaces/{namespace}", path)


def _send(wire: Wire, asked: Asked, namespace: str) -> Answer:
    body = json.dumps(asked.body) if isinstance(asked.body, list) else asked.body
    headers = {"User_Agent": "asker/1", **asked.headers}
    if body is not None:
        headers["Content_Type"] = asked.type
    return wire.ask(asked.method, _path(asked.path, namespace), body, **headers)


def _shown(answer: Answer) -> str:
    """Return an answer as text; fields of an object have no order."""
    packed = answer.headers.get("content-encoding") == "gzip"
    text = (gzip.decompress(answer.body) if packed else answer.body).decode(errors="replace")
    try:
        text = _sorted(text) + ("\n" if text.endswith("\n") else "")
    except ValueError:  # a page, YAML or a watch
        with contextlib.suppress(ValueError):
            text = "\n".join(map(_sorted, text.splitlines()))
    for pattern, word in _GIVEN:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    head = [f"{answer.code} {answer.headers.get('content-type', '')}"]
    head += [f"{name}: {answer.headers[name]}" for name in _HEADERS if name in answer.headers]
    return "\n".join([*head, re.sub(r",(\s*[}\]])", r"\1", text)])


def _sorted(text: str) -> str:
    return json.dumps(without_repetition(json.loads(text)), indent=1, sort_keys=True)


@pytest.mark.parametrize("scenario", ALL)
def test_answers_are_the_same(wires: tuple[Wire, Wire], scenario: str) -> None:
    """Code, body, form and warnings, but for what ``accepted`` names with its reason."""
    namespace = f"r-{scenario}"
    theirs = wires[1]
    for wire in wires:
        assert wire.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}}).code == 201
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    wait_until(lambda: theirs.ask("GET", account).code == 200, 30)
    differences = []
    for asked in ALL[scenario]:
        ours, real = (_send(wire, asked, namespace) for wire in wires)
        if not asked.is_step and f"{scenario}: {asked}" not in accepted.REQUESTS:
            differences += difference(str(asked), _shown(ours), _shown(real))
    assert not differences, "\n".join(differences)


def test_lists_and_watches_tell_of_changes_alike(wires: tuple[Wire, Wire]) -> None:
    """Pages of one snapshot while the set changes, and objects that leave and enter what is selected."""
    ours, theirs = (list(_changes(wire, "/api/v1/namespaces/r-pages")) for wire in wires)
    assert len(ours) > 15
    assert ours == theirs


def _changes(wire: Wire, namespace: str) -> Iterator[Any]:
    maps = f"{namespace}/configmaps"
    assert wire.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "r-pages"}}).code == 201
    wait_until(lambda: wire.ask("GET", f"{maps}/kube-root-ca.crt").code == 200, 30)
    for number in range(6):
        wire.ask("POST", maps, {"metadata": {"name": f"c{number}", "labels": {"a": "b"}}})
    first = wire.ask("GET", f"{maps}?limit=2").json
    version = first["metadata"]["resourceVersion"]
    wire.ask("DELETE", f"{maps}/c2")
    wire.ask("POST", maps, {"metadata": {"name": "c21"}})
    _patch(wire, f"{maps}/c3", {"data": {"x": "y"}})
    page = first
    while token := page["metadata"].get("continue"):
        page = wire.ask("GET", f"{maps}?limit=3&continue={token}").json
        yield _page(page, version)
    for query in ("", "&resourceVersionMatch=Exact", "&limit=2", "&limit=2&resourceVersionMatch=NotOlderThan"):
        yield _page(wire.ask("GET", f"{maps}?resourceVersion={version}{query}").json, version, is_exact=bool(query))
    latest = wire.ask("GET", maps).json["metadata"]["resourceVersion"]
    for labels in ({"a": "z"}, {"c": "d"}, {"a": "b"}):
        _patch(wire, f"{maps}/c0", {"metadata": {"labels": labels}})
    wire.ask("DELETE", f"{maps}/c1")
    wire.ask("POST", maps, {"metadata": {"name": "new", "labels": {"a": "b"}}})
    _patch(wire, f"{maps}/c21", {"metadata": {"labels": {"a": "b"}}})
    for query in ("labelSelector=a=b", "labelSelector=a!=b", "fieldSelector=metadata.name=c0"):
        watched = wire.ask("GET", f"{maps}?watch=1&timeoutSeconds=1&resourceVersion={latest}&{query}")
        for event in map(json.loads, watched.body.splitlines()):
            metadata = event["object"]["metadata"]
            yield query, event["type"], metadata["name"], metadata.get("labels")


def _patch(wire: Wire, path: str, body: dict[str, Any]) -> None:
    assert wire.ask("PATCH", path, body, Content_Type="application/merge-patch+json").code == 200


def _page(page: Any, version: str, *, is_exact: bool = True) -> tuple[Any, ...]:
    names = [each["metadata"]["name"] for each in page["items"]]
    is_same = page["metadata"]["resourceVersion"] == version if is_exact else None
    return names, is_same, page["metadata"].get("remainingItemCount"), "continue" in page["metadata"]


@pytest.mark.parametrize("policy", ["Orphan", "Background", "Foreground"])
def test_dependents_share_their_owners_fate_alike(wires: tuple[Wire, Wire], policy: str) -> None:
    """What a delete answers, and what is left once one dependent is held and once it is free."""
    ours, theirs = (list(_dependents(wire, policy)) for wire in wires)
    assert ours == theirs


def _dependents(wire: Wire, policy: str) -> Iterator[Any]:
    name = f"r-owner-{policy.lower()}"
    maps = f"/api/v1/namespaces/{name}/configmaps"
    assert wire.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).code == 201
    owner = wire.ask("POST", maps, {"metadata": {"name": "owner"}}).json["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    for dependent, more in (("free", {}), ("held", {"finalizers": ["a.b/c"]})):
        metadata = {"name": dependent, "ownerReferences": [{**reference, "blockOwnerDeletion": True}], **more}
        assert wire.ask("POST", maps, {"metadata": metadata}).code == 201
    answer = wire.ask("DELETE", f"{maps}/owner", {"propagationPolicy": policy})
    yield answer.code, answer.json["kind"], answer.json["metadata"].get("finalizers")
    is_orphaned = policy == "Orphan"
    if is_orphaned:
        wait_until(lambda: wire.ask("GET", f"{maps}/owner").code == 404, 30)
    else:
        wait_until(lambda: wire.ask("GET", f"{maps}/free").code == 404, 30)
        wait_until(lambda: "deletionTimestamp" in wire.ask("GET", f"{maps}/held").json["metadata"], 30)
    yield [_fate(wire.ask("GET", f"{maps}/{each}")) for each in ("owner", "free", "held")]
    _patch(wire, f"{maps}/held", {"metadata": {"finalizers": None}})
    wait_until(lambda: is_orphaned or wire.ask("GET", f"{maps}/held").code == 404, 30)
    wait_until(lambda: wire.ask("GET", f"{maps}/owner").code == 404, 30)
    yield [_fate(wire.ask("GET", f"{maps}/{each}")) for each in ("owner", "free", "held")]


def _fate(answer: Answer) -> Any:
    if answer.code != 200:
        return answer.code
    metadata = answer.json["metadata"]
    owners = len(metadata.get("ownerReferences", ()))
    return owners, "deletionTimestamp" in metadata, metadata.get("finalizers")


def test_documents_are_told_apart_and_packed_alike(wires: tuple[Wire, Wire]) -> None:
    """ETags that turn the next answer into 304, hashes that lead to today's content, gzip for what is large."""
    ours, theirs = (list(_documents(wire)) for wire in wires)
    assert ours == theirs


def _documents(wire: Wire) -> Iterator[Any]:
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    part = wire.ask("GET", "/openapi/v3").json["paths"]["apis/apps/v1"]["serverRelativeURL"]
    yield part.partition("?hash=")[0]
    for path, accept in (("/apis", aggregated), ("/openapi/v2", "application/json"), (part, "application/json")):
        full = wire.ask("GET", path, Accept=accept, Accept_Encoding="gzip")
        again = wire.ask("GET", path, Accept=accept, If_None_Match=full.headers["etag"])
        for answer in (full, again):
            headers = {name: answer.headers.get(name) for name in ("content-type", "cache-control", "content-encoding")}
            yield answer.code, headers, answer.headers["vary"].partition(",")[0], "expires" in answer.headers
    stale = wire.ask("GET", "/openapi/v3/apis/apps/v1?hash=ABC")
    yield stale.code, stale.headers["location"] == part, stale.headers["etag"].strip('"') in part
    for path in ("/openapi/v2", "/openapi/v3/apis/apps/v1"):
        refused = wire.ask("GET", path, Accept="text/plain")
        yield refused.code, refused.body
    yield wire.ask("GET", "/openapi/v3").headers["content-type"]


_TYPED: dict[str, dict[str, Any]] = {
    "{ns}/configmaps": {"data": {"a": "b", "e": ""}, "binaryData": {"c": "AAE="}, "immutable": False},
    "{ns}/secrets": {"stringData": {"a": "b"}, "type": "Opaque"},
    "{ns}/services": {"spec": {"ports": [{"port": 80, "targetPort": "web"}], "clusterIP": "None"}},
    "{ns}/serviceaccounts": {"automountServiceAccountToken": False, "imagePullSecrets": [{"name": "x"}]},
    "{ns}/events": {
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "r-typed"},
        "count": 3,
        "type": "Normal",
        "eventTime": "2026-01-02T03:04:05.000006Z",
        "action": "a",
        "reportingComponent": "c.d/e",
        "reportingInstance": "i",
        "reason": "r",
    },
    "{ns:coordination.k8s.io/v1}/leases": {
        "spec": {"holderIdentity": "a", "leaseDurationSeconds": 5, "renewTime": "2026-01-02T03:04:05.000006Z"}
    },
    "{ns:rbac.authorization.k8s.io/v1}/roles": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]},
    "{ns:batch/v1}/cronjobs": {
        "spec": {
            "schedule": "* * * * *",
            "jobTemplate": {
                "spec": {
                    "template": {
                        "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a", "tty": True}]}
                    }
                }
            },
        }
    },
}


def test_protobuf_bodies_are_read_alike(wires: tuple[Wire, Wire]) -> None:
    """As typed clients send them: made by Kubernetes itself, and answered in JSON by both."""
    namespace, protobuf = "r-typed", "application/vnd.kubernetes.protobuf"
    theirs = wires[1]
    for wire in wires:
        assert wire.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}}).code == 201
    differences = []
    for kind, content in _TYPED.items():
        path = f"{_path(kind, namespace)}?dryRun=All"
        body = {"metadata": {"name": "typed", "labels": {"a": "b"}}, **content}
        made = theirs.ask("POST", path, body, Accept=protobuf)
        assert made.code == 201, made.body
        ours, real = (wire.ask("POST", path, made.body, Content_Type=protobuf, User_Agent="asker/1") for wire in wires)
        differences += difference(kind, _shown(ours), _shown(real))
    assert not differences, "\n".join(differences)


def test_every_accepted_request_is_asked() -> None:
    """An excuse goes with its request, and says why."""
    known = {f"{scenario}: {asked}" for scenario, all_asked in ALL.items() for asked in all_asked}
    assert set(accepted.REQUESTS) <= known
    assert all(accepted.REQUESTS.values())
