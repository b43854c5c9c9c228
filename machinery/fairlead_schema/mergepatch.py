"""
JSON merge patch (RFC 7396) as Kubernetes applies it.

Source: gopkg.in/evanphx/json-patch.v4 (MergePatch).
"""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_schema.causes import json_type

_TARGET = "map[string]interface {}"


def apply_merge_patch(doc: JsonObject, patch: Any) -> JsonObject:
    """
    Return ``doc`` with ``patch`` merged in; neither changes, unchanged parts are shared.

    Raises:
        BadRequest: ``patch`` is not an object.
    """
    if patch is None:
        raise BadRequest("Invalid JSON Patch")
    if not isinstance(patch, dict):
        given = json_type(patch)
        raise BadRequest(f"error decoding patch: json: cannot unmarshal {given} into Go value of type {_TARGET}")
    return _merge(doc, patch)


def _merge(doc: JsonObject, patch: JsonObject) -> JsonObject:
    merged = dict(doc)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif type(value) is dict:
            present = merged.get(key)
            merged[key] = _merge(present, value) if type(present) is dict else _without_nulls(value)
        elif type(merged.get(key)) is dict:
            merged[key] = value
        else:
            merged[key] = _without_nulls(value)
    return merged


def _without_nulls(value: Any) -> Any:
    """Return a new object's value: what it says to delete was never there."""
    if type(value) is dict:
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if type(value) is list:
        return [_without_nulls(item) for item in value]
    return value
