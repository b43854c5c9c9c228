"""
Policies and bindings, read and compiled.

Source: k8s.io/apiserver pkg/admission/plugin/policy/{validating,mutating}/{plugin,compilation}.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from fairlead_api import JsonObject
from fairlead_control_plane.admission.policies.matching import Constraints
from fairlead_schema import policy_expressions as cel
from fairlead_schema.policy_expressions import Expression, compile_expression

_LISTS = ("matchConditions", "variables", "validations", "auditAnnotations", "mutations")
_MANY = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One of ``validations``; ``reason`` is "" where it says none."""

    expression: Expression
    text: str
    message: str
    computed: Expression | None
    reason: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """One of ``auditAnnotations``."""

    expression: Expression
    key: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """One of ``mutations``."""

    expression: Expression
    is_patch: bool


class Policy:
    """
    A policy; its expressions are compiled when a request first matches it.

    Attributes:
        is_lenient: ``failurePolicy: Ignore``.
        can_repeat: ``reinvocationPolicy: IfNeeded``.
        sees_namespace: Whether the word occurs in it, be it in a text.
        is_long: Compiling or evaluating it takes longer than everybody else should wait, as far as is known.
    """

    def __init__(self, obj: JsonObject, *, mutates: bool) -> None:
        spec = obj["spec"]
        self.name: str = obj["metadata"]["name"]
        self.is_lenient = spec.get("failurePolicy") == "Ignore"
        self.can_repeat = spec.get("reinvocationPolicy") == "IfNeeded"
        self.param_kind: JsonObject | None = spec.get("paramKind")
        self.constraints = Constraints.of(spec.get("matchConstraints") or {})
        self.is_long = sum(len(spec.get(name) or ()) for name in _LISTS) > _MANY
        self.sees_namespace = cel.NAMESPACE in str(spec)
        self._spec = spec
        self._mutates = mutates

    @cached_property
    def conditions(self) -> tuple[Expression, ...]:
        """``matchConditions``; they see no variables, as validation has it."""
        scope = cel.Scope(self.param_kind is not None)
        return tuple(
            compile_expression((one.get("expression") or "").strip(), cel.CONDITION, scope)
            for one in self._spec.get("matchConditions") or ()
        )

    @cached_property
    def _scoped(self) -> tuple[Mapping[str, Expression], cel.Scope]:
        listed = self._spec.get("variables") or ()
        scope = cel.Scope(self.param_kind is not None, variables=() if listed or self._mutates else None)
        compiled: dict[str, Expression] = {}
        for one in listed:
            expression = compile_expression(one["expression"], cel.ANYTHING, scope)
            compiled[one["name"]] = expression
            scope = scope.with_variable(one["name"], expression.variable_type)
        return compiled, scope

    @property
    def variables(self) -> Mapping[str, Expression]:
        """``variables``, by name."""
        return self._scoped[0]

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """``validations``."""
        scope = self._scoped[1]
        found = []
        for one in self._spec.get("validations") or ():
            text, computed = one["expression"], one.get("messageExpression") or ""
            message = (one.get("message") or "").strip()
            bare = replace(scope, has_authorizer=False)
            found.append(
                Check(
                    compile_expression(text, cel.CONDITION, scope),
                    text.strip(),
                    message,
                    compile_expression(computed, cel.MESSAGE, bare) if computed else None,
                    one.get("reason") or "",
                )
            )
        return tuple(found)

    @cached_property
    def has_messages(self) -> bool:
        """Whether any message is computed."""
        return any(check.computed is not None for check in self.checks)

    @cached_property
    def annotations(self) -> tuple[Annotation, ...]:
        """``auditAnnotations``."""
        scope = self._scoped[1]
        return tuple(
            Annotation(compile_expression(one["valueExpression"].strip(), cel.ANNOTATION, scope), one["key"])
            for one in self._spec.get("auditAnnotations") or ()
        )

    @cached_property
    def mutations(self) -> tuple[Mutation, ...]:
        """``mutations``."""
        scope = replace(self._scoped[1], has_patches=True)
        found = []
        for one in self._spec.get("mutations") or ():
            is_patch = one["patchType"] == "JSONPatch"
            text = one["jsonPatch" if is_patch else "applyConfiguration"]["expression"].strip()
            gives = cel.PATCHES if is_patch else cel.CONFIGURATION
            found.append(Mutation(compile_expression(text, gives, scope), is_patch))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding; ``constraints`` is None where it adds none, ``params`` is its ``paramRef``."""

    name: str
    constraints: Constraints | None
    params: JsonObject | None
    actions: tuple[str, ...]

    @classmethod
    def of(cls, obj: JsonObject) -> Binding:
        """Read a binding."""
        spec = obj["spec"]
        matched = spec.get("matchResources")
        constraints = None if matched is None else Constraints.of(matched)
        return cls(
            obj["metadata"]["name"], constraints, spec.get("paramRef"), tuple(spec.get("validationActions") or ())
        )


@dataclass(frozen=True, slots=True)
class Hook:
    """A policy with its bindings, by name."""

    policy: Policy
    bindings: tuple[Binding, ...]
