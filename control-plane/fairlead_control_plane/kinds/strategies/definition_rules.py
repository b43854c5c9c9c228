"""
Rules in the schemas of CustomResourceDefinitions: checked when a schema comes in or changes.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies import definition_schemas
from fairlead_schema.ruled import has_rules


def problems(obj: JsonObject, old: JsonObject | None) -> list[Cause]:
    """
    Return what is wrong with ``x-kubernetes-validations``.

    Args:
        obj: The definition; not changed.
        old: The one before, None on create. In a version whose schema is the same single rules may cost what they did.
    """
    schemas = _schemas(obj)
    if not any(schemas):
        return []
    before = {} if old is None else dict(zip(_names(old), _schemas(old), strict=True))
    if all(schema == schemas[0] for schema in schemas):
        known = all(before.get(name) == schemas[0] for name in _names(obj))
        return _of(schemas[0], "spec.validation.openAPIV3Schema", is_known=known)
    return [
        cause
        for index, (name, schema) in enumerate(zip(_names(obj), schemas, strict=True))
        for cause in _of(schema, f"spec.versions[{index}].schema.openAPIV3Schema", is_known=before.get(name) == schema)
    ]


def _names(obj: JsonObject) -> list[str]:
    return [version.get("name") or "" for version in (obj.get("spec") or {}).get("versions") or ()]


def _schemas(obj: JsonObject) -> list[JsonObject]:
    versions = (obj.get("spec") or {}).get("versions") or ()
    return [(version.get("schema") or {}).get("openAPIV3Schema") or {} for version in versions]


def _of(schema: JsonObject, path: str, *, is_known: bool) -> list[Cause]:
    if not has_rules(schema):
        return []
    from fairlead_schema.rule_defaults import check_defaults  # noqa: PLC0415 - few definitions have rules
    from fairlead_schema.rule_definitions import check_definition  # noqa: PLC0415

    is_structural = definition_schemas.is_sound(schema, path)
    causes = check_defaults(schema, path) if is_structural else []
    compiles = is_structural and not causes
    return causes + check_definition(schema, path, compiles=compiles, limits_each=not is_known)
