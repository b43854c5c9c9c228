"""
Which requests a policy or a binding is about (``MatchResources``): defaults and rules.

Source: k8s.io/kubernetes/pkg/apis/admissionregistration/v1/defaults.go, validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.selectors import validate_selector

MATCH_POLICIES = ("Equivalent", "Exact")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_RULES = ("resourceRules", "excludeResourceRules")


def fill_in(matched: JsonObject | None) -> None:
    """Add what a ``MatchResources`` does not say, in place."""
    if matched is None:
        return
    matched.setdefault("matchPolicy", "Equivalent")
    matched.setdefault("namespaceSelector", {})
    matched.setdefault("objectSelector", {})
    for field in _RULES:
        for rule in matched.get(field) or ():
            rule.setdefault("scope", "*")


def validate_match(matched: JsonObject | None, path: str) -> list[Cause]:
    """Return what is wrong with a ``MatchResources``; None is fine."""
    if matched is None:
        return []
    causes = one_of(matched.get("matchPolicy"), MATCH_POLICIES, f"{path}.matchPolicy")
    for field in ("namespaceSelector", "objectSelector"):
        causes += validate_selector(matched.get(field), f"{path}.{field}")
    for field in _RULES:
        for index, rule in enumerate(matched.get(field) or ()):
            causes += _named_rule(rule, f"{path}.{field}[{index}]")
    return causes


def one_of(value: str | None, allowed: Sequence[str], path: str) -> list[Cause]:
    """Return the cause of a value outside an enumeration; it is required."""
    if value is None:
        return [wrong.required(path)]
    return [] if value in allowed else [wrong.not_supported(path, value, allowed)]


def operations(rules: Iterable[JsonObject], path: str, allowed: Sequence[str]) -> list[Cause]:
    """Return the causes of operations that rules of some kind may not name."""
    named = [operation for rule in rules for operation in rule.get("operations") or ()]
    return [wrong.not_supported(path, operation, allowed) for operation in named if operation not in allowed]


def _named_rule(rule: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, name in enumerate(rule.get("resourceNames") or ()):
        at = f"{path}.resourceNames[{index}]"
        causes += [wrong.invalid(at, name, text) for text in validation.path_segment_name(name)]
        if name in seen:
            causes.append(wrong.duplicate(at, name))
        seen.add(name)
    return causes + validate_rule(rule, path)


def validate_rule(rule: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with a ``RuleWithOperations``, of policies and of webhooks."""
    return _operations(rule.get("operations") or [], f"{path}.operations") + _rule(rule, path)


def _operations(named: Sequence[str], path: str) -> list[Cause]:
    causes = [] if named else [wrong.required(path)]
    if len(named) > 1 and "*" in named:
        causes.append(wrong.invalid(path, named, "if '*' is present, must not specify other operations"))
    for index, operation in enumerate(named):
        if operation not in OPERATIONS:
            causes.append(wrong.not_supported(f"{path}[{index}]", operation, OPERATIONS))
    return causes


def _rule(rule: JsonObject, path: str) -> list[Cause]:
    groups, versions = rule.get("apiGroups") or [], rule.get("apiVersions") or []
    causes = _wildcards(groups, f"{path}.apiGroups", "API groups")
    causes += _wildcards(versions, f"{path}.apiVersions", "API versions")
    causes += [wrong.required(f"{path}.apiVersions[{index}]") for index, version in enumerate(versions) if not version]
    causes += _resources(rule.get("resources") or [], f"{path}.resources")
    scope = rule.get("scope")
    if scope is not None and scope not in _SCOPES:
        causes.append(wrong.not_supported(f"{path}.scope", scope, _SCOPES))
    return causes


def _wildcards(values: Sequence[str], path: str, what: str) -> list[Cause]:
    if not values:
        return [wrong.required(path)]
    if len(values) > 1 and "*" in values:
        return [wrong.invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def _resources(resources: Sequence[str], path: str) -> list[Cause]:
    causes = [] if resources else [wrong.required(path)]
    with_any_part: set[str] = set()
    parts_of_any: set[str] = set()
    has_plain = False
    for index, resource in enumerate(resources):
        at = f"{path}[{index}]"
        whole, slash, part = resource.partition("/")
        if not resource:
            causes.append(wrong.required(at))
        elif not slash:
            has_plain = resource != "*"
        else:
            causes += _covered(resource, whole, part, at, (with_any_part, parts_of_any))
            if part == "*":
                with_any_part.add(whole)
            if whole == "*":
                parts_of_any.add(part)
    if len(resources) > 1 and "*/*" in resources:
        causes.append(wrong.invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and has_plain:
        text = "if '*' is present, must not specify other resources without subresources"
        causes.append(wrong.invalid(path, resources, text))
    return causes


def _covered(
    resource: str, whole: str, part: str, path: str, before: tuple[Collection[str], Collection[str]]
) -> list[Cause]:
    """Return the causes of a subresource that an earlier wildcard names already."""
    texts = []
    if whole in before[0]:
        texts.append(f"if '{whole}/*' is present, must not specify {resource}")
    if part in before[1]:
        texts.append(f"if '*/{part}' is present, must not specify {resource}")
    return [wrong.invalid(path, resource, text) for text in texts]
