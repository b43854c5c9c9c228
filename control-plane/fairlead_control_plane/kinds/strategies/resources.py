"""
Validation of ``resources`` of containers and pods: names, amounts, requests within limits, claims.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateResourceRequirements), core/helper.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.quantity import Quantity, QuantityError, parse
from fairlead_control_plane.kinds.strategies.metadata import NEGATIVE

HUGE_PAGES = "hugepages-"
_OF_CONTAINERS = frozenset({"cpu", "memory", "ephemeral-storage"})
_COMPUTE = ("cpu", "memory")
_COUNTED = frozenset(
    {
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip
_STANDARD = (
    _OF_CONTAINERS
    | _COUNTED - {"services.nodeports", "services.loadbalancers"}
    | {f"{part}.{name}" for part in ("requests", "limits") for name in _OF_CONTAINERS}
    | {"storage", "requests.storage", "services.nodeports", "services.loadbalancers"}
)
_OF_PODS = ("cpu", HUGE_PAGES, "memory")
_NATIVE_PREFIX = "kubernetes.io/"
_NAME_OF_CONTAINER = "must be a standard resource for containers"
ZERO = Quantity(0)
_CACHED_AMOUNTS = 4096
_MILLI = -3

Names = Callable[[str, str], list[Cause]]


@lru_cache(_CACHED_AMOUNTS)
def amount_of(text: str | float) -> Quantity | None:
    """Read an amount; None when it is no quantity, which decoding refuses."""
    try:
        return parse(text)
    except QuantityError:
        return None


def is_fractional(text: str | float) -> bool:
    """Tell whether an amount has a fraction; warned of where bytes are counted."""
    amount = amount_of(text)
    return amount is not None and not amount.is_integer


def round_amounts(amounts: JsonObject | None) -> None:
    """Round amounts up to thousandths, in place, as Kubernetes does with all that is asked for."""
    if amounts is None:
        return
    for name, text in amounts.items():
        # Hardly any is so small that it has to be looked at closer.
        if not isinstance(text, str) or not text.isalnum() or text[-1] in "nu":
            amount = amount_of(text)
            if amount is not None and amount.scale < _MILLI:
                amounts[name] = str(Quantity(amount.rounded_up(_MILLI), _MILLI, amount.notation))


def validate_resources(requirements: JsonObject | None, path: str, claims: Collection[str] = ()) -> list[Cause]:
    """Return what is wrong with a ``ResourceRequirements`` of a container; ``claims`` are the pod's, by name."""
    return _requirements(requirements, path, claims, container_resource_name) if requirements else []


def validate_pod_resources(requirements: JsonObject, path: str, claims: Collection[str]) -> list[Cause]:
    """Return what is wrong with the ``resources`` of a whole pod, its containers' left aside."""
    causes: list[Cause] = []
    if requirements.get("claims"):
        causes.append(wrong.forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level"))
    return causes + _requirements(requirements, path, claims, _pod_resource_name)


def _requirements(requirements: JsonObject, path: str, claims: Collection[str], check: Names) -> list[Cause]:
    limits: Mapping[str, str] = requirements.get("limits") or {}
    requests: Mapping[str, str] = requirements.get("requests") or {}
    causes: list[Cause] = []
    for name, text in limits.items():
        at = f"{path}.limits[{name}]"
        causes += check(name, at) + validate_amount(name, text, at) + _whole_pages(name, text, at)
    for name, text in requests.items():
        at = f"{path}.requests[{name}]"
        causes += check(name, at) + validate_amount(name, text, at)
        causes += _within_limit(name, text, limits, path) + _whole_pages(name, text, at)
    names = {*limits, *requests}
    if not names.intersection(_COMPUTE) and any(name.startswith(HUGE_PAGES) for name in names):
        causes.append(wrong.forbidden(path, "HugePages require cpu or memory"))
    if listed := requirements.get("claims"):
        causes += _claims(listed, f"{path}.claims", claims)
    return causes


def validate_amount(name: str, text: str, path: str) -> list[Cause]:
    """Check one amount: not negative, whole where things are counted."""
    amount = amount_of(text)
    if amount is None:
        return []
    causes: list[Cause] = []
    if amount < ZERO:
        causes.append(wrong.invalid(path, str(amount), NEGATIVE))
    if (name in _COUNTED or _is_extended(name)) and not amount.is_integer:
        causes.append(wrong.invalid(path, str(amount), "must be an integer"))
    return causes


def _whole_pages(name: str, text: str, path: str) -> list[Cause]:
    if not name.startswith(HUGE_PAGES):
        return []
    amount, size = amount_of(text), amount_of(name.removeprefix(HUGE_PAGES))
    if amount is None:
        return []
    if size is not None and size > ZERO and size.is_integer and not amount.rounded_up() % size.rounded_up():
        return []
    return [wrong.invalid(path, str(amount), f"{amount} is not positive integer multiple of {name}")]


def _within_limit(name: str, text: str, limits: Mapping[str, str], path: str) -> list[Cause]:
    may_exceed = _is_native(name) and not name.startswith(HUGE_PAGES)
    if name not in limits:
        detail = "Limit must be set for non overcommitable resources"
        return [] if may_exceed else [wrong.required(f"{path}.limits", detail)]
    asked, limit = amount_of(text), amount_of(limits[name])
    if asked is None or limit is None or asked == limit or (may_exceed and asked < limit):
        return []
    relation = "less than or equal to" if may_exceed else "equal to"
    return [wrong.invalid(f"{path}.requests", str(asked), f"must be {relation} {name} limit of {limit}")]


def _is_native(name: str) -> bool:
    return "/" not in name or _NATIVE_PREFIX in name


def _is_extended(name: str) -> bool:
    if _is_native(name) or name.startswith("requests."):
        return False
    return not validation.qualified_name(f"requests.{name}")


def resource_name(name: str, path: str) -> list[Cause]:
    """Check the name of any resource."""
    if name in _OF_CONTAINERS:
        return []
    causes = [wrong.invalid(path, name, text) for text in validation.qualified_name(name)]
    if causes or "/" in name or name in _STANDARD or name.startswith((HUGE_PAGES, f"requests.{HUGE_PAGES}")):
        return causes
    return [wrong.invalid(path, name, "must be a standard resource type or fully qualified")]


def container_resource_name(name: str, path: str) -> list[Cause]:
    """Check the name of a resource that containers ask for."""
    if name in _OF_CONTAINERS:
        return []
    causes = resource_name(name, path)
    if "/" not in name:
        return causes if name.startswith(HUGE_PAGES) else [*causes, wrong.invalid(path, name, _NAME_OF_CONTAINER)]
    if not _is_native(name) and not _is_extended(name):
        causes.append(wrong.invalid(path, name, "doesn't follow extended resource name standard"))
    return causes


def _pod_resource_name(name: str, path: str) -> list[Cause]:
    causes = resource_name(name, path)
    if causes or name in _COMPUTE or name.startswith(HUGE_PAGES):
        return causes
    return [wrong.not_supported(path, name, _OF_PODS)]


def _claims(listed: Sequence[JsonObject], path: str, known: Collection[str]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, claim in enumerate(listed):
        at, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            causes.append(wrong.required(at))
            continue
        causes += _claim_request(claim, at, seen)
        if name not in known:
            listing = f": {', '.join(sorted(known))}" if known else " which is empty"
            found = wrong.not_found(at, name)
            text = f"{found.message}: must be one of the names in pod.spec.resourceClaims{listing}"
            causes.append(Cause(found.reason, text, at))
    return causes


def _claim_request(claim: JsonObject, path: str, seen: set[str]) -> list[Cause]:
    name, request = claim["name"], claim.get("request") or ""
    if name in seen:
        return [wrong.duplicate(path, name)]
    causes = [wrong.invalid(f"{path}.request", request, text) for text in validation.dns1123_label(request) if request]
    key = f"{name}/{request}" if request else name
    if key in seen:
        causes.append(wrong.duplicate(path, key))
    elif not request:
        causes += [wrong.duplicate(path, name) for other in seen if other.partition("/")[0] == name and "/" in other]
    seen.add(key)
    return causes


Amounts = dict[str, Quantity]


def total_of(spec: JsonObject, part: str) -> Amounts:
    """Return what all containers of a pod request (``part`` is ``requests``) or are limited to, together."""
    total, beside, first = _sum(spec.get("containers") or (), part), Amounts(), Amounts()
    for container in spec.get("initContainers") or ():
        own = _sum([container], part)
        if container.get("restartPolicy") == "Always":
            _add(total, own)
            _add(beside, own)
            own = beside
        else:
            _add(own, beside)
        _raise(first, own)
    _raise(total, first)
    return total


def _sum(containers: Iterable[JsonObject], part: str) -> Amounts:
    total: Amounts = {}
    for container in containers:
        amounts = ((container.get("resources") or {}).get(part) or {}).items()
        _add(total, {name: amount for name, text in amounts if (amount := amount_of(text)) is not None})
    return total


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total[name] + amount if name in total else amount


def _raise(total: Amounts, other: Amounts) -> None:
    for name, amount in other.items():
        if name not in total or amount > total[name]:
            total[name] = amount


def quality_of_service(spec: JsonObject) -> str:
    """Return ``BestEffort``, ``Burstable`` or ``Guaranteed``, from the resources of the pod or of all containers."""
    lists = (spec.get("containers") or (), spec.get("initContainers") or ())
    amounts = [container.get("resources") or {} for containers in lists for container in containers]
    if whole := spec.get("resources"):
        amounts = [whole]
    requests = _total(one.get("requests") for one in amounts)
    limits = _total(one.get("limits") for one in amounts)
    if not requests and not limits:
        return "BestEffort"
    is_limited = all(len(_total([one.get("limits")])) == len(_COMPUTE) for one in amounts)
    is_guaranteed = is_limited and len(requests) == len(limits)
    return "Guaranteed" if is_guaranteed and all(requests[name] == limits[name] for name in requests) else "Burstable"


def _total(parts: Iterable[Mapping[str, str] | None]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for name in _COMPUTE:
            amount = amount_of((part or {}).get(name) or "0")
            if amount is not None and amount > ZERO:
                total[name] = total[name] + amount if name in total else amount
    return total
