"""
What is wrong with a custom resource, beside its metadata: its schema, its scale, what is embedded in it, its lists.

Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource/{strategy,status_strategy,validator}.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import ScalePaths, Version
from fairlead_control_plane.kinds.strategies import embedded
from fairlead_schema.causes import Problem, go_type_of
from fairlead_schema.correlation import Pair
from fairlead_schema.ratcheting import remaining
from fairlead_schema.strategic import go_text
from fairlead_schema.structural import Structural
from fairlead_schema.validation import checker, duplicates

_MOST_REPLICAS = 2**31 - 1
_STANDARD_FINALIZERS = frozenset({"orphan", "foregroundDeletion", "kubernetes"})
_WARNING_END = "to avoid accidental conflicts with other finalizer writers"


def problems(version: Version, obj: JsonObject, old: JsonObject | None, *, of_status: bool = False) -> list[Cause]:
    """
    Return what is wrong with a custom resource.

    Args:
        old: The object before, whose faults may stay; None on create.
        of_status: Only the status is written: the rest is as it was.
    """
    schema = version.schema()
    causes = _status_causes(schema, obj, old) if of_status else _schema_causes(schema, obj, old)
    if version.scale is not None:
        causes += _scale_causes(version.scale, obj, of_status=of_status)
    if not of_status:
        causes += embedded.problems(schema, obj)
    twice = [problem.cause() for problem in duplicates(schema, obj)]
    if twice and (old is None or not any(True for _ in duplicates(schema, old))):
        causes += twice
    return causes


def _schema_causes(schema: Structural, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
    found: Sequence[Problem] = checker(schema)(obj) or ()
    if found and old is not None:
        found = remaining(found, Pair(schema.raw, obj, old))
    return [problem.cause() for problem in found]


def _status_causes(schema: Structural, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
    """Return what the schema of the status finds, whose messages name fields from the status on."""
    node = schema.properties.get("status")
    if node is None or "status" not in obj:
        return []
    found: Sequence[Problem] = checker(node)(obj["status"]) or ()
    if found and old is not None and "status" in old:
        found = remaining(found, Pair(node.raw, obj["status"], old["status"]))
    return [_below_status(problem.cause()) for problem in found]


def _below_status(cause: Cause) -> Cause:
    if cause.field in {"", "<nil>"}:
        return replace(cause, field="status")
    return replace(cause, field=f"status{cause.field}" if cause.field.startswith("[") else f"status.{cause.field}")


def _scale_causes(paths: ScalePaths, obj: JsonObject, *, of_status: bool) -> Iterator[Cause]:
    for path in (paths.status_replicas,) if of_status else (paths.spec_replicas, paths.status_replicas):
        value, problem = _at(obj, path, int)
        if problem:
            yield wrong.invalid(path, 0, problem)
        elif value < 0:
            yield wrong.invalid(path, value, "should be a non-negative integer")
        elif value > _MOST_REPLICAS:
            yield wrong.invalid(path, value, f"should be less than or equal to {_MOST_REPLICAS}")
    if paths.label_selector:
        _, problem = _at(obj, paths.label_selector, str)
        if problem:
            yield wrong.invalid(paths.label_selector, "", problem)


def _at(obj: JsonObject, path: str, wanted: type) -> tuple[Any, str]:
    """Return the value at a path, zero where there is none, and why it cannot be had."""
    value: Any = obj
    steps = path.removeprefix(".").split(".")
    for index, step in enumerate(steps):
        if value is None:
            return wanted(), ""
        if not isinstance(value, dict):
            at = ".".join(steps[: index + 1])
            return wanted(), _unfit(at, value, "map[string]interface{}")
        if step not in value:
            return wanted(), ""
        value = value[step]
    if type(value) is not wanted:
        return wanted(), _unfit(".".join(steps), value, "int64" if wanted is int else "string")
    return value, ""


def _unfit(path: str, value: Any, wanted: str) -> str:
    return f".{path} accessor error: {go_text(value)} is of the type {go_type_of(value)}, expected {wanted}"


def finalizer_warnings(new: JsonObject, old: JsonObject | None) -> list[str]:
    """Return what is to be said of finalizers that an object did not have before."""
    before = (old["metadata"].get("finalizers") or ()) if old is not None else ()
    added = set(new["metadata"].get("finalizers") or ()).difference(before)
    return [f'metadata.finalizers: "{name}": {text}' for name in sorted(added) for text in _doubts(name)]


def _doubts(name: str) -> list[str]:
    doubts = list(validation.qualified_name(name))
    if "/" not in name and name not in _STANDARD_FINALIZERS:
        path = " including a path (/)" if "." in name else ""
        doubts.append(f"prefer a domain-qualified finalizer name{path} {_WARNING_END}")
    return doubts
