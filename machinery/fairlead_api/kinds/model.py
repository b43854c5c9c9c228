"""
What our API types are made of.

Names of fields are camel case on the wire and snake case here; acronyms that kcp writes in capitals have an alias.
Times are RFC 3339 texts: nothing here reads a clock or calculates with one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from fairlead_api import JsonObject

PATH_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(:[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""A workspace path in our API types."""

LIST_MAP, LIST_SET, LIST_ATOMIC = "map", "set", "atomic"


def list_of(kind: str, *keys: str) -> dict[str, Any]:
    """Return the schema extensions of a list: ``map`` with its keys, ``set`` or ``atomic``."""
    extension: dict[str, Any] = {"x-kubernetes-list-type": kind}
    return extension | ({"x-kubernetes-list-map-keys": list(keys)} if keys else {})


def int_format(name: str) -> dict[str, Any]:
    """Return the schema extension of an integer's width."""
    return {"format": name}


class Part(BaseModel):
    """A part of an object; the docstring of each subclass is the description users see."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, populate_by_name=True)

    def to_json(self) -> JsonObject:
        """Return the JSON object, without absent and empty optional members."""
        return self.model_dump(by_alias=True, exclude_none=True)


_NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
_QUANTITY_PATTERN = rf"^(\+|-)?{_NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_NUMBER}))?$"

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Quantity = Annotated[
    str | int | float,
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": _QUANTITY_PATTERN,
            "x-kubernetes-int-or-string": True,
        }
    ),
]
Raw = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]
"""Any object, kept as it is."""


class OwnerReference(Part):
    """OwnerReference names the object that this one is deleted with."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False
    block_owner_deletion: bool = False


class ObjectMeta(Part):
    """ObjectMeta is Kubernetes' metadata, as far as our controllers read it."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
    owner_references: list[OwnerReference] = Field(default_factory=list)


class Object(Part):
    """A whole object."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)


class Condition(Part):
    """Condition is one observation of the state of an object."""

    type: str = Field(description="type of the condition in CamelCase.")
    status: str = Field(description="status is one of True, False, Unknown.")
    severity: str | None = Field(
        default=None, description="severity says how bad a False status is: Error, Warning or Info; empty otherwise."
    )
    last_transition_time: Time = Field(description="lastTransitionTime is when the status last changed.")
    reason: str | None = Field(default=None, description="reason is a CamelCase word for the last change of status.")
    message: str | None = Field(default=None, description="message is a sentence for people.")


class SelectorExpression(Part):
    """SelectorExpression relates a label key to values."""

    key: str = Field(description="key is the label key.")
    operator: str = Field(description="operator is In, NotIn, Exists or DoesNotExist.")
    values: list[str] | None = Field(
        default=None,
        description="values is non-empty for In and NotIn, empty otherwise.",
        json_schema_extra=list_of(LIST_ATOMIC),
    )


class LabelSelector(Part):
    """LabelSelector selects objects by their labels; an empty one selects all, an absent one none."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    match_labels: dict[str, str] | None = Field(
        default=None, description="matchLabels are pairs that must all be there."
    )
    match_expressions: list[SelectorExpression] | None = Field(
        default=None, description="matchExpressions must all hold.", json_schema_extra=list_of(LIST_ATOMIC)
    )

    def as_json(self) -> JsonObject:
        """Return it as :func:`fairlead_api.selectors.from_object` reads it."""
        return self.to_json()


class Url(Part):
    """Url is where something is served."""

    url: str = Field(description="url is an absolute URL.")


class ExportReference(Part):
    """ExportReference names an APIExport."""

    path: str | None = Field(
        default=None,
        pattern=PATH_PATTERN,
        description="path of the workspace of the export; empty means the same workspace.",
    )
    export: str = Field(min_length=1, description="export is the name of the APIExport.")


class ExportBindingReference(Part):
    """ExportBindingReference names an APIExport to bind or to serve."""

    path: str | None = Field(
        default=None,
        pattern=PATH_PATTERN,
        description="path of the workspace of the export; empty means the same workspace.",
    )
    name: str = Field(min_length=1, description="name of the APIExport.")


ClaimState = Literal["Accepted", "Rejected"]
CONDITIONS = "conditions says what holds of the object."
