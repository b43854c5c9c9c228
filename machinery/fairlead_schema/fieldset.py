"""
Sets of fields, as ``metadata.managedFields`` holds them.

A path element is the text FieldsV1 uses: ``f:name`` (field), ``k:{"name":"x"}`` (list item by key), ``v:"x"`` (set
item), ``i:0`` (index). A set is a tree of them; an element may be a member, have children, or both (``.``).

Source: sigs.k8s.io/structured-merge-diff/fieldpath (Set, serialize.go).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from fairlead_api import JsonObject
from fairlead_schema.causes import compact, quote


class FieldSet:
    """
    A set of field paths. Treated as immutable once built; operations return new sets that share parts.

    Attributes:
        members: Elements that are in the set themselves.
        children: Sets below elements; none of them empty.
    """

    __slots__ = ("children", "members")

    def __init__(self, members: set[str] | None = None, children: dict[str, FieldSet] | None = None) -> None:
        self.members: set[str] = set() if members is None else members
        self.children: dict[str, FieldSet] = {} if children is None else children

    def __bool__(self) -> bool:
        return bool(self.members or self.children)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and self.members == other.members and self.children == other.children

    __hash__ = None  # type: ignore[assignment]  # built in place, so not hashable

    def __repr__(self) -> str:
        return f"FieldSet({', '.join(map(path_text, self.paths()))})"

    @classmethod
    def of(cls, *paths: tuple[str, ...]) -> FieldSet:
        """Return the set of paths given as field names: ``of(("metadata", "name"), ("status",))``."""
        found = cls()
        for path in paths:
            found.insert(tuple(f"f:{name}" for name in path))
        return found

    def insert(self, path: tuple[str, ...]) -> None:
        """Add a path while the set is being built."""
        node = self
        for element in path[:-1]:
            node = node.children.setdefault(element, FieldSet())
        node.members.add(path[-1])

    def has(self, path: tuple[str, ...]) -> bool:
        """Tell whether the path itself is a member."""
        node: FieldSet | None = self
        for element in path[:-1]:
            node = node.children.get(element) if node else None
        return node is not None and bool(path) and path[-1] in node.members

    def paths(self, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        """Yield all members in Kubernetes' order: of each level first its members, then what is below."""
        for element in ordered(self.members):
            yield (*prefix, element)
        for element in ordered(self.children):
            yield from self.children[element].paths((*prefix, element))

    def union(self, other: FieldSet) -> FieldSet:
        """Return what is in either."""
        children = dict(self.children)
        for element, theirs in other.children.items():
            ours = children.get(element)
            children[element] = theirs if ours is None else ours.union(theirs)
        return FieldSet(self.members | other.members, children)

    def intersection(self, other: FieldSet) -> FieldSet:
        """Return what is in both."""
        children = {}
        for element, ours in self.children.items():
            theirs = other.children.get(element)
            both = ours.intersection(theirs) if theirs is not None else None
            if both:
                children[element] = both
        return FieldSet(self.members & other.members, children)

    def difference(self, other: FieldSet) -> FieldSet:
        """Return what is here but not in ``other``; what lies below a member of ``other`` stays."""
        children = {}
        for element, ours in self.children.items():
            theirs = other.children.get(element)
            rest = ours if theirs is None else ours.difference(theirs)
            if rest:
                children[element] = rest
        return FieldSet(self.members - other.members, children)

    def recursive_difference(self, other: FieldSet) -> FieldSet:
        """Return what is neither in ``other`` nor below one of its members."""
        if not other:
            return self
        children = {}
        for element, ours in self.children.items():
            if element in other.members:
                continue
            theirs = other.children.get(element)
            rest = ours if theirs is None else ours.recursive_difference(theirs)
            if rest:
                children[element] = rest
        return FieldSet(self.members - other.members, children)

    def encode(self, *, is_member: bool = False) -> JsonObject:
        """Return FieldsV1, keys in Kubernetes' order."""
        found: JsonObject = {".": {}} if is_member and self else {}
        for element in ordered(self.members | self.children.keys()):
            below = self.children.get(element)
            found[element] = {} if below is None else below.encode(is_member=element in self.members)
        return found

    @classmethod
    def decode(cls, fields: Mapping[str, Any]) -> FieldSet:
        """
        Return the set FieldsV1 describes; elements of unknown kinds are dropped.

        Raises:
            ValueError: An element is malformed.
        """
        found = cls()
        for text, below in fields.items():
            element = canonical(text) if text != "." else None
            if element is None:
                continue
            inner = cls.decode(below)
            if not inner or "." in below:
                found.members.add(element)
            if inner:
                found.children[element] = inner
        return found


EMPTY = FieldSet()
"""No fields."""


@lru_cache(maxsize=8192)
def canonical(text: str) -> str | None:
    """
    Return the one spelling of a path element; None for kinds this version does not know.

    Raises:
        ValueError: The text is no path element.
    """
    if len(text) < 2 or text[1] != ":":
        raise ValueError(f"missing colon: {text}")
    kind, rest = text[0], text[2:]
    if kind == "f":
        return text
    if kind in "kv":
        value = json.loads(rest)
        if kind == "k" and not isinstance(value, dict):
            raise ValueError(f"not a key: {text}")
        return f"{kind}:{compact(value)}"
    return f"i:{int(rest)}" if kind == "i" else None


@lru_cache(maxsize=8192, typed=True)
def key_element(*pairs: Any) -> str:
    """Return the element of a list item, from alternating key names and scalar values; others cannot be hashed."""
    return odd_key_element(*pairs)


def odd_key_element(*pairs: Any) -> str:
    """Return the element of a list item whose keys may be of any type, right or wrong."""
    return f"k:{compact(dict(zip(pairs[::2], pairs[1::2], strict=True)))}"


@lru_cache(maxsize=8192, typed=True)
def value_element(value: Any) -> str:
    """Return the element of a set item, from its scalar value."""
    return f"v:{compact(value)}"


@lru_cache(maxsize=8192)
def order(element: str) -> tuple[Any, ...]:
    """Return what elements are sorted by: fields, keys, values, indices, each by content."""
    kind, rest = element[0], element[2:]
    if kind == "f":
        return (0, rest)
    if kind == "k":
        return (1, tuple((name, _rank(value)) for name, value in json.loads(rest).items()))
    return (2, _rank(json.loads(rest))) if kind == "v" else (3, int(rest))


def ordered(elements: Collection[str]) -> list[str]:
    """
    Return elements in Kubernetes' order.

    Sorting is one step for everybody who waits, and comparing nested tuples takes most of it. So where there are many,
    as of a long list, they are sorted by no more than what differs.
    """
    if len(elements) < _MANY:
        return sorted(elements, key=order)
    kinds: dict[str, list[str]] = {}
    for element in elements:
        kinds.setdefault(element[0], []).append(element)
    found = sorted(kinds.get("f", ()))
    for kind in "kv":
        found += _alike(kinds.get(kind, []))
    return found + sorted(kinds.get("i", ()), key=order)


def _alike(elements: list[str]) -> list[str]:
    """Return keys or values in order: by content alone where all have the same names and types."""
    keys = {element: order(element)[1] for element in elements}
    pairs = [key if key and type(key[0]) is tuple else (("", key),) for key in keys.values()]
    shapes = {tuple((name, rank) for name, (rank, _) in each) for each in pairs}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        return sorted(elements, key=keys.__getitem__)
    contents = {element: each[0][1][1] for element, each in zip(keys, pairs, strict=True)}
    return sorted(elements, key=contents.__getitem__)


_MANY = 100


def _rank(value: Any) -> tuple[int, Any]:
    if type(value) is bool:
        return (2, value)
    if type(value) is str:
        return (1, value)
    return (0, value) if type(value) in (int, float) else (3, compact(value))


def path_text(path: tuple[str, ...]) -> str:
    """Return a path as messages print it: ``.spec.ports[port=80,protocol="TCP"].name``."""
    return "".join(map(_element_text, path))


def _element_text(element: str) -> str:
    kind, rest = element[0], element[2:]
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        return "[" + ",".join(f"{name}={_shown(value)}" for name, value in json.loads(rest).items()) + "]"
    return f"[={_shown(json.loads(rest))}]" if kind == "v" else f"[{rest}]"


def _shown(value: Any) -> str:
    return quote(value) if type(value) is str else compact(value)
