"""
Names of resources that quotas and limit ranges count, and their amounts.

Source: k8s.io/kubernetes pkg/apis/core/helper/helpers.go, pkg/apis/core/validation (validateResourceName,
ValidateResourceQuantityValue).
"""

from __future__ import annotations

from fairlead_api import field_errors as wrong
from fairlead_api import validation
from fairlead_api.errors import Cause
from fairlead_api.quantity import Quantity, QuantityError, parse
from fairlead_control_plane.kinds.strategies.metadata import NEGATIVE

_CONTAINER = frozenset({"cpu", "memory", "ephemeral-storage"})
_COUNTED = frozenset(
    {
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip
_QUOTA = (
    _CONTAINER
    | _COUNTED
    | {f"requests.{name}" for name in (*_CONTAINER, "storage")}
    | {f"limits.{name}" for name in _CONTAINER}
)
_STANDARD = _QUOTA | {"storage"}
_HUGE_PAGES, _ASKED_HUGE_PAGES, _ASKED = "hugepages-", "requests.hugepages-", "requests."
_NATIVE = "kubernetes.io/"
_ZERO = Quantity(0)


def check_resource_name(name: str, path: str) -> list[Cause]:
    """Return what is wrong with the name of any resource."""
    if texts := validation.qualified_name(name):
        return [wrong.invalid(path, name, text) for text in texts]
    if "/" in name or name in _STANDARD or name.startswith((_HUGE_PAGES, _ASKED_HUGE_PAGES)):
        return []
    return [wrong.invalid(path, name, "must be a standard resource type or fully qualified")]


def check_container_resource_name(name: str, path: str) -> list[Cause]:
    """Return what is wrong with the name of a resource that a container asks for."""
    causes = check_resource_name(name, path)
    if "/" not in name:
        if name not in _CONTAINER and not name.startswith(_HUGE_PAGES):
            causes.append(wrong.invalid(path, name, "must be a standard resource for containers"))
    elif _NATIVE not in name and not is_extended(name):
        causes.append(wrong.invalid(path, name, "doesn't follow extended resource name standard"))
    return causes


def check_quota_resource_name(name: str, path: str) -> list[Cause]:
    """Return what is wrong with the name of a resource that a quota bounds."""
    causes = check_resource_name(name, path)
    if "/" not in name and not is_quota_resource(name):
        causes.append(wrong.invalid(path, name, "must be a standard resource for quota"))
    return causes


def is_quota_resource(name: str) -> bool:
    """Tell whether a quota knows the resource by itself."""
    return name in _QUOTA or name.startswith((_HUGE_PAGES, _ASKED_HUGE_PAGES))


def is_extended(name: str) -> bool:
    """Tell whether a resource is one of its own, which Kubernetes only counts."""
    if "/" not in name or _NATIVE in name or name.startswith(_ASKED):
        return False
    return not validation.qualified_name(f"{_ASKED}{name}")


def may_be_overcommitted(name: str) -> bool:
    """Tell whether more of a resource may be promised than there is."""
    return ("/" not in name or _NATIVE in name) and not name.startswith(_HUGE_PAGES)


def read_amount(text: object) -> Quantity | None:
    """Read an amount that decoding has let through; None for what Go would have refused."""
    try:
        return parse(text) if isinstance(text, str | int | float) else None
    except QuantityError:
        return None


def check_amount(name: str, text: object, path: str) -> list[Cause]:
    """Return what is wrong with an amount of a resource: none is negative, and countable ones are whole."""
    amount = read_amount(text)
    if amount is None:
        return []
    causes = [wrong.invalid(path, str(amount), NEGATIVE)] if amount < _ZERO else []
    if (name in _COUNTED or is_extended(name)) and not amount.is_integer:
        causes.append(wrong.invalid(path, str(amount), "must be an integer"))
    return causes
