"""``scheduling.kcp.io/v1alpha1``: groups of clusters, and what goes where. Source: kcp v0.11 pkg/apis/scheduling."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead_api.kinds.model import (
    CONDITIONS,
    LIST_MAP,
    LIST_SET,
    PATH_PATTERN,
    Condition,
    LabelSelector,
    Object,
    Part,
    int_format,
    list_of,
)

PLACEMENT_READY, PLACEMENT_SCHEDULED = "Ready", "Scheduled"
_KEY_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
)


class GroupVersionResource(Part):
    """GroupVersionResource says what kind of instances a Location groups; SyncTargets are the only one."""

    group: Literal["workload.kcp.io"] = Field(default="workload.kcp.io", description="group of the instances.")
    version: Literal["v1alpha1"] = Field(description="version of the instances.")
    resource: Literal["synctargets"] = Field(description="resource is the plural name of the instances.")


class AvailableSelectorLabel(Part):
    """AvailableSelectorLabel is a label that users may choose instances by."""

    key: str = Field(max_length=255, pattern=_KEY_PATTERN, description="key of the label.")
    values: list[str] = Field(
        default_factory=list, min_length=1, description="values it may have.", json_schema_extra=list_of(LIST_SET)
    )
    description: str | None = Field(default=None, description="description for users.")


class LocationSpec(Part):
    """LocationSpec says which instances a Location offers."""

    resource: GroupVersionResource = Field(description="resource is the kind of the instances.")
    description: str | None = Field(default=None, description="description for users.")
    available_selector_labels: list[AvailableSelectorLabel] = Field(
        default_factory=list,
        description="availableSelectorLabels are labels that users may choose by.",
        json_schema_extra=list_of(LIST_MAP, "key"),
    )
    instance_selector: LabelSelector | None = Field(
        default_factory=LabelSelector,
        description="instanceSelector chooses instances of the same workspace; empty chooses all.",
        json_schema_extra={"default": {}},
    )


class LocationStatus(Part):
    """LocationStatus counts a Location's instances."""

    instances: int | None = Field(default=None, description="instances chosen.", json_schema_extra=int_format("int32"))
    available_instances: int | None = Field(
        default=None,
        description="availableInstances are ready and take new work.",
        json_schema_extra=int_format("int32"),
    )


class Location(Object):
    """Location is a group of instances offered to users under labels."""

    spec: LocationSpec
    status: LocationStatus = Field(default_factory=LocationStatus)


class LocationReference(Part):
    """LocationReference names the chosen Location."""

    path: str = Field(description="path is the name of the logical cluster the Location is in.")
    location_name: str = Field(min_length=1, description="locationName is its name.")


class PlacementSpec(Part):
    """PlacementSpec says which namespaces go to which Locations."""

    location_selectors: list[LabelSelector] | None = Field(
        default=None,
        description="locationSelectors choose Locations; one that matches is enough, none at all matches none.",
    )
    location_resource: GroupVersionResource = Field(description="locationResource is the kind of the instances.")
    namespace_selector: LabelSelector | None = Field(
        default=None, description="namespaceSelector chooses namespaces; empty chooses all, absent none."
    )
    location_workspace: str | None = Field(
        default=None,
        pattern=PATH_PATTERN,
        description="locationWorkspace is where the Locations are; empty means here.",
    )


class PlacementStatus(Part):
    """PlacementStatus says what was chosen."""

    phase: Literal["Pending", "Bound", "Unbound"] = Field(default="Pending", description="phase of the Placement.")
    selected_location: LocationReference | None = Field(
        default=None, description="selectedLocation is the Location chosen."
    )
    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)


class Placement(Object):
    """Placement sends namespaces of a workspace to a Location."""

    spec: PlacementSpec
    status: PlacementStatus = Field(default_factory=PlacementStatus)
