"""``tenancy.kcp.io/v1alpha1``: workspaces and their types. Source: kcp pkg/apis/tenancy/v1alpha1."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead_api.kinds.model import (
    CONDITIONS,
    PATH_PATTERN,
    Condition,
    ExportReference,
    LabelSelector,
    Object,
    Part,
    Url,
)

TYPE_NAME_PATTERN = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
Phase = Literal["Scheduling", "Initializing", "Ready", "Unavailable", "Inactive", "Terminating", "Deleting"]


class WorkspaceTypeReference(Part):
    """WorkspaceTypeReference names a WorkspaceType."""

    name: str = Field(pattern=TYPE_NAME_PATTERN, description="name of the type.")
    path: str | None = Field(
        default=None,
        pattern=PATH_PATTERN,
        description="path of the workspace of the type; found on the way up when empty.",
    )


class WorkspaceLocation(Part):
    """WorkspaceLocation says which shards may hold a workspace."""

    selector: LabelSelector | None = Field(default=None, description="selector chooses shards by their labels.")


class WorkspaceSpec(Part):
    """WorkspaceSpec is what a workspace should be."""

    type: WorkspaceTypeReference | None = Field(default=None, description="type of the workspace; cannot be changed.")
    location: WorkspaceLocation | None = Field(default=None, description="location constrains the choice of a shard.")
    cluster: str | None = Field(
        default=None, description="cluster is the name of the logical cluster, set by the system."
    )
    url: str | None = Field(
        default=None, alias="URL", description="URL under which the workspace is served, set by the system."
    )


class WorkspaceStatus(Part):
    """WorkspaceStatus is the state of a workspace."""

    phase: Phase = Field(default="Scheduling", description="phase of the workspace.")
    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)
    initializers: list[str] = Field(default_factory=list, description="initializers that have yet to finish.")
    terminators: list[str] = Field(default_factory=list, description="terminators that have yet to finish.")


class Workspace(Object):
    """Workspace is a node in the tree of workspaces: a place with APIs, objects and rights of its own."""

    spec: WorkspaceSpec = Field(default_factory=WorkspaceSpec, json_schema_extra={"default": {}})
    status: WorkspaceStatus = Field(default_factory=WorkspaceStatus)


class TypeExtension(Part):
    """TypeExtension names the types that one builds on."""

    with_: list[WorkspaceTypeReference] = Field(
        default_factory=list, alias="with", description="with are the types extended."
    )


class TypeSelector(Part):
    """TypeSelector limits which types may stand above or below."""

    none: bool | None = Field(default=None, description="none forbids all.")
    types: list[WorkspaceTypeReference] | None = Field(default=None, description="types allowed; absent allows all.")


class WorkspaceTypeSpec(Part):
    """WorkspaceTypeSpec says how workspaces of a type begin and where they may be."""

    initializer: bool | None = Field(
        default=None, description="initializer holds new workspaces until it is taken away."
    )
    terminator: bool | None = Field(
        default=None, description="terminator holds workspaces being deleted until it is taken away."
    )
    extend: TypeExtension | None = Field(
        default=None, description="extend names types whose rules and initializers hold too."
    )
    additional_workspace_labels: dict[str, str] | None = Field(
        default=None, description="additionalWorkspaceLabels are put on new workspaces."
    )
    default_child_workspace_type: WorkspaceTypeReference | None = Field(
        default_factory=lambda: WorkspaceTypeReference(name="universal", path="root"),
        description="defaultChildWorkspaceType is the type of a child that names none.",
        json_schema_extra={"default": {"name": "universal", "path": "root"}},
    )
    limit_allowed_children: TypeSelector | None = Field(
        default=None, description="limitAllowedChildren limits types below."
    )
    limit_allowed_parents: TypeSelector | None = Field(
        default=None, description="limitAllowedParents limits types above."
    )
    default_api_bindings: list[ExportReference] | None = Field(
        default=None, alias="defaultAPIBindings", description="defaultAPIBindings are bound in new workspaces."
    )
    default_api_binding_lifecycle: Literal["InitializeOnly", "Maintain"] | None = Field(
        default=None,
        alias="defaultAPIBindingLifecycle",
        description="defaultAPIBindingLifecycle: InitializeOnly binds once, Maintain keeps bindings as the type says.",
    )


class TypedUrl(Url):
    """TypedUrl is a virtual workspace and what it is for."""

    type: Literal["initializing", "terminating"] | None = Field(
        default=None, description="type of the virtual workspace."
    )


class WorkspaceTypeStatus(Part):
    """WorkspaceTypeStatus is what the system made of a type."""

    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)
    virtual_workspaces: list[TypedUrl] = Field(
        default_factory=list, description="virtualWorkspaces are where controllers of the type see its workspaces."
    )


class WorkspaceType(Object):
    """WorkspaceType is a class of workspaces."""

    spec: WorkspaceTypeSpec = Field(default_factory=WorkspaceTypeSpec)
    status: WorkspaceTypeStatus = Field(default_factory=WorkspaceTypeStatus)
