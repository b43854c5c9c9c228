"""The APIResourceSchemas that root and root:compute export, made from the kinds the server has."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.builtin import as_api_resource_schema, compute_resources
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.kinds.record import Column, Resource, Version
from fairlead_control_plane.main.bootstrap import Schemas
from fairlead_control_plane.main.bootstrap_objects import COMPUTE_SCHEMA_PREFIX, SYSTEM_EXPORTS

_APPROVED = {"api-approved.kubernetes.io": "https://github.com/kubernetes/enhancements"}
_PREFIX_LENGTH = 8


def exported_schemas() -> Schemas:
    """Return what to export; nothing large is made before it is asked for."""
    ours = [(kind, _spec(kind)) for kind in own_resources() if kind.group in SYSTEM_EXPORTS]
    known = orjson.dumps([[spec for _, spec in ours], dict(facts.manifest()), COMPUTE_SCHEMA_PREFIX])

    def system() -> dict[str, Sequence[JsonObject]]:
        return {
            export: [_schema(kind, spec) for kind, spec in ours if kind.group == export] for export in SYSTEM_EXPORTS
        }

    def compute() -> list[JsonObject]:
        return [_compute_schema(kind) for kind in compute_resources()]

    return Schemas(sha256(known).hexdigest(), system, compute)


def _schema(kind: Resource, spec: JsonObject) -> JsonObject:
    """Return a schema named by its content: it cannot be changed, so another content is another schema."""
    prefix = "v" + sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()[:_PREFIX_LENGTH]
    return {"metadata": {"name": f"{prefix}.{kind.plural}.{kind.group}"}, "spec": spec}


def _compute_schema(kind: Resource) -> JsonObject:
    made = as_api_resource_schema(kind, COMPUTE_SCHEMA_PREFIX)
    metadata = dict(made["metadata"])
    if kind.group.endswith(".k8s.io"):
        metadata["annotations"] = dict(_APPROVED)
    return {"metadata": metadata, "spec": made["spec"]}


def _spec(kind: Resource) -> JsonObject:
    names: JsonObject = {
        "plural": kind.plural,
        "singular": kind.singular,
        "kind": kind.kind,
        "listKind": kind.list_kind,
        "categories": list(kind.categories),
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    return {
        "group": kind.group,
        "names": names,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "versions": [_version(version) for version in kind.versions],
    }


def _version(version: Version) -> JsonObject:
    made: JsonObject = {
        "name": version.name,
        "served": version.served,
        "storage": version.storage,
        "schema": version.open_api,
    }
    if "status" in version.subresources:
        made["subresources"] = {"status": {}}
    columns = [_column(column) for column in version.columns if column.json_path]
    return {**made, "additionalPrinterColumns": columns} if columns else made


def _column(column: Column) -> JsonObject:
    made: JsonObject = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.description:
        made["description"] = column.description
    return {**made, "priority": column.priority} if column.priority else made
