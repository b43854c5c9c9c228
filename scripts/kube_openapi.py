"""Read the OpenAPI and discovery documents that ship inside the Kubernetes Go module: facts only, no descriptions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_ENUM_FUNCTION = re.compile(r"^func schema_(\w+)\(ref ", re.MULTILINE)
_FIELD = re.compile(r'^\t+"([$\w-]+)": \{$')
_ENUM = re.compile(r"^\t+Enum: +\[\]interface\{\}\{(.*)\},$")


def definitions(module: Path) -> dict[str, Any]:
    """
    Return every schema of the module's OpenAPI v3 documents by name, in the order of names.

    ``allOf`` around a single reference is folded into a ``$ref`` with siblings; defaults of list and map items, which
    say nothing, are left out; closed value sets are added as ``enum``.
    """
    found: dict[str, Any] = {}
    for path in sorted((module / "api/openapi-spec/v3").glob("*.json")):
        schemas = json.loads(path.read_text()).get("components", {}).get("schemas", {})
        for name, schema in schemas.items():
            kinds = _kinds(schema) + [kind for kind in _kinds(found.get(name, {})) if kind not in _kinds(schema)]
            found[name] = _fold(schema)
            if kinds:
                kinds.sort(key=lambda kind: (kind["group"], kind["version"]))
                found[name]["x-kubernetes-group-version-kind"] = kinds
    _add_enums(found, (module / "pkg/generated/openapi/zz_generated.openapi.go").read_text())
    return dict(sorted(found.items()))


def _kinds(schema: dict[str, Any]) -> list[dict[str, str]]:
    return list(schema.get("x-kubernetes-group-version-kind", ()))


def _fold(schema: Any, *, item: bool = False) -> Any:
    """Return a schema without descriptions, ``allOf`` folded, with sorted keys."""
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {}
    for key, value in sorted(schema.items()):
        if key == "description" or (key == "default" and item):
            continue
        if key == "allOf" and len(value) == 1:
            result.update(value[0])
        elif key == "properties":
            result[key] = {name: _fold(child) for name, child in sorted(value.items())}
        elif key in {"items", "additionalProperties"}:
            result[key] = _fold(value, item=True)
        else:
            result[key] = value
    return result


def _add_enums(found: dict[str, Any], source: str) -> None:
    """Read the closed value sets out of the generated Go functions, one function for one type."""
    names: dict[str, str] = {}
    for name in found:
        names["_".join(name.split(".")[-3:])] = name
    pieces = _ENUM_FUNCTION.split(source)
    for function, body in zip(pieces[1::2], pieces[2::2], strict=True):
        target = next((names[key] for key in (_tail(function),) if key in names), None)
        if target is None or "Enum:" not in body:
            continue
        field = ""
        for line in body.splitlines():
            if match := _FIELD.match(line):
                field = match[1]
            elif match := _ENUM.match(line):
                _set_enum(found[target]["properties"], field, json.loads(f"[{match[1]}]"))


def _set_enum(properties: dict[str, Any], field: str, values: list[str]) -> None:
    schema = properties.get(field)
    if schema is None:
        return
    inner = schema.get("items") or schema.get("additionalProperties")
    (inner if isinstance(inner, dict) else schema)["enum"] = values


def _tail(function: str) -> str:
    return "_".join(function.split("_")[-3:])


def resources(module: Path) -> list[dict[str, Any]]:
    """
    Return every served group version in discovery order, core first.

    Each is ``{group, version, resources: [{plural, singular, kind, namespaced, shortNames, categories, verbs,
    storageVersionHash, subresources: [{name, group, version, kind, verbs}]}]}``; the first version of a group is the
    preferred one.
    """
    folder = module / "api/discovery"
    found = [_group_version(folder / "api__v1.json", "", "v1")]
    for item in json.loads((folder / "aggregated_v2.json").read_text())["items"]:
        group = item["metadata"].get("name", "")
        for version in item["versions"]:
            name = version["version"]
            found.append(_group_version(folder / f"apis__{group}__{name}.json", group, name))
    return found


def _group_version(path: Path, group: str, version: str) -> dict[str, Any]:
    listed = json.loads(path.read_text())["resources"]
    by_name: dict[str, dict[str, Any]] = {}
    for entry in listed:
        plural, _, subresource = entry["name"].partition("/")
        target = by_name.setdefault(plural, {"plural": plural})
        if subresource:
            target.setdefault("subresources", []).append(
                {
                    "name": subresource,
                    "group": entry.get("group", group),
                    "version": entry.get("version", version),
                    "kind": entry["kind"],
                    "verbs": entry["verbs"],
                }
            )
            continue
        target.update(
            {
                "singular": entry["singularName"],
                "kind": entry["kind"],
                "namespaced": entry["namespaced"],
                "verbs": entry["verbs"],
            }
        )
        for key in ("shortNames", "categories", "storageVersionHash"):
            if entry.get(key):
                target[key] = entry[key]
    return {"group": group, "version": version, "resources": [by_name[name] for name in sorted(by_name)]}
