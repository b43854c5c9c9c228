"""
What Kubernetes' own documents say of its kinds, read from ``data/`` when first asked for.

``data/`` is written by ``scripts/generate_kinds.py`` and ``scripts/probe_kinds.py``; nothing in it is edited by hand.
Everything returned here is shared: callers must not change it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_schema.defaulting import POINTER

REFERENCE = "#/components/schemas/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
# Looks like a default from outside, and depends on what annotations carry; or is the volume's, not of any such spec.
_BY_STRATEGY = frozenset(
    {
        ("io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec", "targetCPUUtilizationPercentage"),
        ("io.k8s.api.core.v1.PersistentVolumeSpec", "persistentVolumeReclaimPolicy"),
        ("io.k8s.api.core.v1.PersistentVolumeSpec", "volumeMode"),
        ("io.k8s.api.resource.v1.ExactDeviceRequest", "count"),
    }
)


def _load(name: str) -> Any:
    return orjson.loads((files("fairlead_control_plane.kinds") / "data" / name).read_bytes())


@cache
def manifest() -> Mapping[str, str]:
    """Return the Kubernetes version under ``kubernetes`` and the SHA-256 of each data file by its name."""
    found: dict[str, str] = _load("manifest.json")
    return found


@cache
def definitions() -> Mapping[str, JsonObject]:
    """Return every OpenAPI definition by its bare name, with the defaults that the server applies filled in."""
    found: dict[str, JsonObject] = _load("definitions.json")
    for name, defaults in _load("defaults.json").items():
        properties = found[name]["properties"]
        for field, value in defaults.items():
            if (name, field) in _BY_STRATEGY:
                continue
            if value == {} and "default" not in properties[field]:
                properties[field][POINTER] = True  # a struct's own default is in the document itself
            properties[field]["default"] = value
    return found


@cache
def served() -> Sequence[JsonObject]:
    """Return ``{group, version, resources}`` in Kubernetes' discovery order, core first, preferred versions first."""
    found: list[JsonObject] = _load("resources.json")
    return found


@cache
def types() -> Mapping[str, Sequence[Sequence[Any]]]:
    """Return the fields of each Go struct: ``[number, json name, type, shape, keeps empty, flags...]``."""
    found: dict[str, Sequence[Sequence[Any]]] = _load("types.json")
    return found


@cache
def internal_types() -> Mapping[str, Sequence[Sequence[Any]]]:
    """Return the fields of internal Go structs (``core.PodSpec``): ``[shown name, own name, type, form, omitted]``."""
    found: dict[str, Sequence[Sequence[Any]]] = _load("internal.json")
    return found


@cache
def _columns() -> Mapping[str, Sequence[Sequence[Any]]]:
    found: dict[str, Sequence[Sequence[Any]]] = _load("columns.json")
    return found


def columns(group: str, version: str, plural: str) -> Sequence[Sequence[Any]]:
    """Return the printer columns ``[name, type, format, priority]`` of a resource; empty when it cannot be listed."""
    return _columns().get(f"{group}/{version}/{plural}", ())


@cache
def _names() -> Mapping[tuple[str, str, str], str]:
    """Return definition names by kind; a kind that many groups share is named by its own package."""
    found: dict[tuple[str, str, str], str] = {}
    for name, schema in definitions().items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            found.setdefault((kind["group"], kind["version"], kind["kind"]), name)
    return found


def definition_name(group: str, version: str, kind: str) -> str:
    """
    Return the name of a kind's definition, ``io.k8s.api.apps.v1.Deployment``.

    Raises:
        KeyError: Not a built-in kind.
    """
    return _names()[(group, version, kind)]


@cache
def enum(definition: str, field: str) -> tuple[str, ...]:
    """Return the closed value set of a field (``core.v1.PodSpec``, ``restartPolicy``), in Kubernetes' order."""
    schema = definitions()[f"io.k8s.api.{definition}"]["properties"][field]
    return tuple(schema.get("enum") or schema["items"]["enum"])
