"""
Strategic merge patch.

Lists merge by key where the schema says so; directives (``$patch``, ``$setElementOrder/x``, ``$retainKeys``,
``$deleteFromPrimitiveList/x``) say the rest.

Source: k8s.io/apimachinery/pkg/util/strategicpatch, k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Unclassified
from fairlead_schema.causes import compact, json_type
from fairlead_schema.node import LIST, Node

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList"
_ORDER = "$setElementOrder"
_GO_TYPES = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    dict: "map[string]interface {}",
    list: "[]interface {}",
}
_BAD_LIST = "invalid patch format of primitive list"
_BAD_RETAIN_KEYS = "invalid patch format of retainKeys"
_BAD_ORDER = "invalid patch format of setElementOrder list"


def apply_strategic_patch(doc: JsonObject, patch: Any, schema: Node) -> JsonObject:
    """
    Return ``doc`` with ``patch`` merged in by ``schema``; neither changes, unchanged parts are shared.

    Raises:
        BadRequest: The patch is not an object or a directive is malformed.
        Unclassified: What Kubernetes answers with a bare 500: a list item without its merge key, an unknown directive.
    """
    if patch is None:
        return doc
    if not isinstance(patch, dict):
        raise BadRequest(f"json: cannot unmarshal {json_type(patch)} into Go value of type map[string]interface {{}}")
    return _merge_map(doc, patch, schema)


def _child(schema: Node | None, key: str) -> Node | None:
    return schema.child(key) if schema is not None else None


def _merge_map(original: JsonObject, patch: JsonObject, schema: Node | None) -> JsonObject:
    if _PATCH in patch:
        return _whole_map(patch)
    merged = dict(original)
    patch = dict(patch)
    _retain_keys(merged, patch)
    for key in [key for key in patch if key.startswith(_ORDER)]:
        _merge_ordered(merged, patch, key, schema)
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            _delete_from(merged, _target(key, _DELETE_FROM, _BAD_LIST), value)
        elif value is None:
            merged.pop(key, None)
        else:
            _merge_field(merged, key, value, _child(schema, key))
    return merged


def _whole_map(patch: JsonObject) -> JsonObject:
    directive = patch[_PATCH]
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    raise Unclassified(f"unknown patch type: {directive} in map: {_go_map(patch)}")


def _merge_field(merged: JsonObject, key: str, value: Any, schema: Node | None) -> None:
    present = merged.get(key)
    if type(present) is dict and type(value) is dict:
        replaces = schema is not None and "replace" in schema.patch_strategy
        merged[key] = value if replaces else _merge_map(present, value, schema)
    elif type(present) is list and type(value) is list:
        merged[key] = _merge_list(present, value, schema)
    else:
        fresh = _without_directives(value)
        if fresh is _DROPPED:
            merged.pop(key, None)
        else:
            merged[key] = fresh


_DROPPED = object()


def _without_directives(value: Any) -> Any:
    """Return a new value as it is stored: no nulls in objects, no directives, nothing that carries ``$patch``."""
    if type(value) is dict:
        if _PATCH in value:
            return _DROPPED
        fresh = {key: _without_directives(item) for key, item in value.items() if item is not None}
        return {key: item for key, item in fresh.items() if item is not _DROPPED}
    if type(value) is list:
        return [fresh for fresh in map(_without_directives, value) if fresh is not _DROPPED]
    return value


def _target(key: str, prefix: str, problem: str) -> str:
    """Return the field a directive ``<prefix>/<field>`` speaks of."""
    head, slash, name = key.partition("/")
    if not slash or head != prefix:
        raise BadRequest(problem)
    return name


def _retain_keys(merged: JsonObject, patch: JsonObject) -> None:
    if _RETAIN_KEYS not in patch:
        return
    keep = patch.pop(_RETAIN_KEYS)
    if not isinstance(keep, list):
        raise BadRequest(_BAD_RETAIN_KEYS)
    for key, value in patch.items():
        if value is not None and not key.startswith((_DELETE_FROM, _ORDER)) and key not in keep:
            raise BadRequest(_BAD_RETAIN_KEYS)
    for key in [key for key in merged if key not in keep]:
        del merged[key]


def _delete_from(merged: JsonObject, key: str, items: Any) -> None:
    if not isinstance(items, list):
        raise BadRequest(_BAD_LIST)
    if isinstance(merged.get(key), list):
        gone = {compact(item) for item in items}
        merged[key] = [item for item in merged[key] if compact(item) not in gone]


def _merge_ordered(merged: JsonObject, patch: JsonObject, directive: str, schema: Node | None) -> None:
    """Merge a list whose resulting order the patch states."""
    order = patch.pop(directive)
    key = _target(directive, _ORDER, _BAD_ORDER)
    _check_list(order, present=True)
    _check_list(merged.get(key), present=key in merged)
    _check_list(patch.get(key), present=key in patch)
    child = _ordered_child(schema, key)
    merge_key = child.patch_merge_key if child else ""
    original, items = merged.get(key), patch.get(key)
    _check_order(items or [], order, merge_key)
    if key in merged and key in patch:
        result = _merge_list(original or [], items or [], child)
    elif key in merged:
        result = original or []
    elif key in patch:
        result = _without_directives(items)
    else:
        return
    named, others = _partition(result, order, merge_key)
    merged[key] = _in_order(named, others, order, original or [], merge_key)
    patch.pop(key, None)


def _ordered_child(schema: Node | None, key: str) -> Node | None:
    """Return the schema of a list whose order is given; there must be such a field."""
    if schema is None:
        return None
    if not schema.raw.get("properties"):
        raise Unclassified("merging an object in json but data type is not struct, instead is: map")
    child = schema.properties.get(key)
    if child is None:
        struct = schema.name.rpartition(".")[2]
        raise Unclassified(f'unable to find api field in struct {struct} for the json field "{key}"')
    if child.kind != LIST:
        raise Unclassified("expected slice or array type, but got: struct")
    return child


def _check_list(value: Any, *, present: bool) -> None:
    if present and type(value) is not list:
        raise Unclassified(f"expected a []interface {{}}, but received a {_GO_TYPES.get(type(value), '%!s(<nil>)')}")


def _check_order(items: list[Any], order: list[Any], merge_key: str) -> None:
    """Refuse a patch whose own items stand in another order than it demands."""
    wanted = [_key(item, merge_key) for item in items if not (type(item) is dict and _PATCH in item)]
    if not order or not items:
        return
    position = 0
    for key in [_key(item, merge_key) for item in order]:
        if position < len(wanted) and wanted[position] == key:
            position += 1
    if position < len(wanted):
        raise Unclassified(
            f"The order in patch list:\n{go_text(items)}\n doesn't match {_ORDER} list:\n{go_text(order)}\n"
        )


def _merge_list(original: list[Any], patch: list[Any], schema: Node | None) -> list[Any]:
    if schema is None or "merge" not in schema.patch_strategy:
        return patch
    if not original and not patch:
        return original
    if len({type(item) for item in (*original, *patch)}) > 1:
        raise Unclassified(f"list element types are not identical: {go_text([original, patch])}")
    if type((original or patch)[0]) is not dict:
        merged, merge_key = _unique([*original, *patch]), ""
    else:
        merge_key = schema.patch_merge_key
        if not merge_key:
            raise Unclassified(f"cannot merge lists without merge key for {schema.name}")
        original, patch = _special_items(original, patch, merge_key)
        merged = _merge_items(original, patch, merge_key, schema.items)
    named, others = _partition(merged, patch, merge_key)
    return _in_order(named, others, patch, original, merge_key)


def _special_items(original: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """Carry out ``$patch`` items; return what is left of both lists."""
    rest, gone, replaces = [], set(), False
    for item in patch:
        directive = item.get(_PATCH) if type(item) is dict else None
        if directive is None:
            rest.append(item)
        elif directive == "delete":
            gone.add(_key(item, merge_key))
        elif directive == "replace":
            replaces = True
        elif directive == "merge":
            raise Unclassified("merging lists cannot yet be specified in the patch")
        else:
            raise Unclassified(f"unknown patch type: {directive} in map: {_go_map(item)}")
    if replaces:
        return rest, []
    return [item for item in original if not gone or _key(item, merge_key) not in gone], rest


def _merge_items(original: list[Any], patch: list[Any], merge_key: str, schema: Node | None) -> list[Any]:
    merged = list(original)
    places: dict[str, int] = {}
    for place, item in enumerate(merged):
        if type(item) is dict and merge_key in item:
            places.setdefault(compact(item[merge_key]), place)
    for item in patch:
        key = _key(item, merge_key)
        if key in places:
            merged[places[key]] = _merge_map(merged[places[key]], item, schema)
        else:
            places[key] = len(merged)
            merged.append(item)
    return merged


def _key(item: Any, merge_key: str) -> str:
    """Return what tells items of a list apart, as text."""
    if not merge_key:
        return compact(item)
    if type(item) is not dict:
        raise Unclassified(
            f"expected a map[string]interface {{}}, but received a {_GO_TYPES.get(type(item), '%!s(<nil>)')}"
        )
    if merge_key not in item:
        raise Unclassified(f"map: {_go_map(item)} does not contain declared merge key: {merge_key}")
    return compact(item[merge_key])


def _unique(items: Iterable[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(compact(item), item)
    return list(found.values())


def _partition(items: list[Any], named_by: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """Split ``items`` into those the patch names and those only the server knows."""
    names = {_key(item, merge_key) for item in named_by}
    named: list[Any] = []
    others: list[Any] = []
    for item in items:
        (named if _key(item, merge_key) in names else others).append(item)
    return named, others


def _in_order(
    named: list[Any], others: list[Any], order: list[Any], server_order: list[Any], merge_key: str
) -> list[Any]:
    """Weave the server's own items between those the patch orders, as near to their old neighbours as can be."""
    at = {_key(item, merge_key): place for place, item in reversed(list(enumerate(order)))}
    server_at = {_key(item, merge_key): place for place, item in reversed(list(enumerate(server_order)))}
    named = sorted(named, key=lambda item: at.get(_key(item, merge_key), -1))
    others = sorted(others, key=lambda item: server_at.get(_key(item, merge_key), -1))
    result: list[Any] = []
    left = 0
    for item in named:
        place = server_at.get(_key(item, merge_key))
        while left < len(others) and place is not None:
            other = server_at.get(_key(others[left], merge_key))
            if other is None or other >= place:
                break
            result.append(others[left])
            left += 1
        result.append(item)
    return result + others[left:]


def _go_map(value: JsonObject) -> str:
    """Return an object as Go's ``%v`` prints it."""
    return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"


def go_text(value: Any) -> str:
    """Return a JSON value as Go's ``%v`` prints it."""
    if type(value) is dict:
        return _go_map(value)
    if type(value) is list:
        return "[" + " ".join(map(go_text, value)) + "]"
    return value if type(value) is str else "<nil>" if value is None else compact(value)
