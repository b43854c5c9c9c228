"""
Kubernetes' own groups: whoever defines something in one must say who approved of it, or that nobody has.

Source: k8s.io/apiextensions-apiserver pkg/apihelpers/helpers.go, pkg/controller/apiapproval; texts as kube-apiserver
v1.36.3 answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from urllib.parse import urlsplit

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause

ANNOTATION = "api-approved.kubernetes.io"
_FIELD = f"metadata.annotations[{ANNOTATION}]"
_NEEDED = f'protected groups must have approval annotation "{ANNOTATION}"'
_SEE = ", see https://github.com/kubernetes/enhancements/pull/1111"


class Approval(Enum):
    """What the annotation says."""

    MISSING = "MissingAnnotation"
    INVALID = "InvalidAnnotation"
    APPROVED = "ApprovedAnnotation"
    BYPASSED = "UnapprovedAnnotation"


def is_protected(group: str) -> bool:
    """Tell whether a group is Kubernetes' own."""
    return group in {"k8s.io", "kubernetes.io"} or group.endswith((".k8s.io", ".kubernetes.io"))


def approval(annotations: Mapping[str, str] | None) -> tuple[Approval, str]:
    """Return what the annotation says, and the sentence about it."""
    text = (annotations or {}).get(ANNOTATION) or ""
    if not text:
        return Approval.MISSING, _NEEDED + _SEE
    if text.startswith("unapproved"):
        return Approval.BYPASSED, f'not approved: "{text}"'
    if _is_url(text):
        return Approval.APPROVED, f"approved in {text}"
    return Approval.INVALID, f'{_NEEDED} with either a URL or a reason starting with "unapproved"{_SEE}'


def problems(new: JsonObject, old: JsonObject | None) -> list[Cause]:
    """Return what is wrong with a definition's approval; what it was before it may stay."""
    if not is_protected(str((new.get("spec") or {}).get("group") or "")):
        return []
    annotations = new["metadata"].get("annotations")
    state, text = approval(annotations)
    if old is not None and approval(old["metadata"].get("annotations"))[0] is state:
        return []
    if state is Approval.MISSING:
        return [wrong.required(_FIELD, text)]
    return [wrong.invalid(_FIELD, annotations[ANNOTATION], text)] if state is Approval.INVALID else []


def condition(definition: JsonObject) -> JsonObject | None:
    """Return the condition that says how a definition in a protected group stands; None in any other group."""
    if not is_protected(str((definition.get("spec") or {}).get("group") or "")):
        return None
    state, text = approval(definition["metadata"].get("annotations"))
    status = "True" if state is Approval.APPROVED else "False"
    kind = "KubernetesAPIApprovalPolicyConformant"
    return {"type": kind, "status": status, "reason": state.value, "message": text}


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)
