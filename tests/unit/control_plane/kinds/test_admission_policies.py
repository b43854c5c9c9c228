"""Admission policies and bindings: defaults, and rules that a real kube-apiserver does not show by itself."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.record import Strategy
from tests.unit.control_plane.in_process import known

GROUP = "admissionregistration.k8s.io"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


def strategy(plural: str) -> Strategy:
    """Return the strategy of a kind of the group."""
    return known(GROUP, plural).strategy


def made(plural: str, spec: JsonObject) -> JsonObject:
    """Return an object as it is after its defaults are filled in."""
    obj = {"apiVersion": f"{GROUP}/v1", "kind": known(GROUP, plural).kind, "metadata": {"name": "p"}, "spec": spec}
    prepare = strategy(plural).prepare_create
    assert prepare is not None
    prepare(obj)
    return obj


def wrong(plural: str, spec: JsonObject) -> list[tuple[str, str]]:
    """Return fields and messages of what is wrong."""
    validate = strategy(plural).validate
    assert validate is not None
    return [(cause.field, cause.message) for cause in validate(made(plural, spec))]


def policy(**more: Any) -> JsonObject:
    """Return the spec of a policy."""
    return {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}], **more}


def test_what_is_left_out_is_filled_in() -> None:
    """So that whoever reads a policy sees what it does."""
    spec = made("validatingadmissionpolicies", policy())["spec"]
    assert spec["failurePolicy"] == "Fail"
    matched = spec["matchConstraints"]
    assert (matched["matchPolicy"], matched["namespaceSelector"], matched["objectSelector"]) == ("Equivalent", {}, {})
    assert matched["resourceRules"][0]["scope"] == "*"


def test_a_good_policy_has_no_faults() -> None:
    """Variables may use those before them."""
    variables = [{"name": "a", "expression": "object.spec.a"}, {"name": "b", "expression": "variables.a == 1"}]
    assert wrong("validatingadmissionpolicies", policy(variables=variables)) == []


def test_a_variable_cannot_use_a_later_one() -> None:
    """They are computed in their order."""
    variables = [{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}]
    ((field, message),) = wrong("validatingadmissionpolicies", policy(variables=variables))
    assert field == "spec.variables[0].expression"
    assert "undefined field 'b'" in message


def test_messages_must_not_ask_about_rights() -> None:
    """Only what decides may."""
    check = {"expression": "true", "messageExpression": "authorizer.path('/').check('get').reason()"}
    ((field, message),) = wrong("validatingadmissionpolicies", policy(validations=[check]))
    assert field == "spec.validations[0].messageExpression"
    assert "undeclared reference to 'authorizer'" in message


@pytest.mark.parametrize("actions", [["Deny"], ["Warn", "Audit"]])
def test_a_good_binding_has_no_faults(actions: list[str]) -> None:
    """With any sensible set of actions."""
    assert wrong("validatingadmissionpolicybindings", {"policyName": "p", "validationActions": actions}) == []


def test_to_deny_and_to_warn_is_too_much() -> None:
    """Who is refused need not be warned."""
    found = wrong("validatingadmissionpolicybindings", {"policyName": "p", "validationActions": ["Deny", "Warn"]})
    assert [field for field, _ in found] == ["spec.validationActions"]


def test_deletes_cannot_be_changed() -> None:
    """There is nothing to change."""
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}}
    rule = {**RULE, "operations": ["DELETE"]}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "mutations": [mutation], "reinvocationPolicy": "Never"}
    assert [field for field, _ in wrong("mutatingadmissionpolicies", spec)] == [
        "spec.matchConstraints.resourceRules.operations"
    ]


def test_reserved_names_are_warned_of() -> None:
    """Kubernetes keeps them for policies that are no objects."""
    warn = strategy("mutatingadmissionpolicybindings").warn
    assert warn is not None
    assert warn({"metadata": {"name": "a"}}, None) == []
    assert "reserved" in warn({"metadata": {"name": "a.static.k8s.io"}}, None)[0]
