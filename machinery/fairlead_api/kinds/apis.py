"""``apis.kcp.io/v1alpha1``: publishing and binding APIs. Source: kcp pkg/apis/apis/v1alpha1."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead_api.kinds.model import (
    CONDITIONS,
    LIST_MAP,
    LIST_SET,
    ClaimState,
    Condition,
    ExportBindingReference,
    Object,
    Part,
    Raw,
    Url,
    int_format,
    list_of,
)

API_BINDING_FINALIZER = "apis.kcp.io/apibinding-finalizer"


class ResourceNames(Part):
    """ResourceNames are the names of a resource, as in a CustomResourceDefinition."""

    plural: str = Field(min_length=1, description="plural name, as in URLs.")
    singular: str = Field(default="", description="singular name.")
    short_names: list[str] | None = Field(default=None, description="shortNames for the command line.")
    kind: str = Field(min_length=1, description="kind of the objects.")
    list_kind: str = Field(default="", description="listKind of lists.")
    categories: list[str] | None = Field(default=None, description="categories the resource belongs to.")


class PrinterColumn(Part):
    """PrinterColumn is a column of the table that kubectl shows."""

    name: str = Field(description="name of the column.")
    type: str = Field(description="type of the column: integer, number, string, boolean or date.")
    format: str | None = Field(default=None, description="format refines the type.")
    description: str | None = Field(default=None, description="description for people.")
    priority: int | None = Field(
        default=None, description="priority 0 is always shown.", json_schema_extra=int_format("int32")
    )
    json_path: str = Field(alias="jsonPath", description="jsonPath to the value.")


class SelectableField(Part):
    """SelectableField may be used in field selectors."""

    json_path: str = Field(alias="jsonPath", description="jsonPath to the field.")


class ScaleSubresource(Part):
    """ScaleSubresource tells where replicas are counted."""

    spec_replicas_path: str = Field(description="specReplicasPath to the wanted number.")
    status_replicas_path: str = Field(description="statusReplicasPath to the number there is.")
    label_selector_path: str | None = Field(default=None, description="labelSelectorPath to the selector as text.")


class Subresources(Part):
    """Subresources of a version."""

    status: Raw | None = Field(default=None, description="status, when present, is written apart.")
    scale: ScaleSubresource | None = Field(default=None, description="scale, when present, is served.")


class ResourceVersion(Part):
    """ResourceVersion is one version of an API."""

    name: str = Field(min_length=1, max_length=63, pattern="^v[1-9][0-9]*([a-z]+[1-9][0-9]*)?$", description="name.")
    served: bool = Field(description="served tells whether clients can use it.")
    storage: bool = Field(description="storage is true for the one version that objects are stored in.")
    deprecated: bool | None = Field(default=None, description="deprecated makes clients see a warning.")
    deprecation_warning: str | None = Field(default=None, description="deprecationWarning is its text.")
    schema_: Raw = Field(alias="schema", description="schema is the structural OpenAPI v3 schema.")
    subresources: Subresources | None = Field(default=None, description="subresources served.")
    additional_printer_columns: list[PrinterColumn] | None = Field(
        default=None,
        description="additionalPrinterColumns of the table.",
        json_schema_extra=list_of(LIST_MAP, "name"),
    )
    selectable_fields: list[SelectableField] | None = Field(
        default=None, max_length=8, description="selectableFields beside name and namespace."
    )


class APIResourceSchemaSpec(Part):
    """APIResourceSchemaSpec is one resource in all its versions; it cannot be changed."""

    group: str = Field(description="group of the API, empty for the core group.")
    names: ResourceNames = Field(description="names of the resource.")
    scope: Literal["Cluster", "Namespaced"] = Field(description="scope of the objects.")
    versions: list[ResourceVersion] = Field(
        min_length=1, description="versions of the API.", json_schema_extra=list_of(LIST_MAP, "name")
    )
    name_validation: Literal["DNS1123Subdomain", "PathSegmentName"] | None = Field(
        default=None, description="nameValidation says what names objects may have."
    )
    conversion: Raw | None = Field(default=None, description="conversion between versions.")


class APIResourceSchema(Object):
    """APIResourceSchema is the definition of one resource, to be published by an APIExport."""

    spec: APIResourceSchemaSpec


class SecretReference(Part):
    """SecretReference names a Secret."""

    namespace: str | None = Field(default=None, description="namespace of the Secret.")
    name: str | None = Field(default=None, description="name of the Secret.")


class Identity(Part):
    """Identity proves that a provider owns an API."""

    secret_ref: SecretReference | None = Field(default=None, description="secretRef names the Secret with the key.")


class MaximalPermissionPolicy(Part):
    """MaximalPermissionPolicy limits what consumers may do with the API, whatever their own rules say."""

    local: Raw | None = Field(default=None, description="local: the rules are RBAC objects beside the export.")


class ResourceSelector(Part):
    """ResourceSelector chooses objects of a claim."""

    name: str | None = Field(default=None, description="name of the object.")
    namespace: str | None = Field(default=None, description="namespace of the object.")


class PermissionClaim(Part):
    """PermissionClaim asks for access to objects of the consumer."""

    group: str = Field(default="", description="group of the resource, empty for the core group.")
    resource: str = Field(pattern="^[a-z][-a-z0-9]*[a-z0-9]$", description="resource is its plural name.")
    all: bool | None = Field(default=None, description="all objects are claimed.")
    resource_selector: list[ResourceSelector] | None = Field(
        default=None, description="resourceSelector chooses objects."
    )
    identity_hash: str | None = Field(default=None, description="identityHash of the export of a bound resource.")


class AcceptablePermissionClaim(PermissionClaim):
    """AcceptablePermissionClaim is a claim with the consumer's answer."""

    state: ClaimState = Field(description="state is the consumer's answer.")


_CLAIM_KEYS = ("group", "resource", "identityHash")


class APIExportSpec(Part):
    """APIExportSpec says what is published, and under what conditions."""

    latest_resource_schemas: list[str] | None = Field(
        default=None,
        description="latestResourceSchemas are names of APIResourceSchemas.",
        json_schema_extra=list_of(LIST_SET),
    )
    identity: Identity | None = Field(default=None, description="identity of the API, kept in a Secret.")
    maximal_permission_policy: MaximalPermissionPolicy | None = Field(
        default=None, description="maximalPermissionPolicy limits what consumers may do."
    )
    permission_claims: list[PermissionClaim] | None = Field(
        default=None,
        description="permissionClaims ask consumers for access.",
        json_schema_extra=list_of(LIST_MAP, *_CLAIM_KEYS),
    )


class APIExportStatus(Part):
    """APIExportStatus is what the system made of an export."""

    identity_hash: str | None = Field(default=None, description="identityHash is the SHA-256 of the identity's key.")
    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)
    virtual_workspaces: list[Url] | None = Field(
        default=None, description="virtualWorkspaces serve all consumers' objects."
    )


class APIExport(Object):
    """APIExport publishes resources to other workspaces."""

    spec: APIExportSpec = Field(default_factory=APIExportSpec)
    status: APIExportStatus = Field(default_factory=APIExportStatus)


class BindingReference(Part):
    """BindingReference says what is bound."""

    export: ExportBindingReference | None = Field(default=None, description="export that is bound.")


class APIBindingSpec(Part):
    """APIBindingSpec says what is bound, and which claims are accepted."""

    reference: BindingReference = Field(description="reference to the export; cannot be changed.")
    permission_claims: list[AcceptablePermissionClaim] | None = Field(
        default=None,
        description="permissionClaims with the answers to them.",
        json_schema_extra=list_of(LIST_MAP, *_CLAIM_KEYS),
    )


class BoundSchema(Part):
    """BoundSchema is the schema a bound resource has."""

    name: str = Field(description="name of the APIResourceSchema.")
    uid: str = Field(alias="UID", description="UID of the APIResourceSchema.")
    identity_hash: str = Field(default="", description="identityHash of the export.")


class BoundResource(Part):
    """BoundResource is a resource served through a binding."""

    group: str = Field(default="", description="group of the resource.")
    resource: str = Field(description="resource is its plural name.")
    schema_: BoundSchema = Field(alias="schema", description="schema it is served with.")
    storage_versions: list[str] | None = Field(
        default=None, description="storageVersions that objects may be stored in.", json_schema_extra=list_of(LIST_SET)
    )


class APIBindingStatus(Part):
    """APIBindingStatus is what came of a binding."""

    api_export_cluster_name: str | None = Field(
        default=None,
        alias="apiExportClusterName",
        description="apiExportClusterName is the logical cluster of the export.",
    )
    bound_resources: list[BoundResource] = Field(
        default_factory=list,
        description="boundResources are served in this workspace.",
        json_schema_extra=list_of(LIST_MAP, "group", "resource"),
    )
    phase: Literal["", "Binding", "Bound"] = Field(default="", description="phase of the binding.")
    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)
    applied_permission_claims: list[PermissionClaim] | None = Field(
        default=None, description="appliedPermissionClaims are in force."
    )
    export_permission_claims: list[PermissionClaim] | None = Field(
        default=None, description="exportPermissionClaims are what the export asks for now."
    )


class APIBinding(Object):
    """APIBinding brings the resources of an APIExport into this workspace."""

    spec: APIBindingSpec
    status: APIBindingStatus = Field(default_factory=APIBindingStatus)


class APIExportEndpointSliceSpec(Part):
    """APIExportEndpointSliceSpec says whose endpoints are listed."""

    export: ExportBindingReference = Field(description="export whose consumers are served; cannot be changed.")
    partition: str | None = Field(default=None, description="partition limits the shards; it is in the same workspace.")


class Endpoint(Part):
    """Endpoint serves the consumers on one shard."""

    url: str = Field(min_length=1, description="url of the virtual workspace.")


class APIExportEndpointSliceStatus(Part):
    """APIExportEndpointSliceStatus lists endpoints."""

    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)
    endpoints: list[Endpoint] = Field(
        default_factory=list, description="endpoints, one per shard.", json_schema_extra=list_of(LIST_MAP, "url")
    )
    shard_selector: str | None = Field(default=None, description="shardSelector is the partition's selector as text.")


class APIExportEndpointSlice(Object):
    """APIExportEndpointSlice lists where controllers of an export reach its consumers."""

    spec: APIExportEndpointSliceSpec
    status: APIExportEndpointSliceStatus = Field(default_factory=APIExportEndpointSliceStatus)
