"""
``scheduling.fairlead.io/v1alpha1``: where one namespace runs, and why.

One cluster-scoped object per scheduled namespace, with its name, written by the scheduler and the views; users read it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead_api.kinds.model import LIST_MAP, Object, Part, Time, int_format, list_of

RESTORED_FROM = "bin.fairlead.io/restored-from"
"""Annotation of an object that came back from the bin: the uid it had. What still runs of that one is kept."""
REPLACED, GONE = "Replaced", "The namespace is gone"
"""Reasons of a target that is left, by which a cluster's agent is told why: a replacement is complete; nothing is."""


class AssignedTarget(Part):
    """AssignedTarget is one SyncTarget that runs the namespace, or is being left."""

    uid: str = Field(description="uid of the SyncTarget.")
    key: str = Field(description="key stands for the SyncTarget in labels.")
    cluster: str = Field(description="cluster is the logical cluster the SyncTarget is in.")
    name: str = Field(description="name of the SyncTarget.")
    placement: str = Field(default="", description="placement that chose it.")
    state: Literal["Sync", "Draining", "Leaving"] = Field(
        default="Sync", description="state: Sync runs it, Draining runs it until another is ready, Leaving removes it."
    )
    since: Time | None = Field(default=None, description="since is when the state was entered.")
    reason: str = Field(default="", description="reason for the state, in CamelCase.")


class DecidedLocation(Part):
    """DecidedLocation is the Location a Placement chose."""

    path: str = Field(description="path is the logical cluster of the Location.")
    name: str = Field(description="name of the Location.")


class Candidate(Part):
    """Candidate is a SyncTarget that was looked at."""

    name: str = Field(description="name of the SyncTarget.")
    cluster: str = Field(description="cluster is its logical cluster.")
    uid: str = Field(description="uid of the SyncTarget.")
    accepted: bool = Field(default=False, description="accepted is true when no filter refused it.")
    filter: str = Field(default="", description="filter is the name of the filter that refused it.")
    message: str = Field(default="", description="message says why, in the user's words.")
    score: int = Field(
        default=0, description="score among the accepted; more is better.", json_schema_extra=int_format("int64")
    )


class PlacementDecision(Part):
    """PlacementDecision is what one Placement decided for the namespace."""

    name: str = Field(description="name of the Placement.")
    message: str = Field(default="", description="message sums the decision up.")
    location: DecidedLocation | None = Field(default=None, description="location chosen.")
    candidates: list[Candidate] = Field(default_factory=list, description="candidates looked at.")


class Decision(Part):
    """Decision says why the namespace is where it is."""

    reason: str = Field(default="", description="reason in CamelCase.")
    message: str = Field(default="", description="message for people.")
    placements: list[PlacementDecision] = Field(
        default_factory=list,
        description="placements that apply to the namespace.",
        json_schema_extra=list_of(LIST_MAP, "name"),
    )


class AssignmentSpec(Part):
    """AssignmentSpec is what the scheduler decided."""

    namespace_uid: str = Field(
        default="", alias="namespaceUID", description="namespaceUID is the uid of the namespace meant."
    )
    targets: list[AssignedTarget] = Field(
        default_factory=list, description="targets of the namespace.", json_schema_extra=list_of(LIST_MAP, "uid")
    )
    decision: Decision | None = Field(default=None, description="decision says why.")


class BlockedObject(Part):
    """BlockedObject is an object that keeps a target from being left or reached."""

    group: str = Field(default="", description="group of the resource.")
    resource: str = Field(description="resource is its plural name.")
    name: str = Field(description="name of the object.")
    reason: str = Field(default="", description="reason in CamelCase.")
    message: str = Field(default="", description="message for people.")


class DriftedField(Part):
    """DriftedField is a field that somebody has changed in a cluster."""

    group: str = Field(default="", description="group of the resource.")
    resource: str = Field(description="resource is its plural name.")
    name: str = Field(description="name of the object.")
    path: str = Field(description="path of the field.")
    manager: str = Field(description="manager that owns the field now.")
    since: str = Field(default="", description="since when, as the cluster says.")
    left: bool = Field(default=False, description="left tells whether the value stays; else it was put back.")


class TargetProgress(Part):
    """TargetProgress is how far one target has come."""

    uid: str = Field(description="uid of the SyncTarget.")
    objects: int = Field(default=0, description="objects to run there.", json_schema_extra=int_format("int32"))
    applied: int = Field(default=0, description="applied objects.", json_schema_extra=int_format("int32"))
    ready: int = Field(default=0, description="ready objects.", json_schema_extra=int_format("int32"))
    remaining: int = Field(
        default=0, description="remaining objects to be removed.", json_schema_extra=int_format("int32")
    )
    blocked: list[BlockedObject] = Field(default_factory=list, description="blocked objects, and why.")
    drifted: list[DriftedField] = Field(
        default_factory=list, description="drifted fields: changed in the cluster, by whom."
    )
    namespace: str = Field(default="", description="namespace in the cluster, where one was handed over to the agent.")


class AssignmentStatus(Part):
    """AssignmentStatus is what the targets reported."""

    observed_generation: int = Field(
        default=0,
        alias="observedGeneration",
        description="observedGeneration is the generation of the spec the rest of the status speaks of.",
        json_schema_extra=int_format("int64"),
    )
    targets: list[TargetProgress] = Field(
        default_factory=list, description="targets and their progress.", json_schema_extra=list_of(LIST_MAP, "uid")
    )


class Assignment(Object):
    """Assignment says where the namespace of the same name runs, and why there."""

    spec: AssignmentSpec = Field(default_factory=AssignmentSpec)
    status: AssignmentStatus = Field(default_factory=AssignmentStatus)
