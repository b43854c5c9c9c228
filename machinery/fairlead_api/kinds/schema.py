"""
From one of our models to a Kubernetes structural schema.

Source: Kubernetes, "Extend the API with CustomResourceDefinitions", structural schemas.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.kinds.model import Object

_CONDITIONS = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
_KEPT = (
    "description", "type", "format", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum",
    "maximum", "required", "default", "anyOf",
)  # fmt: skip
_TOP = {
    "apiVersion": {"type": "string", "description": "apiVersion names the group and version of this object."},
    "kind": {"type": "string", "description": "kind names what this object is."},
    "metadata": {"type": "object"},
}


@cache
def structural_schema(model: type[Object]) -> JsonObject:
    """
    Return the schema of a kind: no ``$ref``, no ``null``, ``metadata`` left to the server.

    The result is shared between callers: do not change it.
    """
    source = model.model_json_schema(by_alias=True, mode="validation")
    schema = _converted(source, source.get("$defs", {}))
    schema["properties"] = _TOP | {
        name: value for name, value in schema["properties"].items() if name not in {"apiVersion", "kind", "metadata"}
    }
    return schema


def _converted(node: dict[str, Any], definitions: dict[str, Any]) -> JsonObject:
    node = _resolved(node, definitions)
    result = {key: value for key, value in node.items() if key in _KEPT or key.startswith("x-kubernetes-")}
    if "const" in node:
        result["enum"] = [node["const"]]
    if result.get("default", "") is None:
        del result["default"]
    if properties := node.get("properties"):
        result["properties"] = {name: _converted(value, definitions) for name, value in properties.items()}
        conditions = result["properties"].get("conditions")
        if conditions and "type" in conditions["items"]["properties"]:
            conditions |= _CONDITIONS
    if "items" in node:
        result["items"] = _converted(node["items"], definitions)
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        result["additionalProperties"] = _converted(extra, definitions)
    if result.get("type") == "integer":
        result.setdefault("format", "int64")
    return result


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference and drop the null of an optional; what stands beside it wins."""
    choices = node.get("anyOf")
    if choices and any(choice.get("type") == "null" for choice in choices):
        rest = [choice for choice in choices if choice.get("type") != "null"]
        beside = {key: value for key, value in node.items() if key != "anyOf"}
        node = (rest[0] if len(rest) == 1 else {"anyOf": rest}) | beside
    if reference := node.get("$ref"):
        target = _resolved(definitions[reference.rsplit("/", 1)[1]], definitions)
        node = target | {key: value for key, value in node.items() if key != "$ref"}
    return node
