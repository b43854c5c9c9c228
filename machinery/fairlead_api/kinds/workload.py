"""``workload.kcp.io/v1alpha1``: physical clusters. Source: kcp v0.11 pkg/apis/workload/v1alpha1."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead_api.kinds.model import CONDITIONS, Condition, ExportReference, Object, Part, Quantity, Time, int_format

SYNCER_READY, API_IMPORTER_READY = "SyncerReady", "APIImporterReady"
HEARTBEAT_HEALTHY, SYNCER_AUTHORIZED = "HeartbeatHealthy", "SyncerAuthorized"
MAX_NAME_LENGTH = 234
"""Room for what is put around a SyncTarget's name in labels and annotations."""
COMPUTE_PATH = "root:compute"
"""Where the export that a SyncTarget has by default is; kcp's default, without a path, means one nobody has made."""
ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "*"]


class ContainerLimits(Part):
    """ContainerLimits are those of a LimitRange for containers."""

    default: dict[str, Quantity] | None = Field(
        default=None, description="default are the limits of a container that names none."
    )
    default_request: dict[str, Quantity] | None = Field(
        default=None, description="defaultRequest are the requests of a container that names none."
    )
    max: dict[str, Quantity] | None = Field(default=None, description="max is the most a container may ask for.")


class NetworkIsolation(Part):
    """NetworkIsolation lets in a tenant's own namespaces, namespaces of no tenant, and what is outside the cluster."""

    pod_networks: list[str] = Field(
        default_factory=list,
        max_length=32,
        description="podNetworks are the CIDRs of all the cluster's pods. What comes from any other address, by a "
        "load balancer or from a node, is let in; without podNetworks nothing from outside is.",
    )


class TenantPolicy(Part):
    """TenantPolicy is what workspaces may ask of a cluster they share. "*" in a list allows all."""

    allowed_priority_classes: list[str] = Field(
        default_factory=list,
        description="allowedPriorityClasses may be asked for, those named system-* never. By default none.",
    )
    allowed_runtime_classes: list[str] = Field(
        default_factory=list, description="allowedRuntimeClasses may be asked for. By default none."
    )
    allowed_storage_classes: list[str] = Field(
        default_factory=list,
        description="allowedStorageClasses may be asked for by name. By default none but the cluster's default class.",
    )
    allowed_ingress_classes: list[str] = Field(
        default_factory=list,
        description="allowedIngressClasses may be asked for by name. By default none but the cluster's default class.",
    )
    allowed_service_types: list[ServiceType] = Field(
        default_factory=lambda: list[ServiceType](("ClusterIP", "LoadBalancer")),
        description="allowedServiceTypes are the types a Service may have. By default ClusterIP and LoadBalancer; how "
        "many of the latter a namespace may have is a matter of quota, as services.loadbalancers.",
        json_schema_extra={"default": ["ClusterIP", "LoadBalancer"]},
    )
    allowed_load_balancer_classes: list[str] = Field(
        default_factory=list,
        description="allowedLoadBalancerClasses may be asked for by name. By default none but the cluster's default.",
    )
    allow_fixed_node_ports: bool = Field(
        default=False,
        description="allowFixedNodePorts lets a Service choose the ports of the nodes that lead to it, of which there "
        "is one set for all.",
    )
    allow_external_ips: bool = Field(
        default=False,
        alias="allowExternalIPs",
        description="allowExternalIPs lets a Service name externalIPs and loadBalancerIP, which may draw others' "
        "traffic.",
    )
    allowed_annotations: list[str] = Field(
        default_factory=list,
        max_length=256,
        description="allowedAnnotations are labels and annotations that may be used though they steer controllers of "
        "the cluster, and are refused otherwise: whole keys, or beginnings of keys that end in *.",
    )
    refused_annotations: list[str] = Field(
        default_factory=list,
        max_length=256,
        description="refusedAnnotations are labels and annotations that are refused too, in the same form.",
    )
    network_isolation: NetworkIsolation | None = Field(
        default=None,
        description="networkIsolation keeps other tenants' pods from reaching a tenant's, by a NetworkPolicy in each "
        "namespace made for workloads. Without it there is none.",
    )
    quota: dict[str, Quantity] | None = Field(
        default=None,
        description="quota is the hard limit of a ResourceQuota kept in each namespace made for workloads.",
    )
    container_limits: ContainerLimits | None = Field(
        default=None, description="containerLimits are kept in each such namespace as a LimitRange."
    )


class SyncTargetSpec(Part):
    """SyncTargetSpec is what the owner of a physical cluster wants of it."""

    unschedulable: bool = Field(
        default=False, description="unschedulable keeps what runs and takes nothing new (cordon)."
    )
    evict_after: Time | None = Field(
        default=None, description="evictAfter is when workloads begin to be moved away (drain)."
    )
    supported_api_exports: list[ExportReference] = Field(
        default_factory=lambda: [ExportReference(path=COMPUTE_PATH, export="kubernetes")],
        alias="supportedAPIExports",
        description="supportedAPIExports are the exports whose APIs this cluster may run.",
        json_schema_extra={"default": [{"path": COMPUTE_PATH, "export": "kubernetes"}]},
    )
    cells: dict[str, str] | None = Field(
        default=None, description="cells name the failure domains the cluster lies in."
    )
    pod_security: Literal["privileged", "baseline", "restricted"] = Field(
        default="baseline",
        description="podSecurity is the pod security level enforced in the namespaces made for workloads.",
    )
    tenant_policy: TenantPolicy | None = Field(
        default=None,
        description="tenantPolicy is what workspaces may ask of the cluster. Without it, its defaults hold.",
    )
    approved_deletions: str | None = Field(
        default=None,
        max_length=64,
        description="approvedDeletions is the digest of the one set of held deletions, as status.heldDeletions names "
        "it, that may go. Any other set stays held.",
    )


class ResourceToSync(Part):
    """ResourceToSync is one resource and whether the cluster can run it."""

    group: str = Field(default="", description="group of the resource, empty for the core group.")
    resource: str = Field(pattern="^[a-z][-a-z0-9]*[a-z0-9]$", description="resource is its plural name.")
    versions: list[str] = Field(default_factory=list, min_length=1, description="versions that may be synced.")
    identity_hash: str | None = Field(
        default=None, description="identityHash of the export that the resource comes from."
    )
    state: Literal["Pending", "Accepted", "Incompatible"] = Field(
        default="Pending", description="state tells whether the cluster's schema is compatible."
    )


class VirtualWorkspace(Part):
    """VirtualWorkspace holds the URLs a syncer talks to."""

    syncer_url: str = Field(alias="syncerURL", min_length=1, description="syncerURL serves what has to run.")
    upsyncer_url: str = Field(alias="upsyncerURL", min_length=1, description="upsyncerURL takes what is sent up.")


class TunnelWorkspace(Part):
    """TunnelWorkspace is where a syncer opens its tunnel."""

    url: str = Field(description="url of the workspace on one shard.")


class HeldDeletions(Part):
    """HeldDeletions is a set of deletions that came in a burst and wait for approval."""

    digest: str = Field(description="digest names exactly this set; it goes into spec.approvedDeletions.")
    count: int = Field(description="count of the objects that would be deleted.", json_schema_extra=int_format("int64"))
    examples: list[str] = Field(default_factory=list, description="examples are some of them.")


class SyncTargetStatus(Part):
    """SyncTargetStatus is what is known of a physical cluster."""

    allocatable: dict[str, Quantity] | None = Field(
        default=None, description="allocatable is what workloads may use in sum."
    )
    capacity: dict[str, Quantity] | None = Field(default=None, description="capacity of all nodes in sum.")
    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)
    synced_resources: list[ResourceToSync] = Field(
        default_factory=list, description="syncedResources are the resources of the supported exports."
    )
    last_syncer_heartbeat_time: Time | None = Field(
        default=None, description="lastSyncerHeartbeatTime is the last sign of life."
    )
    virtual_workspaces: list[VirtualWorkspace] = Field(
        default_factory=list, description="virtualWorkspaces are the URLs for the syncer, one entry per shard."
    )
    held_deletions: HeldDeletions | None = Field(
        default=None, description="heldDeletions wait for approval; absent while nothing does."
    )
    tunnel_workspaces: list[TunnelWorkspace] = Field(
        default_factory=list, description="tunnelWorkspaces, one per shard."
    )
    syncer_version: str | None = Field(default=None, description="syncerVersion is the version of the running agent.")
    properties: dict[str, str] | None = Field(
        default=None, description="properties are facts the agent found: Kubernetes version, provider, architectures."
    )


class SyncTarget(Object):
    """SyncTarget is a physical cluster that can run workloads."""

    spec: SyncTargetSpec = Field(default_factory=SyncTargetSpec)
    status: SyncTargetStatus = Field(default_factory=SyncTargetStatus)
