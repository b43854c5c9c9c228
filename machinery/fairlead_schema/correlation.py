"""
Which value of the object before belongs to a value of an object after an update, and whether they are the same.

Fields and entries belong together by name, items of ``map`` lists by their keys, items of other lists not at all.

Source: k8s.io/apiserver/pkg/cel/common/{equality,maplist}.go.
"""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject

_SCALARS = (bool, int, float, str)


def keyed(schema: JsonObject, items: list[Any] | None) -> dict[Any, JsonObject]:
    """Return the items of a ``map`` list by their keys, the first of those that have the same; else nothing."""
    found: dict[Any, JsonObject] = {}
    for item in items or () if is_map_list(schema) else ():
        key = key_of(schema, item)
        if key is not None:
            found.setdefault(key, item)
    return found


def is_map_list(schema: JsonObject) -> bool:
    """Tell whether the items of a list have keys."""
    return (
        schema.get("type") == "array"
        and schema.get("x-kubernetes-list-type") == "map"
        and bool(schema.get("x-kubernetes-list-map-keys"))
    )


def key_of(schema: JsonObject, item: Any) -> Any:
    """Return what tells an item of a ``map`` list from others, None when it has no such thing."""
    if not isinstance(item, dict):
        return None
    values = [item.get(name) for name in schema.get("x-kubernetes-list-map-keys") or ()]
    if not values or not all(isinstance(value, _SCALARS) for value in values):
        return None
    return tuple((type(value), value) for value in values)


class Pair:
    """A value and the one that it was before, at one node of a schema."""

    __slots__ = ("_before", "_same", "new", "old", "schema")

    def __init__(self, schema: JsonObject, new: Any, old: Any) -> None:
        self.schema = schema
        self.new = new
        self.old = old
        self._same: bool | None = None
        self._before: dict[Any, JsonObject] | None = None

    def key(self, name: str) -> Pair | None:
        """Return the pair at a field or entry; None when there is none, or it is not declared."""
        if not isinstance(self.new, dict) or not isinstance(self.old, dict):
            return None
        if name not in self.new or name not in self.old:
            return None
        below = (self.schema.get("properties") or {}).get(name)
        if below is None:
            below = self.schema.get("additionalProperties")
        return Pair(below, self.new[name], self.old[name]) if isinstance(below, dict) else None

    def index(self, place: int) -> Pair | None:
        """Return the pair at an item; None when nothing tells what it was before."""
        if not isinstance(self.new, list) or not isinstance(self.old, list):
            return None
        below = self.schema.get("items")
        if not isinstance(below, dict):
            return None
        if self._before is None:
            self._before = keyed(self.schema, self.old)
        before = self._before.get(key_of(self.schema, self.new[place]))
        return None if before is None else Pair(below, self.new[place], before)

    @property
    def same(self) -> bool:
        """Whether nothing changed; of undeclared fields nobody knows, they count as changed."""
        if self._same is None:
            self._same = self._compare()
        return self._same

    def _compare(self) -> bool:
        new, old = self.new, self.old
        if isinstance(new, list) and isinstance(old, list):
            if len(new) != len(old):
                return False
            if not is_map_list(self.schema):
                return identical(new, old)
            pairs = (self.index(place) for place in range(len(new)))
            return all(pair is not None and pair.same for pair in pairs)
        if isinstance(new, dict) and isinstance(old, dict):
            if len(new) != len(old):
                return False
            return all(pair is not None and pair.same for pair in map(self.key, new))
        return identical(new, old)


def identical(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are the same, ``1`` and ``1.0`` and ``true`` being different."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(identical(value, other[key]) for key, value in one.items())
    return bool(one == other)
