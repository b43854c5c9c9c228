"""
Services: Endpoints and EndpointSlices of the pods they select. Their addresses they have from the server.

Source: k8s.io/kubernetes pkg/controller/endpoint, k8s.io/endpointslice.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_lab.replica_sets import is_ready
from fairlead_lab.world import Key, World, is_going
from fairlead_lab.writes import NOTHING, Create, Played, Write, deleted, patched

_MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
_SLICE_MANAGER = "endpointslice-controller.k8s.io"
_ENDPOINTS_LABELS = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
_SERVICE_LABEL = "kubernetes.io/service-name"
_FINISHED = frozenset({"Succeeded", "Failed"})


def play(service: JsonObject, world: World) -> Played:
    """Keep the endpoints of a Service."""
    if is_going(service) or not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
        return NOTHING
    pods = sorted(_selected(service, world), key=lambda pod: str(pod["metadata"]["name"]))
    return Played([*_endpoints(service, pods, world), *_slice(service, pods, world)])


def play_gone(key: Key, world: World) -> Played:
    """Remove the Endpoints of a Service that is gone; its slices go with their owner."""
    endpoints = world.get(Key("Endpoints", key.namespace, key.name))
    if endpoints is None or not _ENDPOINTS_LABELS.items() <= (endpoints["metadata"].get("labels") or {}).items():
        return NOTHING
    return Played([deleted(endpoints)])


def _selected(service: JsonObject, world: World) -> list[JsonObject]:
    wanted = service["spec"]["selector"].items()
    return [
        pod
        for pod in world.all("Pod", service["metadata"]["namespace"])
        if wanted <= (pod["metadata"].get("labels") or {}).items()
        and (pod.get("status") or {}).get("podIP")
        and pod["status"].get("phase") not in _FINISHED
    ]


def _ports(service: JsonObject, pods: list[JsonObject]) -> list[JsonObject]:
    found = []
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        number = target if isinstance(target, int) else _named_port(target, pods)
        if number:
            entry = {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
            found.append(entry)
    return found


def _named_port(name: str, pods: list[JsonObject]) -> int:
    """Return the number of a container port by name, as the first pod has it; 0 when none does."""
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or ():
                if port.get("name") == name:
                    return int(port["containerPort"])
    return 0


def _reference(pod: JsonObject) -> JsonObject:
    metadata = pod["metadata"]
    return {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}


def _endpoints(service: JsonObject, pods: list[JsonObject], world: World) -> list[Write]:
    addresses: dict[bool, list[JsonObject]] = {True: [], False: []}
    for pod in pods:
        if not is_going(pod):
            address = {
                "ip": pod["status"]["podIP"],
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": _reference(pod),
            }
            addresses[is_ready(pod)].append(address)
    ports = [{key: value for key, value in port.items() if value != ""} for port in _ports(service, pods)]
    subset = {"addresses": addresses[True], "notReadyAddresses": addresses[False], "ports": ports}
    subset = {key: value for key, value in subset.items() if value}
    subsets = [subset] if addresses[True] or addresses[False] else []
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    known = world.get(Key("Endpoints", namespace, name))
    if known is not None:
        same = (known.get("subsets") or []) == subsets
        return [] if same else [patched(known, {"subsets": subsets})]
    labels = {**(service["metadata"].get("labels") or {}), **_ENDPOINTS_LABELS}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    body = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}
    return [Create("Endpoints", body)]


def _slice(service: JsonObject, pods: list[JsonObject], world: World) -> list[Write]:
    endpoints = [_endpoint(pod) for pod in pods]
    ports = _ports(service, pods)
    known = world.owned(service, "EndpointSlice")
    if known:
        old = (known[0].get("endpoints") or [], known[0].get("ports") or [])
        return [] if old == (endpoints, ports) else [patched(known[0], {"endpoints": endpoints, "ports": ports})]
    metadata = service["metadata"]
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {_SERVICE_LABEL: metadata["name"], _MANAGER_LABEL: _SLICE_MANAGER}
    body: JsonObject = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{metadata['name']}-",
            "namespace": metadata["namespace"],
            "labels": {**(metadata.get("labels") or {}), **labels},
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }
    return [Create("EndpointSlice", body)]


def _endpoint(pod: JsonObject) -> JsonObject:
    ready, going = is_ready(pod), is_going(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not going, "serving": ready, "terminating": going},
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": _reference(pod),
    }
