"""All kinds of ours, with what the server needs to serve them."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_api.kinds import apiresource, apis, assignment, core, scheduling, tenancy, topology, workload
from fairlead_api.kinds.model import Object


@dataclass(frozen=True, slots=True)
class OwnColumn:
    """One printer column; ``json_path`` begins with a dot."""

    name: str
    type: str
    json_path: str
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Immutable:
    """
    A field that may not change.

    Attributes:
        path: Dotted path from the object.
        message: What the user reads.
        settable_once: The field may go from absent to a value.
        changeable: It may change but not be removed again.
    """

    path: str
    message: str
    settable_once: bool = False
    changeable: bool = False


@dataclass(frozen=True, slots=True)
class OwnKind:
    """One kind in one version; names as in a CustomResourceDefinition."""

    model: type[Object]
    group: str
    plural: str
    version: str = "v1alpha1"
    namespaced: bool = False
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ("kcp",)
    subresources: frozenset[str] = frozenset({"status"})
    columns: tuple[OwnColumn, ...] = ()
    immutable: tuple[Immutable, ...] = ()
    storage: bool = True

    @property
    def kind(self) -> str:
        """Return the kind's name, which is the model's."""
        return self.model.__name__

    @property
    def list_kind(self) -> str:
        """Return the kind of its lists."""
        return f"{self.kind}List"

    @property
    def singular_name(self) -> str:
        """Return the singular name."""
        return self.singular or self.kind.lower()


AGE = OwnColumn("Age", "date", ".metadata.creationTimestamp")
_READY = '.status.conditions[?(@.type=="Ready")].status'
_NONE: frozenset[str] = frozenset()
_REFERENCE_MESSAGE = "APIExport reference must not be changed"


def _condition(name: str, type_: str, priority: int = 0) -> OwnColumn:
    return OwnColumn(name, "string", f'.status.conditions[?(@.type=="{type_}")].status', priority)


_WORKSPACE_IMMUTABLE = (
    Immutable("spec.type.name", "name is immutable"),
    Immutable("spec.type.path", "path is immutable"),
    Immutable("spec.cluster", "cluster is immutable", settable_once=True),
    Immutable("spec.URL", "URL cannot be unset", settable_once=True, changeable=True),
)

_TENANCY = (
    OwnKind(
        tenancy.Workspace,
        "tenancy.kcp.io",
        "workspaces",
        short_names=("ws",),
        columns=(
            OwnColumn("Type", "string", ".spec.type.name", description="Type of the workspace"),
            OwnColumn("Region", "string", ".metadata.labels['region']", description="The region this workspace is in"),
            OwnColumn("Phase", "string", ".status.phase", description="The current phase"),
            OwnColumn("URL", "string", ".spec.URL", description="URL to access the workspace"),
            AGE,
        ),
        immutable=_WORKSPACE_IMMUTABLE,
    ),
    OwnKind(tenancy.WorkspaceType, "tenancy.kcp.io", "workspacetypes", columns=(AGE,)),
)
_CORE = (
    OwnKind(
        core.LogicalCluster,
        "core.kcp.io",
        "logicalclusters",
        columns=(
            OwnColumn("Phase", "string", ".status.phase"),
            OwnColumn("URL", "string", ".status.URL"),
            AGE,
        ),
    ),
    OwnKind(
        core.Shard,
        "core.kcp.io",
        "shards",
        columns=(
            OwnColumn("Region", "string", ".metadata.labels['region']"),
            OwnColumn("URL", "string", ".spec.baseURL"),
            OwnColumn("External URL", "string", ".spec.externalURL"),
            AGE,
        ),
    ),
)
_APIS = (
    OwnKind(
        apis.APIResourceSchema,
        "apis.kcp.io",
        "apiresourceschemas",
        subresources=_NONE,
        columns=(AGE,),
        immutable=(Immutable("spec", "is immutable"),),
    ),
    OwnKind(
        apis.APIExport,
        "apis.kcp.io",
        "apiexports",
        columns=(AGE,),
    ),
    OwnKind(
        apis.APIBinding,
        "apis.kcp.io",
        "apibindings",
        columns=(OwnColumn("Ready", "string", _READY), AGE),
        immutable=(Immutable("spec.reference", _REFERENCE_MESSAGE),),
    ),
    OwnKind(
        apis.APIExportEndpointSlice,
        "apis.kcp.io",
        "apiexportendpointslices",
        columns=(
            OwnColumn("Export", "string", ".spec.export.name"),
            OwnColumn("Partition", "string", ".spec.partition"),
            AGE,
        ),
        immutable=(Immutable("spec.export", _REFERENCE_MESSAGE),),
    ),
)
_TOPOLOGY = (
    OwnKind(topology.Partition, "topology.kcp.io", "partitions", subresources=_NONE, columns=(AGE,)),
    OwnKind(topology.PartitionSet, "topology.kcp.io", "partitionsets", columns=(AGE,)),
)
_WORKLOAD = (
    OwnKind(
        workload.SyncTarget,
        "workload.kcp.io",
        "synctargets",
        columns=(
            OwnColumn("Location", "string", ".metadata.name", 1),
            OwnColumn("Ready", "string", _READY, 2),
            OwnColumn("Synced API resources", "string", ".status.syncedResources", 3),
            OwnColumn("Key", "string", ".metadata.labels['internal\\.workload\\.kcp\\.io/key']", 4),
            AGE,
        ),
    ),
)
_SCHEDULING = (
    OwnKind(
        scheduling.Location,
        "scheduling.kcp.io",
        "locations",
        columns=(
            OwnColumn("Resource", "string", ".spec.resource.resource", description="Type of the instances"),
            OwnColumn("Available", "string", ".status.availableInstances", description="Available instances"),
            OwnColumn("Instances", "string", ".status.instances", description="Instances in this location"),
            OwnColumn(
                "Labels", "string", ".metadata.annotations['scheduling\\.kcp\\.io/labels']", description="Labels"
            ),
            AGE,
        ),
    ),
    OwnKind(scheduling.Placement, "scheduling.kcp.io", "placements", columns=(AGE,)),
    OwnKind(
        assignment.Assignment,
        "scheduling.fairlead.io",
        "assignments",
        categories=("fairlead",),
        columns=(
            OwnColumn("Targets", "string", ".spec.targets[*].name", description="Where the namespace runs"),
            OwnColumn("Reason", "string", ".spec.decision.reason", description="Why"),
            AGE,
        ),
    ),
)
_APIRESOURCE = (
    OwnKind(
        apiresource.APIResourceImport,
        "apiresource.kcp.io",
        "apiresourceimports",
        columns=(
            OwnColumn("Location", "string", ".spec.location"),
            OwnColumn("Schema update strategy", "string", ".spec.schemaUpdateStrategy"),
            OwnColumn("API Version", "string", ".metadata.annotations['apiresource\\.kcp\\.io/apiVersion']", 3),
            OwnColumn("API Resource", "string", ".spec.plural", 4),
            _condition("Compatible", "Compatible", 5),
            _condition("Available", "Available", 6),
        ),
    ),
    OwnKind(
        apiresource.NegotiatedAPIResource,
        "apiresource.kcp.io",
        "negotiatedapiresources",
        columns=(
            OwnColumn("Publish", "boolean", ".spec.publish"),
            OwnColumn("API Version", "string", ".metadata.annotations['apiresource\\.kcp\\.io/apiVersion']"),
            OwnColumn("API Resource", "string", ".spec.plural", 3),
            _condition("Published", "Published", 4),
            _condition("Enforced", "Enforced", 5),
        ),
    ),
)

OWN_KINDS: tuple[OwnKind, ...] = (
    *_TENANCY, *_CORE, *_APIS, *_TOPOLOGY, *_WORKLOAD, *_SCHEDULING, *_APIRESOURCE,
)  # fmt: skip


def own_kind(group: str, plural: str) -> OwnKind:
    """
    Find one of our kinds.

    Raises:
        LookupError: There is none of that name.
    """
    for kind in OWN_KINDS:
        if (kind.group, kind.plural) == (group, plural):
            return kind
    raise LookupError(f"{plural}.{group} is none of our kinds")
