"""Which cells the columns of each built-in kind have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.printers import certificates, cluster, pods, policies, workloads
from fairlead_control_plane.kinds.printers.workloads import Cell, created
from fairlead_control_plane.kinds.record import Column

_CELLS: Mapping[tuple[str, str], Mapping[str, Cell]] = {
    **cluster.CELLS,
    **policies.CELLS,
    ("", "pods"): pods.CELLS,
    ("", "replicationcontrollers"): workloads.REPLICA_SET,
    ("apps", "controllerrevisions"): workloads.CONTROLLER_REVISION,
    ("apps", "daemonsets"): workloads.DAEMON_SET,
    ("apps", "deployments"): workloads.DEPLOYMENT,
    ("apps", "replicasets"): workloads.REPLICA_SET,
    ("apps", "statefulsets"): workloads.STATEFUL_SET,
    ("batch", "cronjobs"): workloads.CRON_JOB,
    ("batch", "jobs"): workloads.JOB,
    ("certificates.k8s.io", "certificatesigningrequests"): certificates.SIGNING_REQUEST,
}
_EVERY: Mapping[str, Callable[[JsonObject], object]] = {
    "Name": lambda obj: obj["metadata"].get("name", ""),
    "Age": created,
    "Created At": lambda obj: obj["metadata"].get("creationTimestamp"),
}

SCALE = (
    Column("Name", cell=_EVERY["Name"]),
    Column("Desired", "integer", cell=workloads.number("spec", "replicas")),
    Column("Available", "integer", cell=workloads.number("status", "replicas")),
    Column("Age", cell=created),
)
"""Columns of the ``/scale`` of built-in kinds; of custom ones there are no Tables."""


def columns_of(group: str, version: str, plural: str) -> tuple[Column, ...]:
    """
    Return the columns of a built-in resource, Name included; a column that nobody computes shows nothing.

    Cells take the stored form of objects; ``events.k8s.io`` shows the same as core.
    """
    key = ("", "events") if (group, plural) == ("events.k8s.io", "events") else (group, plural)
    cells = _CELLS.get(key, {})
    return tuple(
        Column(name, type_, format_, "", priority, "", cells.get(name) or _EVERY.get(name) or _nothing)
        for name, type_, format_, priority in facts.columns(group, version, plural)
    )


def _nothing(obj: JsonObject) -> object:
    del obj
    return ""
