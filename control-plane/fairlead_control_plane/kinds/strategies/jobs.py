"""
Jobs and CronJobs.

Source: k8s.io/kubernetes/pkg/apis/batch/{v1/defaults.go,validation/validation.go}, pkg/registry/batch/job/strategy.go.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import immutable, non_negative
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod_spec
from fairlead_control_plane.kinds.strategies.pod_spec import validate_template

_RESTART_POLICIES = ("OnFailure", "Never")
_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_CONCURRENCY = ("Allow", "Forbid", "Replace")


def _default_template(job_spec: JsonObject) -> None:
    default_pod_spec(job_spec.setdefault("template", {}).setdefault("spec", {}))


def _default_job(spec: JsonObject) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    has_policy = bool(spec.get("podFailurePolicy"))
    spec.setdefault("podReplacementPolicy", "Failed" if has_policy else "TerminatingOrFailed")
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")
    _default_template(spec)


def _prepare_create(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    _default_job(spec)
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)
    if not spec.get("manualSelector"):
        _select_own_pods(obj, spec)
    normalise(obj)
    obj["status"] = {}


def _select_own_pods(obj: JsonObject, spec: JsonObject) -> None:
    """Mark the template with the Job's uid and select by it, so that two Jobs never claim each other's pods."""
    uid, name = obj["metadata"].get("uid"), obj["metadata"].get("name")
    if not uid:
        return
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    labels.update(dict.fromkeys(_UID_LABELS, uid) | dict.fromkeys(_NAME_LABELS, name))
    spec.setdefault("selector", {}).setdefault("matchLabels", {})[_UID_LABELS[0]] = uid


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    del old
    _default_job(new.setdefault("spec", {}))
    normalise(new)


def _job_spec(spec: JsonObject, path: str) -> list[Cause]:
    causes = [cause for field in _COUNTS for cause in non_negative(spec.get(field), f"{path}.{field}")]
    template = spec.get("template") or {}
    causes += validate_template(template, f"{path}.template")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy == "Always" or not policy:
        text = 'valid values: "OnFailure", "Never"'
        causes.append(wrong.required(f"{path}.template.spec.restartPolicy", text))
    elif policy not in _RESTART_POLICIES:
        causes.append(wrong.not_supported(f"{path}.template.spec.restartPolicy", policy, _RESTART_POLICIES))
    return causes


def _validate_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    causes: list[Cause] = []
    if spec.get("completionMode") != "Indexed":
        causes += immutable(spec.get("completions"), before.get("completions"), "spec.completions")
    causes += immutable(spec.get("selector"), before.get("selector"), "spec.selector")
    if not (before.get("suspend") and not (old.get("status") or {}).get("startTime")):
        causes += immutable(spec.get("template"), before.get("template"), "spec.template")
    return causes + immutable(spec.get("completionMode"), before.get("completionMode"), "spec.completionMode")


def _prepare_cron(obj: JsonObject) -> None:
    job_spec = obj.setdefault("spec", {}).setdefault("jobTemplate", {}).setdefault("spec", {})
    _default_template(job_spec)
    normalise(obj)


def _create_cron(obj: JsonObject) -> None:
    _prepare_cron(obj)
    obj["status"] = {}


def _validate_cron(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = [] if spec.get("schedule") else [wrong.required("spec.schedule")]
    policy = spec.get("concurrencyPolicy")
    if policy not in _CONCURRENCY:
        causes.append(wrong.not_supported("spec.concurrencyPolicy", policy or "", _CONCURRENCY))
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        causes += non_negative(spec.get(field), f"spec.{field}")
    return causes + _job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


JOB = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=lambda obj: _job_spec(obj.get("spec") or {}, "spec"),
    validate_update=_validate_update,
    generation_of=lambda obj: obj.get("spec"),
)
CRON_JOB = Strategy(
    prepare_create=_create_cron,
    prepare_update=lambda new, old: _prepare_cron(new),
    validate=_validate_cron,
    generation_of=lambda obj: obj.get("spec"),
)
