"""
Validation of label selectors inside objects.

Source: k8s.io/apimachinery/pkg/apis/meta/v1/validation (ValidateLabelSelector).
"""

from __future__ import annotations

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.selectors import Selector, SelectorError, from_object
from fairlead_control_plane.kinds.strategies.metadata import validate_labels

_WITH_VALUES = {"In", "NotIn"}
_WITHOUT_VALUES = {"Exists", "DoesNotExist"}


def validate_selector(selector: JsonObject | None, path: str) -> list[Cause]:
    """Return what is wrong with a ``LabelSelector``; None is fine."""
    if selector is None:
        return []
    causes = validate_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, requirement in enumerate(selector.get("matchExpressions") or ()):
        causes += _requirement(requirement, f"{path}.matchExpressions[{index}]")
    return causes


def selector_cause(path: str, selector: JsonObject | None, text: str) -> Cause:
    """Return the cause of a wrong selector, shown with its parts in Kubernetes' order."""
    if selector is None:
        return wrong.invalid(path, None, text)
    parts: JsonObject = {}
    if labels := selector.get("matchLabels"):
        parts["matchLabels"] = dict(sorted(labels.items()))
    if expressions := selector.get("matchExpressions"):
        parts["matchExpressions"] = [dict(sorted(one.items())) for one in expressions]
    shown = wrong.shown_in_order(parts)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}" + (f": {text}" if text else ""), path)


def compiled(selector: JsonObject | None) -> Selector | None:
    """Return the selector ready to match, or None when it is malformed."""
    try:
        return from_object(selector)
    except SelectorError:
        return None


def is_empty(selector: JsonObject) -> bool:
    """Tell whether it says nothing, and so matches everything."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def _requirement(requirement: JsonObject, path: str) -> list[Cause]:
    operator, values = requirement.get("operator", ""), requirement.get("values") or ()
    causes: list[Cause] = []
    if operator in _WITH_VALUES:
        if not values:
            causes.append(wrong.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in _WITHOUT_VALUES:
        if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(wrong.forbidden(f"{path}.values", text))
    else:
        causes.append(wrong.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    key = requirement.get("key", "")
    causes += [wrong.invalid(f"{path}.key", key, text) for text in validation.label_key(key)]
    for index, value in enumerate(values):
        causes += [wrong.invalid(f"{path}.values[{index}]", value, text) for text in validation.label_value(value)]
    return causes
