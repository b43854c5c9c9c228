"""``topology.kcp.io/v1alpha1``: groups of shards. Source: kcp pkg/apis/topology/v1alpha1."""

from __future__ import annotations

from pydantic import Field

from fairlead_api.kinds.model import CONDITIONS, LIST_SET, Condition, LabelSelector, Object, Part, int_format, list_of


class PartitionSpec(Part):
    """PartitionSpec says which shards belong to a partition."""

    selector: LabelSelector | None = Field(default=None, description="selector chooses shards; absent chooses all.")


class Partition(Object):
    """Partition is a group of shards."""

    spec: PartitionSpec = Field(default_factory=PartitionSpec)


class PartitionSetSpec(Part):
    """PartitionSetSpec says how shards are divided into partitions."""

    dimensions: list[str] = Field(
        default_factory=list,
        description="dimensions are label keys; each combination of their values makes a partition.",
        json_schema_extra=list_of(LIST_SET),
    )
    shard_selector: LabelSelector | None = Field(
        default=None, description="shardSelector chooses the shards to divide."
    )


class PartitionSetStatus(Part):
    """PartitionSetStatus counts the partitions made."""

    count: int | None = Field(default=None, description="count of partitions.", json_schema_extra=int_format("int32"))
    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)


class PartitionSet(Object):
    """PartitionSet makes partitions from the labels of shards."""

    spec: PartitionSetSpec = Field(default_factory=PartitionSetSpec)
    status: PartitionSetStatus = Field(default_factory=PartitionSetStatus)
