"""
Objects as clients see them: stored bytes with a resourceVersion put in, or a Table, or metadata alone.

The first of these never decodes. Several versions without conversion differ in their ``apiVersion`` only, which
stands at the front of the stored bytes and is exchanged there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import orjson
import yaml

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.printers.registry import SCALE
from fairlead_control_plane.kinds.record import Resource, Version
from fairlead_control_plane.kinds.table import IncludeObject, partial_metadata, table
from fairlead_control_plane.registry import settling
from fairlead_control_plane.registry.call import Target
from fairlead_control_plane.registry.joined import JoinedItems
from fairlead_control_plane.registry.media import OBJECT, TABLE, Form
from fairlead_control_plane.store.contract import Row
from fairlead_schema.apply import nothing

_EMPTY: JsonObject = {"spec": {}, "status": {}}
_REPLICAS_CONVERTED = frozenset({"deployments.apps", "replicasets.apps", "statefulsets.apps"})
"""Whose bookmarks come out of Kubernetes' internal types, which have replicas always."""
_TYPE = frozenset({"kind", "apiVersion"})
_NO_COLUMNS = b'"columnDefinitions":null'


class Renderer:
    """
    Shows the objects of one resource in one version and form.

    Args:
        now_s: For the ages in Tables.
        has_columns: Tables name their columns; those of a watch do so once, see :meth:`with_columns`.
    """

    def __init__(self, target: Target, form: Form, now_s: float, *, has_columns: bool = True) -> None:
        self._has_columns = has_columns
        self._target = target
        self._resource: Resource = target.resource
        self._version: Version = target.version
        self._api_version = target.api_version
        self._form = form
        self._now_s = now_s
        self._convert = target.version.conversion
        # Of kinds with two shapes, metadata alone is shown as it is stored.
        self._shows_stored = (
            self._convert is not None
            and self._convert.is_whole
            and form.kind != OBJECT
            and (form.kind != TABLE or form.include != "Object")
        )
        self._head = b'{"kind":"%b","apiVersion":"%b","metadata":{' % (
            target.resource.kind.encode(),
            self._api_version.encode(),
        )
        # Kubernetes leaves kind and apiVersion out of the items of its own kinds' lists, not of custom ones.
        self._item_head = b'{"metadata":{' if target.resource.origin == "builtin" else self._head
        self.key = (target.version.name, form, target.resource.since)

    def one(self, value: bytes, revision: int) -> bytes:
        """Return a single object (get, watch) as JSON."""
        value = self._settled(value)
        if self._form.kind == OBJECT and self._convert is None:
            offset = int.from_bytes(value[:4], "big") + 4
            if not revision:  # a dry run's create has no version
                return self._head + value[offset:]
            return b'%b"resourceVersion":"%d",%b' % (self._head, revision, value[offset:])
        obj = self._decoded(value, revision)
        if self._form.kind == OBJECT:
            return orjson.dumps(obj)
        if self._form.kind == TABLE:
            return orjson.dumps(self._table([obj], _version_only(obj["metadata"])))
        return orjson.dumps(self._partial(obj))

    def scale(self, scale: JsonObject) -> bytes:
        """Return an object's Scale as JSON; those of custom kinds are never shown as Tables."""
        if self._form.kind != TABLE or self._version.open_api:
            return orjson.dumps(scale)
        columned = replace(self._version, columns=SCALE, conversion=None)
        return orjson.dumps(self._table([scale], _version_only(scale["metadata"]), columned))

    def unstored(self, obj: JsonObject) -> bytes:
        """Return an answer that is not stored, a review, as JSON; Tables of those there are none."""
        return orjson.dumps(obj if self._form.kind == OBJECT else self._partial(obj))

    def empty(self, metadata: JsonObject) -> JsonObject:
        """Return an object that says nothing but its metadata: a bookmark."""
        if self._form.kind == TABLE:
            # As in Kubernetes, where a bookmark is an object like any other, its row included.
            return self._table([{**_EMPTY, "metadata": metadata}], _version_only(metadata))
        if self._form.kind == OBJECT:
            # Of a Go type there is what it never leaves out.
            unset = {} if self._version.open_api else nothing(self._version.schema())
            if self._resource.name in _REPLICAS_CONVERTED:
                unset = {**unset, "spec": {"replicas": 0, **unset["spec"]}}
            return {"kind": self._resource.kind, "apiVersion": self._api_version, **unset, "metadata": metadata}
        return self._partial({"metadata": metadata})

    def decode(self, value: bytes, revision: int) -> JsonObject:
        """Return an object in the target's version as a fresh dict."""
        return self._decoded(self._settled(value), revision)

    def _settled(self, value: bytes) -> bytes:
        """Return the bytes of an object that was just written, as its version has it; rows that were read are."""
        if self._version.is_as_stored or value.startswith(self._head, 4):
            return value
        return settling.settled(self._target, value)

    def _decoded(self, value: bytes, revision: int) -> JsonObject:
        if self._shows_stored:
            obj: JsonObject = orjson.loads(memoryview(value)[4:])
            if revision:
                obj["metadata"]["resourceVersion"] = str(revision)
            return obj
        return shown(orjson.loads(memoryview(value)[4:]), revision, self._version, self._api_version)

    def bytes_list(
        self, rows: Sequence[Row], meta: JsonObject, joined: JoinedItems | None = None, prefix: str = ""
    ) -> bytes:
        """
        Return a list as JSON.

        Args:
            rows: The items.
            meta: The list's ``metadata``.
            joined: Where the items are kept for the next list; only for whole collections.
            prefix: Of the collection.
        """
        if self._version.open_api and self._form.kind == OBJECT:
            meta = {"continue": "", **meta}  # as Kubernetes writes lists of objects it has no types for
        kind = self._resource.list_kind or f"{self._resource.kind}List"
        if self._form.kind == OBJECT and self._convert is None:
            key = (prefix, self.key)
            items = None if joined is None else joined.get(key, rows)
            if items is None:
                items = self._items(rows)
                if joined is not None:
                    joined.keep(key, rows, items)
            start = b'{"kind":"%b","apiVersion":"%b","metadata":' % (kind.encode(), self._api_version.encode())
            return b"".join((start, orjson.dumps(meta), b',"items":[', items, b"]}\n"))
        objects = [self.decode(row.value, row.mod_revision) for row in rows]
        if self._form.kind == TABLE:
            made = self._table(objects, meta)
            if not objects and self._resource.plural == "customresourcedefinitions":
                made["rows"] = None  # so it is with this kind alone
            return orjson.dumps(made)
        api_version = self._api_version
        if self._form.kind != OBJECT:
            kind, api_version = "PartialObjectMetadataList", self._form.meta_version
            partial = [self._partial(obj) for obj in objects] or None  # as Kubernetes writes none of them
            return orjson.dumps({"kind": kind, "apiVersion": api_version, "metadata": meta, "items": partial})
        if self._resource.origin == "builtin":
            objects = [{key: value for key, value in obj.items() if key not in _TYPE} for obj in objects]
        return orjson.dumps({"kind": kind, "apiVersion": api_version, "metadata": meta, "items": objects})

    def _items(self, rows: Sequence[Row]) -> bytes:
        head = self._item_head
        return b",".join(
            [
                b'%b"resourceVersion":"%d",%b'
                % (head, row.mod_revision, row.value[int.from_bytes(row.value[:4], "big") + 4 :])
                for row in rows
            ]
        )

    def encode(self, body: bytes) -> bytes:
        """Return a finished JSON body in the wire format wanted; it ends with a newline, as Kubernetes' do."""
        if not self._form.yaml:
            return body if body.endswith(b"\n") else body + b"\n"
        return as_yaml(orjson.loads(body))

    @property
    def decodes(self) -> bool:
        """True when objects are not shown as the bytes they are stored as."""
        return self._form.kind != OBJECT or self._convert is not None

    @property
    def is_yaml(self) -> bool:
        """True when answers are written as YAML."""
        return self._form.yaml

    @property
    def content_type(self) -> str:
        """Return the ``Content-Type`` of answers."""
        return "application/yaml" if self._form.yaml else "application/json"

    def _partial(self, obj: JsonObject) -> JsonObject:
        return partial_metadata(obj, self._form.meta_version)

    def _table(self, objects: Sequence[JsonObject], meta: JsonObject, version: Version | None = None) -> JsonObject:
        shown = table(
            self._resource,
            version or self._version,
            objects,
            cast("IncludeObject", self._form.include),
            now=self._now_s,
            list_metadata=meta,
        )
        shown["apiVersion"] = self._form.meta_version
        if self._form.include == "Metadata":
            for row in shown["rows"]:
                row["object"]["apiVersion"] = self._form.meta_version
        if not self._has_columns:
            shown["columnDefinitions"] = None
        return shown

    def with_columns(self, events: bytes) -> bytes:
        """Return events of a watch with the columns named in the first of them, if they are Tables."""
        if self._form.kind != TABLE:
            return events
        named = table(self._resource, self._version, (), "None", now=self._now_s, list_metadata={})
        columns = orjson.dumps(named["columnDefinitions"])
        return events.replace(_NO_COLUMNS, b'"columnDefinitions":' + columns, 1)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes texts as Go's YAML does: in double quotes what would be read as another type, blocks for many lines."""

    def ignore_aliases(self, data: object) -> bool:
        """Write out again what stands in several places."""
        del data
        return True

    def text(self, value: str) -> yaml.Node:
        """Return a text's node."""
        style = "|" if "\n" in value else None
        if style is None and self.resolve(yaml.ScalarNode, value, (True, False)) != _TEXT:
            style = '"'
        node: yaml.Node = self.represent_scalar(_TEXT, value, style)
        return node


def as_yaml(value: JsonObject) -> bytes:
    """Return a JSON object as YAML, as Kubernetes writes it."""
    return yaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True).encode()


_TEXT = "tag:yaml.org,2002:str"
_Dumper.add_representer(str, _Dumper.text)


def _version_only(metadata: JsonObject) -> JsonObject:
    return {key: metadata[key] for key in ("resourceVersion",) if key in metadata}


def shown(obj: JsonObject, revision: int, version: Version, api_version: str) -> JsonObject:
    """Turn a stored object into one of a version, resourceVersion included; may change ``obj``."""
    if revision:
        obj["metadata"]["resourceVersion"] = str(revision)
    if version.conversion is not None:
        return version.conversion.from_storage(obj)
    obj["apiVersion"] = api_version
    return obj
