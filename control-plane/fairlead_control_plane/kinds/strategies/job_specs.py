"""
Validation of what Jobs say, alone or as the template of a CronJob.

Source: k8s.io/kubernetes/pkg/apis/batch/validation/validation.go (validateJobSpec and below), pkg/api/job/warnings.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.strategies.job_indexes import IndexesError, count_indexes
from fairlead_control_plane.kinds.strategies.metadata import non_negative
from fairlead_control_plane.kinds.strategies.pod_spec import validate_template
from fairlead_control_plane.kinds.strategies.pod_warnings import template_warnings

_COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex", "maxFailedIndexes",
)  # fmt: skip
_MODES = ("NonIndexed", "Indexed")
_MAX_PARALLELISM = _MAX_FAILED = _MANY = 100_000
_MAX_OF_MANY = 10_000
_ONLY_INDEXED = "requires indexed completion mode"
_REPLACEMENTS = ("Failed", "TerminatingOrFailed")
_RESTART_POLICIES = ("OnFailure", "Never")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_MAX_RULES, _MAX_CODES, _MAX_MANAGER, _MAX_INDEXES = 20, 255, 63, 64 * 1024
_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def validate_job_spec(spec: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the spec of a Job, its selector aside."""
    causes = [cause for field in _COUNTS for cause in non_negative(spec.get(field), f"{path}.{field}")]
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        causes.append(wrong.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if (manager := spec.get("managedBy")) is not None:
        causes += _manager(manager, f"{path}.managedBy")
    causes += _mode(spec, path)
    policy = spec.get("podFailurePolicy")
    if policy is not None:
        causes += _failure_policy(policy, spec, f"{path}.podFailurePolicy.rules")
    if (success := spec.get("successPolicy")) is not None:
        causes += _success_policy(success, spec, f"{path}.successPolicy")
    replacement, allowed = spec.get("podReplacementPolicy"), _REPLACEMENTS if policy is None else _REPLACEMENTS[:1]
    if replacement is not None and replacement not in allowed:
        causes.append(wrong.not_supported(f"{path}.podReplacementPolicy", replacement, allowed))
    template = spec.get("template") or {}
    causes += validate_template(template, f"{path}.template")
    restart = (template.get("spec") or {}).get("restartPolicy")
    return causes + _restart(restart, policy, f"{path}.template.spec.restartPolicy")


def _restart(policy: str | None, failure_policy: JsonObject | None, path: str) -> list[Cause]:
    if policy == "Always" or not policy:
        return [wrong.required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in _RESTART_POLICIES:
        return [wrong.not_supported(path, policy, _RESTART_POLICIES)]
    if failure_policy is not None and policy != "Never":
        return [wrong.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _manager(name: str, path: str) -> list[Cause]:
    if not name:
        return [wrong.required(path)]
    host, _, rest = name.partition("/")
    if not host or not rest:
        causes = [wrong.invalid(path, name, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    else:
        causes = [wrong.invalid(path, host, text) for text in validation.dns1123_subdomain(host)]
        if not _PATH.fullmatch(rest):
            causes.append(wrong.invalid(path, rest, validation.regex_message("Invalid path", _PATH.pattern)))
    return causes + ([wrong.too_long(path, _MAX_MANAGER)] if len(name.encode()) > _MAX_MANAGER else [])


def _mode(spec: JsonObject, path: str) -> list[Cause]:
    mode, per_index, most = spec.get("completionMode"), spec.get("backoffLimitPerIndex"), spec.get("maxFailedIndexes")
    causes: list[Cause] = []
    if mode is not None and mode not in _MODES:
        causes.append(wrong.not_supported(f"{path}.completionMode", mode, _MODES))
    if mode == "Indexed":
        causes += _indexed(spec, path)
    if mode is None or mode == "NonIndexed":
        if per_index is not None:
            causes.append(wrong.invalid(f"{path}.backoffLimitPerIndex", per_index, _ONLY_INDEXED))
        if most is not None:
            causes.append(wrong.invalid(f"{path}.maxFailedIndexes", most, _ONLY_INDEXED))
    return causes


def _indexed(spec: JsonObject, path: str) -> list[Cause]:
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    most = spec.get("maxFailedIndexes")
    causes: list[Cause] = []
    if completions is None:
        causes.append(wrong.required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > _MAX_PARALLELISM:
        text = f"must be less than or equal to {_MAX_PARALLELISM} when completion mode is Indexed"
        causes.append(wrong.invalid(f"{path}.parallelism", parallelism, text))
    if most is not None and completions is not None and most > completions:
        causes.append(wrong.invalid(f"{path}.maxFailedIndexes", most, "must be less than or equal to completions"))
    if most is not None and most > _MAX_FAILED:
        text = f"must be less than or equal to {_MAX_FAILED}"
        causes.append(wrong.invalid(f"{path}.maxFailedIndexes", most, text))
    if (completions or 0) <= _MANY or spec.get("backoffLimitPerIndex") is None:
        return causes
    if most is None:
        text = f"must be specified when completions is above {_MANY}"
        causes.append(wrong.required(f"{path}.maxFailedIndexes", text))
    limit = f"must be less than or equal to {_MAX_OF_MANY} when completions are above {_MANY}"
    for field, value in (("parallelism", parallelism), ("maxFailedIndexes", most or 0)):
        if value > _MAX_OF_MANY:
            causes.append(wrong.invalid(f"{path}.{field}", value, f"{limit} and used with backoff limit per index"))
    return causes


def _failure_policy(policy: JsonObject, spec: JsonObject, path: str) -> list[Cause]:
    rules, pods = policy.get("rules") or (), (spec.get("template") or {}).get("spec") or {}
    causes = [wrong.too_many(path, len(rules), _MAX_RULES)] if len(rules) > _MAX_RULES else []
    lists = (pods.get("containers") or (), pods.get("initContainers") or ())
    names = {container.get("name") or "" for containers in lists for container in containers}
    per_index = spec.get("backoffLimitPerIndex") is not None
    for index, rule in enumerate(rules):
        at = f"{path}[{index}]"
        causes += _action(rule.get("action") or "", f"{at}.action", per_index=per_index)
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or ()
        if codes is not None:
            causes += _exit_codes(codes, names, f"{at}.onExitCodes")
        causes += _conditions(conditions, f"{at}.onPodConditions")
        if (codes is not None) == bool(conditions):
            text = (
                "specifying both OnExitCodes and OnPodConditions is not supported"
                if conditions
                else "specifying one of OnExitCodes and OnPodConditions is required"
            )
            causes.append(unshown(at, text))
    return causes


def unshown(path: str, text: str) -> Cause:
    """Return the cause of a wrong value that is not shown."""
    return Cause("FieldValueInvalid", f"Invalid value: {text}", path)


def _listed(values: Sequence[str]) -> str:
    return f"valid values: [{' '.join(wrong.quoted(value) for value in values)}]"


def _action(action: str, path: str, *, per_index: bool) -> list[Cause]:
    if not action:
        return [wrong.required(path, _listed(_ACTIONS))]
    if action == "FailIndex":
        return [] if per_index else [wrong.invalid(path, action, "requires the backoffLimitPerIndex to be set")]
    return [] if action in _ACTIONS else [wrong.not_supported(path, action, _ACTIONS)]


def _conditions(patterns: Sequence[JsonObject], path: str) -> list[Cause]:
    causes = [wrong.too_many(path, len(patterns), _MAX_RULES)] if len(patterns) > _MAX_RULES else []
    for index, pattern in enumerate(patterns):
        at, kind, status = f"{path}[{index}]", pattern.get("type") or "", pattern.get("status") or ""
        causes += [wrong.invalid(f"{at}.type", kind, text) for text in validation.qualified_name(kind)]
        if not status:
            causes.append(wrong.required(f"{at}.status", _listed(_STATUSES)))
        elif status not in _STATUSES:
            causes.append(wrong.not_supported(f"{at}.status", status, _STATUSES))
    return causes


def _exit_codes(codes: JsonObject, names: set[str], path: str) -> list[Cause]:
    operator, values, name = codes.get("operator") or "", codes.get("values") or [], codes.get("containerName")
    causes: list[Cause] = []
    if not operator:
        causes.append(wrong.required(f"{path}.operator", _listed(_OPERATORS)))
    elif operator not in _OPERATORS:
        causes.append(wrong.not_supported(f"{path}.operator", operator, _OPERATORS))
    if name is not None and name not in names:
        text = "must be one of the container or initContainer names in the pod template"
        causes.append(wrong.invalid(f"{path}.containerName", name, text))
    at = f"{path}.values"
    if not values:
        causes.append(wrong.invalid(at, codes.get("values"), "at least one value is required"))
    elif len(values) > _MAX_CODES:
        causes.append(wrong.too_many(at, len(values), _MAX_CODES))
    seen: set[int] = set()
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            causes.append(wrong.invalid(f"{at}[{index}]", value, "must not be 0 for the In operator"))
        if value in seen:
            causes.append(wrong.duplicate(f"{at}[{index}]", value))
        seen.add(value)
    return causes + ([wrong.invalid(at, values, "must be ordered")] if values != sorted(values) else [])


def _success_policy(policy: JsonObject, spec: JsonObject, path: str) -> list[Cause]:
    if spec.get("completionMode") != "Indexed":
        text = f"Invalid value: {shown_as('batch.SuccessPolicy', policy)}: {_ONLY_INDEXED}"
        return [Cause("FieldValueInvalid", text, path)]
    rules, at = policy.get("rules") or (), f"{path}.rules"
    causes: list[Cause] = []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        causes.append(wrong.required(at, text))
    if len(rules) > _MAX_RULES:
        causes.append(wrong.too_many(at, len(rules), _MAX_RULES))
    for index, rule in enumerate(rules):
        causes += _success_rule(rule, spec.get("completions") or 0, f"{at}[{index}]")
    return causes


def _success_rule(rule: JsonObject, completions: int, path: str) -> list[Cause]:
    indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    causes: list[Cause] = []
    if indexes is None and count is None:
        causes.append(wrong.required(path, "at least one of succeededCount or succeededIndexes must be specified"))
    total = 0
    if indexes is not None:
        at = f"{path}.succeededIndexes"
        if len(indexes.encode()) > _MAX_INDEXES:
            causes.append(wrong.too_long(at, _MAX_INDEXES))
        try:
            total = count_indexes(indexes, completions)
        except IndexesError as error:
            causes.append(wrong.invalid(at, indexes, f"error parsing succeededIndexes: {error}"))
    if count is None:
        return causes
    at = f"{path}.succeededCount"
    causes += non_negative(count, at)
    start = "must be less than or equal to"
    if count > completions:
        causes.append(wrong.invalid(at, count, f"{start} {completions} (the number of specified completions)"))
    if indexes is not None and count > total:
        text = f"{start} {total} (the number of indexes in the specified succeededIndexes field)"
        causes.append(wrong.invalid(at, count, text))
    return causes


def job_warnings(spec: JsonObject, path: str) -> list[str]:
    """Warn of what is in the spec of a Job."""
    found: list[str] = []
    if (
        spec.get("completionMode") == "Indexed"
        and (spec.get("completions") or 0) > _MANY
        and (spec.get("parallelism") or 0) > _MAX_OF_MANY
    ):
        text = (
            "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
            "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
        )
        found.append(f"{path}: {text}")
    return found + template_warnings(spec.get("template") or {}, f"{path}.template")
