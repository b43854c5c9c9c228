"""
Validation of the status of a Job: what a controller may say of it, and when.

Source: k8s.io/kubernetes/pkg/apis/batch/validation/validation.go (validateJobStatus, ValidateJobStatusUpdate),
pkg/registry/batch/job/strategy.go (getStatusValidationOptions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.job_indexes import IndexesError, count_indexes, overlap
from fairlead_control_plane.kinds.strategies.job_specs import unshown
from fairlead_control_plane.kinds.strategies.metadata import non_negative

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_TERMINAL = ("Failed", "Complete", "FailureTarget")
_AT = "status.conditions"


@dataclass(frozen=True, slots=True)
class _State:
    """A Job's status with what its conditions say."""

    spec: JsonObject
    status: JsonObject
    true: frozenset[str]

    @property
    def is_finished(self) -> bool:
        return "Complete" in self.true or "Failed" in self.true

    @property
    def is_indexed(self) -> bool:
        return self.spec.get("completionMode") == "Indexed"


def _state(obj: JsonObject) -> _State:
    status = obj.get("status") or {}
    conditions = status.get("conditions") or ()
    true = frozenset(one.get("type") or "" for one in conditions if one.get("status") == "True")
    return _State(obj.get("spec") or {}, status, true)


def validate_job_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with the status of a Job, much of which is only asked of what changed."""
    state, before = _state(new), _state(old)
    status = state.status
    causes = [cause for field in _COUNTS for cause in non_negative(status.get(field), f"status.{field}")]
    causes += _uncounted(status.get("uncountedTerminatedPods") or {})
    changed = {field for field in (*status, *before.status) if status.get(field) != before.status.get(field)}
    changed |= state.true ^ before.true
    if state.is_finished != before.is_finished:
        changed.add("finished")
    causes += _ends(state, changed)
    causes += _finished(state, changed)
    causes += _indexes(state, changed)
    if {"ready", "active"} & changed and (status.get("ready") or 0) > (status.get("active") or 0):
        causes.append(wrong.invalid("status.ready", status["ready"], "cannot set more ready pods than active"))
    causes += [unshown(_AT, text) for text in _criteria(state)]
    return causes + _transition(state, before, old)


def _uncounted(uncounted: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for field in ("succeeded", "failed"):
        for index, uid in enumerate(uncounted.get(field) or ()):
            at = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                causes.append(wrong.invalid(at, uid, "must not be empty"))
            elif uid in seen:
                causes.append(wrong.duplicate(at, uid))
            seen.add(uid)
    return causes


def _ends(state: _State, changed: set[str]) -> list[Cause]:
    """Check how a Job ends: its last conditions, and when it was complete."""
    true, status = state.true, state.status
    causes: list[Cause] = []
    is_complete = "Complete" in true
    if {"Complete", "Failed"} & changed and is_complete and "Failed" in true:
        causes.append(unshown(_AT, "cannot set Complete=True and Failed=true conditions"))
    if {"Complete", "FailureTarget"} & changed and is_complete and "FailureTarget" in true:
        causes.append(unshown(_AT, "cannot set Complete=True and FailureTarget=true conditions"))
    at, time, start = "status.completionTime", status.get("completionTime"), status.get("startTime")
    if {"Complete", "completionTime"} & changed:
        if time is not None and not is_complete:
            text = "cannot set completionTime when there is no Complete=True condition"
            causes.append(wrong.invalid(at, time, text))
        if time is None and is_complete:
            causes.append(wrong.required(at, "completionTime is required for Complete jobs"))
    if {"startTime", "completionTime"} & changed and start is not None and time is not None and time < start:
        causes.append(wrong.invalid(at, time, "must be equal to or after `startTime`"))
    if {"Failed", "failedIndexes"} & changed and "Failed" in true and "FailureTarget" not in true:
        text = "cannot set Failed=True condition without the FailureTarget=true condition"
        causes.append(unshown(_AT, text))
    if {"Complete", "SuccessCriteriaMet"} & changed and is_complete and "SuccessCriteriaMet" not in true:
        text = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        causes.append(unshown(_AT, text))
    return causes


def _finished(state: _State, changed: set[str]) -> list[Cause]:
    """Check what is left of a finished Job."""
    if not state.is_finished:
        return []
    status, spec = state.status, state.spec
    causes: list[Cause] = []
    active, terminating = status.get("active") or 0, status.get("terminating") or 0
    if {"finished", "active"} & changed and active > 0:
        causes.append(wrong.invalid("status.active", active, "active>0 is invalid for finished job"))
    never_ran = spec.get("suspend") is True and spec.get("completions") == 0
    if {"finished", "startTime"} & changed and not never_ran and status.get("startTime") is None:
        causes.append(wrong.required("status.startTime", "startTime is required for finished job"))
    uncounted = status.get("uncountedTerminatedPods") or {}
    if {"finished", "uncountedTerminatedPods"} & changed and any(uncounted.get(key) for key in ("succeeded", "failed")):
        shown = wrong.shown_in_order({"Succeeded": uncounted.get("succeeded"), "Failed": uncounted.get("failed")})
        text = f"Invalid value: {shown}: must be empty for finished job"
        causes.append(Cause("FieldValueInvalid", text, "status.uncountedTerminatedPods"))
    if {"finished", "terminating"} & changed and terminating > 0:
        text = "terminating>0 is invalid for finished job"
        causes.append(wrong.invalid("status.terminating", terminating, text))
    return causes


def _indexes(state: _State, changed: set[str]) -> list[Cause]:
    """Check which pods of an indexed Job succeeded and failed."""
    spec, status = state.spec, state.status
    completed, failed = status.get("completedIndexes") or "", status.get("failedIndexes")
    completions, per_index = spec.get("completions"), spec.get("backoffLimitPerIndex")
    causes: list[Cause] = []
    if "completedIndexes" in changed:
        causes += _listed(completed, completions, "completedIndexes")
        if completed and not state.is_indexed:
            text = "cannot set non-empty completedIndexes when non-indexed completion mode"
            causes.append(wrong.invalid("status.completedIndexes", completed, text))
    if failed is None:
        return causes
    at = "status.failedIndexes"
    if "failedIndexes" in changed:
        if per_index is None:
            text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            causes.append(wrong.invalid(at, failed, text))
        else:
            causes += _listed(failed, completions, "failedIndexes")
    if {"completedIndexes", "failedIndexes"} & changed and completions is not None:
        shared = overlap(completed, failed, completions)
        if shared is not None:
            text = f"failedIndexes and completedIndexes overlap at index: {shared}"
            causes.append(wrong.invalid(at, failed, text))
    return causes


def _listed(indexes: str, completions: int | None, field: str) -> list[Cause]:
    try:
        count_indexes(indexes if completions is not None else "", completions or 0)
    except IndexesError as error:
        return [wrong.invalid(f"status.{field}", indexes, f"error parsing {field}: {error}")]
    return []


def _criteria(state: _State) -> Iterator[str]:
    if "SuccessCriteriaMet" in state.true:
        if "Failed" in state.true:
            yield "cannot set SuccessCriteriaMet=True and Failed=true conditions"
        if "FailureTarget" in state.true:
            yield "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"
    elif state.spec.get("successPolicy") is not None and "Complete" in state.true:
        yield "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"


def _transition(state: _State, before: _State, old: JsonObject) -> list[Cause]:
    """Check what a status may no longer take back."""
    causes = [
        unshown(_AT, f"cannot disable the terminal {kind}=True condition")
        for kind in _TERMINAL
        if kind in before.true and kind not in state.true
    ]
    spec, status = state.spec, state.status
    counters: Sequence[str] = ("failed", "succeeded")
    if state.is_indexed and spec.get("completions") == spec.get("parallelism"):
        counters = ("failed",)
    for field in counters:
        number = status.get(field) or 0
        if number < (before.status.get(field) or 0):
            causes.append(wrong.invalid(f"status.{field}", number, f"cannot decrease the {field} counter"))
    time, was = status.get("completionTime"), before.status.get("completionTime")
    if time is not None and was is not None and time != was:
        causes.append(wrong.invalid("status.completionTime", time, "field is immutable"))
    start, had = status.get("startTime"), before.status.get("startTime")
    if had is not None and start != had and not spec.get("suspend") and not _resumes(status, old):
        text = "field is immutable for unsuspended job once set"
        causes.append(wrong.invalid("status.startTime", start, text))
    if "SuccessCriteriaMet" in before.true and "SuccessCriteriaMet" not in state.true:
        causes.append(unshown(_AT, "cannot disable the SuccessCriteriaMet=True condition"))
    if "Complete" in before.true and "SuccessCriteriaMet" in state.true - before.true:
        text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        causes.append(unshown(_AT, text))
    return causes


def _resumes(status: JsonObject, old: JsonObject) -> bool:
    def says(conditions: Sequence[JsonObject] | None, text: str) -> bool:
        return any(one.get("type") == "Suspended" and one.get("status") == text for one in conditions or ())

    return says((old.get("status") or {}).get("conditions"), "True") and says(status.get("conditions"), "False")
