"""Cells of everything that runs nothing: configuration, access, nodes, network, storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairlead_api import JsonObject
from fairlead_api.selectors import from_map
from fairlead_control_plane.kinds.ages import Timed, since
from fairlead_control_plane.kinds.printers.workloads import NONE, Cell, created, number, selector, text

_ROLE_LABEL = "node-role.kubernetes.io/"
_ROLE_NAME_LABEL = "kubernetes.io/role"


def _count(*fields: str) -> Cell:
    return lambda obj: sum(len(obj.get(field) or ()) for field in fields)


def _subjects(kind: str) -> Cell:
    def cell(obj: JsonObject) -> object:
        found = (one for one in obj.get("subjects") or () if one.get("kind") == kind)
        if kind == "ServiceAccount":
            return ", ".join(f"{one.get('namespace', '')}/{one.get('name', '')}" for one in found)
        return ", ".join(one.get("name", "") for one in found)

    return cell


def _role(obj: JsonObject) -> str:
    reference = obj.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def _created_at(obj: JsonObject) -> str:
    return str(obj["metadata"].get("creationTimestamp") or "")


def _first_seen(obj: JsonObject, now: float) -> str:
    return since(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _last_seen(obj: JsonObject) -> Timed:
    series = obj.get("series")
    if series is not None:
        return Timed(lambda now: since(series.get("lastObservedTime"), now))
    last = obj.get("lastTimestamp")
    return Timed(lambda now: since(last, now) if last else _first_seen(obj, now))


def _event_count(obj: JsonObject) -> int:
    series = obj.get("series")
    return int(series.get("count", 0) if series is not None else obj.get("count") or 1)


def _event_object(obj: JsonObject) -> str:
    target = obj.get("involvedObject") or {}
    kind = str(target.get("kind", "")).lower()
    return f"{kind}/{target['name']}" if target.get("name") else kind


def _event_source(obj: JsonObject) -> str:
    source = obj.get("source") or {}
    parts = (
        source.get("component") or obj.get("reportingComponent"),
        source.get("host") or obj.get("reportingInstance"),
    )
    return ", ".join(part for part in parts if part)


def _node_status(obj: JsonObject) -> str:
    conditions = {one.get("type"): one.get("status") for one in (obj.get("status") or {}).get("conditions") or ()}
    shown = ["Ready" if conditions["Ready"] == "True" else "NotReady"] if "Ready" in conditions else ["Unknown"]
    if (obj.get("spec") or {}).get("unschedulable"):
        shown.append("SchedulingDisabled")
    return ",".join(shown)


def _node_roles(obj: JsonObject) -> str:
    found = set()
    for key, value in (obj["metadata"].get("labels") or {}).items():
        if key.startswith(_ROLE_LABEL) and len(key) > len(_ROLE_LABEL):
            found.add(key.removeprefix(_ROLE_LABEL))
        elif key == _ROLE_NAME_LABEL and value:
            found.add(value)
    return ",".join(sorted(found)) or NONE


def _node_address(kind: str) -> Cell:
    def cell(obj: JsonObject) -> object:
        for address in (obj.get("status") or {}).get("addresses") or ():
            if address.get("type") == kind:
                return address.get("address", "")
        return NONE

    return cell


def _node_info(field: str) -> Cell:
    return text("status", "nodeInfo", field, absent="<unknown>")


def _kernel(obj: JsonObject) -> str:
    info = (obj.get("status") or {}).get("nodeInfo") or {}
    version, architecture = info.get("kernelVersion"), info.get("architecture")
    if not version:
        return "<unknown>"
    return f"{version} ({architecture})" if architecture else str(version)


def _service_address(obj: JsonObject) -> str:
    spec = obj.get("spec") or {}
    addresses = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return str(addresses[0]) if addresses else NONE


def _external_addresses(obj: JsonObject) -> str:
    spec = obj.get("spec") or {}
    kind, external = spec.get("type", "ClusterIP"), list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        ingress = _load_balancer(obj)
        return ",".join([*ingress, *external]) or "<pending>"
    return ",".join(external) or NONE


def _load_balancer(obj: JsonObject) -> list[str]:
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return sorted({one.get("ip") or one.get("hostname") or "" for one in ingress} - {""})


def _service_ports(obj: JsonObject) -> str:
    pieces = []
    for port in (obj.get("spec") or {}).get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        pieces.append(f"{port.get('port', 0)}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(pieces) or NONE


def _endpoints(obj: JsonObject) -> str:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        hosts = [address.get("ip", "") for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        if not ports:
            found += hosts
        for port in ports:
            found += [f"[{host}]:{port['port']}" if ":" in host else f"{host}:{port['port']}" for host in hosts]
    return _shortened(found[:3], len(found)) if found else NONE


def _shortened(shown: Sequence[str], total: int) -> str:
    text_ = ",".join(shown)
    return f"{text_} + {total - len(shown)} more..." if total > len(shown) else text_


def _slice_ports(obj: JsonObject) -> str:
    ports = [str(_first_of(port, "port", "name")) for port in obj.get("ports") or ()]
    return _shortened(ports[:3], len(ports)) if ports else "<unset>"


def _first_of(port: JsonObject, *fields: str) -> object:
    return next((port[field] for field in fields if port.get(field) is not None), "*")


def _slice_endpoints(obj: JsonObject) -> str:
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return _shortened(addresses[:3], len(addresses)) if addresses else "<unset>"


def _quota(obj: JsonObject, *, limits: bool) -> str:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    names = sorted(name for name in hard if (".limits" in name or name.startswith("limits.")) == limits)
    return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)


def _access_modes(modes: Sequence[str]) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    order = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
    return ",".join(short[mode] for mode in order if mode in modes)


def _claim_phase(obj: JsonObject) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))


def _claim(obj: JsonObject) -> str:
    reference = (obj.get("spec") or {}).get("claimRef")
    return f"{reference.get('namespace', '')}/{reference.get('name', '')}" if reference else ""


def _bound(obj: JsonObject, *path: str) -> str:
    """Return what a claim got, empty until it is bound."""
    if not (obj.get("spec") or {}).get("volumeName"):
        return ""
    status = obj.get("status") or {}
    if path == ("capacity",):
        return str((status.get("capacity") or {}).get("storage", "0"))
    return _access_modes(status.get("accessModes") or ())


def _hosts(obj: JsonObject) -> str:
    hosts = [rule["host"] for rule in (obj.get("spec") or {}).get("rules") or () if rule.get("host")]
    return _shortened(hosts[:3], len(hosts)) if hosts else "*"


def _pod_selector(obj: JsonObject) -> str:
    found = (obj.get("spec") or {}).get("podSelector")
    return selector({"spec": {"selector": found}}) if found else NONE


def _budget(field: str) -> Cell:
    def cell(obj: JsonObject) -> object:
        value = (obj.get("spec") or {}).get(field)
        return "N/A" if value is None else str(value)

    return cell


_AGE: Mapping[str, Cell] = {"Age": created}
_BINDING: Mapping[str, Cell] = {
    **_AGE,
    "Role": _role,
    "Users": _subjects("User"),
    "Groups": _subjects("Group"),
    "ServiceAccounts": _subjects("ServiceAccount"),
}
_WEBHOOKS: Mapping[str, Cell] = {**_AGE, "Webhooks": _count("webhooks")}

CELLS: Mapping[tuple[str, str], Mapping[str, Cell]] = {
    ("", "configmaps"): {**_AGE, "Data": _count("data", "binaryData")},
    ("", "secrets"): {**_AGE, "Type": text("type", absent=""), "Data": _count("data")},
    ("", "serviceaccounts"): {**_AGE, "Secrets": _count("secrets")},
    ("", "namespaces"): {**_AGE, "Status": text("status", "phase", absent="")},
    ("", "events"): {
        "Last Seen": _last_seen,
        "Type": text("type", absent=""),
        "Reason": text("reason", absent=""),
        "Object": _event_object,
        "Subobject": text("involvedObject", "fieldPath", absent=""),
        "Source": _event_source,
        "Message": lambda obj: str(obj.get("message", "")).strip(),
        "First Seen": lambda obj: Timed(lambda now: _first_seen(obj, now)),
        "Count": _event_count,
    },
    ("", "nodes"): {
        **_AGE,
        "Status": _node_status,
        "Roles": _node_roles,
        "Version": text("status", "nodeInfo", "kubeletVersion", absent=""),
        "Internal-IP": _node_address("InternalIP"),
        "External-IP": _node_address("ExternalIP"),
        "OS-Image": _node_info("osImage"),
        "Kernel-Version": _kernel,
        "Container-Runtime": _node_info("containerRuntimeVersion"),
    },
    ("", "services"): {
        **_AGE,
        "Type": text("spec", "type", absent=""),
        "Cluster-IP": _service_address,
        "External-IP": _external_addresses,
        "Port(s)": _service_ports,
        "Selector": lambda obj: str(from_map((obj.get("spec") or {}).get("selector"))) or NONE,
    },
    ("", "endpoints"): {**_AGE, "Endpoints": _endpoints},
    ("", "resourcequotas"): {
        **_AGE,
        "Request": lambda obj: _quota(obj, limits=False),
        "Limit": lambda obj: _quota(obj, limits=True),
    },
    ("", "limitranges"): {"Created At": _created_at},
    ("", "persistentvolumeclaims"): {
        **_AGE,
        "Status": _claim_phase,
        "Volume": text("spec", "volumeName", absent=""),
        "Capacity": lambda obj: _bound(obj, "capacity"),
        "Access Modes": lambda obj: _bound(obj, "modes"),
        "StorageClass": text("spec", "storageClassName", absent=""),
        "VolumeAttributesClass": text("spec", "volumeAttributesClassName", absent="<unset>"),
        "VolumeMode": text("spec", "volumeMode", absent="<unset>"),
    },
    ("", "persistentvolumes"): {
        **_AGE,
        "Capacity": text("spec", "capacity", "storage", absent="0"),
        "Access Modes": lambda obj: _access_modes((obj.get("spec") or {}).get("accessModes") or ()),
        "Reclaim Policy": text("spec", "persistentVolumeReclaimPolicy", absent=""),
        "Status": _claim_phase,
        "Claim": _claim,
        "StorageClass": text("spec", "storageClassName", absent=""),
        "VolumeAttributesClass": text("spec", "volumeAttributesClassName", absent="<unset>"),
        "Reason": text("status", "reason", absent=""),
        "VolumeMode": text("spec", "volumeMode", absent="<unset>"),
    },
    ("apiextensions.k8s.io", "customresourcedefinitions"): {"Created At": _created_at},
    ("coordination.k8s.io", "leases"): {**_AGE, "Holder": text("spec", "holderIdentity", absent="")},
    ("rbac.authorization.k8s.io", "roles"): {"Created At": _created_at},
    ("rbac.authorization.k8s.io", "clusterroles"): {"Created At": _created_at},
    ("rbac.authorization.k8s.io", "rolebindings"): _BINDING,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): _BINDING,
    ("discovery.k8s.io", "endpointslices"): {
        **_AGE,
        "AddressType": text("addressType", absent=""),
        "Ports": _slice_ports,
        "Endpoints": _slice_endpoints,
    },
    ("networking.k8s.io", "ingresses"): {
        **_AGE,
        "Class": text("spec", "ingressClassName"),
        "Hosts": _hosts,
        "Address": lambda obj: ",".join(_load_balancer(obj)),
        "Ports": lambda obj: "80, 443" if (obj.get("spec") or {}).get("tls") else "80",
    },
    ("networking.k8s.io", "networkpolicies"): {**_AGE, "Pod-Selector": _pod_selector},
    ("policy", "poddisruptionbudgets"): {
        **_AGE,
        "Min Available": _budget("minAvailable"),
        "Max Unavailable": _budget("maxUnavailable"),
        "Allowed Disruptions": number("status", "disruptionsAllowed"),
    },
    ("scheduling.k8s.io", "priorityclasses"): {
        **_AGE,
        "Value": number("value"),
        "Global-Default": lambda obj: bool(obj.get("globalDefault")),
        "PreemptionPolicy": text("preemptionPolicy", absent=""),
    },
    ("storage.k8s.io", "storageclasses"): {
        **_AGE,
        "Provisioner": text("provisioner", absent=""),
        "ReclaimPolicy": text("reclaimPolicy", absent="Delete"),
        "VolumeBindingMode": text("volumeBindingMode", absent="<unset>"),
        "AllowVolumeExpansion": lambda obj: bool(obj.get("allowVolumeExpansion")),
    },
    ("storage.k8s.io", "csidrivers"): {
        **_AGE,
        "AttachRequired": lambda obj: bool((obj.get("spec") or {}).get("attachRequired", True)),
        "PodInfoOnMount": lambda obj: bool((obj.get("spec") or {}).get("podInfoOnMount")),
        "StorageCapacity": lambda obj: bool((obj.get("spec") or {}).get("storageCapacity")),
        "RequiresRepublish": lambda obj: bool((obj.get("spec") or {}).get("requiresRepublish")),
        "Modes": lambda obj: ",".join((obj.get("spec") or {}).get("volumeLifecycleModes") or ()),
        "TokenRequests": lambda obj: (
            ",".join(one.get("audience", "") for one in (obj.get("spec") or {}).get("tokenRequests") or ()) or "<unset>"
        ),
    },
    ("storage.k8s.io", "csinodes"): {
        **_AGE,
        "Drivers": lambda obj: len((obj.get("spec") or {}).get("drivers") or ()),
    },
    ("storage.k8s.io", "volumeattributesclasses"): {**_AGE, "DriverName": text("driverName", absent="")},
    ("storage.k8s.io", "volumeattachments"): {
        **_AGE,
        "Attacher": text("spec", "attacher", absent=""),
        "PV": text("spec", "source", "persistentVolumeName", absent=""),
        "Node": text("spec", "nodeName", absent=""),
        "Attached": lambda obj: bool((obj.get("status") or {}).get("attached")),
    },
    ("node.k8s.io", "runtimeclasses"): {**_AGE, "Handler": text("handler", absent="")},
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): _WEBHOOKS,
}
