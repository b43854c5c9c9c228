"""The kinds that are asked for: their paths, valid objects, and what the real server says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fairlead_api import JsonObject
from tests.fuzz.asked import Edit

FILE = Path(__file__).with_name("kinds.yaml")
_SUBRESOURCES = ("status", "approval", "scale", "eviction", "binding", "ephemeralcontainers", "resize", "token")


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A collection and what may be asked of it.

    Attributes:
        key: Group, version and plural, as ``apps/v1/deployments`` or ``v1/pods``.
        name: The kind, as ``Deployment``.
        is_namespaced: Whether its objects live in namespaces.
        subresources: Of those that are asked for: ``status``, ``approval``, ``scale``, ``eviction``, ``binding``,
            ``ephemeralcontainers``, ``resize``, ``token``.
        templates: Valid contents, without apiVersion, kind and metadata.
        edits: Changes that are allowed.
        status: A valid status.
        schema: OpenAPI, with references into the document it is from; of a CRD, its own.
        is_custom: Whether it is of a CRD.
    """

    key: str
    name: str
    is_namespaced: bool
    subresources: frozenset[str] = frozenset()
    templates: tuple[JsonObject, ...] = ()
    edits: tuple[Edit, ...] = ()
    status: Any = None
    schema: JsonObject = field(default_factory=dict)
    is_custom: bool = False

    @property
    def api_version(self) -> str:
        """Group and version."""
        return self.key.rpartition("/")[0]

    @property
    def collection(self) -> str:
        """The path of the collection in the sequence's namespace."""
        prefix = "/api/" if self.key.count("/") == 1 else "/apis/"
        middle = "/namespaces/${ns}" if self.is_namespaced else ""
        return f"{prefix}{self.api_version}{middle}/{self.key.rpartition('/')[2]}"

    def name_of(self, slot: str) -> str:
        """Return the name of an object in a sequence: ``slot``, unless others could meet it."""
        return slot if self.is_namespaced else f"${{id}}-{slot}"

    def object(self, template: JsonObject, slot: str) -> JsonObject:
        """Return a whole object; all carry the sequence's own word as a label."""
        metadata = {"name": self.name_of(slot), "labels": {"fuzz": "${id}", "slot": slot}}
        return {"apiVersion": self.api_version, "kind": self.name, "metadata": metadata, **template}


def load_kinds(discovered: Mapping[str, JsonObject], schemas: Schemas) -> list[Kind]:
    """Return the built-in kinds of the file; ``discovered`` is APIResource by key, subresources among them."""
    return [
        Kind(
            key=key,
            name=discovered[key]["kind"],
            is_namespaced=discovered[key]["namespaced"],
            subresources=frozenset(each for each in _SUBRESOURCES if f"{key}/{each}" in discovered),
            templates=tuple(found["templates"]),
            edits=tuple(Edit("set", at, value) for at, value in found["edits"]),
            status=found.get("status"),
            schema=schemas.of(key.rpartition("/")[0], discovered[key]["kind"]),
        )
        for key, found in yaml.safe_load(FILE.read_text())["kinds"].items()
    ]


class Schemas:
    """The OpenAPI document (version 2) of the real server."""

    def __init__(self, document: JsonObject) -> None:
        self._definitions: dict[str, JsonObject] = document.get("definitions", {})
        self._by_kind = {
            (each["group"], each["version"], each["kind"]): schema
            for schema in self._definitions.values()
            for each in schema.get("x-kubernetes-group-version-kind", ())
        }

    def of(self, api_version: str, kind: str) -> JsonObject:
        """Return the schema of a kind; an empty one when it is not known."""
        group, _, version = api_version.rpartition("/")
        found: JsonObject = self._by_kind.get((group, version, kind), {})
        return found

    def resolved(self, schema: JsonObject) -> JsonObject:
        """Return what a schema refers to, or itself."""
        found = schema
        while reference := found.get("$ref"):
            found = self._definitions[reference.rpartition("/")[2]]
        return found

    def child(self, schema: JsonObject, key: str | int) -> JsonObject:
        """Return the schema of a member or item; an empty one when it has none."""
        if isinstance(key, int):
            return self.resolved(schema.get("items") or {})
        found = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
        return self.resolved(found) if isinstance(found, dict) else {}

    def walk(self, value: Any, schema: JsonObject, at: tuple[str | int, ...] = ()) -> Iterator[Place]:
        """Yield every place in a value, but for the value itself."""
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, member in members:
            below = self.child(schema, key)
            yield Place((*at, key), member, below)
            yield from self.walk(member, below, (*at, key))


@dataclass(frozen=True, slots=True)
class Place:
    """A value in an object, how to get there, and its schema."""

    at: tuple[str | int, ...]
    value: Any
    schema: JsonObject
