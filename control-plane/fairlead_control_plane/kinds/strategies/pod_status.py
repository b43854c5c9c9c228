"""
Validation of the status of a pod: what a kubelet may say of it, and when.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidatePodStatusUpdate and below),
pkg/registry/core/pod/strategy.go (podStatusStrategy), pkg/api/v1/pod/util.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Writer
from fairlead_control_plane.kinds.strategies.ip_fields import check_ip_list, ip_warnings
from fairlead_control_plane.kinds.strategies.metadata import immutable
from fairlead_control_plane.kinds.strategies.pod_annotations import validate_annotation_changes

_LISTS = {
    "containerStatuses": "containers",
    "initContainerStatuses": "initContainers",
    "ephemeralContainerStatuses": "ephemeralContainers",
}
_NO_SYSTEM_TYPE = frozenset({"PodScheduled", "Ready", "Initialized"})
_NEGATIVE = "must be a non-negative integer"
_RESTARTED = "may not be transitioned to non-terminated state"
_HEALTHS = ("Healthy", "Unhealthy", "Unknown")
_MAX_MESSAGE_BYTES = 1024
_MAX_INT32 = 2**31 - 1
_NOT_A_REQUEST = "must match one of the container's resource requests"
_NOT_A_CLAIM = (
    "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or "
    "'claim:<claimName>' if request is empty"
)
_OF_SPEC = "spec.initContainers.resources.requests or spec.containers.resources.requests"


def prepare_pod_status(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Let the lists of addresses follow the single ones."""
    del old, writer
    follow_addresses(new.setdefault("status", {}))


def settle_pod_status(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Keep what a status may not change or leaves out."""
    del writer
    metadata, before = new["metadata"], old["metadata"]
    for field in ("ownerReferences", "deletionTimestamp"):
        metadata.pop(field, None)
        if field in before:
            metadata[field] = before[field]
    status, was = new["status"], old.get("status") or {}
    for field in ("qosClass", "observedGeneration"):
        if not status.get(field) and was.get(field):
            status[field] = was[field]
    seen: dict[str, list[int]] = {}
    for condition in was.get("conditions") or ():
        seen.setdefault(condition.get("type") or "", []).append(condition.get("observedGeneration") or 0)
    for condition in status.get("conditions") or ():
        known = seen.get(condition.get("type") or "")
        generation = known.pop(0) if known else 0
        if generation and not condition.get("observedGeneration"):
            condition["observedGeneration"] = generation


def follow_addresses(status: JsonObject) -> None:
    """Let the list of addresses follow the one that older kubelets know alone (conversion of PodStatus)."""
    address, listed = status.get("podIP"), status.get("podIPs")
    if address and (not listed or listed[0].get("ip") != address):
        status["podIPs"] = [{"ip": address}]
    elif listed and not address:
        status["podIP"] = listed[0].get("ip", "")


def validate_pod_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with the status of a pod."""
    status, was, spec = new.get("status") or {}, old.get("status") or {}, new.get("spec") or {}
    causes = validate_annotation_changes(new, old)
    causes += _conditions(status.get("conditions") or ())
    causes += _nomination(status, was, spec)
    generation = status.get("observedGeneration") or 0
    if generation < 0:
        causes.append(wrong.invalid("status.observedGeneration", generation, _NEGATIVE))
    causes += immutable(status.get("qosClass", ""), was.get("qosClass", ""), "status.qosClass")
    for field, containers in _LISTS.items():
        causes += _restarts(status.get(field) or (), was.get(field) or (), spec, field)
        causes += _container_statuses(status.get(field) or (), spec, field, containers)
    causes += _claims(status, spec)
    causes += _extended(status.get("extendedResourceClaimStatus"), spec)
    known = [one.get("ip") or "" for one in was.get("podIPs") or ()]
    causes += check_ip_list(status.get("podIPs") or (), "status.podIPs", known)
    return causes + _host_addresses(status, was)


def status_warnings(obj: JsonObject) -> list[str]:
    """Warn of addresses that are not in their standard form."""
    status = obj.get("status") or {}
    return [
        text
        for field in ("podIPs", "hostIPs")
        for index, one in enumerate(status.get(field) or ())
        for text in ip_warnings(one.get("ip") or "", f"status.{field}[{index}].ip")
    ]


def _conditions(conditions: Sequence[JsonObject]) -> list[Cause]:
    causes: list[Cause] = []
    for index, condition in enumerate(conditions):
        at, kind = f"status.conditions[{index}]", condition.get("type") or ""
        generation = condition.get("observedGeneration") or 0
        if generation < 0:
            causes.append(wrong.invalid(f"{at}.observedGeneration", generation, _NEGATIVE))
        if kind not in _NO_SYSTEM_TYPE:
            causes += [wrong.invalid(f"{at}.Type", kind, text) for text in validation.qualified_name(kind)]
    return causes


def _nomination(status: JsonObject, was: JsonObject, spec: JsonObject) -> list[Cause]:
    name, at = status.get("nominatedNodeName") or "", "status.nominatedNodeName"
    if not name or name == was.get("nominatedNodeName"):
        return []
    causes = [wrong.invalid(at, name, text) for text in validation.dns1123_subdomain(name)]
    if spec.get("nodeName"):
        causes.append(wrong.forbidden(at, "may not be set on pods that are already bound to a node"))
    return causes


def _host_addresses(status: JsonObject, was: JsonObject) -> list[Cause]:
    addresses = status.get("hostIPs") or ()
    if not addresses:
        return []
    causes: list[Cause] = []
    first = addresses[0].get("ip") or ""
    if (status.get("hostIP") or "") != first:
        causes.append(wrong.invalid("status.hostIPs[0].ip", first, "must be equal to `hostIP`"))
    known = [one.get("ip") or "" for one in was.get("hostIPs") or ()]
    return causes + check_ip_list(addresses, "status.hostIPs", known)


def _restarts(new: Sequence[JsonObject], old: Sequence[JsonObject], spec: JsonObject, field: str) -> list[Cause]:
    """Check that no container that ended for good runs again."""
    containers = {one.get("name"): one for one in spec.get(_LISTS[field]) or ()}
    is_ephemeral = field == "ephemeralContainerStatuses"
    if not is_ephemeral and _restarts_all(spec):
        return []
    states = {one.get("name"): one.get("state") or {} for one in reversed(new)}
    causes: list[Cause] = []
    for index, status in enumerate(old):
        ended, name = (status.get("state") or {}).get("terminated"), status.get("name")
        if ended is None or name not in states or states[name].get("terminated") is not None:
            continue
        container = None if is_ephemeral else containers.get(name)
        if container is None or not _may_restart(container, spec, ended.get("exitCode") or 0):
            causes.append(wrong.forbidden(f"status.{field}[{index}].state", _RESTARTED))
    return causes


def _restarts_all(spec: JsonObject) -> bool:
    lists = (spec.get("initContainers") or (), spec.get("containers") or ())
    rules = (rule for containers in lists for one in containers for rule in one.get("restartPolicyRules") or ())
    return any(rule.get("action") == "RestartAllContainers" for rule in rules)


def _may_restart(container: JsonObject, spec: JsonObject, code: int) -> bool:
    policy = container.get("restartPolicy")
    if policy is not None:
        for rule in container.get("restartPolicyRules") or ():
            codes = rule.get("exitCodes") or {}
            is_in, operator = code in (codes.get("values") or ()), codes.get("operator")
            if (operator == "In" and is_in) or (operator == "NotIn" and not is_in):
                if rule.get("action") in {"Restart", "RestartAllContainers"}:
                    return True
                break
    policy = policy or spec.get("restartPolicy") or "Always"
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def _container_statuses(statuses: Sequence[JsonObject], spec: JsonObject, field: str, containers: str) -> list[Cause]:
    causes: list[Cause] = []
    is_windows = (spec.get("os") or {}).get("name") == "windows"
    known = {one.get("name"): one for one in reversed(spec.get(containers) or ())}
    for index, status in enumerate(statuses):
        at = f"status.{field}[{index}]"
        user = (status.get("user") or {}).get("linux")
        if user is not None:
            text = "cannot be set for a windows pod"
            causes += [wrong.forbidden(f"{at}.user.linux", text)] if is_windows else _user(user, f"{at}.user.linux")
        allocated = status.get("allocatedResourcesStatus")
        if not allocated:
            continue
        if containers == "ephemeralContainers":
            text = "must not be specified in container status"
            causes.append(wrong.forbidden(f"{at}.allocatedResourcesStatus", text))
            continue
        for place, one in enumerate(allocated):
            causes += _allocated(one, known.get(status.get("name")), f"{at}.allocatedResourcesStatus[{place}]")
    return causes


def _user(user: JsonObject, path: str) -> list[Cause]:
    ids = [(user.get(name) or 0, f"{path}.{name}") for name in ("uid", "gid")]
    ids += [(group, f"{path}.supplementalGroups[{i}]") for i, group in enumerate(user.get("supplementalGroups") or ())]
    text = f"must be between 0 and {_MAX_INT32}, inclusive"
    return [wrong.invalid(at, number, text) for number, at in ids if not 0 <= number <= _MAX_INT32]


def _allocated(one: JsonObject, container: JsonObject | None, path: str) -> list[Cause]:
    name = one.get("name") or ""
    causes: list[Cause] = []
    if container is not None:
        resources = container.get("resources") or {}
        if name.startswith("claim:"):
            ends = ((claim.get("name"), claim.get("request")) for claim in resources.get("claims") or ())
            found = name in {f"claim:{claim}/{request}" if request else f"claim:{claim}" for claim, request in ends}
            text = _NOT_A_CLAIM
        else:
            found, text = name in (resources.get("requests") or ()), _NOT_A_REQUEST
        if not found:
            causes.append(wrong.invalid(f"{path}.name", name, text))
    seen: set[str] = set()
    for index, resource in enumerate(one.get("resources") or ()):
        at, health, identity = f"{path}.resources[{index}]", resource.get("health") or "", resource.get("resourceID")
        if health not in _HEALTHS:
            causes.append(wrong.not_supported(f"{at}.health", health, _HEALTHS))
        message = resource.get("message")
        if message == "":
            causes.append(wrong.required(f"{at}.message", "must be non-empty if specified"))
        elif message is not None and len(message.encode()) > _MAX_MESSAGE_BYTES:
            causes.append(wrong.too_long(f"{at}.message", _MAX_MESSAGE_BYTES))
        if (identity or "") in seen:
            causes.append(wrong.duplicate(f"{at}.resourceID", identity or ""))
        seen.add(identity or "")
    return causes


def _claims(status: JsonObject, spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    known = {claim.get("name") or "" for claim in spec.get("resourceClaims") or ()}
    seen: set[str] = set()
    for index, claim in enumerate(status.get("resourceClaimStatuses") or ()):
        at, name = f"status.resourceClaimStatuses[{index}]", claim.get("name") or ""
        if name not in known:
            text = "must match the name of an entry in `spec.resourceClaims`"
            causes.append(wrong.invalid(f"{at}.name", name, text))
        if name in seen:
            causes.append(wrong.duplicate(f"{at}.name", name))
        seen.add(name)
        made = claim.get("resourceClaimName")
        if made is not None:
            texts = validation.dns1123_subdomain(made)
            causes += [wrong.invalid(f"{at}.resourceClaimName", made, text) for text in texts]
    return causes


def _extended(status: JsonObject | None, spec: JsonObject) -> list[Cause]:
    if status is None:
        return []
    path = "status.extendedResourceClaimStatus"
    lists = (spec.get("initContainers") or (), spec.get("containers") or ())
    containers = {one.get("name") or "": one for containers in lists for one in containers}
    mappings = status.get("requestMappings") or ()
    causes: list[Cause] = []
    if not mappings:
        causes.append(wrong.required(f"{path}.requestMappings", "at least one request mapping is required"))
    seen: set[tuple[str, ...]] = set()
    for index, mapping in enumerate(mappings):
        causes += _mapping(mapping, containers, path, index)
        fields = ("containerName", "resourceName", "requestName")
        key = tuple(mapping.get(field) or "" for field in fields)
        if key in seen:
            at = f"{path}.requestMappings[{index}]"
            causes += [wrong.duplicate(f"{at}.{field}", mapping.get(field) or "") for field in fields]
        seen.add(key)
    name = status.get("resourceClaimName") or ""
    if not name:
        return [*causes, wrong.required(f"{path}.resourceClaimName")]
    texts = validation.dns1123_subdomain(name)
    return causes + [wrong.invalid(f"{path}.resourceClaimName", name, text) for text in texts]


def _mapping(mapping: JsonObject, containers: Mapping[str, JsonObject], path: str, index: int) -> list[Cause]:
    at = f"{path}.requestMappings[{index}]"
    name, resource, request = (mapping.get(field) or "" for field in ("containerName", "resourceName", "requestName"))
    causes: list[Cause] = []
    if name not in containers:
        text = "must match the name of an entry in spec.initContainers.name or spec.containers.name"
        causes.append(wrong.invalid(f"{at}.containerName", name, text))
    elif resource not in ((containers[name].get("resources") or {}).get("requests") or {}):
        text = f"must match the extended resource name of an entry in {_OF_SPEC}"
        causes.append(wrong.invalid(f"{at}.resourceName", resource, text))
    return causes + [wrong.invalid(f"{path}.requestName", request, text) for text in validation.dns1123_label(request)]
