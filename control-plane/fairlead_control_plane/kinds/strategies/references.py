"""
Validation of what variables and files take from the pod itself: its fields and its containers' resources.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateObjectFieldSelector and below), core/pods.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.resources import ZERO, amount_of

_SUBSCRIPTED = ("metadata.annotations", "metadata.labels")
_KNOWN_FIELDS = frozenset(
    {
        *_SUBSCRIPTED, "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.restartPolicy",
        "spec.serviceAccountName", "spec.schedulerName", "status.phase", "status.hostIP", "status.hostIPs",
        "status.podIP", "status.podIPs",
    }
)  # fmt: skip
_RESOURCES = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory",
    "requests.cpu", "requests.ephemeral-storage", "requests.memory",
)  # fmt: skip
_PAGES = ("limits.hugepages-", "requests.hugepages-")
_SIZES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_KINDS = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "local ephemeral storage"}


def validate_field_reference(reference: JsonObject, path: str, allowed: Sequence[str]) -> list[Cause]:
    """Check an ``ObjectFieldSelector``; ``allowed`` are the fields that may be taken, sorted."""
    for name in ("apiVersion", "fieldPath"):
        if not reference.get(name):
            return [wrong.required(f"{path}.{name}")]
    field_path, at = reference["fieldPath"], f"{path}.fieldPath"
    if field_path in allowed and reference["apiVersion"] == "v1":
        return []
    base, bracket, rest = field_path.removesuffix("']").partition("['")
    is_subscripted = bool(bracket and base and field_path.endswith("']"))
    problem = _unknown(reference["apiVersion"], field_path, base if is_subscripted else "")
    if problem:
        return [wrong.invalid(at, field_path, f"error converting fieldPath: {problem}")]
    if is_subscripted:
        key = rest.lower() if base == "metadata.annotations" else rest
        return [wrong.invalid(path, key, text) for text in validation.qualified_name(key)]
    converted = "spec.nodeName" if field_path == "spec.host" else field_path
    return [] if converted in allowed else [wrong.not_supported(at, converted, allowed)]


def _unknown(version: str, field_path: str, base: str) -> str:
    if version != "v1":
        return f"unsupported pod version: {version}"
    if base:
        return "" if base in _SUBSCRIPTED else f"field label does not support subscript: {field_path}"
    is_known = field_path in _KNOWN_FIELDS or field_path == "spec.host"
    return "" if is_known else f"field label not supported: {field_path}"


def validate_resource_reference(reference: JsonObject, path: str, *, needs_container: bool) -> list[Cause]:
    """Check a ``ResourceFieldSelector``; files must name the container that is meant."""
    name = reference.get("resource") or ""
    causes: list[Cause] = []
    if needs_container and not reference.get("containerName"):
        causes.append(wrong.required(f"{path}.containerName"))
    elif not name:
        causes.append(wrong.required(f"{path}.resource"))
    elif name not in _RESOURCES and not name.startswith(_PAGES):
        causes.append(wrong.not_supported(f"{path}.resource", name, _RESOURCES))
    return causes + _divisor(name, reference.get("divisor") or "0", f"{path}.divisor")


def _divisor(name: str, divisor: str, path: str) -> list[Cause]:
    amount = amount_of(divisor)
    if amount is None or amount == ZERO:
        return []
    kind = "hugepages" if name.startswith(_PAGES) else _KINDS.get(name.partition(".")[2], "")
    if not kind or (name not in _RESOURCES and not name.startswith(_PAGES)):
        return []
    allowed = ("1m", "1") if kind == "cpu" else _SIZES
    if str(amount) in allowed:
        return []
    listed = " and ".join(allowed) if kind == "cpu" else ", ".join(allowed)
    return [wrong.invalid(path, name, f"only divisor's values {listed} are supported with the {kind} resource")]
