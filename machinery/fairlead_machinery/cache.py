"""
A bounded set of objects in memory, found by key or through indexes.

For sets that stay small (SyncTargets, Locations, Placements, matched namespaces), never for all objects there are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

from fairlead_api import JsonObject
from fairlead_api.names import CLUSTER_ANNOTATION

Item = TypeVar("Item")


class ObjectKey(NamedTuple):
    """Which object, across logical clusters; ``cluster`` is empty on a server without any."""

    cluster: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Write it for logs."""
        return "/".join(part for part in self if part)


def key_of(obj: JsonObject) -> ObjectKey:
    """Return the key of an object as a server sends it."""
    metadata = obj["metadata"]
    cluster = (metadata.get("annotations") or {}).get(CLUSTER_ANNOTATION, "")
    return ObjectKey(cluster, metadata.get("namespace", ""), metadata["name"])


class CacheFull(Exception):
    """More objects than the cache was made for."""


class Cache(Generic[Item]):
    """
    Objects by key, with indexes.

    Args:
        indexes: Name to function from an object to the values it is found under.
        limit: Most objects held; beyond it, :class:`CacheFull` says that something does not stay small.
    """

    def __init__(
        self, indexes: Mapping[str, Callable[[Item], Iterable[Hashable]]] | None = None, *, limit: int = 100_000
    ) -> None:
        self._items: dict[ObjectKey, Item] = {}
        self._functions = dict(indexes or {})
        self._indexes: dict[str, dict[Hashable, dict[ObjectKey, None]]] = {name: {} for name in self._functions}
        self._limit = limit

    def __len__(self) -> int:
        """Count objects."""
        return len(self._items)

    def __contains__(self, key: ObjectKey) -> bool:
        """Tell whether an object is there."""
        return key in self._items

    def __iter__(self) -> Iterator[Item]:
        """Go over a copy of the objects."""
        return iter(list(self._items.values()))

    def keys(self) -> list[ObjectKey]:
        """Return a copy of the keys."""
        return list(self._items)

    def get(self, key: ObjectKey) -> Item | None:
        """Return an object, not to be changed, or None."""
        return self._items.get(key)

    def find(self, index: str, value: Hashable) -> list[Item]:
        """Return the objects under a value of an index."""
        return [self._items[key] for key in self._indexes[index].get(value, ())]

    def find_keys(self, index: str, value: Hashable) -> list[ObjectKey]:
        """Return the keys under a value of an index."""
        return list(self._indexes[index].get(value, ()))

    def put(self, key: ObjectKey, item: Item) -> Item | None:
        """
        Add or replace an object and return the old one.

        Raises:
            CacheFull: There is no room for another.
        """
        old = self._items.get(key)
        if old is None and len(self._items) >= self._limit:
            raise CacheFull(f"over {self._limit} objects")
        if old is not None:
            self._unindex(key, old)
        self._items[key] = item
        for name, function in self._functions.items():
            for value in function(item):
                self._indexes[name].setdefault(value, {})[key] = None
        return old

    def remove(self, key: ObjectKey) -> Item | None:
        """Take an object out and return it, or None."""
        old = self._items.pop(key, None)
        if old is not None:
            self._unindex(key, old)
        return old

    def _unindex(self, key: ObjectKey, item: Item) -> None:
        for name, function in self._functions.items():
            index = self._indexes[name]
            for value in function(item):
                keys = index.get(value)
                if keys is not None:
                    keys.pop(key, None)
                    if not keys:
                        del index[value]
