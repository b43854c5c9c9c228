"""
What a CustomResourceDefinition's schema may say at all, structural or not.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go
(ValidateCustomResourceDefinitionOpenAPISchema, but for rules), pkg/apiserver/schema/convert.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_NOT_STRUCTURAL = ("id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions")
_META_FIELDS = frozenset({"metadata", "kind", "apiVersion"})
_LIST_TYPE, _MAP_TYPE = "x-kubernetes-list-type", "x-kubernetes-map-type"
_KEYS, _PRESERVE, _EMBEDDED = (
    "x-kubernetes-list-map-keys", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
)  # fmt: skip
_IN_SET = "must be atomic as item of a list with x-kubernetes-list-type=set"
_IN_META = "inside additionalProperties applying to object metadata"


@dataclass(frozen=True, slots=True)
class _Place:
    """
    Where the walk is.

    Attributes:
        no_default: Why no default may be set here; empty where one may.
        is_meta: Within what applies to the kind, the version or the metadata of an object.
    """

    path: str
    no_default: str = ""
    is_meta: bool = False
    is_root: bool = False

    def at(self, step: str) -> _Place:
        """Return the place below."""
        return replace(self, path=f"{self.path}.{step}", is_root=False)


def check_form(schema: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with ``openAPIV3Schema``, which stands at ``path`` and is not changed."""
    return list(_node(schema, _Place(path, is_root=True)))


def unsupported(schema: JsonObject) -> str:
    """Return why nobody can tell whether a schema is structural: it uses what no structural schema has. Else empty."""
    for name in _NOT_STRUCTURAL:
        if schema.get(name):
            return f"OpenAPIV3Schema '{name.removeprefix('$') if name == '$schema' else name}' is not supported"
    if schema.get("items") and isinstance(schema["items"], list):
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    if schema.get(_PRESERVE) is False:
        return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
    return next(filter(None, (unsupported(child) for _, child in _children(schema))), "")


def _children(schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield the schemas below one, with the step that leads to each."""
    for name in ("additionalProperties", "not", "items"):
        if isinstance(schema.get(name), dict):
            yield name, schema[name]
    for name in ("properties", "definitions", "dependencies"):
        for key, child in (schema.get(name) or {}).items():
            if isinstance(child, dict):
                yield f"{name}[{key}]", child
    for name in ("allOf", "oneOf", "anyOf", "items"):
        options = schema.get(name)
        for index, child in enumerate(options if isinstance(options, list) else ()):
            yield f"{name}[{index}]", child


def _node(schema: JsonObject, place: _Place) -> Iterator[Cause]:
    yield from _allowed(schema, place)
    yield from _map(schema, place)
    yield from _list(schema, place)
    for step, child in _children(schema):
        yield from _node(child, _below(schema, place, step))


def _below(schema: JsonObject, place: _Place, step: str) -> _Place:
    below = place.at(step)
    if step == "additionalProperties" and place.is_meta:
        return replace(below, no_default=_IN_META)
    name = step.removeprefix("properties[").removesuffix("]") if step.startswith("properties[") else ""
    if name in _META_FIELDS and (place.is_root or schema.get(_EMBEDDED)):
        why = f"in top-level {name}" if place.is_root else below.no_default
        return replace(below, is_meta=True, no_default=why)
    return below


def _allowed(schema: JsonObject, place: _Place) -> Iterator[Cause]:
    path, kind = place.path, schema.get("type") or ""
    if kind and kind not in _TYPES:
        yield wrong.not_supported(f"{path}.type", kind, _TYPES)
    if schema.get("default") is not None and place.no_default:
        yield wrong.forbidden(f"{path}.default", f"must not be set {place.no_default}")
    for name in _UNSUPPORTED:
        if schema.get(name) or (name in {"additionalItems", "$ref"} and schema.get(name) is not None):
            yield wrong.forbidden(f"{path}.{name}", f"{name} is not supported")
    if kind == "null":
        yield wrong.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if schema.get("items") and isinstance(schema["items"], list):
        yield wrong.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if place.is_meta and schema.get(_EMBEDDED):
        yield wrong.forbidden(f"{path}.{_EMBEDDED}", "must not be used inside of resource meta")
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield wrong.forbidden(f"{path}.uniqueItems", text)
    if schema.get(_PRESERVE) is False:
        yield wrong.invalid(f"{path}.{_PRESERVE}", False, "must be true or undefined")


def _map(schema: JsonObject, place: _Place) -> Iterator[Cause]:
    path, kind, map_type = place.path, schema.get("type") or "", schema.get(_MAP_TYPE)
    extra = schema.get("additionalProperties")
    if schema.get("properties") and extra is not None and extra is not True:
        text = "additionalProperties and properties are mutual exclusive"
        yield wrong.forbidden(f"{path}.additionalProperties", text)
    if map_type is None:
        return
    if kind != "object":
        yield _typed(path, kind, "must be object if x-kubernetes-map-type is specified")
    if map_type not in {"atomic", "granular"}:
        yield wrong.not_supported(f"{path}.{_MAP_TYPE}", map_type, ["atomic", "granular"])


def _typed(path: str, kind: str, text: str) -> Cause:
    return wrong.invalid(f"{path}.type", kind, text) if kind else wrong.required(f"{path}.type", text)


def _list(schema: JsonObject, place: _Place) -> Iterator[Cause]:
    path, kind, list_type = place.path, schema.get("type") or "", schema.get(_LIST_TYPE)
    items = schema.get("items")
    if list_type is not None and kind != "array":
        yield _typed(path, kind, "must be array if x-kubernetes-list-type is specified")
    elif list_type == "set" and isinstance(items, dict):
        yield from _set_item(items, f"{path}.items")
    if list_type is not None and list_type not in {"atomic", "set", "map"}:
        yield wrong.not_supported(f"{path}.{_LIST_TYPE}", list_type, ["atomic", "set", "map"])
    if schema.get(_KEYS) and list_type != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        at = f"{path}.{_LIST_TYPE}"
        yield wrong.required(at, text) if list_type is None else wrong.invalid(at, list_type, text)
    if list_type == "map":
        yield from _keyed(schema, items, path)
    if list_type in {"set", "map"} and isinstance(items, dict):
        if items.get("nullable"):
            text = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
            yield wrong.forbidden(f"{path}.items.nullable", text)
        if list_type == "map":
            yield from _keys_present(schema, items, path)


def _set_item(items: JsonObject, path: str) -> Iterator[Cause]:
    if items.get("type") == "array" and items.get(_LIST_TYPE) not in {None, "atomic"}:
        yield wrong.invalid(f"{path}.{_LIST_TYPE}", items[_LIST_TYPE], _IN_SET)
    if items.get("type") == "object" and items.get(_MAP_TYPE) != "atomic":
        # Kubernetes shows the list type of the item, which an object has not.
        yield wrong.invalid(f"{path}.{_MAP_TYPE}", items.get(_LIST_TYPE) or "null", _IN_SET)


def _keyed(schema: JsonObject, items: Any, path: str) -> Iterator[Cause]:
    keys = schema.get(_KEYS) or []
    if not keys:
        yield wrong.required(f"{path}.{_KEYS}", "must not be empty if x-kubernetes-list-type is map")
    if items is None:
        yield wrong.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
    elif isinstance(items, list):
        text = "must only have a single schema if x-kubernetes-list-type is map"
        yield wrong.invalid(f"{path}.items", items, text)
    elif items.get("type") != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        yield wrong.invalid(f"{path}.items.type", items.get("type") or "", text)
    else:
        yield from _keys(keys, items, path)


def _keys(keys: list[str], items: JsonObject, path: str) -> Iterator[Cause]:
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            yield wrong.invalid(f"{path}.{_KEYS}", keys, "entries must all be names of item properties")
        elif properties[key].get("type") in {"array", "object"}:
            text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield wrong.invalid(f"{path}.items.properties[{key}].type", items.get("type"), text)
        if key in keys[:index]:
            yield wrong.invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")


def _keys_present(schema: JsonObject, items: JsonObject, path: str) -> Iterator[Cause]:
    """Check that each key of an item is always there."""
    properties, required = items.get("properties") or {}, items.get("required") or ()
    for key in schema.get(_KEYS) or ():
        child, at = properties.get(key), f"{path}.items.properties[{key}]"
        if child is None:
            continue
        if key not in required and child.get("default") is None:
            text = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            yield wrong.required(f"{at}.default", text)
        if child.get("nullable"):
            text = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            yield wrong.forbidden(f"{at}.nullable", text)
