"""
Admission policies and their bindings.

What an expression is made of does not change between versions of ours, so that those of stored policies compile as
well as new ones; Kubernetes' leniency towards them has nothing to do here.

Source: k8s.io/kubernetes/pkg/apis/admissionregistration/{v1/defaults.go,validation/validation.go},
pkg/registry/admissionregistration/{validating,mutating}admissionpolicy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy, Subresource
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.matching_rules import fill_in, one_of, operations, validate_match
from fairlead_control_plane.kinds.strategies.metadata import validate_stem
from fairlead_control_plane.kinds.strategies.policy_parts import (
    Policy,
    check_expression,
    policy_of,
    validate_conditions,
    validate_status,
    validate_variables,
)
from fairlead_control_plane.kinds.strategies.selectors import validate_selector
from fairlead_control_plane.kinds.strategies.status_writes import BUT_STATUS, keep_metadata
from fairlead_schema import policy_expressions as cel

_GROUP = "admissionregistration.k8s.io"
_FAILURES = ("Fail", "Ignore")
_ACTIONS = ("Audit", "Deny", "Warn")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_PATCH_TYPES = ("ApplyConfiguration", "JSONPatch")
_REINVOCATIONS = ("IfNeeded", "Never")
_MUTABLE = ("*", "CONNECT", "CREATE", "UPDATE")
_MISSING = ("Deny", "Allow")
_MOST_ANNOTATIONS = 20
_LONGEST_VALUE = 5 * 1024
_NEEDS_ONE = "validations or auditAnnotations must contain at least one item"
_STATIC = ".static.k8s.io"
_BREAK = re.compile(r"[\n\r]")


def _fill_in_policy(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    fill_in(spec.get("matchConstraints"))


def _fill_in_binding(obj: JsonObject) -> None:
    fill_in(obj.setdefault("spec", {}).get("matchResources"))


def _validating(obj: JsonObject) -> list[Cause]:
    policy, causes = _policy(obj, has_variables=bool(obj["spec"].get("variables")))
    spec = policy.spec
    checks, annotations = spec.get("validations") or (), spec.get("auditAnnotations") or ()
    if not checks and not annotations:
        return [*causes, *(wrong.required(f"spec.{name}", _NEEDS_ONE) for name in ("validations", "auditAnnotations"))]
    for index, check in enumerate(checks):
        causes += _validation(policy, check, f"spec.validations[{index}]")
    return causes + _annotations(policy, annotations)


def _policy(obj: JsonObject, *, has_variables: bool) -> tuple[Policy, list[Cause]]:
    """Check what both kinds of policies have in common."""
    policy = policy_of(obj, has_variables=has_variables)
    spec = policy.spec
    causes = one_of(spec.get("failurePolicy"), _FAILURES, "spec.failurePolicy")
    if spec.get("paramKind") is not None:
        causes += _param_kind(spec["paramKind"], "spec.paramKind")
    matched = spec.get("matchConstraints")
    if matched is None:
        causes.append(wrong.required("spec.matchConstraints"))
    else:
        causes += validate_match(matched, "spec.matchConstraints")
        if not matched.get("resourceRules"):
            causes.append(wrong.required("spec.matchConstraints.resourceRules"))
    conditions = spec.get("matchConditions") or ()
    scope = cel.Scope(has_params=policy.scope.has_params)
    causes += validate_conditions(conditions, scope, "spec.matchConditions")
    causes += validate_variables(policy, "spec.variables")
    return policy, causes


def _param_kind(kind: JsonObject, path: str) -> list[Cause]:
    causes = _param_version(kind.get("apiVersion") or "", f"{path}.apiVersion")
    name = kind.get("kind") or ""
    if not name:
        return [*causes, wrong.required(f"{path}.kind")]
    texts = validation.dns1035_label(name.lower())
    if texts:
        text = f"may have mixed case, but should otherwise match: {','.join(texts)}"
        causes.append(wrong.invalid(f"{path}.kind", name, text))
    return causes


def _param_version(text: str, path: str) -> list[Cause]:
    if not text:
        return [wrong.required(path)]
    if text.count("/") > 1:
        return [wrong.invalid(path, text, f"unexpected GroupVersion string: {text}")]
    group, _, version = text.rpartition("/")
    causes = []
    texts = validation.dns1123_subdomain(group) if group else []
    if texts:
        causes.append(wrong.invalid(path, group, ",".join(texts)))
    if not version:
        return [*causes, wrong.invalid(path, text, "version must be specified")]
    texts = validation.dns1035_label(version)
    return [*causes, wrong.invalid(path, version, ",".join(texts))] if texts else causes


def _validation(policy: Policy, check: JsonObject, path: str) -> list[Cause]:
    expression, computed, message = (check.get(name) or "" for name in ("expression", "messageExpression", "message"))
    if expression.strip():
        causes = check_expression(expression, cel.CONDITION, policy.scope, f"{path}.expression")
    else:
        causes = [wrong.required(f"{path}.expression", "expression is not specified")]
    if computed.strip():
        scope = replace(policy.scope, has_authorizer=False)
        causes += check_expression(computed, cel.MESSAGE, scope, f"{path}.messageExpression")
    elif computed:
        causes.append(wrong.invalid(f"{path}.messageExpression", computed, "must be non-empty if specified"))
    if message and not message.strip():
        causes.append(wrong.invalid(f"{path}.message", message, "must be non-empty if specified"))
    elif _BREAK.search(message.strip()):
        causes.append(wrong.invalid(f"{path}.message", message, "must not contain line breaks"))
    if check.get("reason") is not None and check["reason"] not in _REASONS:
        causes.append(wrong.not_supported(f"{path}.reason", check["reason"], _REASONS))
    return causes


def _annotations(policy: Policy, annotations: Sequence[JsonObject]) -> list[Cause]:
    path, causes = "spec.auditAnnotations", []
    if len(annotations) > _MOST_ANNOTATIONS:
        text = f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations"
        causes.append(wrong.invalid(path, list(annotations), text))
    seen: set[str] = set()
    for index, one in enumerate(annotations):
        key = one.get("key") or ""
        causes += _annotation(policy, key, one.get("valueExpression") or "", f"{path}[{index}]")
        if key in seen:
            causes.append(wrong.duplicate(f"{path}[{index}].key", key))
        seen.add(key)
    return causes


def _annotation(policy: Policy, key: str, expression: str, path: str) -> list[Cause]:
    full = f"{policy.name}/{key}"
    if policy.name:
        causes = [wrong.invalid(f"{path}.key", full, text) for text in validation.qualified_name(full)]
    else:
        causes = [wrong.invalid(f"{path}.key", key, "requires metadata.name be non-empty")]
    at, trimmed = f"{path}.valueExpression", expression.strip()
    if not trimmed:
        causes.append(wrong.required(at, "valueExpression is not specified"))
    elif len(trimmed.encode()) > _LONGEST_VALUE:
        causes.append(wrong.required(at, f"must not exceed {_LONGEST_VALUE} bytes in length"))
    else:
        causes += check_expression(trimmed, cel.ANNOTATION, policy.scope, at, shown=expression)
    return causes


def _mutating(obj: JsonObject) -> list[Cause]:
    policy, causes = _policy(obj, has_variables=True)
    spec = policy.spec
    rules = (spec.get("matchConstraints") or {}).get("resourceRules") or ()
    causes += operations(rules, "spec.matchConstraints.resourceRules.operations", _MUTABLE)
    mutations = spec.get("mutations") or ()
    if not mutations:
        causes.append(wrong.required("spec.mutations", "mutations must contain at least one item"))
    for index, mutation in enumerate(mutations):
        causes += _mutation(policy, mutation, f"spec.mutations[{index}]")
    path = "spec.reinvocationPolicy"
    return causes + one_of(spec.get("reinvocationPolicy") or None, _REINVOCATIONS, path)


_PATCHES = {
    "JSONPatch": ("jsonPatch", "applyConfiguration", cel.PATCHES),
    "ApplyConfiguration": ("applyConfiguration", "jsonPatch", cel.CONFIGURATION),
}


def _mutation(policy: Policy, mutation: JsonObject, path: str) -> list[Cause]:
    kind = mutation.get("patchType") or ""
    if kind not in _PATCHES:
        return one_of(kind or None, _PATCH_TYPES, f"{path}.patchType")
    field, other, gives = _PATCHES[kind]
    causes: list[Cause] = []
    if mutation.get(field) is None:
        causes.append(wrong.required(f"{path}.{field}", f"must be specified when patchType is {kind}"))
    else:
        expression = (mutation[field].get("expression") or "").strip()
        at = f"{path}.{field}.expression"
        scope = replace(policy.scope, has_patches=True)
        causes += check_expression(expression, gives, scope, at) if expression else [wrong.required(at)]
    if mutation.get(other) is not None:
        text = f"must not be specified when patchType is {kind}"
        causes.append(wrong.invalid(f"{path}.{other}", f"{{{other}}}", text))
    return causes


def _binding(spec: JsonObject) -> list[Cause]:
    name = spec.get("policyName") or ""
    causes = [] if name else [wrong.required("spec.policyName")]
    causes += [
        wrong.invalid("spec.policyName", name, text) for text in (validation.dns1123_subdomain(name) if name else ())
    ]
    causes += _param_ref(spec.get("paramRef"), "spec.paramRef")
    return causes + validate_match(spec.get("matchResources"), "spec.matchResources")


def _param_ref(reference: JsonObject | None, path: str) -> list[Cause]:
    if reference is None:
        return []
    name, selector = reference.get("name") or "", reference.get("selector")
    both, exclude = bool(name) and selector is not None, "name and selector are mutually exclusive"
    causes = [
        wrong.invalid(f"{path}.name", name, text) for text in (validation.path_segment_name(name) if name else ())
    ]
    causes += [wrong.forbidden(f"{path}.name", exclude)] if both else []
    causes += validate_selector(selector, f"{path}.selector")
    causes += [wrong.forbidden(f"{path}.selector", exclude)] if both else []
    if not name and selector is None:
        causes.append(wrong.required(path, "one of name or selector must be specified"))
    return causes + one_of(
        reference.get("parameterNotFoundAction") or None, _MISSING, f"{path}.parameterNotFoundAction"
    )


def _validating_binding(obj: JsonObject) -> list[Cause]:
    actions, path = obj["spec"].get("validationActions") or [], "spec.validationActions"
    causes = _binding(obj["spec"])
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            causes.append(wrong.not_supported(f"{path}[{index}]", action, _ACTIONS))
        if action in actions[:index]:
            causes.append(wrong.duplicate(f"{path}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        text = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        causes.append(wrong.invalid(path, actions, text))
    if not actions:
        causes.append(wrong.required(path, "at least one validation action is required"))
    return causes


def _mutating_binding(obj: JsonObject) -> list[Cause]:
    spec = obj["spec"]
    rules = (spec.get("matchResources") or {}).get("resourceRules") or ()
    return _binding(spec) + operations(rules, "spec.matchResources.resourceRules.operations", _MUTABLE)


def warn_of_name(new: JsonObject, old: JsonObject | None) -> list[str]:
    """Return a warning of a name that only files may have."""
    del old
    if not str(new["metadata"].get("name", "")).endswith(_STATIC):
        return []
    what = "are reserved for static manifest-based configurations and cannot be managed via the API"
    return [f'metadata.name: names ending with "{_STATIC}" {what}']


def _strategy(
    plural: str,
    fill: Callable[[JsonObject], None],
    validate: Callable[[JsonObject], list[Cause]],
    *,
    has_status: bool = False,
) -> Strategy:
    strategy = generic_strategy(_GROUP, plural, has_status=has_status)
    create, update = strategy.prepare_create, strategy.prepare_update
    assert create is not None
    assert update is not None

    def prepare_create(obj: JsonObject) -> None:
        create(obj)
        fill(obj)

    def prepare_update(new: JsonObject, old: JsonObject) -> None:
        update(new, old)
        fill(new)

    return replace(
        strategy,
        prepare_create=prepare_create,
        prepare_update=prepare_update,
        validate=validate,
        validate_update=lambda new, old: validate_stem(new["metadata"], validation.dns1123_subdomain),
        warn=warn_of_name,
    )


VALIDATING_POLICY = replace(
    _strategy("validatingadmissionpolicies", _fill_in_policy, _validating, has_status=True),
    subresources={"status": Subresource(keep_metadata, validate_status, BUT_STATUS)},
)
VALIDATING_BINDING = _strategy("validatingadmissionpolicybindings", _fill_in_binding, _validating_binding)
MUTATING_POLICY = _strategy("mutatingadmissionpolicies", _fill_in_policy, _mutating)
MUTATING_BINDING = _strategy("mutatingadmissionpolicybindings", _fill_in_binding, _mutating_binding)
