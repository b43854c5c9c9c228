"""
Validation of where a pod may run: affinity, spreading over nodes, tolerations, gates.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateAffinity, validateTopologySpreadConstraints,
ValidateTolerations and below).
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.selectors import validate_selector

_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS = ("Equal", "Exists")
_COMPARING = ("Equal", "Exists", "Lt", "Gt")
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSIONS = ("Honor", "Ignore")
_WEIGHT = "must be in the range 1-100"
_BAD_OPERATOR = "not a valid selector operator"
_IN_BOTH = "exists in both matchLabelKeys and"


def validate_affinity(affinity: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the ``affinity`` of a pod."""
    causes: list[Cause] = []
    if (nodes := affinity.get("nodeAffinity")) is not None:
        causes += _node_affinity(nodes, f"{path}.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(kind) or {}
        for index, term in enumerate(pods.get(_REQUIRED) or ()):
            causes += _pod_term(term, f"{path}.{kind}.{_REQUIRED}[{index}]")
        for index, weighted in enumerate(pods.get(_PREFERRED) or ()):
            at = f"{path}.{kind}.{_PREFERRED}[{index}]"
            causes += _weight(weighted, at)
            causes += _pod_term(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return causes


def _weight(term: JsonObject, path: str) -> list[Cause]:
    weight = term.get("weight") or 0
    return [] if 0 < weight <= 100 else [wrong.invalid(f"{path}.weight", weight, _WEIGHT)]


def _node_affinity(affinity: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (required := affinity.get(_REQUIRED)) is not None:
        causes += validate_node_selector(required, f"{path}.{_REQUIRED}")
    for index, term in enumerate(affinity.get(_PREFERRED) or ()):
        at = f"{path}.{_PREFERRED}[{index}]"
        causes += _weight(term, at)
        # What a preference says of labels' values is only warned of.
        causes += _node_term(term.get("preference") or {}, f"{at}.preference", checks_values=False)
    return causes


def validate_node_selector(selector: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with a ``NodeSelector``."""
    terms, at = selector.get("nodeSelectorTerms") or (), f"{path}.nodeSelectorTerms"
    if not terms:
        return [wrong.required(at, "must have at least one node selector term")]
    return [cause for i, term in enumerate(terms) for cause in _node_term(term, f"{at}[{i}]", checks_values=True)]


def _node_term(term: JsonObject, path: str, *, checks_values: bool) -> list[Cause]:
    causes: list[Cause] = []
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{index}]"
        causes += _node_requirement(requirement, at, checks_values=checks_values)
    for index, requirement in enumerate(term.get("matchFields") or ()):
        causes += _node_field(requirement, f"{path}.matchFields[{index}]")
    return causes


def _node_requirement(requirement: JsonObject, path: str, *, checks_values: bool) -> list[Cause]:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    causes: list[Cause] = []
    if operator in {"In", "NotIn"}:
        if not values:
            causes.append(wrong.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(wrong.forbidden(f"{path}.values", text))
    elif operator not in {"Gt", "Lt"}:
        causes.append(wrong.invalid(f"{path}.operator", operator, _BAD_OPERATOR))
    elif len(values) != 1:
        text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        causes.append(wrong.required(f"{path}.values", text))
    causes += label_name(requirement.get("key") or "", f"{path}.key")
    if checks_values:
        for index, value in enumerate(values):
            at = f"{path}.values[{index}]"
            causes += [wrong.invalid(at, value, text) for text in validation.label_value(value)]
    return causes


def _node_field(requirement: JsonObject, path: str) -> list[Cause]:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    causes: list[Cause] = []
    if operator not in {"In", "NotIn"}:
        causes.append(wrong.invalid(f"{path}.operator", operator, _BAD_OPERATOR))
    elif len(values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        causes.append(wrong.required(f"{path}.values", text))
    key = requirement.get("key") or ""
    if key != "metadata.name":
        return [*causes, wrong.invalid(f"{path}.key", key, "not a valid field selector key")]
    for index, value in enumerate(values):
        at = f"{path}.values[{index}]"
        causes += [wrong.invalid(at, value, text) for text in validation.dns1123_subdomain(value)]
    return causes


def label_name(key: str, path: str) -> list[Cause]:
    """Check the key of a label."""
    return [wrong.invalid(path, key, text) for text in validation.label_key(key)]


def _pod_term(term: JsonObject, path: str) -> list[Cause]:
    causes = validate_selector(term.get("labelSelector"), f"{path}.labelSelector")
    causes += validate_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for name in term.get("namespaces") or ():
        causes += [wrong.invalid(f"{path}.namespace", name, text) for text in validation.namespace_name(name)]
    causes += _label_keys(term, path)
    key = term.get("topologyKey") or ""
    if not key:
        causes.append(wrong.required(f"{path}.topologyKey", "can not be empty"))
    return causes + label_name(key, f"{path}.topologyKey")


def _label_keys(term: JsonObject, path: str) -> list[Cause]:
    """Check keys whose values come from the pod itself: whether they clash with the selector, or with each other."""
    selector, matched = term.get("labelSelector"), term.get("matchLabelKeys") or ()
    others = term.get("mismatchLabelKeys") or ()
    causes: list[Cause] = []
    for field, keys in (("matchLabelKeys", matched), ("mismatchLabelKeys", others)):
        if keys and selector is None:
            text = "must not be specified when labelSelector is not set"
            causes.append(wrong.forbidden(f"{path}.{field}", text))
        elif keys:
            causes += [cause for i, key in enumerate(keys) for cause in label_name(key, f"{path}.{field}[{i}]")]
    if selector is not None and matched:
        places = {key: index for index, key in enumerate(matched)}
        known = set(selector.get("matchLabels") or ())
        for expression in selector.get("matchExpressions") or ():
            key = expression.get("key") or ""
            if key in places and key in known:
                causes.append(wrong.invalid(f"{path}[{places[key]}]", key, f"{_IN_BOTH} labelSelector"))
            known.add(key)
    text = f"{_IN_BOTH} mismatchLabelKeys"
    doubled = [(i, key) for i, key in enumerate(matched) if key in others]
    return causes + [wrong.invalid(f"{path}.matchLabelKeys[{i}]", key, text) for i, key in doubled]


def validate_spread(constraints: Sequence[JsonObject], path: str) -> list[Cause]:
    """Return what is wrong with ``topologySpreadConstraints``."""
    causes: list[Cause] = []
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        skew = constraint.get("maxSkew") or 0
        if skew <= 0:
            causes.append(wrong.invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
        key, action = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        if not key:
            causes.append(wrong.required(f"{at}.topologyKey", "can not be empty"))
        if action not in _UNSATISFIABLE:
            causes.append(wrong.not_supported(f"{at}.whenUnsatisfiable", action, _UNSATISFIABLE))
        rest = ((one.get("topologyKey") or "", one.get("whenUnsatisfiable") or "") for one in constraints[index + 1 :])
        if (key, action) in rest:
            causes.append(wrong.duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        causes += _spread_domains(constraint.get("minDomains"), action, f"{at}.minDomains")
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = constraint.get(field)
            if policy is not None and policy not in _INCLUSIONS:
                causes.append(wrong.not_supported(f"{at}.{field}", policy, _INCLUSIONS))
        causes += _label_keys(constraint, at)
        causes += validate_selector(constraint.get("labelSelector"), f"{at}.labelSelector")
    return causes


def _spread_domains(number: int | None, action: str, path: str) -> list[Cause]:
    if number is None:
        return []
    causes = [] if number > 0 else [wrong.invalid(path, number, "must be greater than zero")]
    if action != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        causes.append(wrong.invalid(path, number, text))
    return causes


def validate_tolerations(tolerations: Sequence[JsonObject], path: str) -> list[Cause]:
    """Return what is wrong with ``tolerations``."""
    return [cause for i, one in enumerate(tolerations) for cause in _toleration(one, f"{path}[{i}]")]


def _toleration(toleration: JsonObject, path: str) -> list[Cause]:
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    causes = label_name(key, f"{path}.key") if key else []
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        causes.append(wrong.invalid(f"{path}.operator", operator, text))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.append(wrong.invalid(f"{path}.effect", effect, text))
    if operator in {"Equal", ""}:
        messages = validation.label_value(value)
        causes += [wrong.invalid(f"{path}.operator", value, ";".join(messages))] if messages else []
    elif operator != "Exists":
        # Comparing numbers is a feature that is off.
        allowed = _COMPARING if operator in _COMPARING else _OPERATORS
        causes.append(wrong.not_supported(f"{path}.operator", operator, allowed))
    elif value:
        text = "value must be empty when `operator` is 'Exists'"
        causes.append(wrong.invalid(f"{path}.operator", value, text))
    if effect and effect not in _EFFECTS:
        causes.append(wrong.not_supported(f"{path}.effect", effect, _EFFECTS))
    return causes


def validate_gates(gates: Sequence[JsonObject], path: str) -> list[Cause]:
    """Return what is wrong with ``schedulingGates``."""
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name") or ""
        causes += [wrong.invalid(f"{path}[{index}]", name, text) for text in validation.qualified_name(name)]
        if name in seen:
            causes.append(wrong.duplicate(f"{path}[{index}]", name))
        seen.add(name)
    return causes
