"""
Which objects a list or watch shows, and what a change looks like through it.

An object that starts to match appears as ADDED, one that ceases to match as DELETED with its last matching state.
Stored bytes are decoded only when the selection cannot be decided without.

Source: k8s.io/apiserver pkg/storage/cacher (cacheWatcher.convertToWatchEvent), pkg/storage/selection_predicate.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_api.selectors import (
    DOUBLE_EQUALS,
    EQUALS,
    EVERYTHING,
    FieldRequirement,
    Selector,
    SelectorError,
    parse_fields,
    parse_labels,
)
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.record import Resource, Version
from fairlead_control_plane.store.contract import Event, Row
from fairlead_control_plane.watch.subscription import Delivery, Frame

_META_FIELDS = ("metadata.name", "metadata.namespace")
_SOURCE = "source"
"""Of events: the component, whichever of two fields names it."""
_EVENTS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_TYPED = {
    "spec.unschedulable": ("spec.unschedulable", "false"),
    "spec.hostNetwork": ("spec.hostNetwork", "false"),
    "status.replicas": ("status.replicas", "0"),
    "status.successful": ("status.succeeded", "0"),
    "reportingController": ("reportingComponent", ""),
    **{f"regarding.{field}": (f"involvedObject.{field}", "") for field in _EVENTS},
}
"""Of built-in kinds: where a selectable field is stored, and what Go's zero value reads like where it is left out."""


@dataclass(frozen=True, slots=True)
class Selection:
    """
    A label and a field selector together.

    Attributes:
        hints: Texts that stand in the stored bytes of every matching object; most others are told by them alone.
        typed: Whether it selects from a built-in kind.
    """

    labels: Selector = EVERYTHING
    fields: tuple[FieldRequirement, ...] = ()
    hints: tuple[bytes, ...] = ()
    typed: bool = False

    @property
    def is_everything(self) -> bool:
        """True when it shows all objects."""
        return not self.fields and self.labels.is_everything

    @property
    def key(self) -> tuple[str, str]:
        """Return what equal selections have in common."""
        return str(self.labels), ",".join(map(str, self.fields))

    def pinned(self, field: str) -> str:
        """Return the only value a field may have, ``""`` when it is not pinned."""
        return next((one.value for one in self.fields if one.field == field and one.equal), "")

    def matches_value(self, value: bytes) -> bool:
        """Tell whether the object with these stored bytes is shown."""
        if self.is_everything:
            return True
        if not all(hint in value for hint in self.hints):
            return False
        return self.matches(orjson.loads(memoryview(value)[4:]))

    def matches(self, obj: JsonObject) -> bool:
        """Tell whether a decoded object is shown."""
        if not self.labels.matches(obj["metadata"].get("labels")):
            return False
        return all(one.matches(self._value(obj, one.field)) for one in self.fields)

    def _value(self, obj: JsonObject, field: str) -> str:
        path, zero = _TYPED.get(field, (field, "")) if self.typed else (field, "")
        return _field(obj, path) or zero


ALL = Selection()


def parsed(label_selector: str, field_selector: str) -> tuple[Selector, tuple[FieldRequirement, ...]]:
    """Read the selectors of a request, ``""`` for none; raises ``BadRequest`` when one cannot be read."""
    try:
        labels = parse_labels(label_selector) if label_selector else EVERYTHING
        return labels, parse_fields(field_selector) if field_selector else ()
    except SelectorError as error:
        raise BadRequest(str(error)) from error


def selection(label_selector: str, field_selector: str, version: Version, resource: Resource) -> Selection:
    """
    Return what the selectors of a request select.

    Args:
        label_selector, field_selector: As in the query; ``""`` for none.
        version, resource: Say which fields can be selected by.

    Raises:
        BadRequest: One cannot be read, or a field is not selectable.
    """
    if not label_selector and not field_selector:
        return ALL
    labels, fields = parsed(label_selector, field_selector)
    known = {*_META_FIELDS, *(path.removeprefix(".") for path in version.selectable)}
    if not resource.namespaced and (version.open_api or version.selectable):
        known.discard("metadata.namespace")
    for one in fields:
        if one.field not in known:
            raise BadRequest(_unknown_field(one.field, version, resource))
    return Selection(labels, fields, _hints(labels, fields), typed=not version.open_api)


def _unknown_field(field: str, version: Version, resource: Resource) -> str:
    if resource.name == "jobs.batch":
        return f'field label "{field}" not supported for Job'
    if resource.name == "resourceslices.resource.k8s.io":
        return f"field label not supported for {resource.group}/{version.name}, Kind=ResourceSlice: {field}"
    if version.selectable or version.open_api:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def of_labels(labels: Selector) -> Selection:
    """Return the selection of a label selector alone."""
    return Selection(labels, (), _hints(labels, ()))


def _hints(labels: Selector, fields: tuple[FieldRequirement, ...]) -> tuple[bytes, ...]:
    pairs = [
        (one.key, one.values[0])
        for one in labels.requirements
        if one.operator in {EQUALS, DOUBLE_EQUALS} and len(one.values) == 1
    ]
    found = [b'"%b":"%b"' % (key.encode(), value.encode()) for key, value in pairs]
    # Only texts that JSON does not escape can be looked for in JSON.
    found += [
        b'"%b":"%b"' % (one.field.rpartition(".")[2].encode(), one.value.encode())
        for one in fields
        if one.equal and one.value and json.dumps(one.value) == f'"{one.value}"' and one.field in _META_FIELDS
    ]
    return tuple(found)


def _field(obj: JsonObject, path: str) -> str:
    if path == _SOURCE:
        return _field(obj, "source.component") or _field(obj, "reportingComponent")
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if value is None or isinstance(value, (dict, list)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


@dataclass(frozen=True, slots=True)
class Seen:
    """
    A change as a watcher sees it.

    Attributes:
        type: ``ADDED``, ``MODIFIED`` or ``DELETED``.
        row: The object's state: the new one, or the last one that was visible.
        revision: What to show as its resourceVersion.
    """

    type: str
    row: Row
    revision: int


def seen(event: Event, selected: Selection) -> Seen | None:
    """Return what a change looks like through a selection; None when it does not show."""
    row, previous = event.row, event.previous
    now = row is not None and selected.matches_value(row.value)
    before = previous is not None and (
        selected.is_everything
        or (now and previous.value == (row and row.value))
        or selected.matches_value(previous.value)
    )
    if row is not None and now:
        return Seen("MODIFIED" if before else "ADDED", row, event.revision)
    if previous is not None and before:
        return Seen("DELETED", previous, event.revision)
    return None


Render = Callable[[bytes, int], bytes]
"""Makes the ``object`` of a watch event from stored bytes and a resourceVersion."""


def framer(selected: Selection, render: Render = encoding.splice, format_key: object = "") -> Frame:
    """
    Return the function that makes the JSON line of a watch event.

    Args:
        selected: What the watcher sees.
        render: How objects are shown.
        format_key: Equal for renders that do the same; lines are shared among all watchers of the event by it.
    """

    def frame(delivery: Delivery) -> bytes | None:
        change = seen(delivery.event, selected)
        if change is None:
            return None
        key = (change.type, format_key)
        found = delivery.frames.get(key)
        if found is None:
            found = delivery.frames[key] = line(change.type, render(change.row.value, change.revision))
        return found

    return frame


def line(event_type: str, obj: bytes) -> bytes:
    """Return one line of a watch: ``{"type":…,"object":…}`` and a newline."""
    return b'{"type":"%b","object":%b}\n' % (event_type.encode(), obj)
