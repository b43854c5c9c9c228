"""
Flow schemas and priority levels.

Source: k8s.io/kubernetes pkg/apis/flowcontrol/validation/validation.go, pkg/registry/flowcontrol/*/strategy.go;
k8s.io/apiserver pkg/util/shufflesharding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy, Subresource, Writer
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import validate_again
from fairlead_control_plane.kinds.strategies.status_writes import BUT_STATUS

GROUP = "flowcontrol.apiserver.k8s.io"
_EXEMPT = "exempt"
_LAST_PRECEDENCE = 10_000
_METHODS = ("ByNamespace", "ByUser")
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_MOST_QUEUES, _HASH_BITS = 10_000_000, 60
_ONLY_ZERO_SHARES = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares"
_NAMESPACES = "each member of this list must be '*' or a DNS-1123 label; "


def _check_schema(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = _precedence(spec.get("matchingPrecedence") or 0, obj["metadata"].get("name") or "")
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        shown = {"Type": method.get("type") or ""}  # Kubernetes shows the whole struct
        causes.append(wrong.not_supported("spec.distinguisherMethod.type", shown, _METHODS))
    level, at = (spec.get("priorityLevelConfiguration") or {}).get("name"), "spec.priorityLevelConfiguration.name"
    if level:
        causes += [wrong.invalid(at, level, text) for text in validation.dns1123_subdomain(level)]
    else:
        causes.append(wrong.required(at, "must reference a priority level"))
    for index, rule in enumerate(spec.get("rules") or ()):
        causes += _rule(rule, f"spec.rules[{index}]")
    return causes + _conditions(obj)


def _precedence(number: int, name: str) -> list[Cause]:
    path = "spec.matchingPrecedence"
    if number <= 0:
        return [wrong.invalid(path, number, "must be a positive value")]
    if number > _LAST_PRECEDENCE:
        return [wrong.invalid(path, number, f"must not be greater than {_LAST_PRECEDENCE}")]
    if number == 1 and name != _EXEMPT:
        return [wrong.invalid(path, number, "only the schema named 'exempt' may have matchingPrecedence 1")]
    return []


def _rule(rule: JsonObject, path: str) -> list[Cause]:
    subjects, resources, urls = (rule.get(field) or () for field in ("subjects", "resourceRules", "nonResourceRules"))
    causes = [cause for index, one in enumerate(subjects) for cause in _subject(one, f"{path}.subjects[{index}]")]
    if not subjects:
        causes.append(wrong.required(f"{path}.subjects", "subjects must contain at least one value"))
    if not resources and not urls:
        text = "at least one of resourceRules and nonResourceRules has to be non-empty"
        causes.append(wrong.required(path, text))
    for index, one in enumerate(resources):
        causes += _resource_rule(one, f"{path}.resourceRules[{index}]")
    for index, one in enumerate(urls):
        causes += _url_rule(one, f"{path}.nonResourceRules[{index}]")
    return causes


_SUBJECTS: Mapping[str, str] = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}


def _subject(subject: JsonObject, path: str) -> list[Cause]:
    kind = subject.get("kind") or ""
    if kind not in _SUBJECTS:
        return [wrong.not_supported(f"{path}.kind", kind, sorted(_SUBJECTS))]
    field = _SUBJECTS[kind]
    named, at = subject.get(field), f"{path}.{field}"
    if named is None:
        causes = [wrong.required(at, f"{field} is required when subject kind is '{kind}'")]
    else:
        causes = _account(named, at) if kind == "ServiceAccount" else _named(named, at)
    return causes + [
        wrong.forbidden(f"{path}.{other}", f"{other} is forbidden when subject kind is not '{title}'")
        for title, other in _SUBJECTS.items()
        if title != kind and subject.get(other) is not None
    ]


def _named(subject: JsonObject, path: str) -> list[Cause]:
    return [] if subject.get("name") else [wrong.required(f"{path}.name")]


def _account(subject: JsonObject, path: str) -> list[Cause]:
    name, namespace = subject.get("name") or "", subject.get("namespace") or ""
    causes = _named(subject, path)
    if name and name != "*":
        causes += [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_subdomain(name)]
    if not namespace:
        return [*causes, wrong.required(f"{path}.namespace", "must specify namespace for service account")]
    return causes + [
        wrong.invalid(f"{path}.namespace", namespace, text) for text in validation.dns1123_label(namespace)
    ]


def _verbs(verbs: Sequence[str], path: str) -> list[Cause]:
    if not verbs:
        return [wrong.required(path, "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone(verbs, path, "verbs")
    if set(verbs) <= set(_VERBS):
        return []
    return [wrong.not_supported(path, verbs, _VERBS)]


def _alone(values: Sequence[str], path: str, what: str) -> list[Cause]:
    """Check that a star stands alone."""
    if "*" not in values or len(values) == 1:
        return []
    return [wrong.invalid(path, values, f"if '*' is present, must not specify other {what}")]


def _url_rule(rule: JsonObject, path: str) -> list[Cause]:
    urls, at = rule.get("nonResourceURLs") or [], f"{path}.nonResourceURLs"
    causes = _verbs(rule.get("verbs") or [], f"{path}.verbs")
    if not urls:
        return [*causes, wrong.required(at, "nonResourceURLs must contain at least one value")]
    if "*" in urls:
        return causes + _alone(urls, at, "non-resource URLs")
    faults = ((index, url, _url_fault(url)) for index, url in enumerate(urls))
    return causes + [wrong.invalid(f"{at}[{index}]", url, fault) for index, url, fault in faults if fault]


def _url_fault(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    stars = url.count("*")
    is_suffix = stars == 0 or (stars == 1 and url.endswith("/*"))
    return "" if is_suffix else "wildcard can only do suffix matching"


def _resource_rule(rule: JsonObject, path: str) -> list[Cause]:
    causes = _verbs(rule.get("verbs") or [], f"{path}.verbs")
    for field, one, others in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        values, at = rule.get(field) or [], f"{path}.{field}"
        missing = wrong.required(at, f"resource rules must supply at least one {one}")
        causes += _alone(values, at, others) if values else [missing]
    namespaces, at = rule.get("namespaces") or [], f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        text = "resource rules that are not cluster scoped must supply at least one namespace"
        return [*causes, wrong.required(at, text)]
    if "*" in namespaces:
        return causes + _alone(namespaces, at, "namespaces")
    return causes + [
        wrong.invalid(f"{at}[{index}]", namespace, _NAMESPACES + text)
        for index, namespace in enumerate(namespaces)
        for text in validation.dns1123_label(namespace)
    ]


def _conditions(obj: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, condition in enumerate((obj.get("status") or {}).get("conditions") or ()):
        kind, at = condition.get("type") or "", f"status.conditions[{index}].type"
        if kind in seen:
            causes.append(wrong.duplicate(at, kind))
        if not kind:
            causes.append(wrong.required(at))
        seen.add(kind)
    return causes


def _check_level(obj: JsonObject) -> list[Cause]:
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    causes: list[Cause] = []
    if _ONLY_ZERO_SHARES in (obj["metadata"].get("annotations") or {}):
        causes.append(wrong.forbidden("metadata.annotations", f"annotation '{_ONLY_ZERO_SHARES}' is forbidden"))
    kind, limited, exempt = spec.get("type") or "", spec.get("limited"), spec.get("exempt")
    if (name == _EXEMPT) != (kind == "Exempt"):
        causes.append(wrong.invalid("spec.type", kind, "must be 'Exempt' if and only if `name` is 'exempt'"))
    if kind == "Exempt":
        if limited is not None:
            causes.append(wrong.forbidden("spec.limited", "must be nil if the type is not Limited"))
        causes += _shares(exempt or {}, "spec.exempt")
    elif kind == "Limited":
        if exempt is not None:
            causes.append(wrong.forbidden("spec.exempt", "must be nil if the type is Limited"))
        if limited is None:
            causes.append(wrong.required("spec.limited", "must not be empty when type is Limited"))
        else:
            causes += _limited(limited)
    else:
        causes += _kind(kind, ("Exempt", "Limited"), "spec.type")
    return causes + _conditions(obj)


def _kind(kind: str, allowed: Sequence[str], path: str) -> list[Cause]:
    return [wrong.not_supported(path, kind, allowed)] if kind else [wrong.required(path)]


def _shares(level: JsonObject, path: str) -> list[Cause]:
    shares, lendable = level.get("nominalConcurrencyShares"), level.get("lendablePercent")
    causes: list[Cause] = []
    if shares is not None and shares < 0:
        causes.append(wrong.invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer"))
    if lendable is not None and not 0 <= lendable <= 100:
        causes.append(wrong.invalid(f"{path}.lendablePercent", lendable, "must be between 0 and 100, inclusive"))
    return causes


def _limited(limited: JsonObject) -> list[Cause]:
    path, response = "spec.limited", limited.get("limitResponse") or {}
    causes = _shares(limited, path)
    kind, queuing, at = response.get("type") or "", response.get("queuing"), f"{path}.limitResponse.queuing"
    if kind == "Reject":
        if queuing is not None:
            causes.append(wrong.forbidden(at, "must be nil if limited.limitResponse.type is not Limited"))
    elif kind == "Queue":
        missing = wrong.required(at, "must not be empty if limited.limitResponse.type is Limited")
        causes += [missing] if queuing is None else _queuing(queuing, at)
    else:
        causes += _kind(kind, ("Queue", "Reject"), f"{path}.limitResponse.type")
    borrowed = limited.get("borrowingLimitPercent")
    if borrowed is not None and borrowed < 0:
        text = "if specified, must be a non-negative integer"
        causes.append(wrong.invalid(f"{path}.borrowingLimitPercent", borrowed, text))
    return causes


def _queuing(queuing: JsonObject, path: str) -> list[Cause]:
    length, queues, hand = (queuing.get(field) or 0 for field in ("queueLengthLimit", "queues", "handSize"))
    causes: list[Cause] = []
    if length <= 0:
        causes.append(wrong.invalid(f"{path}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        causes.append(wrong.invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > _MOST_QUEUES:
        causes.append(wrong.invalid(f"{path}.queues", queues, f"must not be greater than {_MOST_QUEUES}"))
    at = f"{path}.handSize"
    if hand <= 0:
        causes.append(wrong.invalid(at, hand, "must be positive"))
    elif hand > queues:
        causes.append(wrong.invalid(at, hand, f"should not be greater than queues ({queues})"))
    elif math.ceil(math.log2(queues) * hand) > _HASH_BITS:
        text = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HASH_BITS}"
        causes.append(wrong.invalid(at, hand, text))
    return causes


def _keep_metadata(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Put all metadata back but for who manages what."""
    del writer
    kept: Collection[str] = {"managedFields", "resourceVersion"}
    new["metadata"] = {
        **{key: value for key, value in old["metadata"].items() if key not in kept},
        **{key: value for key, value in new["metadata"].items() if key in kept},
    }


def _strategy(plural: str, check: Callable[[JsonObject], list[Cause]]) -> Strategy:
    return replace(
        generic_strategy(GROUP, plural, has_status=True),
        validate=check,
        validate_change=lambda new, old: [*validate_again(new), *check(new)],
        subresources={
            "status": Subresource(_keep_metadata, lambda new, old: _conditions(new), BUT_STATUS),
        },
    )


FLOW_SCHEMA = _strategy("flowschemas", _check_schema)
PRIORITY_LEVEL = _strategy("prioritylevelconfigurations", _check_level)
