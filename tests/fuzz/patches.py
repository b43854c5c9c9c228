"""The same change as a merge patch, a JSON patch, a strategic merge patch, and as what server-side apply takes."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from fairlead_api import JsonObject
from tests.fuzz.asked import Edit, edited, steps
from tests.fuzz.mutations import Draw
from tests.integration.api.requests import APPLY, JSON_PATCH, MERGE, STRATEGIC

TYPES = {"merge": MERGE, "json": JSON_PATCH, "strategic": STRATEGIC, "apply": APPLY}
WAYS = (*TYPES, "apply")
"""Apply is drawn twice as often: there is most to it."""
_DIRECTIVES = ("none", "none", "none", "replace", "delete", "order", "primitive", "retain")


def patch(draw: Draw, way: str, body: JsonObject, edits: tuple[Edit, ...]) -> Any:
    """Return edits of a body as a patch; at times with something more that is odd."""
    if way == "json":
        return [*_operations(body, edits), *_more(draw)]
    found: JsonObject = {}
    for edit in edits:
        _merge(found, body, edit, is_strategic=way == "strategic")
    if way == "strategic":
        _direct(draw, found, body)
    return found


def partial(draw: Draw, body: JsonObject) -> JsonObject:
    """Return what a manager applies: the head of the object, and some of its members."""
    found = copy.deepcopy(body)
    for parent in (found, found.get("spec"), found["metadata"].get("labels")):
        for key in sorted(set(parent or ()) - {"apiVersion", "kind", "metadata", "fuzz", "spec"}):
            if isinstance(parent, dict) and draw(st.integers(0, 3)) == 0:
                del parent[key]
    return found


def _operations(body: JsonObject, edits: tuple[Edit, ...]) -> list[JsonObject]:
    operations: list[JsonObject] = []
    for edit in edits:
        if edit.do == "cut":
            operations.append({"op": "remove", "path": edit.at})
        else:
            operation = "replace" if _found(body, edit.at) is not _NOTHING else "add"
            operations.append({"op": operation, "path": edit.at, "value": edit.value})
    return operations


_ODD: tuple[JsonObject, ...] = (
    {"op": "test", "path": "/metadata/labels/slot", "value": "a"},
    {"op": "copy", "from": "/metadata/labels/slot", "path": "/metadata/labels/copied"},
    {"op": "move", "from": "/metadata/labels/slot", "path": "/metadata/labels/moved"},
    {"op": "add", "path": "/metadata/annotations/new", "value": "x"},
    {"op": "remove", "path": "/metadata/none"},
    {"op": "replace", "path": "/metadata/labels/none", "value": "x"},
    {"op": "unknown", "path": "/a"},
    {"path": "/a"},
    {"op": "add", "path": "no/slash", "value": 1},
    {"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/hold"},
)


def _more(draw: Draw) -> list[JsonObject]:
    return [draw(st.sampled_from(_ODD))] if draw(st.integers(0, 4)) == 0 else []


_NOTHING = object()


def _found(body: Any, pointer: str) -> Any:
    for key in steps(pointer):
        if isinstance(body, list) and key.isdigit() and int(key) < len(body):
            body = body[int(key)]
        elif isinstance(body, dict) and key in body:
            body = body[key]
        else:
            return _NOTHING
    return body


def _merge(found: JsonObject, body: JsonObject, edit: Edit, *, is_strategic: bool) -> None:
    """Say an edit in a merge patch: a list that it is in is said whole, or by the key of the item."""
    keys = steps(edit.at)
    at: Any = body
    for index, key in enumerate(keys[:-1]):
        at = at.get(key) if isinstance(at, dict) else None
        if isinstance(at, list):
            _merge_list(
                found, keys[: index + 1], (at, Edit(edit.do, _rest(keys[index + 1 :]), edit.value)), is_strategic
            )
            return
    parent = _made(found, keys[:-1])
    parent[keys[-1]] = None if edit.do == "cut" else copy.deepcopy(edit.value)  # later edits go into it


def _merge_list(found: JsonObject, keys: list[str], change: tuple[list[Any], Edit], is_strategic: bool) -> None:
    items, edit = change
    changed = edited(items, (edit,))
    index = int(steps(edit.at)[0])
    is_named = index < len(changed) and isinstance(changed[index], dict) and "name" in changed[index]
    _made(found, keys[:-1])[keys[-1]] = [changed[index]] if is_strategic and is_named else changed


def _made(found: JsonObject, keys: list[str]) -> JsonObject:
    for key in keys:
        below = found.get(key)
        found[key] = below if isinstance(below, dict) else {}
        found = found[key]
    return found


def _rest(keys: list[str]) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _direct(draw: Draw, found: JsonObject, body: JsonObject) -> None:
    """Put a directive of strategic merge patches in, in place."""
    match draw(st.sampled_from(_DIRECTIVES)):
        case "replace":
            _made(found, ["metadata"])["labels"] = {"$patch": "replace", "fuzz": "${id}", "slot": "a"}
        case "delete":
            _made(found, ["metadata"])["annotations"] = {"$patch": "delete"}
        case "order":
            _in_pod(found, body)["$setElementOrder/containers"] = [{"name": "side"}, {"name": "web"}]
        case "primitive":
            _made(found, ["metadata"])["$deleteFromPrimitiveList/finalizers"] = ["example.com/hold"]
        case "retain":
            _made(found, ["spec"])["strategy"] = {"$retainKeys": ["type"], "type": "Recreate"}


def _in_pod(found: JsonObject, body: JsonObject) -> JsonObject:
    """Return where the patch says what is in the pod of the object; its own spec when it has none."""
    has_template = isinstance(body.get("spec"), dict) and "template" in body["spec"]
    return _made(found, ["spec", "template", "spec"] if has_template else ["spec"])
