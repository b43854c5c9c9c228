"""
The definitions of custom kinds in OpenAPI documents, v2 and v3.

Version 2 knows less, and what kubectl would misread there is left out: a schema that keeps unknown fields says nothing
of its fields, one that may be null says nothing of its type.

Source: k8s.io/apiextensions-apiserver pkg/controller/openapi/builder and v2.
"""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.openapi_texts import LIST_METADATA, METADATA, TYPE_FIELDS
from fairlead_control_plane.kinds.record import Resource, Version

_KEEPS_UNKNOWN = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_DROPPED = frozenset({"oneOf", "anyOf", "allOf", "not", "nullable"})


def custom_schemas(
    resource: Resource, version: Version, name: str, list_name: str, *, v2: bool
) -> dict[str, JsonObject]:
    """
    Return the definitions of a custom kind and of its list.

    Args:
        resource, version: Not built in.
        name, list_name: Of the definitions.
        v2: Whether the document is one of OpenAPI v2.
    """
    kind = {"group": resource.group, "kind": resource.kind, "version": version.name}
    selectable = [{"fieldPath": path.removeprefix(".")} for path in version.selectable]
    more: JsonObject = {"x-kubernetes-selectable-fields": selectable} if selectable and not v2 else {}
    list_kind = resource.list_kind or f"{resource.kind}List"
    items = {
        "type": "array",
        "description": f"The {resource.plural} of this list.",
        "items": {"$ref": facts.REFERENCE + name},
    }
    many = {
        "type": "object",
        "description": f"{list_kind} is a list of {resource.kind}.",
        "required": ["items"],
        "properties": {**_type_fields(), "metadata": _metadata("ListMeta", LIST_METADATA), "items": items},
        "x-kubernetes-group-version-kind": [{**kind, "kind": list_kind}],
    }
    return {
        name: {**_own(version.open_api, v2=v2), "x-kubernetes-group-version-kind": [kind], **more},
        list_name: {**many, **more},
    }


def _own(schema: JsonObject, *, v2: bool) -> JsonObject:
    if v2 and schema.get(_KEEPS_UNKNOWN):
        return {"type": "object"}  # with a field more, kubectl would refuse all others
    shown: JsonObject = _embedded(_less(schema) if v2 else schema, v2=v2)
    top = {**_type_fields(), "metadata": _metadata("ObjectMeta", METADATA)}
    return {**shown, "properties": {**(shown.get("properties") or {}), **top}}


def _type_fields() -> JsonObject:
    return {field: {"type": "string", "description": text} for field, text in TYPE_FIELDS.items()}


def _metadata(meta: str, text: str) -> JsonObject:
    return {"$ref": f"{facts.REFERENCE}{facts.META}.{meta}", "description": text}


def _embedded(schema: Any, *, v2: bool) -> Any:
    """Give objects within the object the fields that every object has."""
    if not isinstance(schema, dict):
        return schema
    result = _over_children(schema, lambda child: _embedded(child, v2=v2))
    if not schema.get(_EMBEDDED) or (v2 and schema.get(_KEEPS_UNKNOWN)):
        return result
    top = {**_type_fields(), "metadata": _metadata("ObjectMeta", METADATA)}
    required = list(result.get("required") or ())
    required += [field for field in ("kind", "apiVersion") if field not in required]
    return {**result, "properties": {**(result.get("properties") or {}), **top}, "required": required}


def _less(schema: Any) -> Any:
    """Return a schema as version 2 can say it."""
    if not isinstance(schema, dict):
        return schema
    result = {key: value for key, value in schema.items() if key not in _DROPPED}
    if schema.get("nullable"):
        result = {key: value for key, value in result.items() if key not in {"type", "items", "properties"}}
    if schema.get(_KEEPS_UNKNOWN):
        result = {key: value for key, value in result.items() if key not in {"items", "properties"}}
    keeps_object = schema.get(_KEEPS_UNKNOWN) and result.get("type") == "object"
    if keeps_object or (result.get("type") == "array" and "items" not in result):
        result.pop("type")
    if "required" in result:
        properties = result.get("properties") or {}
        result["required"] = [field for field in result["required"] if not _is_nullable(properties.get(field))]
    if not result.get("required") or _is_nullable(result.get("additionalProperties")):
        result.pop("required", None)
    return _over_children(result, _less)


def _is_nullable(schema: Any) -> bool:
    return isinstance(schema, dict) and bool(schema.get("nullable"))


def _over_children(schema: JsonObject, change: Any) -> JsonObject:
    """Return a schema with its children changed."""
    result = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = change(result[key])
    if isinstance(result.get("properties"), dict):
        result["properties"] = {name: change(child) for name, child in result["properties"].items()}
    return result
