"""
CustomResourceDefinitions. Whether names are accepted and when it is established a controller decides elsewhere.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/{v1/defaults.go,validation/validation.go},
pkg/registry/customresourcedefinition/strategy.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies import approval, conversions, definition_rules, definition_schemas
from fairlead_control_plane.kinds.strategies.metadata import immutable

_SCOPES = ("Cluster", "Namespaced")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MAX_SELECTABLE = 8
_SELECTABLE_TYPES = ("string", "boolean", "integer")
_NOT_SELECTABLE = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
)
_NO_PRESERVING = (
    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
)
_MAX_WARNING_BYTES = 256
# Where a property is the same in all versions, Kubernetes speaks of it once, by its old place.
_COMMON_PLACE = {
    "schema": "spec.validation",
    "subresources": "spec.subresources",
    "additionalPrinterColumns": "spec.additionalPrinterColumns",
    "selectableFields": "spec.selectableFields",
}
_GO_FLAGS = ("name", "served", "storage", "deprecated")
_SCALE_PATHS: Mapping[str, tuple[tuple[str, ...], str, bool]] = {
    "specReplicasPath": ((".spec.",), ".spec", True),
    "statusReplicasPath": ((".status.",), ".status", True),
    "labelSelectorPath": ((".spec.", ".status."), "either .spec or .status", False),
}


def _default(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if not names.get("singular"):
        names["singular"] = str(names.get("kind", "")).lower()
    if not names.get("listKind") and names.get("kind"):
        names["listKind"] = f"{names['kind']}List"
    conversion = spec.setdefault("conversion", {})
    conversion.setdefault("strategy", "None")
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
    normalise(obj)


def _prepare_create(obj: JsonObject) -> None:
    _default(obj)
    versions = obj["spec"].get("versions") or ()
    stored = [version["name"] for version in versions if version.get("storage") and version.get("name")]
    accepted = {"plural": "", "kind": ""}
    obj["status"] = {"conditions": None, "acceptedNames": accepted, "storedVersions": stored[:1]}


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    """Remember that objects may from now on be stored in the new storage version."""
    del old
    _default(new)
    status = new.get("status")
    if not status:
        return
    stored = status.setdefault("storedVersions", []) or []
    for version in new["spec"].get("versions") or ():
        if version.get("storage") and version.get("name") not in stored:
            stored.append(version["name"])
    status["storedVersions"] = stored


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    names, group = spec.get("names") or {}, spec.get("group") or ""
    causes: list[Cause] = []
    is_new = not obj["metadata"].get("resourceVersion")  # a name cannot change, so it is checked once
    if is_new and not _is_core(obj, names):
        causes += _name(obj["metadata"], f"{names.get('plural', '')}.{group}")
    causes += _group(group, obj, names)
    scope = spec.get("scope") or ""
    if scope not in _SCOPES:
        causes.append(wrong.not_supported("spec.scope", scope, _SCOPES) if scope else wrong.required("spec.scope"))
    versions = spec.get("versions")
    causes += [
        wrong.required(f"spec.versions[{i}].schema.openAPIV3Schema")
        for i, version in enumerate(versions or ())
        if (version.get("schema") or {}).get("openAPIV3Schema") is None
    ]
    causes += _versions(versions)
    causes += [
        wrong.required(f"spec.names.{f}") for f in ("plural", "singular", "kind", "listKind") if not names.get(f)
    ]
    if spec.get("preserveUnknownFields"):
        causes.append(wrong.invalid("spec.preserveUnknownFields", True, _NO_PRESERVING))
    if is_new:
        causes += _stored((obj.get("status") or {}).get("storedVersions"), versions or ())
    causes += _names(names, "spec.names") + conversions.problems(spec.get("conversion") or {})
    return causes + (definition_rules.problems(obj, None) + approval.problems(obj, None) if is_new else [])


def _stored(stored: Sequence[str] | None, versions: Sequence[JsonObject]) -> list[Cause]:
    if not stored:
        return [wrong.invalid("status.storedVersions", None, "must have at least one stored version")]
    causes, left = [], set(stored)
    for version in versions:
        name = version.get("name") or ""
        if version.get("storage") and name not in left:
            causes.append(wrong.invalid("status.storedVersions", list(stored), f"must have the storage version {name}"))
        left.discard(name)
    return causes


def _name(metadata: JsonObject, wanted: str) -> list[Cause]:
    text = 'must be spec.names.plural+"."+spec.group'
    stem, name = metadata.get("generateName") or "", metadata.get("name") or ""
    causes = [] if name in {"", wanted} else [wrong.invalid("metadata.name", name, text)]
    if stem and stem.removesuffix("-") + "a" * stem.endswith("-") != wanted:
        causes.append(wrong.invalid("metadata.generateName", stem, text))
    return causes


def _is_core(obj: JsonObject, names: JsonObject) -> bool:
    """Tell a CRD of the core group, which kcp allows: named ``pods.core``, of group ``""``."""
    return not obj["spec"].get("group") and obj["metadata"].get("name") == f"{names.get('plural')}.core"


def _group(group: str, obj: JsonObject, names: JsonObject) -> list[Cause]:
    if not group:
        return [] if _is_core(obj, names) else [wrong.required("spec.group")]
    messages = validation.dns1123_subdomain(group)
    if messages:
        return [wrong.invalid("spec.group", group, ",".join(messages))]
    if "." not in group:
        return [wrong.invalid("spec.group", group, "should be a domain with at least one dot")]
    return []


def _versions(given: Sequence[JsonObject] | None) -> list[Cause]:
    causes: list[Cause] = []
    versions = given or ()
    for index, version in enumerate(versions):
        name = version.get("name") or ""
        messages = validation.dns1035_label(name)
        if messages:
            causes.append(wrong.invalid(f"spec.versions[{index}].name", name, ",".join(messages)))
            if index == 0:
                causes.append(wrong.invalid("spec.version", name, ",".join(messages)))
        warning = version.get("deprecationWarning")
        if warning is not None:
            causes += _warning(warning, bool(version.get("deprecated")), f"spec.versions[{index}].deprecationWarning")
    for field, common_place in _COMMON_PLACE.items():
        values = [version.get(field) for version in versions]
        if values and all(value == values[0] for value in values):
            has_status = any(map(_has_status, versions))
            causes += _version_part(field, versions[0], common_place, has_status=has_status)
        else:
            for index, version in enumerate(versions):
                at = f"spec.versions[{index}].{field}"
                causes += _version_part(field, version, at, has_status=_has_status(version))
    if len({version.get("name") for version in versions}) != len(versions):
        causes.append(wrong.invalid("spec.versions", _as_go(given), "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        text = "must have exactly one version marked as storage version"
        causes.append(wrong.invalid("spec.versions", _as_go(given), text))
    return causes


def _has_status(version: JsonObject) -> bool:
    return (version.get("subresources") or {}).get("status") is not None


def _as_go(versions: Sequence[JsonObject] | None) -> list[JsonObject] | None:
    """Return versions as Kubernetes prints its internal ones, without what is the same in all of them."""
    if versions is None:
        return None
    return [
        {
            **{
                name.capitalize(): bool(version.get(name)) if name != "name" else version.get(name, "")
                for name in _GO_FLAGS
            },
            "DeprecationWarning": version.get("deprecationWarning"),
            **{
                f"{field[0].upper()}{field[1:]}": None
                if all(one.get(field) == version.get(field) for one in versions)
                else version.get(field)
                for field in _COMMON_PLACE
            },
        }
        for version in versions
    ]


def _warning(text: str, is_deprecated: bool, path: str) -> list[Cause]:
    messages = []
    if not is_deprecated:
        messages.append("can only be set for deprecated versions")
    if not text:
        messages.append("must not be an empty string")
    if len(text.encode()) > _MAX_WARNING_BYTES:
        messages.append(f"must be <= {_MAX_WARNING_BYTES} characters long")
    odd = next((index for index, letter in enumerate(text) if not letter.isprintable()), None)
    if odd is not None:
        place = len(text[:odd].encode())
        what = "must only contain printable UTF-8 characters; non-printable character found at index"
        messages.append(f"{what} {place}")
    return [wrong.invalid(path, text, message) for message in messages]


def _version_part(field: str, version: JsonObject, path: str, *, has_status: bool) -> list[Cause]:
    value = version.get(field)
    if not value:
        return []
    if field == "schema":
        schema = value.get("openAPIV3Schema")
        at = f"{path}.openAPIV3Schema"
        return [] if schema is None else definition_schemas.problems(schema, at, has_status=has_status)
    if field == "subresources":
        return _subresources(value, path)
    if field == "selectableFields":
        return _selectable(value, (version.get("schema") or {}).get("openAPIV3Schema") or {}, path)
    return [cause for index, column in enumerate(value) for cause in _column(column, f"{path}[{index}]")]


def _column(column: JsonObject, path: str) -> list[Cause]:
    causes = [] if column.get("name") else [wrong.required(f"{path}.name")]
    kind, form, json_path = column.get("type") or "", column.get("format") or "", column.get("jsonPath") or ""
    allowed = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        causes.append(wrong.required(f"{path}.type", allowed))
    elif kind not in _COLUMN_TYPES:
        causes.append(wrong.invalid(f"{path}.type", kind, allowed))
    if form and form not in _COLUMN_FORMATS:
        causes.append(wrong.invalid(f"{path}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}"))
    if not json_path:
        return [*causes, wrong.required(f"{path}.JSONPath")]
    return causes + _simple_path(json_path, f"{path}.JSONPath")


def _simple_path(text: str, path: str) -> list[Cause]:
    if text.startswith("."):
        return []
    return [wrong.invalid(path, text, "must be a simple json path starting with .")]


def _subresources(subresources: JsonObject, path: str) -> list[Cause]:
    scale = subresources.get("scale")
    if scale is None:
        return []
    causes: list[Cause] = []
    for field, (prefixes, place, is_required) in _SCALE_PATHS.items():
        at, value = f"{path}.scale.{field}", scale.get(field) or ""
        if not value:
            causes += [wrong.required(at)] if is_required else []
        elif not (problems := _simple_path(value, at)) and not value.startswith(prefixes):
            causes.append(wrong.invalid(at, value, f"should be a json path under {place}"))
        else:
            causes += problems
    return causes


def _declared(schema: JsonObject, json_path: str) -> tuple[JsonObject, str]:
    """Return the schema of the field at a path of names alone, or why there is none."""
    tokens = [token for token in re.split(r"([.\[\]])", json_path) if token]
    for place in range(0, len(tokens), 2):
        if tokens[place] == "[":
            return {}, "array notation is not allowed"
        if tokens[place] != ".":
            return {}, f"expected [ or . but got: {tokens[place]}"
        if place + 1 == len(tokens):
            return {}, "unexpected end of JSON path"
        fields, extra = schema.get("properties"), schema.get("additionalProperties")
        child = fields.get(tokens[place + 1]) if fields else extra
        if not isinstance(child, dict):
            return {}, "does not refer to a valid field"
        schema = child
    return schema, ""


def _selectable(fields: Sequence[JsonObject], schema: JsonObject, path: str) -> list[Cause]:
    if not schema:
        return [wrong.invalid(path, "", "may only be set when validations.schema is included")]
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, field in enumerate(fields):
        at, json_path = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not json_path:
            causes.append(wrong.required(at))
            continue
        found, problem = _declared(schema, json_path)
        if problem:
            causes.append(wrong.invalid(at, json_path, f"is an invalid path: {problem}"))
            continue
        if found.get("type") not in _SELECTABLE_TYPES:
            causes.append(wrong.invalid(at, json_path, _NOT_SELECTABLE))
        if json_path.startswith(".metadata"):
            causes.append(wrong.invalid(at, json_path, "must not point to fields in metadata"))
        if json_path in seen:
            causes.append(wrong.duplicate(at, json_path))
        seen.add(json_path)
    if len(seen) > _MAX_SELECTABLE:
        causes.append(wrong.too_many(path, len(seen), _MAX_SELECTABLE))
    return causes


def _names(names: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field, prefix in (("plural", ""), ("singular", ""), ("kind", "mixed"), ("listKind", "mixed")):
        value = names.get(field) or ""
        messages = validation.dns1035_label(value.lower() if prefix else value) if value else []
        if messages:
            lead = "may have mixed case, but should otherwise match: " if prefix else ""
            causes.append(wrong.invalid(f"{path}.{field}", value, lead + ",".join(messages)))
    for field in ("shortNames", "categories"):
        for index, value in enumerate(names.get(field) or ()):
            messages = validation.dns1035_label(value)
            if messages:
                causes.append(wrong.invalid(f"{path}.{field}[{index}]", value, ",".join(messages)))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        text = "kind and listKind may not be the same"
        causes.append(wrong.invalid(f"{path}.listKind", names["listKind"], text))
    return causes


def _is_established(obj: JsonObject) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Established" and one.get("status") == "True" for one in conditions)


def _validate_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    names, names_before = spec.get("names") or {}, before.get("names") or {}
    causes: list[Cause] = []
    if _is_established(old):
        causes += immutable(spec.get("scope"), before.get("scope"), "spec.scope")
        causes += immutable(names.get("kind"), names_before.get("kind"), "spec.names.kind")
    causes += immutable(spec.get("group"), before.get("group"), "spec.group")
    causes += immutable(names.get("plural"), names_before.get("plural"), "spec.names.plural")
    known = {version.get("name") for version in spec.get("versions") or ()}
    if spec == before:
        return causes + approval.problems(new, old)  # whoever writes the status alone may say what he likes
    causes += definition_rules.problems(new, old)
    causes += _stored((new.get("status") or {}).get("storedVersions"), spec.get("versions") or ())
    for index, stored in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if stored not in known:
            path = f"status.storedVersions[{index}]"
            causes.append(wrong.invalid(path, stored, "missing from spec.versions; " + stored + " was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in " + stored + " and removes " + stored + " from status.storedVersions"))  # fmt: skip  # noqa: E501
    return causes + approval.problems(new, old)


CUSTOM_RESOURCE_DEFINITION = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=_validate,
    validate_update=_validate_update,
    generation_of=lambda obj: obj.get("spec"),
)
