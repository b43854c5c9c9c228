"""
CronJobs.

Source: k8s.io/kubernetes/pkg/apis/batch/validation/validation.go (validateCronJobSpec), pkg/registry/batch/cronjob.
"""

from __future__ import annotations

import re

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.counts import status_of
from fairlead_control_plane.kinds.strategies.cron_schedules import schedule_problem, zone_problem
from fairlead_control_plane.kinds.strategies.job_specs import job_warnings, validate_job_spec
from fairlead_control_plane.kinds.strategies.jobs import default_job_template
from fairlead_control_plane.kinds.strategies.metadata import non_negative
from fairlead_control_plane.kinds.strategies.pod_warnings import name_warnings
from fairlead_control_plane.kinds.strategies.selectors import selector_cause
from fairlead_control_plane.kinds.strategies.workloads import settle_template

_CONCURRENCY = ("Allow", "Forbid", "Replace")
_MAX_NAME = 52  # a Job is named after it and a time of eleven characters
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")
_ZONES = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
_JOB = "spec.jobTemplate.spec"


def _prepare(obj: JsonObject) -> None:
    default_job_template(_job_of(obj.setdefault("spec", {})))
    normalise(obj)


def _job_of(spec: JsonObject) -> JsonObject:
    job: JsonObject = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    return job


def _create(obj: JsonObject) -> None:
    _prepare(obj)
    obj["status"] = {}


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    del old
    settle_template(new["spec"]["jobTemplate"], None)


def _validate(obj: JsonObject) -> list[Cause]:
    name = obj["metadata"].get("name") or ""
    causes = _spec(obj.get("spec") or {}, None)
    if len(name.encode()) > _MAX_NAME:
        causes.append(wrong.invalid("metadata.name", name, f"must be no more than {_MAX_NAME} characters"))
    return causes


def _change(new: JsonObject, old: JsonObject) -> list[Cause]:
    return _spec(new.get("spec") or {}, old.get("spec") or {})


def _spec(spec: JsonObject, before: JsonObject | None) -> list[Cause]:
    schedule, zone = spec.get("schedule") or "", spec.get("timeZone")
    causes = _schedule(schedule, zone, before) if schedule else [wrong.required("spec.schedule")]
    causes += non_negative(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds")
    if zone is not None and (before is None or before.get("timeZone") != zone):
        causes += [wrong.invalid("spec.timeZone", zone, text) for text in _zone(zone)]
    policy = spec.get("concurrencyPolicy")
    if not policy:
        causes.append(wrong.required("spec.concurrencyPolicy"))
    elif policy not in _CONCURRENCY:
        causes.append(wrong.not_supported("spec.concurrencyPolicy", policy, _CONCURRENCY))
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    causes += validate_job_spec(job, _JOB)
    if job.get("selector") is not None:
        causes.append(selector_cause(f"{_JOB}.selector", job["selector"], "`selector` will be auto-generated"))
    if job.get("manualSelector"):
        causes.append(wrong.not_supported(f"{_JOB}.manualSelector", True, ("nil", "false")))
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        causes += non_negative(spec.get(field), f"spec.{field}")
    return causes


def _schedule(schedule: str, zone: str | None, before: JsonObject | None) -> list[Cause]:
    problem, at = schedule_problem(schedule), "spec.schedule"
    causes = [wrong.invalid(at, schedule, problem)] if problem else []
    if "TZ" not in schedule:
        return causes
    if "TZ" not in ((before or {}).get("schedule") or ""):
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        return [*causes, wrong.invalid(at, schedule, text)]
    text = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
    return causes if zone is None else [*causes, wrong.invalid(at, schedule, text)]


def _zone(zone: str) -> list[str]:
    if not zone:
        return ["timeZone must be nil or non-empty string"]
    parts = zone.split("/")
    if any(part in {".", ".."} or part.startswith("-") or not _ZONE_PART.fullmatch(part) for part in parts):
        return [f"unknown time zone {zone}"]
    texts = [_ZONES] if zone.lower() == "local" else []
    problem = zone_problem(zone)
    return [*texts, problem] if problem else texts


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    spec = new.get("spec") or {}
    found = name_warnings(new) if old is None else []
    if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
        found += job_warnings((spec.get("jobTemplate") or {}).get("spec") or {}, _JOB)
    if old is not None and "TZ" in (spec.get("schedule") or ""):
        where = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/"
        found.append(
            f"cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see {where} for more details"
        )
    return found


CRON_JOB = Strategy(
    prepare_create=_create,
    prepare_update=lambda new, old: _prepare(new),
    settle=_settle,
    validate=_validate,
    validate_change=_change,
    subresources=status_of(lambda new, old: ()),
    warn=_warn,
    generation_of=lambda obj: obj.get("spec"),
)
