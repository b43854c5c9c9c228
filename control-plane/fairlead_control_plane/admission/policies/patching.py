"""
What mutations make of an object. Pure.

Source: k8s.io/apiserver pkg/admission/plugin/policy/mutating/patch/{smd,json_patch}.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_schema.cel.objects import Made, as_json, misnamed
from fairlead_schema.cel.values import EvaluationError, Value
from fairlead_schema.fieldset import path_text
from fairlead_schema.jsonpatch import apply_json_patch
from fairlead_schema.merging import Shape, merge, problems
from fairlead_schema.node import LIST, MAP

_TEST_FAILED = "test failed"


class BadMutation(Exception):
    """A mutation cannot be made; the text is Kubernetes'."""


def configured(obj: JsonObject, made: Value, shape: Shape) -> JsonObject:
    """
    Return an object with what an ``ApplyConfiguration`` says merged into it, as server-side apply merges.

    Args:
        obj: Not changed; parts may be shared with the answer.
        made: The expression's value.
        shape: Of the object's kind.

    Raises:
        BadMutation.
    """
    _check_names(made)
    config = {**_json(made), "apiVersion": obj.get("apiVersion", ""), "kind": obj.get("kind", "")}
    found = list(problems(shape, config))
    if found:
        text = found[0] if len(found) == 1 else "\n".join(["errors:", *(f"  {line}" for line in found)])
        raise BadMutation(f"error applying patch: failed to convert patch object to typed object: {text}")
    atomic = list(_atomics(shape, config, ()))
    if atomic:
        why = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise BadMutation(f"error applying patch: invalid ApplyConfiguration: {why}")
    merged: JsonObject = merge(shape, obj, config)
    return merged


def _atomics(shape: Shape, value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths of what can only be replaced as a whole; items are named by their index."""
    kind = shape.kind_of(value)
    if kind is MAP and type(value) is dict:
        if shape.atomic_map:
            yield path_text(path)
        for name, item in value.items():
            if name in shape.declared:
                yield from _atomics(shape.child(name), item, (*path, f"f:{name}"))
    elif kind is LIST and type(value) is list:
        if shape.atomic_list:
            yield path_text(path)
        for index, item in enumerate(value):
            yield from _atomics(shape.items, item, (*path, f"i:{index}"))


def patched(obj: JsonObject, operations: Value) -> JsonObject:
    """
    Return an object with a list of ``JSONPatch`` applied; as it is when a ``test`` among them fails.

    Raises:
        BadMutation.
    """
    listed = [_operation(one) for one in operations]
    try:
        return apply_json_patch(obj, listed)
    except ApiError as error:
        why = str(error.__cause__ or error)
        if why.endswith(_TEST_FAILED):
            return obj
        raise BadMutation(f"JSON Patch: {why}") from error


def _operation(made: Made) -> JsonObject:
    operation: JsonObject = {"op": made.get("op", ""), "path": made.get("path", "")}
    if made.get("from"):
        operation["from"] = made["from"]
    if "value" in made:
        value = made["value"]
        if isinstance(value, Made):
            _check_names(value, value.cel_type.name)
        try:
            operation["value"] = as_json(value)
        except EvaluationError as error:
            why = f"evaluated to a type that could not marshal to JSON: {error}"
            raise BadMutation(f"JSONPath valueExpression {why}") from error
    return operation


def _check_names(value: Value, path: str = "Object") -> None:
    wrong = list(misnamed(value, path))
    if wrong:
        raise BadMutation("type mismatch: " + "\n".join(wrong))


def _json(value: Value) -> JsonObject:
    try:
        made: JsonObject = as_json(value)
    except EvaluationError as error:
        raise BadMutation(f"invalid return type: {error}") from error
    return made
