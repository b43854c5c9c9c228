"""Definitions in Kubernetes' own groups; texts compared with kube-apiserver v1.36.3."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.strategies import approval

URL = "https://github.com/kubernetes/kubernetes/pull/1"
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"


def definition(group: str, text: str | None = None) -> JsonObject:
    annotations = {} if text is None else {"annotations": {approval.ANNOTATION: text}}
    return {"metadata": {"name": "x", **annotations}, "spec": {"group": group}}


@pytest.mark.parametrize("group", ["k8s.io", "networking.k8s.io", "kubernetes.io", "x.kubernetes.io"])
def test_kubernetes_own_groups_need_approval(group: str) -> None:
    """Missing and nonsense are refused, with Kubernetes' words."""
    (missing,) = approval.problems(definition(group), None)
    assert (missing.field, missing.message) == (
        "metadata.annotations[api-approved.kubernetes.io]",
        f'Required value: protected groups must have approval annotation "api-approved.kubernetes.io", {_SEE}',
    )
    (nonsense,) = approval.problems(definition(group, "nonsense"), None)
    assert nonsense.message == (
        'Invalid value: "nonsense": protected groups must have approval annotation "api-approved.kubernetes.io" '
        f'with either a URL or a reason starting with "unapproved", {_SEE}'
    )


@pytest.mark.parametrize(
    ("group", "text"),
    [("networking.k8s.io", URL), ("networking.k8s.io", "unapproved, x"), ("example.com", None), ("notk8s.io", None)],
)
def test_what_may_be(group: str, text: str | None) -> None:
    """Approved, knowingly unapproved, or nobody's business."""
    assert approval.problems(definition(group, text), None) == []


def test_what_was_may_stay() -> None:
    """An update that leaves a wrong annotation alone passes; one that makes it wrong does not."""
    bare, good = definition("a.k8s.io"), definition("a.k8s.io", URL)
    assert approval.problems(bare, bare) == []
    assert len(approval.problems(bare, good)) == 1


def test_the_condition_says_how_it_stands() -> None:
    """As the controller of Kubernetes writes it."""
    kind = "KubernetesAPIApprovalPolicyConformant"
    assert approval.condition(definition("example.com", URL)) is None
    assert approval.condition(definition("a.k8s.io", URL)) == {
        "type": kind, "status": "True", "reason": "ApprovedAnnotation", "message": f"approved in {URL}",
    }  # fmt: skip
    assert approval.condition(definition("a.k8s.io", "unapproved, testing")) == {
        "type": kind, "status": "False", "reason": "UnapprovedAnnotation",
        "message": 'not approved: "unapproved, testing"',
    }  # fmt: skip
