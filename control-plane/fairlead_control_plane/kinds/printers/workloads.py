"""Cells of what runs pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.selectors import SelectorError, from_map, from_object
from fairlead_control_plane.kinds.ages import Timed, age, human_duration, seconds_of, since

NONE = "<none>"
Cell = Callable[[JsonObject], object]


def _spec(obj: JsonObject) -> JsonObject:
    return obj.get("spec") or {}


def number(*path: str) -> Cell:
    """Return a cell that reads a number, zero when it is absent."""

    def cell(obj: JsonObject) -> object:
        value: Any = obj
        for name in path:
            value = (value or {}).get(name)
        return value or 0

    return cell


def text(*path: str, absent: str = NONE) -> Cell:
    """Return a cell that reads a text, ``<none>`` when it is absent or empty."""

    def cell(obj: JsonObject) -> object:
        value: Any = obj
        for name in path:
            value = (value or {}).get(name)
        return str(value) if value not in (None, "") else absent

    return cell


def flag(*path: str) -> Cell:
    """Return a cell that reads a boolean as ``true`` or ``false``."""

    def cell(obj: JsonObject) -> object:
        value: Any = obj
        for name in path:
            value = (value or {}).get(name)
        return str(bool(value)).lower()

    return cell


def _containers(field: str, *path: str) -> Cell:
    def cell(obj: JsonObject) -> object:
        value: Any = obj
        for name in path:
            value = (value or {}).get(name)
        return ",".join(str(container.get(field, "")) for container in (value or {}).get("containers") or ())

    return cell


def selector(obj: JsonObject) -> str:
    """Return ``spec.selector`` as text, an object or a plain map."""
    found = _spec(obj).get("selector")
    if found is None:
        return NONE
    try:
        is_object = "matchLabels" in found or "matchExpressions" in found or not found
        shown = str(from_object(found) if is_object else from_map(found))
    except SelectorError:
        return "<error>"
    return shown or NONE


def _deployment_ready(obj: JsonObject) -> str:
    return f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{_spec(obj).get('replicas', 0)}"


def _job_status(obj: JsonObject) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    on = {one.get("type") for one in conditions if one.get("status") == "True"}
    if "Complete" in on:
        return "Complete"
    if "Failed" in on:
        return "Failed"
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind, shown in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget"),
                        ("SuccessCriteriaMet", "SuccessCriteriaMet")):  # fmt: skip
        if kind in on:
            return shown
    return "Running"


def _job_completions(obj: JsonObject) -> str:
    succeeded, spec = (obj.get("status") or {}).get("succeeded", 0), _spec(obj)
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallel = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallel}" if parallel > 1 else f"{succeeded}/1"


def _job_duration(obj: JsonObject) -> object:
    status = obj.get("status") or {}
    start, end = seconds_of(status.get("startTime")), seconds_of(status.get("completionTime"))
    if start is None:
        return ""
    return Timed(lambda now: human_duration((now if end is None else end) - start))


def _last_schedule(obj: JsonObject) -> object:
    last = (obj.get("status") or {}).get("lastScheduleTime")
    return Timed(lambda now: since(last, now)) if last else NONE


def _node_selector(obj: JsonObject) -> str:
    labels = ((_spec(obj).get("template") or {}).get("spec") or {}).get("nodeSelector")
    return str(from_map(labels)) or NONE


def _job_selector(obj: JsonObject) -> str:
    found = ((_spec(obj).get("jobTemplate") or {}).get("spec") or {}).get("selector")
    return NONE if found is None else selector({"spec": {"selector": found}})


def _controller(obj: JsonObject) -> str:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            group = str(owner.get("apiVersion", "")).rpartition("/")[0]
            return (
                f"{owner['kind'].lower()}.{group}/{owner['name']}"
                if group
                else f"{owner['kind'].lower()}/{owner['name']}"
            )
    return NONE


def created(obj: JsonObject) -> Timed:
    """Return how long ago an object was created."""
    return age(obj["metadata"].get("creationTimestamp"))


_TEMPLATE = ("spec", "template", "spec")
_POD_CELLS: Mapping[str, Cell] = {
    "Age": created,
    "Containers": _containers("name", *_TEMPLATE),
    "Images": _containers("image", *_TEMPLATE),
    "Selector": selector,
}
_REPLICAS: Mapping[str, Cell] = {
    **_POD_CELLS,
    "Desired": number("spec", "replicas"),
    "Current": number("status", "replicas"),
    "Ready": number("status", "readyReplicas"),
}
_CRON_TEMPLATE = ("spec", "jobTemplate", "spec", "template", "spec")

DEPLOYMENT: Mapping[str, Cell] = {
    **_POD_CELLS,
    "Ready": _deployment_ready,
    "Up-to-date": number("status", "updatedReplicas"),
    "Available": number("status", "availableReplicas"),
}
REPLICA_SET = _REPLICAS
STATEFUL_SET: Mapping[str, Cell] = {**_POD_CELLS, "Ready": _deployment_ready}
DAEMON_SET: Mapping[str, Cell] = {
    **_POD_CELLS,
    "Desired": number("status", "desiredNumberScheduled"),
    "Current": number("status", "currentNumberScheduled"),
    "Ready": number("status", "numberReady"),
    "Up-to-date": number("status", "updatedNumberScheduled"),
    "Available": number("status", "numberAvailable"),
    "Node Selector": _node_selector,
}
JOB: Mapping[str, Cell] = {
    **_POD_CELLS,
    "Status": _job_status,
    "Completions": _job_completions,
    "Duration": _job_duration,
}
CRON_JOB: Mapping[str, Cell] = {
    "Schedule": text("spec", "schedule"),
    "Timezone": text("spec", "timeZone"),
    "Suspend": lambda obj: "True" if _spec(obj).get("suspend") else "False",
    "Active": lambda obj: len((obj.get("status") or {}).get("active") or ()),
    "Last Schedule": _last_schedule,
    "Age": created,
    "Containers": _containers("name", *_CRON_TEMPLATE),
    "Images": _containers("image", *_CRON_TEMPLATE),
    "Selector": _job_selector,
}
CONTROLLER_REVISION: Mapping[str, Cell] = {
    "Controller": _controller,
    "Revision": number("revision"),
    "Age": created,
}
