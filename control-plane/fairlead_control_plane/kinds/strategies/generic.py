"""
The strategy of built-in kinds that have none of their own: shape, required fields, closed value sets.

Kubernetes checks more for most of these kinds; what OpenAPI says of them is checked here, with Kubernetes' words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise

# Kinds whose generation grows with their spec (found by creating one of each on a real server).
_GENERATION = frozenset(
    {
        ("networking.k8s.io", "ingresses"), ("networking.k8s.io", "ingressclasses"),
        ("networking.k8s.io", "networkpolicies"), ("discovery.k8s.io", "endpointslices"),
        ("policy", "poddisruptionbudgets"), ("flowcontrol.apiserver.k8s.io", "flowschemas"),
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"), ("batch", "jobs"), ("batch", "cronjobs"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("scheduling.k8s.io", "priorityclasses"), ("resource.k8s.io", "resourceslices"),
        ("resource.k8s.io", "deviceclasses"),
    }
)  # fmt: skip
_CREATE_ON_UPDATE = frozenset({("node.k8s.io", "runtimeclasses"), ("", "limitranges")})
_NOT_CONTENT = frozenset({"apiVersion", "kind", "metadata", "status"})


def generic_strategy(group: str, plural: str, *, has_status: bool) -> Strategy:
    """Return the strategy of a kind that needs nothing of its own."""

    def prepare_create(obj: JsonObject) -> None:
        normalise(obj)
        if has_status:
            obj["status"] = zero_status(obj)

    return Strategy(
        prepare_create=prepare_create,
        prepare_update=lambda new, old: normalise(new),
        validate=validate_by_schema,
        generation_of=_content if (group, plural) in _GENERATION else None,
        create_on_update=(group, plural) in _CREATE_ON_UPDATE,
    )


def with_default(strategy: Strategy, default: Callable[[JsonObject], None]) -> Strategy:
    """Return a strategy that also applies ``default`` to an object, in place, whenever it is written."""
    create, update = strategy.prepare_create, strategy.prepare_update

    def prepare_create(obj: JsonObject) -> None:
        default(obj)
        if create is not None:
            create(obj)

    def prepare_update(new: JsonObject, old: JsonObject) -> None:
        default(new)
        if update is not None:
            update(new, old)

    return replace(strategy, prepare_create=prepare_create, prepare_update=prepare_update)


def zero_status(obj: JsonObject) -> JsonObject:
    """Return the status of a new object: what its Go struct shows when nothing is set."""
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    definition = facts.definitions()[facts.definition_name(group, version, str(obj.get("kind")))]
    return _zero(definition["properties"]["status"])


def _zero(schema: JsonObject) -> JsonObject:
    target = facts.definitions()[str(schema.get("$ref", "")).removeprefix(facts.REFERENCE)]
    result: JsonObject = {}
    for field, child in (target.get("properties") or {}).items():
        if "default" in child:
            result[field] = _zero(child) if child["default"] == {} and "$ref" in child else child["default"]
        elif field in target.get("required", ()) and child.get("type") == "array":
            result[field] = None
    return result


def _content(obj: JsonObject) -> object:
    """Return everything of an object but what the server keeps."""
    return {key: value for key, value in obj.items() if key not in _NOT_CONTENT}


def validate_by_schema(obj: JsonObject) -> list[Cause]:
    """Check required fields and closed value sets of an object's definition, ``metadata`` and ``status`` left out."""
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    schema = facts.definitions()[facts.definition_name(group, version, str(obj.get("kind")))]
    shown = {key: value for key, value in obj.items() if key not in _NOT_CONTENT}
    needed = {**schema, "required": [name for name in schema.get("required", ()) if name not in _NOT_CONTENT]}
    return _check(needed, shown, "")


def _check(schema: JsonObject, value: Any, path: str) -> list[Cause]:
    name = str(schema.get("$ref", "")).removeprefix(facts.REFERENCE)
    if name:
        schema = facts.definitions()[name]
    step = _STEPS.get(type(value))
    if step is not None:
        return step(schema, value, path)
    allowed = schema.get("enum")
    if allowed and value and value not in allowed:
        return [wrong.not_supported(path, value, allowed)]
    return []


def _check_object(schema: JsonObject, value: JsonObject, path: str) -> list[Cause]:
    prefix = f"{path}." if path else ""
    properties = schema.get("properties") or {}
    causes = [
        wrong.required(f"{prefix}{field}")
        for field in schema.get("required", ())
        if field not in value or (value[field] == "" and properties[field].get("type") == "string")
    ]
    for field, item in value.items():
        if field in properties:
            causes += _check(properties[field], item, f"{prefix}{field}")
        elif isinstance(schema.get("additionalProperties"), dict):
            causes += _check(schema["additionalProperties"], item, f"{path}[{field}]")
    return causes


def _check_list(schema: JsonObject, value: list[Any], path: str) -> list[Cause]:
    items = schema.get("items") or {}
    return [cause for index, item in enumerate(value) for cause in _check(items, item, f"{path}[{index}]")]


_STEPS: dict[type, Callable[[JsonObject, Any, str], list[Cause]]] = {dict: _check_object, list: _check_list}
