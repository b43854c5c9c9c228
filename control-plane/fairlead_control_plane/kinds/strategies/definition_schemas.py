"""
The schemas in CustomResourceDefinitions: their form, whether they are structural, and their defaults.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go
(validateCustomResourceDefinitionValidation), pkg/apiserver/schema/defaulting/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies import embedded

_AT_ROOT = {
    "description": "Description", "type": "Type", "format": "Format", "title": "Title", "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum", "minimum": "Minimum", "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength", "minLength": "MinLength", "pattern": "Pattern", "maxItems": "MaxItems",
    "minItems": "MinItems", "uniqueItems": "UniqueItems", "multipleOf": "MultipleOf", "required": "Required",
    "items": "Items", "properties": "Properties", "externalDocs": "ExternalDocs", "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields", "x-kubernetes-validations": "XValidations",
}  # fmt: skip
"""What a schema may say at its root beside a status of its own; other things would be lost for the status."""

_META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


def problems(schema: JsonObject, path: str, *, has_status: bool) -> list[Cause]:
    """
    Return what is wrong with a schema, rules left out.

    Args:
        schema: ``openAPIV3Schema``; not changed.
        path: Where it stands, e.g. ``spec.validation.openAPIV3Schema``.
        has_status: The status is a subresource.
    """
    from fairlead_schema.openapi_form import check_form, unsupported  # noqa: PLC0415 - needed for CRDs only
    from fairlead_schema.structural import check_structural  # noqa: PLC0415

    causes = list(_root(schema, path)) if has_status else []
    if schema.get("nullable"):
        causes.append(wrong.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    why_not = unsupported(schema)
    if not why_not:
        causes += check_structural(schema, path) or defaults(schema, path)
    causes += check_form(schema, path)
    return causes if causes or not why_not else [wrong.invalid(path, "", why_not)]


def is_sound(schema: JsonObject, path: str) -> bool:
    """Tell whether a schema is structural and its defaults are right, so that its rules can be compiled."""
    from fairlead_schema.openapi_form import unsupported  # noqa: PLC0415 - needed for CRDs only
    from fairlead_schema.structural import check_structural  # noqa: PLC0415

    return not unsupported(schema) and not check_structural(schema, path) and not defaults(schema, path)


def _root(schema: JsonObject, path: str) -> Iterator[Cause]:
    if schema.get("type") and schema["type"] != "object":
        text = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        yield wrong.invalid(f"{path}.type", schema["type"], text)
    if any(value not in (None, "", [], {}, False) and name not in _AT_ROOT for name, value in schema.items()):
        allowed = " ".join(_AT_ROOT.values())
        text = f"only [{allowed}] fields are allowed at the root of the schema if the status subresource is enabled"
        yield wrong.invalid(path, schema, text)


def defaults(schema: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the defaults of a structural schema, rules left out."""
    if '"default"' not in _text(schema):
        return []
    return list(_defaults(schema, path, is_meta=False, is_resource=True))


def _text(schema: JsonObject) -> str:
    import json  # noqa: PLC0415 - needed for CRDs only

    return json.dumps(schema)


def _defaults(schema: JsonObject, path: str, *, is_meta: bool, is_resource: bool) -> Iterator[Cause]:
    is_resource = is_resource or bool(schema.get("x-kubernetes-embedded-resource"))
    if schema.get("default") is not None and not is_meta:
        own = {**schema, "x-kubernetes-embedded-resource": True} if is_resource else schema
        yield from _default(own, schema["default"], f"{path}.default")
    # Below additionalProperties there are none that would be filled in.
    if isinstance(schema.get("items"), dict):
        yield from _defaults(schema["items"], f"{path}.items", is_meta=is_meta, is_resource=False)
    for name, child in (schema.get("properties") or {}).items():
        below_meta = is_meta or (is_resource and name in _META_FIELDS)
        yield from _defaults(child, f"{path}.properties[{name}]", is_meta=below_meta, is_resource=False)


def _default(schema: JsonObject, value: Any, path: str) -> Iterator[Cause]:
    from fairlead_schema.structural import compile_schema  # noqa: PLC0415 - needed for CRDs only
    from fairlead_schema.validation import checker  # noqa: PLC0415

    wrapper = compile_schema({"type": "object", "properties": {"default": schema}})
    pruned = {"default": deepcopy(value)}
    if wrapper.prune(pruned):
        yield wrong.invalid(path, value, "must not have unknown fields")
    unreadable = embedded.coerce(wrapper, pruned)
    if unreadable:
        at, _, text = unreadable.partition(": ")
        yield Cause("FieldValueInvalid", text, path + at.removeprefix("default"))
        return
    wrongs = embedded.problems(wrapper, {"default": value})
    if wrongs:
        yield from (replace(cause, field=path + cause.field.removeprefix("default")) for cause in wrongs)
        return
    for problem in checker(wrapper.properties["default"])(value) or ():
        cause = problem.cause()
        if cause.field in {"", "<nil>"}:
            yield replace(cause, field=path)
        else:
            yield replace(cause, field=path + ("" if cause.field.startswith("[") else ".") + cause.field)
