"""
Objects as tables, for clients that show columns.

Source: k8s.io/apimachinery/pkg/apis/meta/v1 (Table), k8s.io/apiextensions-apiserver/pkg/registry/customresource/
tableconvertor, k8s.io/kubernetes/pkg/printers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import jsonpath
from fairlead_control_plane.kinds.ages import Timed, age, seconds_of
from fairlead_control_plane.kinds.printers.pods import row_conditions
from fairlead_control_plane.kinds.record import Column, Resource, Version

IncludeObject = Literal["None", "Metadata", "Object"]
META_GROUP_VERSION = "meta.k8s.io/v1"
_MADE_ANNOTATIONS = {
    "DaemonSet": "deprecated.daemonset.template.generation",
    "HorizontalPodAutoscaler": "autoscaling.alpha.kubernetes.io/",
}
"""By kind, how annotations begin that stand for fields of Kubernetes' internal objects."""
NAME = Column("Name", format="name", cell=lambda obj: obj["metadata"].get("name", ""))
AGE = Column("Age", type="date", json_path=".metadata.creationTimestamp")


def table(
    resource: Resource,
    version: Version,
    objects: Iterable[JsonObject],
    include_object: IncludeObject | None = None,
    *,
    now: float,
    list_metadata: JsonObject | None = None,
) -> JsonObject:
    """
    Return a ``Table`` (meta.k8s.io/v1) of some objects.

    Args:
        resource, version: Whose columns; objects are in that version.
        objects: Decoded, with resourceVersion; not changed.
        include_object: What each row carries of its object; None means ``Metadata``, as when nothing is asked for.
        now: Seconds since the epoch, for ages.
        list_metadata: resourceVersion, continue, remainingItemCount of a list; for one object its resourceVersion.
    """
    columns = columns_of(resource, version)
    include = include_object or "Metadata"
    is_pod = (resource.group, resource.plural) == ("", "pods")
    stored = version.conversion.to_storage if version.conversion else None
    converted = resource.api_version(version.name)
    rows = []
    if resource.plural == "flowschemas" and resource.group == "flowcontrol.apiserver.k8s.io":
        objects = sorted(objects, key=_precedence)
    for obj in objects:
        # Cells are computed from the stored form, whatever version is shown.
        told = stored(obj) if stored and obj.get("apiVersion") == converted else obj
        cells = [_cell(column, told, now) for column in columns]
        rows.append(_row(obj, cells, include, is_pod=is_pod))
    return {
        "kind": "Table",
        "apiVersion": META_GROUP_VERSION,
        "metadata": list_metadata or {},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": rows,
    }


def _precedence(obj: JsonObject) -> tuple[int, str]:
    """Return the place of a FlowSchema among others: that in which requests are matched."""
    return (obj.get("spec") or {}).get("matchingPrecedence") or 0, obj["metadata"].get("name", "")


def columns_of(resource: Resource, version: Version) -> Sequence[Column]:
    """Return all columns: a built-in kind's own, else Name, then the declared ones, or Age when there are none."""
    if version.columns and version.columns[0].cell is not None:
        return version.columns
    del resource
    return (NAME, *(version.columns or (AGE,)))


def partial_metadata(obj: JsonObject, api_version: str = META_GROUP_VERSION) -> JsonObject:
    """Return the ``PartialObjectMetadata`` of an object, without the annotations in which a version carries fields."""
    metadata, made = obj["metadata"], _MADE_ANNOTATIONS.get(obj.get("kind", ""))
    if made and metadata.get("annotations"):
        kept = {key: value for key, value in metadata["annotations"].items() if not key.startswith(made)}
        metadata = {**metadata, "annotations": kept}
        if not kept:
            del metadata["annotations"]
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": metadata}


def _definition(column: Column) -> JsonObject:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(obj: JsonObject, cells: list[object], include: str, *, is_pod: bool) -> JsonObject:
    row: JsonObject = {"cells": cells}
    if is_pod and (conditions := row_conditions(obj)):
        row["conditions"] = conditions
    if include != "None":
        row["object"] = obj if include == "Object" else partial_metadata(obj)
    else:
        row["object"] = None
    return row


def _cell(column: Column, obj: JsonObject, now: float) -> object:
    if column.cell is not None:
        value = column.cell(obj)
        return value.render(now) if isinstance(value, Timed) else value
    try:
        found = jsonpath.find(column.json_path, obj)
    except jsonpath.PathError:
        return None
    return _convert(column.type, found[0], now) if found else None


def _convert(kind: str, value: Any, now: float) -> object:
    """Return a value as its column's type shows it; None when it is of another type."""
    convert = _CONVERSIONS.get(kind)
    if kind == "date":
        if not isinstance(value, str):
            return None
        return "<invalid>" if seconds_of(value) is None else age(value).render(now)
    return convert(value) if convert else None


def _text(value: Any) -> object:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode()


def _whole(value: Any) -> object:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: Any) -> object:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _truth(value: Any) -> object:
    return value if isinstance(value, bool) else None


_CONVERSIONS: dict[str, Callable[[Any], object]] = {
    "string": _text,
    "integer": _whole,
    "number": _number,
    "boolean": _truth,
}
