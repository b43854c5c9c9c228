"""``apiresource.kcp.io/v1alpha1``: APIs found in physical clusters. Source: kcp v0.11 pkg/apis/apiresource."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead_api.kinds.apis import PrinterColumn
from fairlead_api.kinds.model import CONDITIONS, LIST_MAP, Condition, Object, Part, Raw, list_of


class GroupVersion(Part):
    """GroupVersion of the resource; ``core`` may stand for the empty group."""

    group: str = Field(
        default="",
        pattern=r"^(|core|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$",
        description="group of the resource.",
    )
    version: str = Field(min_length=1, description="version of the resource.")


class SubResource(Part):
    """SubResource is status or scale."""

    name: str = Field(description="name of the subresource.")


class ApiResourceSpec(Part):
    """ApiResourceSpec is one resource in one version."""

    group_version: GroupVersion = Field(description="groupVersion of the resource.")
    scope: Literal["Namespaced", "Cluster"] = Field(description="scope of the objects.")
    plural: str = Field(min_length=1, description="plural name, as in URLs.")
    singular: str = Field(default="", description="singular name.")
    short_names: list[str] | None = Field(default=None, description="shortNames for the command line.")
    kind: str = Field(min_length=1, description="kind of the objects.")
    list_kind: str = Field(default="", description="listKind of lists.")
    categories: list[str] | None = Field(default=None, description="categories the resource belongs to.")
    open_api_v3_schema: Raw = Field(alias="openAPIV3Schema", description="openAPIV3Schema of the objects.")
    sub_resources: list[SubResource] = Field(
        default_factory=list, description="subResources served.", json_schema_extra=list_of(LIST_MAP, "name")
    )
    column_definitions: list[PrinterColumn] = Field(
        default_factory=list,
        description="columnDefinitions of the table.",
        json_schema_extra=list_of(LIST_MAP, "name"),
    )


class ApiResourceStatus(Part):
    """ApiResourceStatus says what came of it."""

    conditions: list[Condition] = Field(default_factory=list, description=CONDITIONS)


class APIResourceImportSpec(ApiResourceSpec):
    """APIResourceImportSpec is a resource as one physical cluster serves it."""

    schema_update_strategy: Literal["", "UpdateNever", "UpdateUnpublished", "UpdatePublished"] = Field(
        default="",
        description="schemaUpdateStrategy says when this import may change what is negotiated; empty means never.",
    )
    location: str = Field(min_length=1, description="location is the name of the SyncTarget.")


class APIResourceImport(Object):
    """APIResourceImport is the schema of a resource in one physical cluster."""

    spec: APIResourceImportSpec
    status: ApiResourceStatus = Field(default_factory=ApiResourceStatus)


class NegotiatedAPIResourceSpec(ApiResourceSpec):
    """NegotiatedAPIResourceSpec is what all importing clusters have in common."""

    publish: bool = Field(default=False, description="publish asks for a CustomResourceDefinition.")


class NegotiatedAPIResource(Object):
    """NegotiatedAPIResource is the schema that all importing clusters can serve."""

    spec: NegotiatedAPIResourceSpec
    status: ApiResourceStatus = Field(default_factory=ApiResourceStatus)
