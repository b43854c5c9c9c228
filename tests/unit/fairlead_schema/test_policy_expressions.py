"""What expressions of policies see, and what they may give."""

from __future__ import annotations

import pytest

from fairlead_schema import policy_expressions as cel
from fairlead_schema.cel import types as t
from fairlead_schema.cel.objects import as_json, misnamed
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import EvaluationError
from fairlead_schema.policy_expressions import Scope, compile_expression

PATCHING = Scope(has_patches=True)


@pytest.mark.parametrize(
    ("text", "gives", "scope", "said"),
    [
        ("object.a == 1", cel.CONDITION, Scope(), ""),
        ("object.a", cel.CONDITION, Scope(), "must evaluate to bool but got dyn"),
        ("null", cel.ANNOTATION, Scope(), ""),
        ("1", cel.ANNOTATION, Scope(), "must evaluate to one of [string null_type] but got int"),
        ("params.a == 1", cel.CONDITION, Scope(), "undeclared reference to 'params'"),
        ("params.a == 1", cel.CONDITION, Scope(has_params=True), ""),
        (
            "authorizer == authorizer",
            cel.CONDITION,
            Scope(has_authorizer=False),
            "undeclared reference to 'authorizer'",
        ),
        ("variables.a", cel.CONDITION, Scope(variables=(("a", t.BOOL),)), ""),
        ("variables.b", cel.CONDITION, Scope(variables=(("a", t.BOOL),)), "undefined field 'b'"),
        ("variables.a", cel.CONDITION, Scope(), "undeclared reference to 'variables'"),
        ("request.dryRun && request.userInfo.groups.exists(g, g == 'a')", cel.CONDITION, Scope(), ""),
        ("Object{}", cel.CONFIGURATION, Scope(), "undeclared reference to 'Object'"),
        ("Object{spec: Object.spec{}}", cel.CONFIGURATION, PATCHING, ""),
        ("Object.spec{}", cel.CONFIGURATION, PATCHING, "must evaluate to Object but got Object.spec"),
        ("[JSONPatch{op: 'add'}]", cel.PATCHES, PATCHING, ""),
        ("[JSONPatch{op: 1}]", cel.PATCHES, PATCHING, "expected type of field 'op' is 'string'"),
        ("[]", cel.PATCHES, PATCHING, "must evaluate to list(JSONPatch) but got list(dyn)"),
        ("int('a') == 1", cel.CONDITION, Scope(), "program instantiation failed: type conversion error"),
    ],
)
def test_expressions_are_compiled_for_their_use(text: str, gives: tuple[Type, ...], scope: Scope, said: str) -> None:
    """With Kubernetes' words where they do not fit."""
    found = compile_expression(text, gives, scope)
    assert said in found.error
    assert (found.program is None) is bool(said)


def test_what_is_known_of_variables() -> None:
    """Plain types and lists of them; of anything else nothing, as in Kubernetes."""
    kinds = {"1": t.INT, "['a']": t.list_of(t.STRING), "quantity('1')": t.DYN, "object.a": t.DYN, "[": t.DYN}
    for text, of in kinds.items():
        assert compile_expression(text, cel.ANYTHING, Scope()).variable_type == of


def test_objects_keep_the_names_of_their_types() -> None:
    """So that it can be said where one stands wrong."""
    text = "Object{spec: Object.spec{a: [Object.spec.a{}], b: {'k': Object.nothing{}}}}"
    program = compile_expression(text, cel.CONFIGURATION, PATCHING).program
    assert program is not None
    value, _ = program.evaluate({})
    assert as_json(value) == {"spec": {"a": [{}], "b": {"k": {}}}}
    assert [one.split(",")[0] for one in misnamed(value)] == ['unexpected type name "Object.nothing"']
    assert value == program.evaluate({})[0]
    assert value != as_json(value)


def test_not_everything_is_json() -> None:
    """Durations and maps with other keys than strings are not."""
    for value in ({1: 2}, {"a": [b"b"]}):
        with pytest.raises(EvaluationError):
            as_json(value)
