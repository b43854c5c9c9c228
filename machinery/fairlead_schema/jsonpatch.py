"""
JSON Patch (RFC 6902) as Kubernetes applies it.

Differences from the RFC, which clients rely on: ``replace`` of a member that is not there adds it, negative indices
count from the end, ``test`` of a missing member succeeds against null.

Source: gopkg.in/evanphx/json-patch.v4; k8s.io/apiserver/pkg/endpoints/handlers/patch.go (limits, answers).
"""

from __future__ import annotations

import re
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Invalid, RequestTooLarge
from fairlead_schema.causes import compact, json_type

MAX_OPERATIONS = 10_000

_INDEX = re.compile(r"[+-]?[0-9]+\Z")
_UNREADABLE = "error decoding patch: json: cannot unmarshal"
_REJECTED = "the server rejected our request due to an error in our request"


class PatchProblem(Exception):
    """Why an operation does not apply; Kubernetes does not tell clients, it is the cause of the answer."""


def apply_json_patch(doc: JsonObject, ops: Any) -> JsonObject:
    """
    Return ``doc`` with all operations applied, in order.

    Containers on changed paths are copied, the rest is shared with ``doc``, which never changes.

    Raises:
        BadRequest: ``ops`` is not a list of objects.
        RequestTooLarge: More than ``MAX_OPERATIONS`` operations.
        Invalid: An operation does not apply; none is then applied.
    """
    if not isinstance(ops, list):
        raise BadRequest(f"{_UNREADABLE} {json_type(ops)} into Go value of type []handlers.jsonPatchOp")
    for op in ops:
        if not isinstance(op, dict):
            raise BadRequest(f"{_UNREADABLE} {json_type(op)} into Go value of type handlers.jsonPatchOp")
    if len(ops) > MAX_OPERATIONS:
        raise RequestTooLarge(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(ops)}")
    try:
        for op in ops:
            doc = _apply(doc, op)
    except PatchProblem as problem:
        raise Invalid(_REJECTED) from problem
    return doc


def _apply(doc: Any, op: JsonObject) -> Any:
    kind = op.get("op")
    if kind == "add":
        return _edit(doc, _text(op, "path"), lambda holder, key: _add(holder, key, op.get("value")), "add")
    if kind == "remove":
        return _edit(doc, _text(op, "path"), _remove, "remove")
    if kind == "replace":
        return _replace(doc, _text(op, "path"), op.get("value"))
    if kind == "test":
        return _test(doc, _text(op, "path"), op.get("value"))
    if kind == "move":
        value = _read(doc, _text(op, "from"), "move")
        doc = _edit(doc, _text(op, "from"), _remove, "move")
        return _edit(doc, _text(op, "path"), lambda holder, key: _add(holder, key, value), "move")
    if kind == "copy":
        value = _read(doc, _text(op, "from"), "copy")
        return _edit(doc, _text(op, "path"), lambda holder, key: _add(holder, key, value), "copy")
    raise PatchProblem(f"Unexpected kind: {kind}")


def _text(op: JsonObject, name: str) -> str:
    value = op.get(name)
    if not isinstance(value, str):
        raise PatchProblem(f"{op.get('op')} operation failed to decode {name}: missing value")
    return value


def _split(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _edit(doc: Any, path: str, change: Any, kind: str) -> Any:
    """Copy the containers along ``path`` and call ``change(holder, key)`` on the last one's copy."""
    keys = _split(path)
    if not keys:
        raise PatchProblem(f'{kind} operation does not apply: doc is missing path: "{path}": missing value')
    root = holder = _copied(doc)
    for key in keys[:-1]:
        inner = _copied(_member(holder, key))
        if inner is None:
            raise PatchProblem(f'{kind} operation does not apply: doc is missing path: "{path}": missing value')
        holder[key if type(holder) is dict else _index(holder, key)] = inner
        holder = inner
    change(holder, keys[-1])
    return root


def _copied(value: Any) -> Any:
    """Return a shallow copy of a container, None for anything else."""
    return dict(value) if type(value) is dict else list(value) if type(value) is list else None


def _member(holder: Any, key: str) -> Any:
    if type(holder) is dict:
        return holder.get(key)
    try:
        return holder[_index(holder, key)]
    except PatchProblem:
        return None


def _index(holder: list[Any], key: str, *, extra: int = 0) -> int:
    """Return the position ``key`` means; ``extra`` is 1 where the end itself may be named."""
    if not _INDEX.match(key):
        raise PatchProblem(f"value was not a proper array index: '{key}'")
    size, index = len(holder) + extra, int(key)
    if not -size <= index < size:
        raise PatchProblem(f"Unable to access invalid index: {index}: invalid index referenced")
    return index + size if index < 0 else index


def _add(holder: Any, key: str, value: Any) -> None:
    if type(holder) is dict:
        holder[key] = value
    elif key == "-":
        holder.append(value)
    else:
        holder.insert(_index(holder, key, extra=1), value)


def _remove(holder: Any, key: str) -> None:
    if type(holder) is list:
        del holder[_index(holder, key)]
    elif key in holder:
        del holder[key]
    else:
        raise PatchProblem(f"Unable to remove nonexistent key: {key}: missing value")


def _replace(doc: Any, path: str, value: Any) -> Any:
    if path == "":
        if type(value) not in (dict, list):
            raise PatchProblem("replace operation value must be object or array")
        return value

    def change(holder: Any, key: str) -> None:
        holder[key if type(holder) is dict else _index(holder, key)] = value

    return _edit(doc, path, change, "replace")


def _read(doc: Any, path: str, kind: str) -> Any:
    """Return what stands at ``path``; a missing member of an object reads as null."""
    keys = _split(path)
    holder = doc
    for key in keys[:-1]:
        holder = _member(holder, key)
        if type(holder) not in (dict, list):
            break
    if not keys or type(holder) not in (dict, list):
        raise PatchProblem(f"{kind} operation does not apply: doc is missing path: {path}: missing value")
    return holder.get(keys[-1]) if type(holder) is dict else holder[_index(holder, keys[-1])]


def _test(doc: Any, path: str, value: Any) -> Any:
    found = doc if path == "" else _read(doc, path, "test")
    if found is not value and (found != value or compact(found) != compact(value)):
        raise PatchProblem(f"testing value {path} failed: test failed")
    return doc
