"""
One node of an OpenAPI v3 schema, with its references resolved on demand.

A node holds what every walk asks for (kind, children, list and map type, defaults) so that no walk reads raw schema
text. Nodes are shared: a ``$ref`` is one node however often it is used, and recursion ends because children are made
when first asked for.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema (Structural), k8s.io/kube-openapi/pkg/schemaconv.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fairlead_api import JsonObject
from fairlead_schema.object_meta import OBJECT_META

ANY, MAP, LIST, SCALAR = "any", "map", "list", "scalar"
"""What a node's values are: ``ANY`` is decided by the value at hand."""

META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})
"""What every resource has, declared or not."""

_KINDS = {
    "object": MAP,
    "array": LIST,
    "string": SCALAR,
    "integer": SCALAR,
    "number": SCALAR,
    "boolean": SCALAR,
}
_RAW_EXTENSION = "io.k8s.apimachinery.pkg.runtime.RawExtension"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
SCHEMA_OR = {f"{_SCHEMA}Or{other}": other for other in ("Array", "Bool", "StringArray")}
"""What a CRD may say in place of a schema, by definition."""
_EMPTY_STRUCTS = frozenset({"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus"})
"""Built-in types that declare nothing because they hold nothing."""
_ANNOTATIONS = frozenset(
    {"description", "default", "title", "example", "externalDocs", "$ref", "allOf", "x-fairlead-pointer"}
)


class Scope:
    """
    The definitions a schema may refer to.

    Attributes:
        definitions: Raw schemas by bare name; empty for CRDs.
        lenient: True for built-in kinds, whose schemas are descriptions of Go types: what declares no fields holds
            anything. In a CRD the same declaration holds nothing.
    """

    __slots__ = ("_shared", "definitions", "lenient", "make")

    def __init__(
        self,
        definitions: Mapping[str, JsonObject] | None,
        make: Callable[[JsonObject, Scope, str], Node],
    ) -> None:
        self.definitions: Mapping[str, JsonObject] = definitions or {}
        self.lenient = definitions is not None
        self.make = make
        self._shared: dict[str, Node] = {}

    def node(self, raw: JsonObject) -> Node:
        """Return the node for ``raw``; the shared one when ``raw`` only refers to a definition."""
        name = reference(raw)
        if not name:
            return self.make(raw, self, "")
        own = {key: value for key, value in raw.items() if key not in _ANNOTATIONS}
        if own:
            return self.make({**self.definitions.get(name, {}), **own}, self, name)
        shared = self._shared.get(name)
        if shared is None:
            shared = self._shared[name] = self.make(self.definitions.get(name, {}), self, name)
        return shared


def reference(raw: JsonObject) -> str:
    """Return the bare name ``raw`` refers to, directly or through an ``allOf`` of one; empty when it does not."""
    target = raw.get("$ref", "")
    if not target and "allOf" in raw and len(raw["allOf"]) == 1:
        target = raw["allOf"][0].get("$ref", "")
    return str(target).rsplit("/", 1)[-1]


class Node:
    """
    A schema node. Everything but the raw schema is worked out when first read.

    Attributes:
        raw: The OpenAPI v3 schema, references resolved; never changed.
        name: The definition's name, else empty.
        kind: ``ANY``, ``MAP``, ``LIST`` or ``SCALAR``.
        preserves: Undeclared fields are kept.
        embeds: An object with apiVersion, kind and metadata of its own.
        nullable: ``null`` is a value of its own here.
    """

    __slots__ = (
        "_extra", "_items", "_properties", "_walks", "embeds", "kind", "name", "nullable", "preserves", "raw", "scope",
    )  # fmt: skip

    def __init__(self, raw: JsonObject, scope: Scope, name: str = "", *, is_root: bool = False) -> None:
        self.raw = raw
        self.scope = scope
        self.name = name
        self.kind = SCALAR if name == _QUANTITY else _KINDS.get(raw.get("type", ""), ANY)
        if raw.get("x-kubernetes-int-or-string") or raw.get("format") == "int-or-string":
            self.kind = SCALAR
        elif self.kind == ANY and ("properties" in raw or "additionalProperties" in raw):
            self.kind = MAP
        self.preserves = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
        self.embeds = bool(raw.get("x-kubernetes-embedded-resource")) or (is_root and not scope.lenient)
        self.nullable = bool(raw.get("nullable"))
        self._properties: dict[str, Node] | None = None
        self._items: Node | None = None
        self._extra: Node | None = None
        self._walks: dict[str, Any] = {}

    @property
    def properties(self) -> dict[str, Node]:
        """Declared fields; for a resource also apiVersion, kind and (as ObjectMeta) metadata."""
        if self._properties is None:
            found = {name: self.scope.node(raw) for name, raw in (self.raw.get("properties") or {}).items()}
            if self.embeds:
                found["apiVersion"] = found["kind"] = self.scope.make({"type": "string"}, self.scope, "")
                found["metadata"] = object_meta(self.scope.make)
            self._properties = found
        return self._properties

    @property
    def items(self) -> Node | None:
        """The schema of list items, None when nothing is said."""
        if self._items is None and isinstance(self.raw.get("items"), dict):
            self._items = self.scope.node(self.raw["items"])
        return self._items

    @property
    def extra(self) -> Node | None:
        """The schema of fields by any other name, None when nothing is said."""
        if self._extra is None and isinstance(self.raw.get("additionalProperties"), dict):
            self._extra = self.scope.node(self.raw["additionalProperties"])
        return self._extra

    @property
    def schema(self) -> Node:
        """The node of a CRD's schema, where this one is for such a schema or something else (``SCHEMA_OR``)."""
        return self.scope.node({"$ref": f"#/components/schemas/{_SCHEMA}"})

    @property
    def is_open(self) -> bool:
        """True when undeclared fields are kept as they are, without a schema."""
        if self.preserves or self.raw.get("additionalProperties") is True:
            return True
        if not self.scope.lenient or self.raw.get("properties") or self.extra is not None:
            return False
        return self.name not in _EMPTY_STRUCTS

    @property
    def list_type(self) -> str:
        """Return ``atomic``, ``set`` or ``map``."""
        declared = self.raw.get("x-kubernetes-list-type")
        if declared:
            return str(declared)
        if "merge" in self.patch_strategy:
            return "map" if self.patch_merge_key else "set"
        return "atomic"

    @property
    def list_keys(self) -> tuple[str, ...]:
        """The fields that tell the items of a ``map`` list apart."""
        declared: Sequence[str] = self.raw.get("x-kubernetes-list-map-keys") or ()
        if declared or not self.patch_merge_key:
            return tuple(declared)
        return (self.patch_merge_key,)

    @property
    def key_defaults(self) -> dict[str, Any]:
        """What an item's key field counts as when it is absent, for those keys that have a default."""
        declared = ((self.items.raw if self.items else {}).get("properties")) or {}
        return {
            key: declared[key]["default"]
            for key in self.list_keys
            if key in declared and declared[key].get("default") is not None
        }

    @property
    def is_atomic(self) -> bool:
        """True when the value is one field for merges, whatever is inside."""
        if self.name == _RAW_EXTENSION:
            return True
        if self.kind == LIST:
            return self.list_type == "atomic"
        return self.raw.get("x-kubernetes-map-type") == "atomic"

    @property
    def patch_strategy(self) -> tuple[str, ...]:
        """``merge``, ``replace``, ``retainKeys``: what a strategic merge patch does here."""
        text = str(self.raw.get("x-kubernetes-patch-strategy") or "")
        return tuple(text.split(",")) if text else ()

    @property
    def patch_merge_key(self) -> str:
        """The field by which a strategic merge patch finds items."""
        return str(self.raw.get("x-kubernetes-patch-merge-key") or "")

    def child(self, name: str) -> Node | None:
        """Return the schema of a field; None when the field has none."""
        return self.properties.get(name) or self.extra


def object_meta(make: Callable[[JsonObject, Scope, str], Node]) -> Node:
    """Return the node of ``metadata`` for resources whose schema cannot declare it (CRDs)."""
    return Scope(OBJECT_META, make).node(
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    )
