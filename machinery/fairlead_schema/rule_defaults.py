"""
Do the defaults of a CustomResourceDefinition's schema keep its rules?

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_schema.rule_validation import BUDGET, check_default
from fairlead_schema.ruled import has_rules
from fairlead_schema.structural import compile_schema


def check_defaults(schema: JsonObject, path: str) -> list[Cause]:
    """
    Return what rules find in the defaults of a structural schema.

    Args:
        schema: ``openAPIV3Schema``; not changed.
        path: Where it stands, e.g. ``spec.validation.openAPIV3Schema``.
    """
    found: list[Cause] = []
    left = BUDGET
    for node, at in _with_default(schema, path):
        value = node["default"]
        wrapper = {"type": "object", "properties": {"default": node}}
        if compile_schema(wrapper).validate({"default": value}):
            continue  # not a value of its own schema: rules have nothing to say
        causes, left = check_default(node, f"{at}.default", value, left)
        found += causes
        if left < 0:
            break
    return found


def _with_default(schema: JsonObject, path: str) -> Iterator[tuple[JsonObject, str]]:
    """Return the nodes that have a default and rules, with their paths; below ``additionalProperties`` are none."""
    if not has_rules(schema):
        return
    if schema.get("default") is not None:
        yield schema, path
    if isinstance(schema.get("items"), dict):
        yield from _with_default(schema["items"], f"{path}.items")
    for name, child in (schema.get("properties") or {}).items():
        yield from _with_default(child, f"{path}.properties[{name}]")
