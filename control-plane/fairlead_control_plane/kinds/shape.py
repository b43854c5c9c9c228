"""
Give built-in objects the shape they have after a round trip through Kubernetes' Go types.

A Go server decodes into structs and encodes them again: ``hostNetwork: false`` or ``labels: {}`` are gone afterwards,
``replicas: 0`` is not, ``cpu: 1000m`` has become ``1``. Clients compare what they sent with what came back, so the
same must happen here. One compiled walk a type, over the fields that are present.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.quantity import canonical
from fairlead_control_plane.kinds import facts

Walk = Callable[[Any], Any]
"""Takes a value (changed in place where it is a container) and returns what replaces it."""

_UNKNOWN: tuple[bool, Walk | None] = (False, None)
_WITHOUT_EMPTY = frozenset({"time", "microtime", "raw"})
"""Structs that nothing is left out of, shown as null."""
_STORED_AS_JSON = "io.k8s.apiextensions-apiserver."
"""Of these an empty list stays one; the others are stored as protobuf, which does not tell it from none."""
_TOLD_FROM_UNSET = frozenset({("io.k8s.api.autoscaling.v2.HPAScalingRules", "policies")})
"""Lists of which an empty one is refused, though it gets a default when it is not set."""
_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def normalise(obj: JsonObject, *, keeps_empty: bool = False) -> None:
    """
    Bring an object of a built-in kind into shape, in place.

    Values of the wrong type are left alone: the schema refuses those.

    Args:
        keeps_empty: A list of the object itself that is sent without items is not yet the same as one not sent.
    """
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    try:
        name = facts.definition_name(group, version, str(obj.get("kind")))
    except KeyError:
        return
    emptied = [key for key, value in obj.items() if value == []] if keeps_empty else ()
    walk_of(name)(obj)
    for key in emptied:
        if key in obj:
            obj[key] = []


@cache
def walk_of(name: str) -> Walk:
    """Return the walk for a struct."""
    plan: dict[str, tuple[bool, Walk | None]] = {}
    always: list[str] = []
    pointers: list[str] = []
    keeps_empty_lists = name.startswith(_STORED_AS_JSON)

    def walk(value: Any) -> Any:
        if type(value) is not dict:
            return value
        if not plan:
            plan.update(_plan(name))
            always.extend(always_null(name))
            pointers.extend(_kept_pointers(name))
        for key in list(value):
            _keep(value, key, plan.get(key, _UNKNOWN))
        for key in always:
            if value.get(key) is None or (not value[key] and not keeps_empty_lists):
                value[key] = None
        for key in pointers:
            value.setdefault(key, None)
        return value

    return walk


def _keep(value: dict[str, Any], key: str, step: tuple[bool, Walk | None]) -> None:
    """Drop a field that a round trip drops, and bring what it holds into shape."""
    drops_empty, inner = step
    item = value[key]
    if item is None or (drops_empty and not item):
        del value[key]
    elif inner is not None:
        value[key] = inner(item)


def always_null(name: str) -> list[str]:
    """Return what is shown as null when it is not set: nil lists that are kept, and times, which have no empty text."""
    fields = facts.types()[name]
    lists = [field for _, field, _, form, keeps_empty, *_ in fields if form == "list" and keeps_empty]
    times = [
        field
        for _, field, kind, form, _, *flags in fields
        if form == "one" and kind in {"time", "microtime"} and "omitzero" not in flags
    ]
    return lists + times


def _kept_pointers(name: str) -> list[str]:
    """Return what is shown as null unless it is set, be it to nothing."""
    return [field for _, field, _, form, keeps_empty, *_ in facts.types()[name] if form == "pointer" and keeps_empty]


def empty_of(name: str) -> JsonObject:
    """Return what Go shows of a struct of which nothing is set: what is never left out."""
    found: JsonObject = {}
    for _, field, kind, form, keeps_empty, *flags in facts.types()[name]:
        if form == "inline":
            found |= empty_of(kind)
        elif form == "one" and kind in facts.types():
            found |= {} if "omitzero" in flags else {field: empty_of(kind)}
        elif keeps_empty or (form == "one" and kind in _WITHOUT_EMPTY and "omitzero" not in flags):
            zero = _ZEROS.get(kind) if form == "one" and kind != "bytes" else None
            found[field] = None if zero is None else zero()
    return found


def show_unset(obj: JsonObject, *fields: str) -> None:
    """Show lists without items as what they are once stored: null."""
    for field in fields:
        if not obj.get(field):
            obj[field] = None


def _plan(name: str) -> dict[str, tuple[bool, Walk | None]]:
    plan: dict[str, tuple[bool, Walk | None]] = {"apiVersion": (True, None), "kind": (True, None)}
    for _, field, kind, form, keeps_empty, *_ in facts.types()[name]:
        if form == "inline":
            plan.update(_plan(kind))
            continue
        is_struct = form == "one" and (kind in facts.types() or kind in _LEAVES)
        drops_empty = not (keeps_empty or form == "pointer" or is_struct or (name, field) in _TOLD_FROM_UNSET)
        plan[field] = (drops_empty, _inner(kind, form))
    return plan


def _inner(kind: str, form: str) -> Walk | None:
    walk = walk_of(kind) if kind in facts.types() else _LEAVES.get(kind)
    if form in {"one", "pointer"}:
        return walk
    zero = dict if kind in facts.types() else _ZEROS.get(kind)
    if walk is None and zero is None:
        return None
    return _each_item(walk, zero) if form == "list" else _each_value(walk, zero)


def _each_item(walk: Walk | None, zero: Callable[[], Any] | None = None) -> Walk:
    """Bring each item into shape; null is the zero of its type, which Go has instead."""

    def step(value: Any) -> Any:
        if type(value) is list:
            if zero is not None and None in value:
                value[:] = [zero() if item is None else item for item in value]
            if walk is not None:
                value[:] = [walk(item) for item in value]
        return value

    return step


def _each_value(walk: Walk | None, zero: Callable[[], Any] | None) -> Walk:
    def step(value: Any) -> Any:
        if type(value) is dict:
            for key, item in value.items():
                value[key] = zero() if zero is not None and item is None else item
                if walk is not None:
                    value[key] = walk(value[key])
        return value

    return step


def _quantity(value: Any) -> Any:
    if type(value) not in (str, int, float):
        return value
    try:
        return canonical(value)
    except ValueError:
        return value


def _time(value: Any) -> Any:
    if type(value) is not str or _SECONDS.fullmatch(value):
        return value
    moment = _moment(value)
    return value if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(value: Any) -> Any:
    if type(value) is not str or _MICROSECONDS.fullmatch(value):
        return value
    moment = _moment(value)
    return value if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def _schema_or_array(value: Any) -> Any:
    return _each_item(_schema)(value) if type(value) is list else _schema(value)


def _schema(value: Any) -> Any:
    # Free-form: defaults, examples and enumerations inside are the user's and keep their empty values.
    return walk_of("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")(value)


_ZEROS: dict[str, Callable[[], Any]] = {
    "string": str,
    "bytes": str,
    "int": int,
    "bool": bool,
    "quantity": lambda: "0",
}
_LEAVES: dict[str, Walk] = {
    "quantity": _quantity,
    "time": _time,
    "microtime": _micro_time,
    "schema-or-array": _schema_or_array,
    "schema-or-bool": _schema,
    "schema-or-strings": _schema,
    "raw": lambda value: value,
    "intstr": lambda value: value,
}
