"""
JSON Patch (RFC 6902) as Kubernetes applies it.

Differences from the RFC, which clients rely on: ``replace`` of a member that is not there adds it, negative indices
count from the end, ``test`` of a missing member succeeds against null.

Source: gopkg.in/evanphx/json-patch.v4; k8s.io/apiserver/pkg/endpoints/handlers/patch.go (limits, answers).
"""

from __future__ import annotations

import copy
import re
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Invalid, RequestTooLarge
from fairlead_schema.causes import compact, json_type

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 << 20
"""What all ``copy`` operations of a patch may add, as JSON; else each could double the object."""

_INDEX = re.compile(r"[+-]?[0-9]+\Z")
_UNREADABLE = "error decoding patch: json: cannot unmarshal"
_REJECTED = "the server rejected our request due to an error in our request"


class PatchProblem(Exception):
    """Why an operation does not apply; Kubernetes does not tell clients, it is the cause of the answer."""


def apply_json_patch(doc: JsonObject, ops: Any) -> JsonObject:
    """
    Return ``doc`` with all operations applied, in order.

    Containers on changed paths are copied, the rest is shared with ``doc`` and ``ops``, which never change.

    Raises:
        BadRequest: ``ops`` is not a list of objects.
        RequestTooLarge: More than ``MAX_OPERATIONS`` operations.
        Invalid: An operation does not apply, or copies add more than ``MAX_COPIED_BYTES``; none is then applied.
    """
    if ops is None:
        return doc
    if not isinstance(ops, list):
        raise BadRequest(f"{_UNREADABLE} {json_type(ops)} into Go value of type []handlers.jsonPatchOp")
    for op in ops:
        if not isinstance(op, dict):
            raise BadRequest(f"{_UNREADABLE} {json_type(op)} into Go value of type handlers.jsonPatchOp")
    if len(ops) > MAX_OPERATIONS:
        raise RequestTooLarge(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(ops)}")
    patched = _Patched(doc)
    try:
        for op in ops:
            patched.apply(op)
    except PatchProblem as problem:
        rejected = Invalid(_REJECTED)
        rejected.has_details = True
        raise rejected from problem
    result: JsonObject = patched.root
    return result


class _Patched:
    """A document in the making: each container is copied when it first changes, and no more than once."""

    def __init__(self, doc: Any) -> None:
        self.root = doc
        self._own: dict[int, Any] = {}
        """Containers made here, by id; kept, so that no id is given to another."""
        self._copied_bytes = 0

    def apply(self, op: JsonObject) -> None:
        """Apply one operation; raises ``PatchProblem``."""
        kind = op.get("op")
        if kind == "add":
            self._add(_text(op, "path"), op.get("value"), "add")
        elif kind == "remove":
            self._remove(_text(op, "path"), "remove")
        elif kind == "replace":
            self._replace(_text(op, "path"), op.get("value"))
        elif kind == "test":
            _test(self.root, _text(op, "path"), op.get("value"))
        elif kind == "move":
            value = _read(self.root, _text(op, "from"), "move")
            self._remove(_text(op, "from"), "move")
            self._add(_text(op, "path"), value, "move")
        elif kind == "copy":
            self._add(_text(op, "path"), self._copy(_read(self.root, _text(op, "from"), "copy")), "copy")
        else:
            raise PatchProblem(f"Unexpected kind: {kind}")

    def _copy(self, value: Any) -> Any:
        self._copied_bytes += len(compact(value))
        if self._copied_bytes > MAX_COPIED_BYTES:
            raise PatchProblem(
                f"Unable to complete the copy, the accumulated size increase of copy is {self._copied_bytes}, "
                f"exceeding the limit {MAX_COPIED_BYTES}"
            )
        return copy.deepcopy(value)

    def _owned(self, value: Any) -> Any:
        """Return a container that may be changed in place of this one, None for anything else."""
        if id(value) in self._own:
            return value
        made = dict(value) if type(value) is dict else list(value) if type(value) is list else None
        if made is not None:
            self._own[id(made)] = made
        return made

    def _holder(self, path: str, kind: str) -> tuple[Any, str]:
        """Return the container that ``path`` ends in, ready to be changed, and the last key."""
        keys = _split(path)
        if not keys:
            raise PatchProblem(f'{kind} operation does not apply: doc is missing path: "{path}": missing value')
        self.root = holder = self._owned(self.root)
        for key in keys[:-1]:
            inner = self._owned(_member(holder, key))
            if inner is None:
                raise PatchProblem(f'{kind} operation does not apply: doc is missing path: "{path}": missing value')
            holder[key if type(holder) is dict else _index(holder, key)] = inner
            holder = inner
        return holder, keys[-1]

    def _add(self, path: str, value: Any, kind: str) -> None:
        holder, key = self._holder(path, kind)
        if type(holder) is dict:
            holder[key] = value
        elif key == "-":
            holder.append(value)
        else:
            holder.insert(_index(holder, key, extra=1), value)

    def _remove(self, path: str, kind: str) -> None:
        holder, key = self._holder(path, kind)
        if type(holder) is list:
            del holder[_index(holder, key)]
        elif key in holder:
            del holder[key]
        else:
            raise PatchProblem(f"Unable to remove nonexistent key: {key}: missing value")

    def _replace(self, path: str, value: Any) -> None:
        if path == "":
            if type(value) not in (dict, list):
                raise PatchProblem("replace operation value must be object or array")
            self.root = value
            return
        holder, key = self._holder(path, "replace")
        holder[key if type(holder) is dict else _index(holder, key)] = value


def _text(op: JsonObject, name: str) -> str:
    value = op.get(name)
    if not isinstance(value, str):
        raise PatchProblem(f"{op.get('op')} operation failed to decode {name}: missing value")
    return value


def _split(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


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


def _test(doc: Any, path: str, value: Any) -> None:
    found = doc if path == "" else _read(doc, path, "test")
    if found is not value and (found != value or compact(found) != compact(value)):
        raise PatchProblem(f"testing value {path} failed: test failed")
