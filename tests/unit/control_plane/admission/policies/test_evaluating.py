"""Values, errors and costs of expressions."""

from __future__ import annotations

import pytest

from fairlead_control_plane.admission.policies.compiled import Policy
from fairlead_control_plane.admission.policies.evaluating import (
    BUDGET,
    Allowance,
    Evaluation,
    Given,
    OutOfBudget,
    TooLong,
    conditions,
)
from fairlead_control_plane.admission.policies.validating import judge
from fairlead_schema import policy_expressions as cel
from fairlead_schema.policy_expressions import Expression, Scope, compile_expression

REQUEST = {"requestResource": {"group": "", "version": "v1", "resource": "configmaps"}, "operation": "CREATE"}
GIVEN = Given({"data": {"a": "b"}}, None, REQUEST, None, None, {})


def condition(text: str) -> Expression:
    """Compile a condition."""
    return compile_expression(text, cel.CONDITION, Scope())


def policy(**spec: object) -> Policy:
    """Return a policy."""
    return Policy({"metadata": {"name": "p"}, "spec": spec}, mutates=False)


def said(found: Policy) -> list[str]:
    """Return the messages of the denials."""
    return [denial.message for denial in judge(found, GIVEN, Allowance(None)).denials]


def test_a_variable_is_computed_once_and_paid_for_by_all() -> None:
    """Its cost counts to the budget of the expressions that use it."""
    text = "size(object.data.a.split('')) > 0"
    alone = Evaluation(GIVEN, {}, Allowance(None))
    alone.outcome(condition(text))
    variables = {"v": compile_expression(text, cel.ANYTHING, Scope(variables=()))}
    use = compile_expression("variables.v", cel.CONDITION, Scope(variables=(("v", variables["v"].variable_type),)))
    shared = Evaluation(GIVEN, variables, Allowance(None))
    first = shared.left - (shared.outcome(use), shared.left)[1]
    second = shared.left - (shared.outcome(use), shared.left)[1]
    assert first - second == BUDGET - alone.left
    assert second > 0


def test_an_error_of_a_variable_is_the_expressions() -> None:
    """With the name of the variable."""
    found = policy(
        variables=[{"name": "v", "expression": "object.data.nothing"}],
        validations=[{"expression": "variables.v == 'x'"}],
    )
    assert said(found) == [
        "expression 'variables.v == 'x'' resulted in error: "
        'composited variable "v" fails to evaluate: no such key: nothing'
    ]


def test_a_variable_may_be_null() -> None:
    """That is not the same as none."""
    found = policy(
        variables=[{"name": "v", "expression": "oldObject"}], validations=[{"expression": "variables.v == null"}]
    )
    assert said(found) == []


def test_conditions_see_no_namespace_and_one_false_decides() -> None:
    """Whatever went wrong in others."""
    broken, false = condition("object.data.nothing == 'x'"), condition("namespaceObject != null")
    assert conditions(GIVEN, (broken, false), Allowance(None)) == (False, "")
    holds, error = conditions(GIVEN, (broken,), Allowance(None))
    assert not holds
    assert error.endswith("no such key: nothing")


def test_what_is_too_long_for_the_loop_says_so() -> None:
    """And it is as long as it is in a thread."""
    text = condition("[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, a + b > 0))")
    with pytest.raises(TooLong):
        Evaluation(GIVEN, {}, Allowance(100)).outcome(text)
    assert Evaluation(GIVEN, {}, Allowance(None)).outcome(text).value is True


def test_a_budget_ends() -> None:
    """Whoever spent it."""
    evaluation = Evaluation(GIVEN, {}, Allowance(None), budget=5)
    with pytest.raises(OutOfBudget):
        evaluation.outcomes([condition("object.data.a == 'b'")] * 5)


def test_messages_fall_back() -> None:
    """From what is computed to what is fixed to the expression."""
    checks = [
        {"expression": "false", "messageExpression": "'made'", "message": "fixed"},
        {"expression": "false", "messageExpression": "' '", "message": "fixed"},
        {"expression": "false", "messageExpression": r"'a\nb'"},
        {"expression": " false ", "message": "fixed"},
        {"expression": "\nfalse"},
    ]
    assert said(policy(validations=checks)) == [
        "made",
        "fixed",
        "failed expression: false",
        "fixed",
        "failed expression: false",
    ]
