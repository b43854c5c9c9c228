"""
The expressions of admission policies: what they see, and what is wrong with them.

Source: k8s.io/kubernetes/pkg/apis/admissionregistration/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies import conditions
from fairlead_schema import policy_expressions as cel
from fairlead_schema.cel.types import Type

_MOST_CONDITIONS = 64
_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip


@dataclass(slots=True)
class Policy:
    """A policy under review; ``scope`` is what the next expression sees, and grows with each variable."""

    name: str
    spec: JsonObject
    scope: cel.Scope


def policy_of(obj: JsonObject, *, has_variables: bool) -> Policy:
    """Return a policy before its variables; ``has_variables`` says whether ``variables`` is a name at all."""
    spec = obj.get("spec") or {}
    scope = cel.Scope(spec.get("paramKind") is not None, variables=() if has_variables else None)
    return Policy(obj["metadata"].get("name") or "", spec, scope)


def check_expression(
    text: str, gives: tuple[Type, ...], scope: cel.Scope, path: str, *, shown: str | None = None
) -> list[Cause]:
    """Return what is wrong with an expression; ``shown`` is how it was written, where that differs."""
    return _causes(cel.compile_expression(text, gives, scope), path, text if shown is None else shown)


def _causes(compiled: cel.Expression, path: str, shown: str) -> list[Cause]:
    if not compiled.error:
        return []
    if compiled.is_internal:
        return [Cause("InternalError", f"Internal error: {compiled.error}", path)]
    return [wrong.invalid(path, shown, compiled.error)]


def validate_conditions(listed: Sequence[JsonObject], scope: cel.Scope, path: str) -> list[Cause]:
    """Return what is wrong with match conditions, of policies and of webhooks."""
    causes: list[Cause] = []
    if len(listed) > _MOST_CONDITIONS:
        causes.append(wrong.too_many(path, len(listed), _MOST_CONDITIONS))
    seen: set[str] = set()
    for index, condition in enumerate(listed):
        at, expression = f"{path}[{index}]", (condition.get("expression") or "").strip()
        if expression:
            causes += check_expression(expression, cel.CONDITION, scope, f"{at}.expression")
        else:
            causes.append(wrong.required(f"{at}.expression"))
        name = condition.get("name") or ""
        if name:
            causes += [wrong.invalid(f"{at}.name", name, text) for text in validation.qualified_name(name)]
        else:
            causes.append(wrong.required(f"{at}.name"))
        if name and name in seen:
            causes.append(wrong.duplicate(f"{at}.name", name))
        seen.add(name)
    return causes


def validate_variables(policy: Policy, path: str) -> list[Cause]:
    """Return what is wrong with a policy's variables, and add each to what is seen after it."""
    causes: list[Cause] = []
    for index, variable in enumerate(policy.spec.get("variables") or ()):
        at = f"{path}[{index}]"
        name, expression = variable.get("name") or "", variable.get("expression") or ""
        if not name.strip():
            causes.append(wrong.required(f"{at}.name", "name is not specified"))
        elif not _NAME.fullmatch(name) or name in _RESERVED:
            causes.append(wrong.invalid(f"{at}.name", name, "must be a valid CEL identifier"))
        if not expression.strip():
            causes.append(wrong.required(f"{at}.expression", "expression is not specified"))
            continue
        compiled = cel.compile_expression(expression, cel.ANYTHING, policy.scope)
        causes += _causes(compiled, f"{at}.expression", expression)
        policy.scope = policy.scope.with_variable(name, compiled.variable_type)
    return causes


def validate_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with the status of a validating policy: what was found by its types, and conditions."""
    del old
    status = new.get("status") or {}
    causes: list[Cause] = []
    for index, warning in enumerate((status.get("typeChecking") or {}).get("expressionWarnings") or ()):
        path = f"status.typeChecking.expressionWarnings[{index}]"
        if not warning.get("warning"):
            causes.append(wrong.required(f"{path}.warning"))
        if not (warning.get("fieldRef") or "").strip():
            causes.append(wrong.required(f"{path}.fieldRef"))
    return causes + conditions.validate_conditions(status.get("conditions") or (), "status.conditions")
