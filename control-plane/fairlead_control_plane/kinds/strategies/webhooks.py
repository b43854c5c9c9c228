"""
Configurations of admission webhooks: rules, clients, conditions, and what counts as a change.

Source: k8s.io/kubernetes pkg/apis/admissionregistration/validation/validation.go,
pkg/registry/admissionregistration/*webhookconfiguration/strategy.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.strategies.admission_policies import warn_of_name
from fairlead_control_plane.kinds.strategies.conversions import service_problems, url_problems
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.matching_rules import MATCH_POLICIES, validate_rule
from fairlead_control_plane.kinds.strategies.metadata import validate_stem
from fairlead_control_plane.kinds.strategies.policy_parts import validate_conditions
from fairlead_control_plane.kinds.strategies.selectors import validate_selector
from fairlead_schema.policy_expressions import Scope

GROUP = "admissionregistration.k8s.io"
_FAILURE_POLICIES = ("Fail", "Ignore")
_REINVOCATIONS = ("IfNeeded", "Never")
_HARMLESS = ("None", "NoneOnDryRun")
_SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
_REVIEWS = ("v1", "v1beta1")
_SCOPE = Scope()


@dataclass(frozen=True, slots=True)
class _Tolerance:
    """What is let be wrong because it was before."""

    side_effects: Sequence[str] = _HARMLESS
    strange_reviews: bool = False
    same_names: bool = False
    conditions: bool = False


def _hooks(obj: JsonObject) -> list[JsonObject]:
    return list(obj.get("webhooks") or ())


def _tolerance(new: JsonObject, old: JsonObject) -> _Tolerance:
    before = _hooks(old)
    names = [hook.get("name") for hook in before]
    conditions, conditions_before = ([hook.get("matchConditions") for hook in _hooks(one)] for one in (new, old))
    return _Tolerance(
        _HARMLESS if all(hook.get("sideEffects") in _HARMLESS for hook in before) else _SIDE_EFFECTS,
        any(
            hook.get("admissionReviewVersions") and not set(_REVIEWS) & set(hook["admissionReviewVersions"])
            for hook in before
        ),
        len(set(names)) < len(names),
        conditions == conditions_before,
    )


def _validate(obj: JsonObject, tolerance: _Tolerance = _Tolerance()) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, hook in enumerate(_hooks(obj)):
        at, name = f"webhooks[{index}]", hook.get("name") or ""
        causes += _hook(hook, at, tolerance)
        causes += _reviews(hook.get("admissionReviewVersions") or [], f"{at}.admissionReviewVersions", tolerance)
        if name in names and name and not tolerance.same_names:
            causes.append(wrong.duplicate(f"{at}.name", name))
        names.add(name)
    return causes


def _hook(hook: JsonObject, path: str, tolerance: _Tolerance) -> list[Cause]:
    causes = _name(hook.get("name") or "", f"{path}.name")
    for index, rule in enumerate(hook.get("rules") or ()):
        causes += validate_rule(rule, f"{path}.rules[{index}]")
    for field, allowed in (
        ("failurePolicy", _FAILURE_POLICIES),
        ("matchPolicy", MATCH_POLICIES),
        ("reinvocationPolicy", _REINVOCATIONS),
        ("sideEffects", tolerance.side_effects),
    ):
        value = hook.get(field)
        if value is not None and value not in allowed:
            causes.append(wrong.not_supported(f"{path}.{field}", value, allowed))
    if hook.get("sideEffects") is None:
        text = f"must specify one of {', '.join(tolerance.side_effects)}"
        causes.append(wrong.required(f"{path}.sideEffects", text))
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        text = "the timeout value must be between 1 and 30 seconds"
        causes.append(wrong.invalid(f"{path}.timeoutSeconds", seconds, text))
    for field in ("namespaceSelector", "objectSelector"):
        causes += validate_selector(hook.get(field), f"{path}.{field}")
    causes += _client(hook.get("clientConfig") or {}, f"{path}.clientConfig")
    if tolerance.conditions:
        return causes
    return causes + validate_conditions(hook.get("matchConditions") or (), _SCOPE, f"{path}.matchConditions")


def _name(name: str, path: str) -> list[Cause]:
    if not name:
        return [wrong.required(path)]
    texts = validation.dns1123_subdomain(name)
    if texts:
        return [wrong.invalid(path, name, ",".join(texts))]
    text = "should be a domain with at least three segments separated by dots"
    return [] if name.count(".") >= 2 else [wrong.invalid(path, name, text)]


def _client(client: JsonObject, path: str) -> list[Cause]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [wrong.required(path, "exactly one of url or service is required")]
    return service_problems(service, f"{path}.service") if url is None else url_problems(url, f"{path}.url")


def _reviews(versions: Sequence[str], path: str, tolerance: _Tolerance) -> list[Cause]:
    if not versions:
        return [wrong.required(path, f"must specify one of {', '.join(_REVIEWS)}")]
    causes: list[Cause] = []
    for index, version in enumerate(versions):
        at = f"{path}[{index}]"
        texts = ["duplicate version"] if version in versions[:index] else validation.dns1035_label(version)
        causes += [wrong.invalid(at, version, text) for text in texts]
    if not set(_REVIEWS) & set(versions) and not tolerance.strange_reviews:
        causes.append(wrong.invalid(path, versions, f"must include at least one of {', '.join(_REVIEWS)}"))
    return causes


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    return [*validate_stem(new["metadata"], validation.dns1123_subdomain), *_validate(new, _tolerance(new, old))]


def _strategy(plural: str) -> Strategy:
    return replace(
        generic_strategy(GROUP, plural, has_status=False),
        validate=_validate,
        validate_change=_validate_change,
        generation_of=_hooks,
        warn=warn_of_name,
    )


MUTATING = _strategy("mutatingwebhookconfigurations")
VALIDATING = _strategy("validatingwebhookconfigurations")
