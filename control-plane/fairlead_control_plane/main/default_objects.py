"""
What kube-apiserver keeps ready in a plain cluster for others to read and change: its roles and who has them, and its
priorities of requests.

``flow_control.json`` holds what kube-apiserver v1.36.3 creates at its first start (``kubectl get flowschemas,
prioritylevelconfigurations -o json``, server-set fields dropped).
Source: k8s.io/kubernetes pkg/registry/rbac/rest, pkg/registry/flowcontrol/ensurer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.auth.bootstrap import kubernetes_objects
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry

_RBAC, _FLOW = "rbac.authorization.k8s.io", "flowcontrol.apiserver.k8s.io"

KindOf = Callable[[str, str], Resource]


async def make_default_objects(registry: Registry, cluster: str, kind_of: KindOf) -> None:
    """Make what is not there yet; what somebody has changed stays as it is."""
    made: list[tuple[str, str, JsonObject]] = [*_access(), *_flow_control()]
    present: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for group, plural, obj in made:
        kind = kind_of(group, plural)
        if (group, plural) not in present:
            present[group, plural] = {_place(each) for each in (await registry.list(kind, cluster))[0]}
        if _place(obj) not in present[group, plural]:
            api_version = kind.api_version(kind.versions[0].name)
            await registry.create(kind, cluster, {"apiVersion": api_version, "kind": kind.kind, **obj})


def _place(obj: JsonObject) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _access() -> Iterator[tuple[str, str, JsonObject]]:
    for plural, objects in kubernetes_objects().items():
        if isinstance(objects, list):
            yield from ((_RBAC, plural.lower(), dict(obj)) for obj in objects)


def _flow_control() -> Iterator[tuple[str, str, JsonObject]]:
    for plural in ("prioritylevelconfigurations", "flowschemas"):
        yield from ((_FLOW, plural, obj) for obj in flow_objects()[plural])


@cache
def flow_objects() -> dict[str, list[JsonObject]]:
    """Return Kubernetes' default objects of flow control by plural."""
    found: dict[str, list[JsonObject]] = orjson.loads(files(__package__).joinpath("flow_control.json").read_bytes())
    return found
