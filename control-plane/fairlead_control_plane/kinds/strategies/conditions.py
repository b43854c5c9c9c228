"""
Validation of conditions in the form that most kinds share (``metav1.Condition``).

Source: k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go (ValidateConditions).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause

_STATUSES = ("False", "True", "Unknown")
_REASON = re.compile("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_REASON_MESSAGE = validation.regex_message(
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'",
    _REASON.pattern,
    "my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB",
)  # fmt: skip
_MAX_REASON_BYTES, _MAX_MESSAGE_BYTES = 1024, 32 * 1024


def validate_conditions(conditions: Sequence[JsonObject], path: str) -> list[Cause]:
    """Return what is wrong with a list of conditions."""
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        at, kind = f"{path}[{index}]", condition.get("type") or ""
        if kind in seen:
            causes.append(wrong.duplicate(f"{at}.type", kind))
        seen.add(kind)
        causes += _condition(condition, at)
    return causes


def _condition(condition: JsonObject, path: str) -> list[Cause]:
    kind, status = condition.get("type") or "", condition.get("status") or ""
    reason, message = condition.get("reason") or "", condition.get("message") or ""
    causes = [wrong.invalid(f"{path}.type", kind, text) for text in validation.label_key(kind)]
    if status not in _STATUSES:
        causes.append(wrong.not_supported(f"{path}.status", status, _STATUSES))
    if (seen := condition.get("observedGeneration") or 0) < 0:
        causes.append(wrong.invalid(f"{path}.observedGeneration", seen, "must be greater than or equal to zero"))
    if not condition.get("lastTransitionTime"):
        causes.append(wrong.required(f"{path}.lastTransitionTime"))
    if not reason:
        causes.append(wrong.required(f"{path}.reason"))
    elif not _REASON.fullmatch(reason):
        causes.append(wrong.invalid(f"{path}.reason", reason, _REASON_MESSAGE))
    if len(reason.encode()) > _MAX_REASON_BYTES:
        causes.append(wrong.too_long(f"{path}.reason", _MAX_REASON_BYTES))
    if len(message.encode()) > _MAX_MESSAGE_BYTES:
        causes.append(wrong.too_long(f"{path}.message", _MAX_MESSAGE_BYTES))
    return causes
