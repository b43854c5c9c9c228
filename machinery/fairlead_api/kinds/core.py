"""``core.kcp.io/v1alpha1``: logical clusters and shards. Source: kcp pkg/apis/core/v1alpha1."""

from __future__ import annotations

from pydantic import Field

from fairlead_api.kinds.model import CONDITIONS, Condition, Object, Part
from fairlead_api.kinds.tenancy import Phase

LOGICAL_CLUSTER_NAME = "cluster"
"""The only LogicalCluster object of a logical cluster."""


class LogicalClusterOwner(Part):
    """LogicalClusterOwner is the object, in another logical cluster, that this one belongs to."""

    api_version: str = Field(description="apiVersion of the owner.")
    resource: str = Field(description="resource is the owner's plural name.")
    name: str = Field(description="name of the owner.")
    namespace: str | None = Field(default=None, description="namespace of the owner.")
    cluster: str = Field(description="cluster is the logical cluster of the owner.")
    uid: str = Field(description="uid of the owner.")


class LogicalClusterSpec(Part):
    """LogicalClusterSpec is what a logical cluster should be."""

    directly_deletable: bool = Field(default=False, description="directlyDeletable allows a delete without its owner.")
    owner: LogicalClusterOwner | None = Field(default=None, description="owner, when there is one.")
    initializers: list[str] = Field(default_factory=list, description="initializers at the beginning.")
    terminators: list[str] = Field(default_factory=list, description="terminators at the end.")


class LogicalClusterStatus(Part):
    """LogicalClusterStatus is the state of a logical cluster."""

    url: str | None = Field(default=None, alias="URL", description="URL under which the logical cluster is served.")
    phase: Phase = Field(default="Scheduling", description="phase of the logical cluster.")
    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)
    initializers: list[str] = Field(default_factory=list, description="initializers that have yet to finish.")
    terminators: list[str] = Field(default_factory=list, description="terminators that have yet to finish.")


class LogicalCluster(Object):
    """LogicalCluster is the store behind a workspace, seen from inside; it is always named cluster."""

    spec: LogicalClusterSpec = Field(default_factory=LogicalClusterSpec)
    status: LogicalClusterStatus = Field(default_factory=LogicalClusterStatus)


class ShardSpec(Part):
    """ShardSpec says where a shard is reached."""

    base_url: str | None = Field(default=None, alias="baseURL", description="baseURL is how shards reach each other.")
    external_url: str | None = Field(
        default=None, alias="externalURL", description="externalURL is how users reach workspaces."
    )
    virtual_workspace_url: str | None = Field(
        default=None,
        alias="virtualWorkspaceURL",
        description="virtualWorkspaceURL is where virtual workspaces are served.",
    )


class ShardStatus(Part):
    """ShardStatus is the state of a shard."""

    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)


class Shard(Object):
    """Shard is one store with its API servers."""

    spec: ShardSpec = Field(default_factory=ShardSpec)
    status: ShardStatus = Field(default_factory=ShardStatus)
