"""
Labels of nodes that are out of date, and topologies made of labels.

Source: k8s.io/kubernetes pkg/api/node/util.go, pkg/apis/core/validation (ValidateTopologySelectorTerm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause

DEPRECATED: Mapping[str, str] = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}


def warn_of_expressions(expressions: Sequence[JsonObject] | None, path: str) -> list[str]:
    """Return warnings of the labels that ``matchExpressions`` of a selector of nodes name."""
    return [
        f"{path}[{index}].key: {expression.get('key')} is {DEPRECATED[expression['key']]}"
        for index, expression in enumerate(expressions or ())
        if expression.get("key") in DEPRECATED
    ]


def warn_of_selector(selector: JsonObject | None, path: str) -> list[str]:
    """Return warnings of the labels of nodes that a label selector names."""
    found = selector or {}
    warnings = warn_of_expressions(found.get("matchExpressions"), f"{path}.matchExpressions")
    labels = found.get("matchLabels") or {}
    return warnings + [f"{path}.matchLabels.{key}: {DEPRECATED[key]}" for key in labels if key in DEPRECATED]


def validate_topologies(terms: Sequence[JsonObject], path: str) -> list[Cause]:
    """Check topology selector terms: keys and values, and that no two are alike."""
    causes: list[Cause] = []
    seen: list[Mapping[str, frozenset[str]]] = []
    for index, term in enumerate(terms):
        at = f"{path}[{index}].matchLabelExpressions"
        found: dict[str, frozenset[str]] = {}
        for position, expression in enumerate(term.get("matchLabelExpressions") or ()):
            key, values = expression.get("key") or "", expression.get("values") or []
            causes += _values(values, f"{at}[{position}].values")
            causes += [wrong.invalid(f"{at}[{position}].key", key, text) for text in validation.label_key(key)]
            if key in found:
                causes.append(wrong.duplicate(f"{at}[{position}].key", key))
            found[key] = frozenset(values)
        # Kubernetes compares each with as many empty ones as there are terms, too.
        if found in seen or not found:
            causes.append(wrong.duplicate(at, ""))
        seen.append(found)
    return causes


def _values(values: Sequence[str], path: str) -> list[Cause]:
    if not values:
        return [wrong.required(path)]
    return [wrong.duplicate(f"{path}[{index}]", value) for index, value in enumerate(values) if value in values[:index]]
