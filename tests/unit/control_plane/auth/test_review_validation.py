"""What access reviews must say."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api.errors import Invalid
from fairlead_control_plane.auth.review_validation import check, unreadable

PODS = {"verb": "get", "resource": "pods"}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, ["spec.resourceAttributes", "spec.user"]),
        ({"user": "x", "resourceAttributes": PODS, "nonResourceAttributes": {}}, ["spec.nonResourceAttributes"]),
        (
            {"groups": ["x"], "resourceAttributes": {**PODS, "labelSelector": {}}},
            ["spec.resourceAttributes.labelSelector.requirements"],
        ),
        (
            {"groups": ["x"], "resourceAttributes": {**PODS, "labelSelector": {"requirements": [None]}}},
            ["spec.resourceAttributes.labelSelector.requirements[0].key"] * 2,
        ),
        (
            {
                "groups": ["x"],
                "resourceAttributes": {
                    **PODS,
                    "labelSelector": {"rawSelector": "a", "requirements": [{"key": "a", "operator": "In"}]},
                },
            },
            [f"spec.resourceAttributes.labelSelector.{at}" for at in ("rawSelector", "requirements[0].values")],
        ),
    ],
)
def test_all_that_is_wrong_is_told_at_once(spec: dict[str, Any], fields: list[str]) -> None:
    """Kubernetes names no kind in these messages."""
    with pytest.raises(Invalid, match=r'^\.authorization\.k8s\.io "" is invalid') as caught:
        check({"spec": spec}, names_subject=True)
    assert [cause.field for cause in caught.value.causes] == fields


def test_a_local_review_stays_in_its_namespace() -> None:
    """It has the request's namespace in its metadata, and nothing else."""
    review = {"metadata": {"namespace": "a"}, "spec": {"user": "x", "resourceAttributes": {**PODS, "namespace": "a"}}}
    check(review, names_subject=True, namespace="a")
    with pytest.raises(Invalid, match=r"must match metadata\.namespace"):
        check(review, names_subject=True, namespace="b")
    with pytest.raises(Invalid, match="must be empty"):
        check(review, names_subject=True)


def test_selectors_that_cannot_be_read_count_as_absent() -> None:
    """And the answer says so."""
    bad = {**PODS, "fieldSelector": {"requirements": [{"key": "a", "operator": "Exists"}]}}
    check({"spec": {"resourceAttributes": bad}}, names_subject=False)
    assert unreadable({"resourceAttributes": bad}).endswith("fieldSelector ignored due to parse error")
    assert not unreadable({"resourceAttributes": {**PODS, "labelSelector": {"rawSelector": "a in (b)"}}})
