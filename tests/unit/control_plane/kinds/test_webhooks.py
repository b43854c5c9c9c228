from __future__ import annotations

from typing import Any

import pytest

from fairlead_control_plane.kinds.strategies.webhooks import MUTATING

RULE = {"apiGroups": ["a"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}


def hook(**more: Any) -> dict[str, Any]:
    """Return a webhook that is fine but for what is given."""
    return {
        "name": "a.own.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"url": "https://own.example.com/a"}, "rules": [RULE], **more,
    }  # fmt: skip


def configuration(*hooks: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration of webhooks."""
    return {"metadata": {"name": "a"}, "webhooks": list(hooks)}


def found(causes: Any) -> list[tuple[str, str, str]]:
    """Return causes as field, reason and message."""
    return [(one.field, one.reason.removeprefix("FieldValue"), one.message) for one in causes]


@pytest.mark.parametrize(
    ("more", "causes"),
    [
        ({"name": "a.b"}, [
            ("webhooks[0].name", "Invalid",
             'Invalid value: "a.b": should be a domain with at least three segments separated by dots'),
        ]),
        ({"sideEffects": None, "admissionReviewVersions": []}, [
            ("webhooks[0].sideEffects", "Required", "Required value: must specify one of None, NoneOnDryRun"),
            ("webhooks[0].admissionReviewVersions", "Required", "Required value: must specify one of v1, v1beta1"),
        ]),
        ({"admissionReviewVersions": ["v2", "v2"]}, [
            ("webhooks[0].admissionReviewVersions[1]", "Invalid", 'Invalid value: "v2": duplicate version'),
            ("webhooks[0].admissionReviewVersions", "Invalid",
             'Invalid value: ["v2","v2"]: must include at least one of v1, v1beta1'),
        ]),
        ({"timeoutSeconds": 31, "reinvocationPolicy": "Other"}, [
            ("webhooks[0].reinvocationPolicy", "NotSupported",
             'Unsupported value: "Other": supported values: "IfNeeded", "Never"'),
            ("webhooks[0].timeoutSeconds", "Invalid",
             "Invalid value: 31: the timeout value must be between 1 and 30 seconds"),
        ]),
        ({"clientConfig": {}}, [
            ("webhooks[0].clientConfig", "Required", "Required value: exactly one of url or service is required"),
        ]),
        ({"clientConfig": {"service": {"name": "a", "port": 443}}}, [
            ("webhooks[0].clientConfig.service.name", "Required", "Required value"),
        ]),
        ({"rules": [{**RULE, "operations": ["*", "CREATE"], "resources": []}]}, [
            ("webhooks[0].rules[0].operations", "Invalid",
             "Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations"),
            ("webhooks[0].rules[0].resources", "Required", "Required value"),
        ]),
        ({"matchConditions": [{"name": "a"}]}, [
            ("webhooks[0].matchConditions[0].expression", "Required", "Required value"),
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_as_kubernetes_tells_it(more: dict[str, Any], causes: list[tuple[str, str, str]]) -> None:
    """Field, reason and message of each cause."""
    assert MUTATING.validate is not None
    assert found(MUTATING.validate(configuration(hook(**more)))) == causes


def test_what_was_wrong_before_may_stay() -> None:
    """Names that are not unique, side effects, and conditions that did not change."""
    old = configuration(hook(sideEffects="Some", matchConditions=[{"name": "a"}]), hook(admissionReviewVersions=["v2"]))
    assert MUTATING.validate is not None
    assert MUTATING.validate_change is not None
    assert len(list(MUTATING.validate(old))) == 4
    assert found(MUTATING.validate_change(old, old)) == []
    better = configuration(hook())
    assert [
        field for field, _, _ in found(MUTATING.validate_change(configuration(hook(sideEffects="Some")), better))
    ] == ["webhooks[0].sideEffects"]


def test_the_generation_counts_webhooks_alone() -> None:
    """Labels leave it alone."""
    assert MUTATING.generation_of is not None
    one, other = configuration(hook()), configuration(hook())
    other["metadata"]["labels"] = {"a": "b"}
    assert MUTATING.generation_of(one) == MUTATING.generation_of(other)
    assert MUTATING.generation_of(one) != MUTATING.generation_of(configuration())
