"""
Walks that merge and compare values by schema: the heart of server-side apply.

One walk for every kind. What the schema does not speak of merges by deduction: objects field by field, lists whole.

Source: sigs.k8s.io/structured-merge-diff/typed (merge, compare, tofieldset, remove, reconcile_schema, validate).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead_api import JsonObject
from fairlead_schema.causes import compact
from fairlead_schema.fieldset import FieldSet, key_element, odd_key_element, path_text, value_element
from fairlead_schema.node import ANY, LIST, MAP, SCALAR, Node

ABSENT: Any = type("Absent", (), {"__repr__": lambda _self: "ABSENT"})()
"""No value at all, which is not null."""

_SCALARS = {"integer": "numeric", "number": "numeric", "boolean": "boolean", "string": "string"}
_WALK = "merge"
_NO_KEYS: dict[str, Any] = {}


class NoElement(Exception):
    """A list item that cannot be told from others: it lacks its keys."""


class Shape:
    """What merging needs of a schema node; ``child`` and ``items`` lead on."""

    __slots__ = (
        "_children", "_items", "_node", "atomic_list", "atomic_map", "declared", "is_closed", "key_defaults", "keys",
        "kind", "scalar",
    )  # fmt: skip

    def __init__(self, node: Node | None, *, is_atomic: bool = False) -> None:
        self._node = node
        self._children: dict[str, Shape] = {}
        self._items: Shape | None = None
        self.kind = node.kind if node else ANY
        self.declared = frozenset(node.properties) if node else frozenset()
        self.atomic_map = is_atomic or (node is not None and node.is_atomic)
        self.atomic_list = node is None or is_atomic or node.list_type == "atomic"
        self.keys = node.list_keys if node and node.list_type == "map" else ()
        self.key_defaults = node.key_defaults if self.keys and node else _NO_KEYS
        self.is_closed = bool(node and self.declared and node.extra is None and not node.is_open)
        raw = node.raw if node else {}
        has_format = raw.get("type") == "string" and raw.get("format") not in (None, "", "byte")
        self.scalar = "untyped" if has_format else _SCALARS.get(raw.get("type", ""), "untyped")

    def child(self, name: str) -> Shape:
        """Return the shape of a field."""
        found = self._children.get(name)
        if found is None:
            node = self._node.child(name) if self._node else None
            found = self._children[name] = shape_of(node) if node else _WHOLE if self.atomic_map else _DEDUCED
        return found

    @property
    def items(self) -> Shape:
        """The shape of list items."""
        if self._items is None:
            node = self._node.items if self._node else None
            self._items = shape_of(node) if node else _WHOLE
        return self._items

    def kind_of(self, value: Any) -> str:
        """Return what the value is to be treated as."""
        if self.kind != ANY:
            return self.kind
        if type(value) is list:
            return LIST
        return MAP if type(value) is dict or value is None else SCALAR

    def element(self, item: Any) -> str:
        """
        Return the path element of a list item.

        Raises:
            NoElement: The item has none.
        """
        if not self.keys:
            if item is None or type(item) in (dict, list):
                raise NoElement(_BAD_SET_ITEM.get(type(item), _BAD_SET_ITEM[type(None)]))
            return value_element(item)
        if type(item) is not dict:
            words = "a null element" if item is None else "non-map elements"
            raise NoElement(f"associative list with keys may not have {words}")
        pairs: list[Any] = []
        for key in self.keys:
            value = item.get(key, ABSENT)
            if value is ABSENT:
                value = self.key_defaults.get(key, ABSENT)
            if value is not ABSENT:
                pairs += (key, value)
        if not pairs:
            names = " ".join(f'"{key}"' for key in self.keys)
            raise NoElement(
                f"associative list with keys has an element that omits all key fields [{names}] "
                "(and doesn't have default values for any key fields)"
            )
        try:
            return key_element(*pairs)
        except TypeError:
            return odd_key_element(*pairs)  # whoever asked will find its type wrong


_BAD_SET_ITEM = {
    dict: "associative list without keys has an element that's a map type",
    list: "not supported: associative list with lists as elements",
    type(None): "associative list without keys has an element that's an explicit null",
}
_WHOLE = Shape(None, is_atomic=True)
_DEDUCED = Shape(None)


def shape_of(node: Node) -> Shape:
    """Return the shape of a node, made once."""
    shape: Shape | None = node._walks.get(_WALK)  # noqa: SLF001 - shared nodes share their walks
    if shape is None:
        shape = node._walks[_WALK] = Shape(node, is_atomic=node.is_atomic)  # noqa: SLF001
    return shape


def fields_of(shape: Shape, value: JsonObject) -> FieldSet:
    """Return the fields an object has an opinion on."""
    found = FieldSet()
    _collect_fields(shape, value, found)
    return found


def _collect(shape: Shape, value: Any, owner: FieldSet, element: str) -> None:
    kind = shape.kind_of(value)
    if kind is SCALAR or (shape.atomic_map if kind is MAP else shape.atomic_list):
        owner.members.add(element)
        return
    inner = FieldSet()
    if kind is MAP and type(value) is dict:
        _collect_fields(shape, value, inner)
    elif kind is LIST and type(value) is list:
        _collect_items(shape, value, inner)
    if inner:
        owner.children[element] = inner


def _collect_fields(shape: Shape, value: JsonObject, owner: FieldSet) -> None:
    declared, child = shape.declared, shape.child
    for name, item in value.items():
        element = f"f:{name}"
        _collect(child(name), item, owner, element)
        if item is None or name not in declared or (type(item) is dict and not item):
            owner.members.add(element)


def _collect_items(shape: Shape, value: list[Any], owner: FieldSet) -> None:
    elements = [shape.element(item) for item in value]
    has_twins = len(set(elements)) < len(elements)
    for element, item in zip(elements, value, strict=True):
        owner.members.add(element)
        if not (has_twins and elements.count(element) > 1):  # items that are there twice are owned as a whole
            _collect(shape.items, item, owner, element)


def merge(shape: Shape, live: Any, config: Any) -> Any:
    """Return ``live`` with ``config`` laid over it; both unchanged, parts shared."""
    if config is ABSENT:
        return live
    if live is ABSENT:
        return config
    kind = shape.kind_of(config)
    if kind is MAP and not shape.atomic_map and (live or config):
        return _merge_maps(shape, live if type(live) is dict else {}, config if type(config) is dict else {})
    if kind is LIST and not shape.atomic_list and (live or config):
        return _merge_lists(shape, live if type(live) is list else [], config if type(config) is list else [])
    return config


def _merge_maps(shape: Shape, live: JsonObject, config: JsonObject) -> JsonObject:
    merged = dict(live)
    for name, value in config.items():
        present = merged.get(name, ABSENT)
        merged[name] = value if present is ABSENT else merge(shape.child(name), present, value)
    return merged


def _merge_lists(shape: Shape, live: list[Any], config: list[Any]) -> list[Any]:
    """
    Weave two keyed lists: the config's order for its items, the live order for the rest.

    Live items stay before the next item both lists share.
    """
    ours = [(shape.element(item), item) for item in live]
    theirs = [(shape.element(item), item) for item in config]
    by_ours: dict[str, Any] = {}
    for element, item in ours:
        by_ours[element] = None if element in by_ours else item  # what is there twice merges with nothing
    by_theirs = {element for element, _ in theirs}
    shared = iter([element for element, _ in theirs if element in by_ours])
    next_shared = next(shared, None)
    left = right = 0
    done: set[str] = set()
    merged: list[Any] = []
    while left < len(ours) or right < len(theirs):
        element, item = ours[left] if left < len(ours) else ("", None)
        if left < len(ours) and element not in by_theirs:
            merged.append(item)
            left += 1
            continue
        if left < len(ours) and right < len(theirs):
            if element == theirs[right][0]:
                left += 1
            elif next_shared is not None and next_shared != element:
                left += 1  # the config puts this item elsewhere
                continue
            elif element in done:
                left += 1
        elif left < len(ours):
            left += 1
            continue
        element, item = theirs[right]
        right += 1
        done.add(element)
        present = by_ours.get(element, ABSENT)
        merged.append(item if present is None else merge(shape.items, present, item))
        if next_shared == element:
            next_shared = next(shared, None)
    return merged


@dataclass(slots=True)
class Comparison:
    """What differs between two values."""

    added: FieldSet = field(default_factory=FieldSet)
    removed: FieldSet = field(default_factory=FieldSet)
    modified: FieldSet = field(default_factory=FieldSet)

    def without(self, ignored: FieldSet) -> Comparison:
        """Return the comparison with ``ignored`` and all below it left out."""
        if not ignored:
            return self
        return Comparison(
            self.added.recursive_difference(ignored),
            self.removed.recursive_difference(ignored),
            self.modified.recursive_difference(ignored),
        )

    def hang(self, element: str, inner: Comparison) -> None:
        """Put what differs below ``element`` in place."""
        if inner.added:
            self.added.children[element] = inner.added
        if inner.removed:
            self.removed.children[element] = inner.removed
        if inner.modified:
            self.modified.children[element] = inner.modified


def compare(shape: Shape, old: JsonObject, new: JsonObject) -> Comparison:
    """Return which fields ``new`` adds to, removes from and changes in ``old``."""
    found = Comparison()
    _compare_maps(shape, old, new, found)
    return found


def _compare(shape: Shape, old: Any, new: Any, element: str, out: Comparison) -> None:
    if old is ABSENT:
        _add(shape, new, element, out.added)
        return
    if old is new or old == new:
        return
    old_kind = shape.kind_of(old)
    new_kind = shape.kind_of(old if new is ABSENT else new)
    is_leaf = _compare_as(old_kind, shape, old, new, element, out)
    if new_kind is not old_kind:
        is_leaf = _compare_as(new_kind, shape, old, new, element, out)
    if not is_leaf and new is ABSENT:
        out.removed.members.add(element)


def _add(shape: Shape, new: Any, element: str, added: FieldSet) -> None:
    """Note a value with nothing before it, and all below; on the path of every create, so without comparing."""
    added.members.add(element)
    kind = shape.kind_of(new)
    if kind is SCALAR or not new:
        return
    inner = FieldSet()
    if kind is MAP:
        if type(new) is not dict or shape.atomic_map:
            return
        for name, item in new.items():
            _add(shape.child(name), item, f"f:{name}", inner)
    else:
        if type(new) is not list or shape.atomic_list:
            return
        for below, items in _grouped(shape, new).items():
            if len(items) == 1:
                _add(shape.items, items[0], below, inner)
            else:
                inner.members.add(below)
    added.children[element] = inner


def _compare_as(kind: str, shape: Shape, old: Any, new: Any, element: str, out: Comparison) -> bool:
    """Compare values treated as ``kind``; True when they were compared as one."""
    container: Any = dict if kind is MAP else list
    old_inner = old if type(old) is container else container()
    new_inner = new if type(new) is container else container()
    is_atomic = kind is SCALAR or (shape.atomic_map if kind is MAP else shape.atomic_list)
    if is_atomic or not (old_inner or new_inner):
        if new is ABSENT:
            out.removed.members.add(element)
        elif old != new:
            out.modified.members.add(element)
        return True
    inner = Comparison()
    if kind is MAP:
        _compare_maps(shape, old_inner, new_inner, inner)
    else:
        _compare_lists(shape, old_inner, new_inner, inner)
    out.hang(element, inner)
    return False


def _compare_maps(shape: Shape, old: JsonObject, new: JsonObject, out: Comparison) -> None:
    for name, item in old.items():
        other = new.get(name, ABSENT)
        if item is not other:
            _compare(shape.child(name), item, other, f"f:{name}", out)
    for name, item in new.items():
        if name not in old:
            _add(shape.child(name), item, f"f:{name}", out.added)


def _compare_lists(shape: Shape, old: list[Any], new: list[Any], out: Comparison) -> None:
    olds, news = _grouped(shape, old), _grouped(shape, new)
    for element in dict.fromkeys([*olds, *news]):
        before, after = olds.get(element, []), news.get(element, [])
        if len(before) <= 1 and len(after) <= 1:
            _compare(shape.items, before[0] if before else ABSENT, after[0] if after else ABSENT, element, out)
        elif len(before) >= 2 and len(after) >= 2:
            if before != after:
                out.modified.members.add(element)
        elif len(before) >= 2:
            if after:
                _compare(shape.items, ABSENT, after[0], element, out)
            out.removed.members.add(element)
        else:
            if before:
                _compare(shape.items, before[0], ABSENT, element, out)
            out.added.members.add(element)


def _grouped(shape: Shape, items: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(shape.element(item), []).append(item)
    return found


def remove(shape: Shape, value: Any, fields: FieldSet) -> Any:
    """Return ``value`` without the given fields; a container that loses all it had becomes null."""
    kind = shape.kind_of(value)
    if kind is MAP and type(value) is dict and value and not shape.atomic_map:
        kept = {}
        for name, item in value.items():
            element = f"f:{name}"
            if element in fields.members:
                continue
            below = fields.children.get(element)
            kept[name] = item if below is None else remove(shape.child(name), item, below)
        return kept or None
    if kind is LIST and type(value) is list and value and not shape.atomic_list:
        items = []
        for item in value:
            element = shape.element(item)
            if element in fields.members:
                continue
            below = fields.children.get(element)
            items.append(item if below is None else remove(shape.items, item, below))
        return items or None
    return value if kind is SCALAR else None


def with_named(shape: Shape, fields: FieldSet) -> FieldSet:
    """Return the set with every declared field that has something below it as a member too."""
    members = set(fields.members)
    children = {}
    for element, below in fields.children.items():
        name = element[2:] if element[0] == "f" else None
        if name is not None and name in shape.declared:
            members.add(element)
        inner = shape.child(name) if name is not None else shape.items if element[0] == "k" else _WHOLE
        children[element] = with_named(inner, below)
    return FieldSet(members, children)


def reconcile(shape: Shape, fields: FieldSet) -> FieldSet:
    """Return the set as the schema of today has it: what has become atomic is owned as a whole."""
    members, children, changed = fields.members, fields.children, False
    for element, below in fields.children.items():
        inner = shape.child(element[2:]) if element[0] == "f" else shape.items
        is_atomic = inner.atomic_map if inner.kind == MAP else inner.kind == LIST and inner.atomic_list
        settled = None if is_atomic else reconcile(inner, below)
        if settled is below:
            continue
        if not changed:
            members, children, changed = set(members), dict(children), True
        if settled is None:
            members.add(element)
            del children[element]
        else:
            children[element] = settled
    return FieldSet(members, children) if changed else fields


def problems(shape: Shape, value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what keeps a config from being merged: undeclared fields, wrong types, items without keys."""
    if value is None:
        return
    kind = shape.kind_of(value)
    wrong = _wrong_type(shape, kind, value)
    if wrong:
        yield f"{path_text(path)}: {wrong}"
    elif kind is MAP:
        for name, item in value.items():
            below = (*path, f"f:{name}")
            if shape.is_closed and name not in shape.declared:
                yield f"{path_text(below)}: field not declared in schema"
            else:
                yield from problems(shape.child(name), item, below)
    elif kind is LIST:
        yield from _list_problems(shape, value, path)


def _list_problems(shape: Shape, value: list[Any], path: tuple[str, ...]) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        element = f"i:{index}"
        if not shape.atomic_list:
            try:
                element = shape.element(item)
            except NoElement as error:
                yield f"{path_text(path)}: element {index}: {error}"
                return
            if element in seen:
                yield f"{path_text(path)}: duplicate entries for key {path_text((element,))}"
            seen.add(element)
        yield from problems(shape.items, item, (*path, element))


def _wrong_type(shape: Shape, kind: str, value: Any) -> str:
    if kind is MAP or kind is LIST:
        if type(value) is (dict if kind is MAP else list):
            return ""
        return f"expected {kind}, got &{{{value}}}"
    expected = {"numeric": (int, float), "string": (str,), "boolean": (bool,)}.get(
        shape.scalar, (int, float, str, bool)
    )
    if type(value) in expected:
        return ""
    names = {"numeric": "numeric (int or float)", "untyped": "any scalar"}
    go_types = {str: "string", bool: "bool", int: "int64", float: "float64", dict: "map[string]interface {}"}
    given = go_types.get(type(value), "[]interface {}") if shape.scalar == "numeric" else f"&{{{value}}}"
    if shape.scalar == "string" and type(value) in (int, float, bool):
        given = f"&value.valueUnstructured{{Value:{compact(value)}}}"
    return f"expected {names.get(shape.scalar, shape.scalar)}, got {given}"
