"""Requests that are sent as they are to Fairlead and to Kubernetes; each scenario has a namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
_DRY = "?dryRun=All"


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One request. ``{ns}`` in the path stands for ``/api/v1/namespaces/<that of the scenario>``, ``{ns:apps/v1}`` for the
    same below a group; ``type`` is that of the body; ``step`` does not compare the answer.
    """

    method: str
    path: str
    body: Any = None
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    is_step: bool = False

    def __str__(self) -> str:
        said = self.body or self.headers.get("Accept", "")
        return f"{self.method} {self.path} {said}"[:160]


def _get(*paths: str, **headers: str) -> list[Asked]:
    return [Asked("GET", path, headers=headers) for path in paths]


def _template(name: str = "web") -> dict[str, Any]:
    container = {
        "name": "a",
        "image": "a",
        "ports": [{"containerPort": 80}],
        "env": [{"name": "X", "value": "y"}],
        "resources": {"limits": {"cpu": "1000m"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}},
        },
    }


_MAP = "{ns}/configmaps"
_DEPLOYMENTS = "{ns:apps/v1}/deployments"
_FIRST = Asked("POST", _MAP, {"metadata": {"name": "a"}, "data": {"k": "v"}}, is_step=True)
_PORTS = [{"port": 80, "name": "a"}]
_SELECTOR = {"selector": {"a": "b"}}
SERVICES: dict[str, dict[str, Any]] = {
    "ClusterIP": {"type": "ClusterIP", "ports": _PORTS, **_SELECTOR},
    "NodePort": {"type": "NodePort", "ports": _PORTS, **_SELECTOR},
    "LoadBalancer": {"type": "LoadBalancer", "ports": _PORTS, **_SELECTOR},
    "Local": {"type": "LoadBalancer", "ports": _PORTS, "externalTrafficPolicy": "Local", **_SELECTOR},
    "ExternalName": {"type": "ExternalName", "externalName": "a.b"},
    "Headless": {"clusterIP": "None", "ports": _PORTS, **_SELECTOR},
    "ExternalIPs": {"ports": _PORTS, "externalIPs": ["1.2.3.4"], **_SELECTOR},
}


def _service_changes() -> Iterator[Asked]:
    """Yield every change of one Service into another, by patch of the type, by replacement and by apply."""
    path = "{ns}/services"
    head = {"apiVersion": "v1", "kind": "Service"}
    for number, (old, new) in enumerate(permutations(SERVICES, 2)):
        replaced, patched, applied = (f"{way}{number}-{old}-{new}".lower() for way in ("r", "p", "a"))
        yield Asked("POST", path, {"metadata": {"name": replaced}, "spec": SERVICES[old]}, is_step=True)
        yield Asked("PUT", f"{path}/{replaced}", {"metadata": {"name": replaced}, "spec": SERVICES[new]})
        kind = {"type": SERVICES[new].get("type", "ClusterIP"), "externalName": SERVICES[new].get("externalName")}
        yield Asked("POST", path, {"metadata": {"name": patched}, "spec": SERVICES[old]}, is_step=True)
        yield Asked("PATCH", f"{path}/{patched}", {"spec": kind}, MERGE)
        for spec in (SERVICES[old], SERVICES[new]):
            body = {**head, "metadata": {"name": applied}, "spec": spec}
            yield Asked("PATCH", f"{path}/{applied}?fieldManager=f", body, APPLY)


def _managed(path: str, obj: dict[str, Any], patch: Any, status: Any = None, scales: bool = False) -> Iterator[Asked]:
    """Yield writes of every sort to one object by many managers, whose notes are part of the answers."""
    head = {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    for way in ("created", "applied"):
        name = f"{obj['kind'].lower()}-{way}"
        whole, one = {**obj, "metadata": {"name": name}}, f"{path}/{name}"
        if way == "created":
            yield Asked("POST", f"{path}?fieldManager=creator", whole)
        else:
            yield Asked("PATCH", f"{one}?fieldManager=applier", whole, APPLY)
        yield Asked("PATCH", f"{one}?fieldManager=patcher", patch, MERGE)
        noted = [{"op": "add", "path": "/metadata/annotations", "value": {"j": "p"}}]
        yield Asked("PATCH", f"{one}?fieldManager=noter", noted, JSON_PATCH)
        for data in ({"labels": {"x": "y"}}, {"annotations": {"z": "y"}}):
            yield Asked("PATCH", f"{one}?fieldManager=other", {**head, "metadata": {"name": name, **data}}, APPLY)
        if status:
            yield Asked("PATCH", f"{one}/status?fieldManager=reporter", status, MERGE)
            told = {**head, "metadata": {"name": name, "labels": {"s": "q"}}, **status}
            yield Asked("PATCH", f"{one}/status?fieldManager=teller", told, APPLY)
        if scales:
            yield from _scaled(one, name)
        yield Asked("PUT", f"{one}?fieldManager=replacer", whole)
        yield from _get(one)


def _scaled(one: str, name: str) -> Iterator[Asked]:
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": name}}
    yield Asked("PATCH", f"{one}/scale?fieldManager=scaler", {"spec": {"replicas": 9}}, MERGE)
    for kind in (MERGE, STRATEGIC):
        yield Asked("PATCH", f"{one}/scale?dryRun=All", {"metadata": {}, "spec": {"replicas": 3}, "status": {}}, kind)
    yield Asked("PATCH", f"{one}/scale?dryRun=All", {"kind": "Foo", "spec": {"replicas": 3}}, STRATEGIC)
    yield Asked("PUT", f"{one}/scale?fieldManager=setter", {**scale, "spec": {"replicas": 8}})
    yield Asked("PATCH", f"{one}/scale?fieldManager=applier", {**scale, "spec": {"replicas": 7}}, APPLY)
    yield Asked("PATCH", f"{one}/scale?fieldManager=applier&force=true", {**scale, "spec": {"replicas": 7}}, APPLY)
    yield Asked("PATCH", f"{one}/scale?fieldManager=third", {**scale, "spec": {"unknown": 7}}, APPLY)
    yield Asked("PATCH", f"{one}/scale?fieldManager=applier", {**scale, "spec": {"replicas": -1}}, APPLY)
    yield from _get(f"{one}/scale")


_POD = {
    "spec": {
        "containers": [{"name": "a", "image": "a"}], "automountServiceAccountToken": False, "priority": 0,
        "serviceAccountName": "default",
    },
}  # fmt: skip
_EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction"}


def _pod(name: str, **labels: str) -> Asked:
    return Asked("POST", "{ns}/pods", {**_POD, "metadata": {"name": name, "labels": labels}}, is_step=True)


REQUESTS: dict[str, list[Asked]] = {
    "methods": [
        _FIRST,
        *(Asked(method, f"{_MAP}/a") for method in ("HEAD", "OPTIONS", "TRACE", "POST")),
        Asked("PUT", _MAP, {}), Asked("PATCH", _MAP, {}, MERGE), Asked("POST", "/api/v1/configmaps", {}),
        Asked("DELETE", "/api/v1/configmaps"), Asked("DELETE", "/api"), Asked("GET", f"{_MAP}/a?watch=1"),
        *_get("{ns:apps/v1}/nothings", "/apis/none/v1/x", "/apis/apps/v9/deployments", "/apis/apps/v9", "/apis/none"),
        *_get("/api/v2", "/nothing", "/api/v1/nothings", f"{_MAP}/a/status", f"{_MAP}/a/b/c", "{ns}/namespaces"),
    ],
    "lists": [
        _FIRST,
        *_get(f"{_MAP}/a?resourceVersion=abc", *(
            f"{_MAP}?{query}" for query in (
                "resourceVersion=abc", "resourceVersion=-1", "watch=1&resourceVersion=abc", "limit=abc", "continue=abc",
                "continue=abc&resourceVersion=5", "continue=!", "resourceVersionMatch=Exact", "sendInitialEvents=true",
                "resourceVersionMatch=Foo&resourceVersion=1", "resourceVersionMatch=Exact&resourceVersion=0",
                "watch=1&continue=abc", "watch=1&sendInitialEvents=true", "watch=1&resourceVersionMatch=NotOlderThan",
                "labelSelector=!!", "labelSelector=a%20in%20(", "fieldSelector=data.k=v",
                "fieldSelector=metadata.name%3E1",
            )
        )),
        *_get("{ns}/pods?fieldSelector=status.podIPs=1", "{ns}/pods?fieldSelector=spec.none=1"),
        *_get("{ns}/events?fieldSelector=source=x", "{ns:apps/v1}/replicasets?fieldSelector=status.replicas=0"),
    ],
    "forms": [
        _FIRST,
        *_get(f"{_MAP}/a", Accept="text/plain"),
        *_get(f"{_MAP}/a", Accept="application/json;as=Foo;v=v1;g=meta.k8s.io"),
        *_get(f"{_MAP}?watch=1&timeoutSeconds=1", Accept="application/yaml"),
        *_get(f"{_MAP}?watch=1&timeoutSeconds=1", Accept="text/plain"), *_get(f"{_MAP}/a", Accept="application/cbor"),
        Asked("POST", _MAP, "x", "text/plain"), Asked("PATCH", f"{_MAP}/a", "{}", "application/json"),
        Asked("PUT", f"{_MAP}/a", "{}", JSON_PATCH),
    ],
    "bodies": [
        _FIRST,
        *(Asked("POST", f"{_MAP}{_DRY}", body) for body in (
            "", "{", "[]", "null", "1", '{"metadata":[]}', '{"metadata":{"name":5}}', '{"data":{"a":1}}', "{}",
            '{"kind":"Secret","metadata":{"name":"x"}}', '{"apiVersion":"v2","metadata":{"name":"x"}}',
            '{"metadata":{"name":"x","namespace":"other"}}', '{"metadata":{"name":"x","generation":7}}',
            '{"metadata":{"name":"x"},"foo":1,"bar":2}', '{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}',
        )),
        Asked("POST", _MAP, {"metadata": {"name": "x", "resourceVersion": "5"}}),
        Asked("POST", f"{_MAP}?fieldManager=%07", {"metadata": {"name": "x"}}),
        Asked("POST", f"{_MAP}?dryRun=Foo", {"metadata": {"name": "x"}}),
        *(Asked("PUT", f"{_MAP}/a{_DRY}", {"metadata": data}) for data in (
            {}, {"name": "b"}, {"name": "a", "resourceVersion": "1"}, {"name": "a", "resourceVersion": "abc"},
        )),
    ],
    "patches": [
        _FIRST,
        *(Asked("PATCH", f"{_MAP}/a{_DRY}", body, JSON_PATCH) for body in (
            '[{"op":"test","path":"/data/k","value":"w"}]', '[{"op":"remove","path":"/data/none"}]', "null", "[]", "{}",
            '[{"op":"replace","path":"","value":{}}]', '[{"op":"remove","path":"/metadata/name"}]', "[1]", "",
            '[{"op":"move","from":"/data/k","path":"/data/z"}]', '[{"op":"foo","path":"/data/z"}]',
        )),
        *(Asked("PATCH", f"{_MAP}/a{_DRY}", body, kind) for kind in (MERGE, STRATEGIC) for body in (
            "null", "[]", "{", '{"metadata":null}', '{"data":{"k":null}}', '{"data":null}',
            '{"metadata":{"resourceVersion":"1"}}', '{"immutable":true}',
        )),
        Asked("POST", _DEPLOYMENTS, _template()),
        *(Asked("PATCH", f"{_DEPLOYMENTS}/web{_DRY}", {"spec": spec}, STRATEGIC) for spec in (
            {"template": {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}},
            {"template": {"spec": {"containers": [{"image": "b"}]}}},
            {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                                   "containers": [{"name": "b", "image": "b"}]}}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"$retainKeys": "foo", "type": "Recreate"}}, {"replicas": None}, {"$patch": "foo"},
        )),
        *(Asked("PATCH", f"{_DEPLOYMENTS}/web{_DRY}", {"metadata": {key: ["a.b/c"]}}, STRATEGIC)
          for key in ("finalizers", "$deleteFromPrimitiveList/finalizers")),
    ],
    "applies": [
        *(Asked("PATCH", f"{_MAP}/m?{query}", {"apiVersion": "v1", "kind": "ConfigMap", **body}, APPLY)
          for query, body in (
            ("fieldManager=a", {"metadata": {"name": "m"}, "data": {"x": "1", "y": "1"}}),
            ("fieldManager=b", {"metadata": {"name": "m"}, "data": {"x": "2"}}),
            ("fieldManager=b", {"metadata": {"name": "m"}, "data": {"x": "2", "y": "3"}}),
            ("fieldManager=b&force=true", {"metadata": {"name": "m"}, "data": {"x": "2"}}),
            ("", {"metadata": {"name": "m"}}), ("fieldManager=c", {"metadata": {"name": "z"}}),
            ("fieldManager=c", {"metadata": {}}), ("fieldManager=c", {"metadata": {"name": "m", "managedFields": []}}),
            ("fieldManager=c", {"metadata": {"name": "m"}, "foo": 1}),
            ("fieldManager=c", {"metadata": {"name": "m"}, "data": [1]}),
        )),
        Asked("PATCH", f"{_MAP}/nn?fieldManager=c&fieldValidation=Strict",
              'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nn}\ndata: {a: "1", a: "2"}', APPLY),
        Asked("PATCH", f"{_MAP}/n?fieldManager=c",
              {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n", "uid": "x"}}, APPLY),
    ],
    "deletes": [
        _FIRST,
        *(Asked("DELETE", f"{_MAP}/a", body) for body in (
            {"preconditions": {"uid": "x"}}, {"propagationPolicy": "Foo"}, {"kind": "Foo", "apiVersion": "v1"},
            {"propagationPolicy": "Orphan", "orphanDependents": True}, {"gracePeriodSeconds": "x"},
            {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"]}, {"dryRun": ["x"]},
        )),
        Asked("DELETE", f"{_MAP}/none"), Asked("DELETE", f"{_MAP}/a?orphanDependents=true&dryRun=All"),
        Asked("PATCH", f"{_MAP}/a", {"metadata": {"finalizers": ["a.b/c"]}}, MERGE), Asked("DELETE", f"{_MAP}/a"),
        Asked("PATCH", f"{_MAP}/a", {"metadata": {"labels": {"x": "y"}}}, MERGE), *_get(f"{_MAP}/a"),
        Asked("PATCH", f"{_MAP}/a", {"metadata": {"finalizers": None}}, MERGE), *_get(f"{_MAP}/a"),
        Asked("DELETE", f"{_MAP}?labelSelector=!!"), Asked("DELETE", "/api/v1/namespaces/default"),
    ],
    "evictions": [
        *(_pod(name) for name in ("p", "q")), _pod("r", a="b"),
        *(Asked("POST", "{ns}/pods/p/eviction", {**_EVICTION, **body}) for body in (
            {"metadata": {"name": "other"}}, {"metadata": {"name": "p"}, "deleteOptions": {"dryRun": ["All"]}},
            {"metadata": {"name": "p"}, "deleteOptions": {"preconditions": {"uid": "x"}}}, {"kind": "Pod"},
        )),
        Asked("POST", "{ns}/pods/none/eviction", {**_EVICTION, "metadata": {"name": "none"}}),
        Asked("POST", "{ns}/pods/p/eviction", {**_EVICTION, "metadata": {"name": "p"}}), *_get("{ns}/pods/p"),
        Asked("GET", "{ns}/pods/q/eviction"),
        Asked("POST", "{ns:policy/v1}/poddisruptionbudgets", {
            "metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}),
        Asked("PATCH", "{ns}/pods/r/status", {"status": {"phase": "Running"}}, MERGE, is_step=True),
        Asked("POST", "{ns}/pods/r/eviction", {**_EVICTION, "metadata": {"name": "r"}}),
        Asked("PATCH", "{ns:policy/v1}/poddisruptionbudgets/b/status", {"status": {
            "observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 1, "currentHealthy": 1}}, MERGE),
        Asked("POST", "{ns}/pods/r/eviction", {**_EVICTION, "metadata": {"name": "r"}}),
        Asked("PATCH", "{ns:policy/v1}/poddisruptionbudgets/b/status", {"status": {"disruptionsAllowed": 1}}, MERGE),
        Asked("POST", "{ns}/pods/r/eviction", {**_EVICTION, "metadata": {"name": "r"}}), *_get("{ns}/pods/r"),
        *_get("{ns:policy/v1}/poddisruptionbudgets/b"),
    ],
    "reviews": [
        Asked("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
            "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}),
        Asked("GET", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
    ],
    "services": list(_service_changes()),
    "managers": [
        *_managed(_DEPLOYMENTS, _template(), {"spec": {"replicas": 4}}, {
            "status": {"replicas": 1, "conditions": [{"type": "A", "status": "True"}]}}, scales=True),
        *_managed(_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}, {"data": {"z": "y"}}),
        *_managed("{ns}/secrets", {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"}},
                  {"data": {"z": "AA=="}}),
        *_managed("{ns}/services", {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}},
                  {"spec": {"type": "NodePort"}}),
        *_managed(
            "{ns}/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "imagePullSecrets": [{"name": "x"}]},
            {"automountServiceAccountToken": True}),
        *_managed("{ns:rbac.authorization.k8s.io/v1}/roles", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}, {"rules": []}),
        *_managed("{ns:coordination.k8s.io/v1}/leases", {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": "x"}},
            {"spec": {"holderIdentity": "y"}}),
        *_managed("{ns:apps/v1}/statefulsets", {**_template(), "kind": "StatefulSet"}, {"spec": {"replicas": 4}},
                  {"status": {"replicas": 1}}, scales=True),
    ],
}  # fmt: skip
