"""
Is a CRD's schema structural?

Every value must have a declared type, and nothing inside ``not``, ``anyOf``, ``oneOf`` or ``allOf`` may declare one.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema (validation.go, complete.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_schema.causes import compact, quote
from fairlead_schema.patterns import BadPattern, compile_pattern

_ROOT, _ITEM, _FIELD = "at the root", "for specified array items", "for specified object fields"
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_MUST_BE_ABSENT = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
)


def check_structural(schema: JsonObject, path: str = "") -> list[Cause]:
    """
    Return what keeps a CRD schema from being structural, sorted as Kubernetes does; ``[]`` when it is.

    Args:
        schema: ``openAPIV3Schema``; not changed.
        path: Where it stands, e.g. ``spec.validation.openAPIV3Schema``.
    """
    found = [*_node(schema, _ROOT, path), *_complete(schema, schema, path, path)]
    return sorted(found, key=lambda cause: f"{cause.field}: {cause.message}")


def _child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _forbidden(path: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", path)


def _required(path: str, detail: str) -> Cause:
    return Cause("FieldValueRequired", f"Required value: {detail}", path)


def _invalid(path: str, value: Any, detail: str) -> Cause:
    shown = quote(value) if isinstance(value, str) else compact(value)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {detail}", path)


def _properties(schema: JsonObject) -> JsonObject:
    return schema.get("properties") or {}


def _node(schema: JsonObject, level: str, path: str) -> Iterator[Cause]:
    """Check a node that declares structure, and those below it."""
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        yield _required(_child(path, "items"), "must be specified")
    if isinstance(schema.get("items"), dict):
        yield from _node(schema["items"], _ITEM, _child(path, "items"))
    for name, child in _properties(schema).items():
        yield from _node(child, _FIELD, f"{_child(path, 'properties')}[{name}]")
    extra = schema.get("additionalProperties")
    if extra is not None:
        if level == _ROOT:
            yield _forbidden(_child(path, "additionalProperties"), "must not be used at the root")
        if isinstance(extra, dict):
            yield from _node(extra, _FIELD, _child(path, "additionalProperties"))
    yield from _extensions(schema, path)
    yield from _value_rules(schema, path, skips_any_of=True)
    yield from _type(schema, level, path)
    yield from _metadata(schema, level, path)


def _extensions(schema: JsonObject, path: str) -> Iterator[Cause]:
    if schema.get("x-kubernetes-int-or-string"):
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(name):
                yield _invalid(_child(path, name), True, "must be false if x-kubernetes-int-or-string is true")


def _type(schema: JsonObject, level: str, path: str) -> Iterator[Cause]:
    kind, at = schema.get("type") or "", _child(path, "type")
    embeds = bool(schema.get("x-kubernetes-embedded-resource"))
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if embeds and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield _invalid(at, kind, detail) if kind else _required(at, detail)
    elif not kind and not schema.get("x-kubernetes-int-or-string") and not keeps:
        yield _required(at, f"must not be empty {level}")
    if embeds and schema.get("additionalProperties") is not None:
        yield _forbidden(
            _child(path, "additionalProperties"), "must not be used if x-kubernetes-embedded-resource is set"
        )
    if level == _ROOT and kind and kind != "object":
        yield _invalid(at, kind, "must be object at the root")
    if embeds and not keeps and not _properties(schema):
        yield _required(
            _child(path, "properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        )


def _metadata(schema: JsonObject, level: str, path: str) -> Iterator[Cause]:
    is_resource = level == _ROOT or bool(schema.get("x-kubernetes-embedded-resource"))
    properties = _properties(schema)
    for name in ("kind", "apiVersion"):
        if is_resource and name in properties and properties[name].get("type") != "string":
            at = f"{_child(path, 'properties')}[{name}].type"
            yield _invalid(at, properties[name].get("type") or "", "must be string")
    metadata = properties.get("metadata")
    if metadata is None:
        return
    at = f"{_child(path, 'properties')}[metadata]"
    if is_resource and metadata.get("type") != "object":
        yield _invalid(f"{at}.type", metadata.get("type") or "", "must be object")
    if level == _ROOT:
        rest = {key for key, value in metadata.items() if value and key not in ("type", "default", "properties")}
        if rest or not set(_properties(metadata)) <= {"name", "generateName"}:
            yield _forbidden(
                at, "must not specify anything other than name and generateName, but metadata is implicitly specified"
            )


def _value_rules(schema: JsonObject, path: str, *, skips_any_of: bool) -> Iterator[Cause]:
    """Check what only restricts values: the composites and the pattern."""
    is_int_or_string = skips_any_of and schema.get("anyOf") == _INT_OR_STRING
    for index, option in enumerate(() if is_int_or_string else schema.get("anyOf") or ()):
        yield from _nested(option, f"{_child(path, 'anyOf')}[{index}]", allows_rules=False)
    for index, option in enumerate(schema.get("allOf") or ()):
        first = skips_any_of and index == 0
        yield from _nested(option, f"{_child(path, 'allOf')}[{index}]", allows_rules=False, skips_any_of=first)
    for index, option in enumerate(schema.get("oneOf") or ()):
        yield from _nested(option, f"{_child(path, 'oneOf')}[{index}]", allows_rules=False)
    if schema.get("not") is not None:
        yield from _nested(schema["not"], _child(path, "not"), allows_rules=False)
    pattern = schema.get("pattern")
    if pattern:
        try:
            compile_pattern(pattern)
        except BadPattern as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield _invalid(_child(path, "pattern"), pattern, detail)


def _nested(schema: JsonObject, path: str, *, allows_rules: bool, skips_any_of: bool = False) -> Iterator[Cause]:
    """Check a node inside a composite."""
    yield from _value_rules(schema, path, skips_any_of=skips_any_of)
    if isinstance(schema.get("items"), dict):
        yield from _nested(schema["items"], _child(path, "items"), allows_rules=allows_rules)
    for name, child in _properties(schema).items():
        yield from _nested(child, f"{_child(path, 'properties')}[{name}]", allows_rules=allows_rules)
    for key, detail in _MUST_BE_ABSENT:
        if schema.get(key) or (key in ("additionalProperties", "default") and schema.get(key) is not None):
            yield _forbidden(_child(path, key), detail)
    if schema.get("x-kubernetes-validations") and not allows_rules:
        yield _forbidden(_child(path, "x-kubernetes-validations"), "must be empty to be structural")
    if "metadata" in _properties(schema):
        yield _forbidden(f"{_child(path, 'properties')}[metadata]", "must not be specified in a nested context")


def _complete(rules: JsonObject, structure: JsonObject | None, at: str, origin: str) -> Iterator[Cause]:
    """Check that whatever a composite speaks of is declared outside of it."""
    options = [("not", rules["not"])] if rules.get("not") is not None else []
    for key in ("allOf", "anyOf", "oneOf"):
        options += [(f"{key}[{index}]", option) for index, option in enumerate(rules.get(key) or ())]
    for name, option in options:
        yield from _complete_nested(option, structure, at, _child(origin, name))


def _complete_nested(rules: JsonObject, structure: JsonObject | None, at: str, origin: str) -> Iterator[Cause]:
    if structure is None:
        yield _required(at, f"because it is defined in {origin}")
        return
    yield from _complete(rules, structure, at, origin)
    if isinstance(rules.get("items"), dict):
        items = structure.get("items")
        declared = items if isinstance(items, dict) else None
        yield from _complete_nested(rules["items"], declared, _child(at, "items"), _child(origin, "items"))
    for name, child in _properties(rules).items():
        child_at = f"{_child(at, 'properties')}[{name}]"
        child_origin = f"{_child(origin, 'properties')}[{name}]"
        yield from _complete_nested(child, _properties(structure).get(name), child_at, child_origin)
