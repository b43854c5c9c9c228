"""
Schemas of built-in kinds: compiled for the server, written out for those who export them.

Source: kcp pkg/reconciler/workload/apiexport (the ``kubernetes`` export's schemas), CRD structural schema rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.shape import empty_of

if TYPE_CHECKING:
    from fairlead_schema.structural import Structural

_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_QUANTITY_PATTERN = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_INT_OR_STRING_SCHEMA: JsonObject = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
_EITHER_KINDS: Mapping[str, JsonObject] = {
    _INT_OR_STRING: _INT_OR_STRING_SCHEMA,
    _QUANTITY: {**_INT_OR_STRING_SCHEMA, "pattern": _QUANTITY_PATTERN},
}
# Kept out of exported schemas: what values mean is the built-in strategy's to say, with Kubernetes' words.
_DROPPED = frozenset({"enum", "uniqueItems", "x-kubernetes-group-version-kind", "x-kubernetes-unions"})


def builtin_schema(definition: str) -> Callable[[], Structural]:
    """Return the compiled schema of a built-in kind, compiled at the first call and shared after it."""

    def compiled() -> Structural:
        return _compiled(definition)

    return compiled


@cache
def _compiled(definition: str) -> Structural:
    from fairlead_schema.apply import start_from  # noqa: PLC0415 - compiled only when a kind is used
    from fairlead_schema.structural import compile_schema  # noqa: PLC0415 - as above

    schema = compile_schema({"$ref": facts.REFERENCE + definition}, facts.definitions())
    if definition in facts.types():
        start_from(schema, {**empty_of(definition), "metadata": {}})
    return schema


def self_contained(definition: str) -> JsonObject:
    """
    Write a kind's definition out as one structural schema without references, as APIResourceSchemas and CRDs need it.

    List types, map types and merge keys are kept; ``metadata`` is left to the server; Quantity and IntOrString are
    ``x-kubernetes-int-or-string``.

    Raises:
        ValueError: The definition refers to itself (CustomResourceDefinition).
    """
    definitions = facts.definitions()
    schema = _expand({"$ref": facts.REFERENCE + definition}, definitions, ())
    schema["properties"]["metadata"] = {"type": "object"}
    schema.get("required", []).clear()
    return {key: value for key, value in schema.items() if value != []}


def _expand(schema: Any, definitions: Mapping[str, JsonObject], above: tuple[str, ...]) -> Any:
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix(facts.REFERENCE)
    if name in above:
        raise ValueError(f"{name} refers to itself")
    if name:
        above = (*above, name)
        schema = {**definitions[name], **{key: value for key, value in schema.items() if key != "$ref"}}
    if name in _EITHER_KINDS:
        default = {"default": schema["default"]} if schema.get("default", {}) != {} else {}
        return {**default, **_EITHER_KINDS[name]}
    result = {key: _expand_part(key, value, definitions, above) for key, value in schema.items() if key not in _DROPPED}
    if result.get("type") == "object" and "properties" not in result and "additionalProperties" not in result:
        result["x-kubernetes-preserve-unknown-fields"] = True
    if result.get("default") == {} and "properties" not in result:
        del result["default"]
    return result


def _expand_part(key: str, value: Any, definitions: Mapping[str, JsonObject], above: tuple[str, ...]) -> Any:
    if key == "properties":
        return {field: _expand(child, definitions, above) for field, child in value.items()}
    return _expand(value, definitions, above) if key in {"items", "additionalProperties"} else value
