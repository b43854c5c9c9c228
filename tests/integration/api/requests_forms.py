"""More requests as in :mod:`requests`: discovery, reviews, watches, and what single kinds refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.integration.api.requests import APPLY, JSON_PATCH, MERGE, STRATEGIC, Asked

_DRY = "?dryRun=All"
_MAP = "{ns}/configmaps"
_WEB = "{ns:apps/v1}/deployments/web"
_GROUPS = "/apis/authorization.k8s.io/v1"
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
_TABLE = "application/json;as=Table;g=meta.k8s.io;v={}"
_PARTIAL = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
_PATHS = ("/api/v1", "/apis/apps", "/apis/apps/v1", "/api")
_NONE_OF_CHANCE = "fieldSelector=metadata.name!=kube-root-ca.crt"
_AT_ONCE = f"watch=1&timeoutSeconds=1&{_NONE_OF_CHANCE}"
_NOT_OLDER = "sendInitialEvents={}&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"


def _get(*paths: str, accept: str = "") -> Iterator[Asked]:
    for path in paths:
        yield Asked("GET", path, headers={"Accept": accept} if accept else {})


def _made(path: str, *bodies: dict[str, Any]) -> Iterator[Asked]:
    for body in bodies:
        yield Asked("POST", path, body, is_step=True)


def _discovery() -> Iterator[Asked]:
    for accept in ("text/plain", "application/json;as=Foo", _TABLE.format("v1"), _AGGREGATED.format("v9")):
        yield from _get("/api", "/apis", "/apis/apps", "/apis/apps/v1", "/api/v1", accept=accept)
    yield from _get("/apis/apps", "/apis/apps/v1", accept="application/yaml")
    yield from _get(*_PATHS, *(f"{path}/" for path in _PATHS), *(f"{path}?pretty=true" for path in _PATHS))
    yield from _get("/apis/none", "/apis/none/v1", "/apis/apps/v9", "/api/v2", "/openapi", "/openapi/v3/none")
    for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        for path in ("/version", "/api", "/apis/apps", "/apis/apps/v1", "/nothing"):
            yield Asked(method, path)
    for tool in ("curl/8.0", "Wget/1", "Mozilla/5.0 x"):
        yield Asked("GET", "/apis/apps", headers={"User_Agent": tool})


_PODS = {"verb": "get", "resource": "pods"}
_URL = {"verb": "get", "path": "/metrics"}


def _selecting(kind: str, **selector: Any) -> dict[str, Any]:
    return {"spec": {"user": "x", "resourceAttributes": {**_PODS, kind: selector}}}


_ONE = {"key": "a", "operator": "In", "values": ["b"]}
_REVIEWS: tuple[dict[str, Any], ...] = (
    {}, {"spec": {"user": "x"}}, {"spec": {"resourceAttributes": _PODS}}, {"spec": {"nonResourceAttributes": _URL}},
    {"spec": {"user": "x", "resourceAttributes": _PODS, "nonResourceAttributes": _URL}},
    {"spec": {"user": "x", "resourceAttributes": _PODS}}, {"spec": {"groups": ["x"], "nonResourceAttributes": _URL}},
    {"metadata": {"name": "a"}, "spec": {"user": "x", "resourceAttributes": _PODS}},
    {"metadata": {"labels": {"a": "b"}}, "spec": {"user": "x", "resourceAttributes": _PODS}},
    {"metadata": {"namespace": "other"}, "spec": {"user": "x", "resourceAttributes": _PODS}},
    {"spec": {"user": "x", "resourceAttributes": {**_PODS, "namespace": "other", "unknown": 1}}},
    _selecting("labelSelector"), _selecting("labelSelector", rawSelector="a=b", requirements=[_ONE]),
    _selecting("labelSelector", requirements=[{"key": "", "operator": "In"}]),
    _selecting("labelSelector", requirements=[{"key": "a", "operator": "Exists", "values": ["b"]}]),
    _selecting("labelSelector", requirements=[{"key": "a", "operator": "Foo"}]),
    _selecting("labelSelector", rawSelector="!!"), _selecting("fieldSelector", rawSelector="a=b,,"),
    _selecting("fieldSelector", requirements=[{"key": "", "operator": "In"}]),
    _selecting("fieldSelector", requirements=[{"key": "a", "operator": "Foo", "values": ["b"]}]),
    _selecting("fieldSelector", requirements=[_ONE]),
)  # fmt: skip


def _reviews() -> Iterator[Asked]:
    for body in _REVIEWS:
        yield Asked("POST", f"{_GROUPS}/subjectaccessreviews", body)
        yield Asked("POST", f"{_GROUPS}/selfsubjectaccessreviews", body)
        yield Asked("POST", "{ns:authorization.k8s.io/v1}/localsubjectaccessreviews", body)
    for spec in ({}, {"token": "x"}, {"token": "a.b.c"}, {"token": "x", "audiences": ["a"]}):
        yield Asked("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": spec})
    for accept in (_TABLE.format("v1"), f"{_TABLE.format('v1')},application/json", _PARTIAL.format("")):
        yield Asked("POST", f"{_GROUPS}/selfsubjectaccessreviews", _REVIEWS[2], headers={"Accept": accept})


def _service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "d"}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, **spec}}


def _services() -> Iterator[Asked]:
    both = ["IPv4", "IPv6"]
    for spec in (
        {"ipFamilies": both}, {"ipFamilies": both, "ipFamilyPolicy": "SingleStack"}, {"ipFamilies": ["Foo"]},
        {"clusterIPs": ["10.96.0.77", "10.96.0.76"]}, {"clusterIPs": ["None", "None"]}, {"ipFamilyPolicy": "Foo"},
        {"clusterIPs": ["10.96.0.80", "None"]}, {"clusterIP": "None", "selector": None, "ipFamilies": ["IPv6"]},
        {"clusterIP": "None", "selector": None}, {"type": "ExternalName", "externalName": "a.b", "ipFamilies": both},
    ):  # fmt: skip
        yield Asked("POST", f"{{ns}}/services{_DRY}", _service(**spec))
    for kind in ("ClusterIP", "LoadBalancer"):
        name = kind.lower()
        yield from _made("{ns}/services", {**_service(type=kind), "metadata": {"name": name}})
        for entry in (
            {"ip": "1.2.3.4"}, {"ip": "foo"}, {"hostname": "1.2.3.4"}, {"hostname": "A_B"}, {"hostname": "a.b"},
            {"ip": "1.2.3.4", "ipMode": "Foo"}, {"hostname": "a.b", "ipMode": "VIP"},
        ):  # fmt: skip
            status = {"status": {"loadBalancer": {"ingress": [entry]}}}
            yield Asked("PATCH", f"{{ns}}/services/{name}/status{_DRY}", status, MERGE)


def _kinds() -> Iterator[Asked]:
    nulls = {"labels": {"a": None}, "annotations": {"b": None}}
    yield Asked("POST", _MAP, {"metadata": {"name": "n", **nulls}, "data": {"x": None}, "binaryData": {"z": None}})
    yield Asked("POST", f"{{ns}}/secrets{_DRY}", {"metadata": {"name": "s"}, "data": {"a": None}})
    for path in ("{ns}/configmaps", "{ns}/secrets", "{ns}/services"):
        yield Asked("POST", f"{path}{_DRY}", {"metadata": {"generateName": "UPPER"}, "spec": {"ports": [{"port": 1}]}})
    revisions = "{ns:apps/v1}/controllerrevisions"
    for body in ({}, {"data": {"a": 1}, "revision": -1}, {"data": {"a": 1}}):
        yield Asked("POST", f"{revisions}{_DRY}", {"metadata": {"name": "c"}, "revision": 1, **body})
    yield from _made(revisions, {"metadata": {"name": "c"}, "data": {"a": 1}, "revision": 1})
    yield Asked("PATCH", f"{revisions}/c", {"data": {"a": 2}}, MERGE)


_CONTAINER = {"name": "a", "image": "a", "ports": [{"containerPort": 80}]}
_DEPLOYMENT = {
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [_CONTAINER]}},
    },
}


def _pod_patch(containers: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def _strategic() -> Iterator[Asked]:
    yield from _made("{ns:apps/v1}/deployments", _DEPLOYMENT)
    for body in (
        {"kind": "Secret"}, {"apiVersion": "v9", "kind": "Foo"}, {"metadata": {"name": "other"}}, {"spec": [1]},
        {"spec": "x"}, {"spec": {"replicas": "x"}}, {"spec": {"replicas": 1.5}}, {"spec": {"paused": 1}},
        _pod_patch("x"), _pod_patch(["x"]), {"metadata": {"labels": {"a": 1}}}, {"metadata": {"labels": "x"}},
        {"metadata": {"finalizers": {"a": 1}}}, {"spec": {"unknown": 1}},
    ):  # fmt: skip
        yield Asked("PATCH", f"{_WEB}{_DRY}", body, STRATEGIC)
    yield Asked("PATCH", f"{_WEB}{_DRY}", '[{"op":"replace","path":"/metadata/name","value":"v"}]', JSON_PATCH)
    yield from _get(_WEB, accept=_PARTIAL.format("List"))
    yield from _get("{ns:apps/v1}/deployments", accept=_PARTIAL.format(""))
    yield from _get(_WEB, accept=_PARTIAL.format(""))
    for version in ("v1", "v1beta1"):
        for include in ("", "?includeObject=Object", "?includeObject=None", "?includeObject=Foo"):
            yield from _get(f"{_WEB}{include}", accept=_TABLE.format(version))
    yield from _get(f"{_WEB}?pretty=true", f"{_WEB}?pretty=0", f"{_WEB}x?pretty=true")


def _watches() -> Iterator[Asked]:
    labelled = ({"metadata": {"name": name, "labels": {"a": name}}, "data": {"k": "v"}} for name in "xyz")
    yield from _made(_MAP, *labelled)
    for query in (
        "allowWatchBookmarks=true", "resourceVersion=0", "resourceVersion=0&allowWatchBookmarks=true",
        "labelSelector=a=x", "labelSelector=a%20in%20(x,z)&resourceVersion=0", _NOT_OLDER.format("true"),
        _NOT_OLDER.format("true") + "&resourceVersion=0", _NOT_OLDER.format("false") + "&resourceVersion=0",
    ):  # fmt: skip
        yield from _get(f"{_MAP}?{_AT_ONCE}&{query}")
    yield from _get(f"{_MAP}/x?watch=1&timeoutSeconds=1", f"{_MAP}?watch&timeoutSeconds=1&labelSelector=a=x")
    for accept in (_TABLE.format("v1"), _TABLE.format("v1beta1"), _PARTIAL.format("")):
        yield from _get(f"{_MAP}?{_AT_ONCE}&resourceVersion=0&allowWatchBookmarks=true", accept=accept)
    for query in ("resourceVersion=0", "resourceVersion=0&limit=1", "limit=1", "limit=2", "limit=0", "limit=-1"):
        yield from _get(f"{_MAP}?{_NONE_OF_CHANCE}&{query}")
    yield from _get(f"{_MAP}/x?resourceVersion=0", f"{_MAP}?{_NONE_OF_CHANCE}&limit=1&watch=false")


def _namespaces() -> Iterator[Asked]:
    head = {"apiVersion": "v1", "kind": "Namespace"}
    yield Asked("POST", "/api/v1/namespaces?fieldManager=f", {"metadata": {"name": "made"}})
    for manager, body in (
        ("f", {"metadata": {"labels": {"a": "b"}}}), ("f", {"metadata": {"labels": {"a": "c"}}}),
        ("g", {"spec": {"finalizers": ["kubernetes"]}}), ("h", {"spec": {"finalizers": ["a.b/c"]}}),
    ):  # fmt: skip
        whole = {**head, **body, "metadata": {"name": "applied", **body.get("metadata", {})}}
        yield Asked("PATCH", f"/api/v1/namespaces/applied?fieldManager={manager}", whole, APPLY)
    yield Asked("PATCH", "/api/v1/namespaces/applied", {"spec": {"finalizers": ["a.b/c"]}}, MERGE)


FORMS: dict[str, list[Asked]] = {
    "discovery": list(_discovery()),
    "access": list(_reviews()),
    "addresses": list(_services()),
    "kinds": list(_kinds()),
    "strategic": list(_strategic()),
    "watches": list(_watches()),
    "namespaces": list(_namespaces()),
}
