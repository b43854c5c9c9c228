"""Make built-in objects as the registry does, without one: for tests of their rules."""

from __future__ import annotations

import copy
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_api.request import User
from fairlead_control_plane.kinds.builtin import builtin_resource
from fairlead_control_plane.kinds.record import Strategy, Writer

NOW = "2026-01-02T03:04:05Z"
_UID = "00000000-0000-4000-8000-000000000001"
WRITER = Writer(User("admin"), NOW)


def strategy_of(group: str, plural: str) -> Strategy:
    """Return the strategy of a built-in kind."""
    found = builtin_resource(group, plural)
    assert found is not None
    return found.strategy


def new(group: str, plural: str, spec: JsonObject, **rest: Any) -> JsonObject:
    """Return a new object as it is validated: defaulted, prepared and settled; ``rest`` is beside its spec."""
    resource = builtin_resource(group, plural)
    assert resource is not None
    version = resource.storage_version
    obj: JsonObject = {
        "apiVersion": resource.api_version(version.name),
        "kind": resource.kind,
        "metadata": {"name": "it", "namespace": "here", "uid": _UID},
        "spec": copy.deepcopy(spec),
        **rest,
    }
    schema, strategy = version.schema(), resource.strategy
    schema.prune(obj)
    schema.default(obj)
    if strategy.prepare_create:
        strategy.prepare_create(obj)
    if strategy.sign:
        strategy.sign(obj, WRITER)
    if strategy.settle:
        strategy.settle(obj, None)
    obj["metadata"]["generation"] = 1
    return obj


def changed(group: str, plural: str, old: JsonObject, edit: JsonObject) -> JsonObject:
    """Return an object with an edit of its spec (a merge patch), prepared as an update."""
    resource = builtin_resource(group, plural)
    assert resource is not None
    obj = copy.deepcopy(old)
    _merge(obj["spec"], edit)
    resource.storage_version.schema().default(obj)
    if resource.strategy.prepare_update:
        resource.strategy.prepare_update(obj, old)
    if resource.strategy.settle:
        resource.strategy.settle(obj, old)
    return obj


def _merge(target: JsonObject, patch: JsonObject) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = value


def told(causes: Any) -> list[tuple[str, str, str]]:
    """Return causes as ``(field, reason without FieldValue, message)``, each once."""
    found: list[Cause] = list(dict.fromkeys(causes))
    return [(cause.field, cause.reason.removeprefix("FieldValue"), cause.message) for cause in found]


def wrong_with(group: str, plural: str, obj: JsonObject) -> list[tuple[str, str, str]]:
    """Return what is wrong with a new object."""
    validate = strategy_of(group, plural).validate
    assert validate is not None
    return told(validate(obj))


def wrong_change(group: str, plural: str, obj: JsonObject, old: JsonObject) -> list[tuple[str, str, str]]:
    """Return what is wrong with an update."""
    strategy = strategy_of(group, plural)
    if strategy.validate_change:
        return told(strategy.validate_change(obj, old))
    assert strategy.validate is not None
    more = strategy.validate_update(obj, old) if strategy.validate_update else ()
    return told([*strategy.validate(obj), *more])


def wrong_status(
    group: str, plural: str, old: JsonObject, status: JsonObject
) -> tuple[JsonObject, list[tuple[str, str, str]]]:
    """Return the object with another status, and what is wrong with that."""
    part = strategy_of(group, plural).subresources["status"]
    obj = {**copy.deepcopy(old), "status": copy.deepcopy(status)}
    if part.prepare:
        part.prepare(obj, old, WRITER)
    if part.settle:
        part.settle(obj, old, WRITER)
    assert part.validate is not None
    return obj, told(part.validate(obj, old))
