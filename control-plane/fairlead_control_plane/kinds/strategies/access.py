"""
Roles and bindings.

Source: k8s.io/kubernetes/pkg/apis/rbac/{v1/defaults.go,validation/validation.go}.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise, show_unset
from fairlead_control_plane.kinds.strategies.selectors import compiled, validate_selector

GROUP = "rbac.authorization.k8s.io"
_REFERENCE_FIELDS = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))
_SUBJECT_GROUPS = {"User": GROUP, "Group": GROUP, "ServiceAccount": ""}


def _prepare_role(obj: JsonObject) -> None:
    normalise(obj, keeps_empty=True)


def _settle_role(new: JsonObject, old: JsonObject | None) -> None:
    del old
    show_unset(new, "rules")


def _prepare_binding(obj: JsonObject) -> None:
    normalise(obj)
    reference = obj.setdefault("roleRef", {})
    if not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        group = _SUBJECT_GROUPS.get(subject.get("kind", ""))
        if group and not subject.get("apiGroup"):
            subject["apiGroup"] = group


def _rule(rule: JsonObject, path: str, *, namespaced: bool) -> list[Cause]:
    causes: list[Cause] = []
    if not rule.get("verbs"):
        causes.append(wrong.required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            causes.append(wrong.invalid(f"{path}.nonResourceURLs", urls, text))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            causes.append(wrong.invalid(f"{path}.nonResourceURLs", urls, text))
        return causes
    if not rule.get("apiGroups"):
        causes.append(wrong.required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        causes.append(wrong.required(f"{path}.resources", "resource rules must supply at least one resource"))
    return causes


def _role(*, namespaced: bool) -> Callable[[JsonObject], list[Cause]]:
    def validate(obj: JsonObject) -> list[Cause]:
        rules = enumerate(obj.get("rules") or ())
        causes = [cause for i, rule in rules for cause in _rule(rule, f"rules[{i}]", namespaced=namespaced)]
        return causes + _aggregation(obj.get("aggregationRule"))

    return validate


def _aggregation(rule: JsonObject | None) -> list[Cause]:
    if rule is None:
        return []
    path = "aggregationRule.clusterRoleSelectors"
    selectors = rule.get("clusterRoleSelectors") or ()
    if not selectors:
        return [wrong.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")]
    causes: list[Cause] = []
    for index, selector in enumerate(selectors):
        at = f"{path}[{index}]"
        causes += validate_selector(selector, at)
        if compiled(selector) is None:
            causes.append(wrong.invalid(at, None, "invalid label selector."))
    return causes


def _binding(*roles: str, namespaced: bool) -> Callable[[JsonObject], list[Cause]]:
    def validate(obj: JsonObject) -> list[Cause]:
        reference = obj.get("roleRef") or {}
        causes: list[Cause] = []
        if reference.get("apiGroup") != GROUP:
            causes.append(wrong.not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), [GROUP]))
        if reference.get("kind") not in roles:
            causes.append(wrong.not_supported("roleRef.kind", reference.get("kind", ""), roles))
        name = reference.get("name") or ""
        if not name:
            causes.append(wrong.required("roleRef.name"))
        causes += [wrong.invalid("roleRef.name", name, text) for text in validation.path_segment_name(name)]
        for index, subject in enumerate(obj.get("subjects") or ()):
            causes += _subject(subject, f"subjects[{index}]", namespaced=namespaced)
        return causes

    return validate


def _subject(subject: JsonObject, path: str, *, namespaced: bool) -> list[Cause]:
    name, kind, group = subject.get("name") or "", subject.get("kind", ""), subject.get("apiGroup") or ""
    causes = [] if name else [wrong.required(f"{path}.name")]
    if kind not in _SUBJECT_GROUPS:
        return [*causes, wrong.not_supported(f"{path}.kind", kind, ["ServiceAccount", "User", "Group"])]
    if kind == "ServiceAccount" and name:
        causes += [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_subdomain(name)]
    if group != _SUBJECT_GROUPS[kind]:
        causes.append(wrong.not_supported(f"{path}.apiGroup", group, [_SUBJECT_GROUPS[kind]]))
    if kind == "ServiceAccount" and not namespaced and not subject.get("namespace"):
        causes.append(wrong.required(f"{path}.namespace"))
    return causes


def _same_role(new: JsonObject, old: JsonObject) -> list[Cause]:
    if new.get("roleRef") == old.get("roleRef"):
        return []
    # Kubernetes shows its internal struct here, not the user's object.
    reference = new.get("roleRef") or {}
    shown = {title: reference.get(field, "") for title, field in _REFERENCE_FIELDS}
    return [wrong.invalid("roleRef", shown, "cannot change roleRef")]


def _role_strategy(*, namespaced: bool) -> Strategy:
    return Strategy(
        prepare_create=_prepare_role,
        prepare_update=lambda new, old: _prepare_role(new),
        settle=_settle_role,
        validate=_role(namespaced=namespaced),
        validate_name=validation.path_segment_name,
        create_on_update=True,
    )


def _binding_strategy(*roles: str, namespaced: bool) -> Strategy:
    return Strategy(
        prepare_create=_prepare_binding,
        prepare_update=lambda new, old: _prepare_binding(new),
        validate=_binding(*roles, namespaced=namespaced),
        validate_update=_same_role,
        validate_name=validation.path_segment_name,
        create_on_update=True,
    )


ROLE = _role_strategy(namespaced=True)
CLUSTER_ROLE = _role_strategy(namespaced=False)
ROLE_BINDING = _binding_strategy("Role", "ClusterRole", namespaced=True)
CLUSTER_ROLE_BINDING = _binding_strategy("ClusterRole", namespaced=False)
