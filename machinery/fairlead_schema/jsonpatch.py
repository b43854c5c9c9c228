"""
JSON Patch (RFC 6902) as Kubernetes applies it.

Differences from the RFC, which clients rely on: ``replace`` of a member that is not there adds it, negative indices
count from the end, ``test`` of a missing member succeeds against null.

Source: gopkg.in/evanphx/json-patch.v4; k8s.io/apiserver/pkg/endpoints/handlers/patch.go (limits, answers).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
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
            path = _text(op, "path")
            problem = f"error in add for path: '{path}'"
            self._change(path, _missing("add", "path", f'"{path}"'), problem, _putting(op.get("value")))
        elif kind == "remove":
            path = _text(op, "path")
            problem = f"error in remove for path: '{path}'"
            self._change(path, _missing("remove", "path", f'"{path}"'), problem, _take)
        elif kind == "replace":
            self._replace(_text(op, "path"), op.get("value"))
        elif kind == "test":
            _test(self.root, _text(op, "path"), op.get("value"))
        elif kind == "move":
            source, path = _text(op, "from"), _text(op, "path")
            last = f"error in move for path: '{(_split(source) or [''])[-1]}'"
            value = _read(self.root, source, _missing("move", "from path", source), last)
            self._change(source, _missing("move", "from path", source), last, _take)
            problem = f"error in move for path: '{path}'"
            self._change(path, _missing("move", "destination path", path), problem, _putting(value))
        elif kind == "copy":
            source, path = _text(op, "from"), _text(op, "path")
            found = _read(
                self.root, source, _missing("copy", "from path", source), f"error in copy for from: '{source}'"
            )
            value = self._copy(found)
            problem = "error while adding value during copy"
            self._change(path, _missing("copy", "destination path", path), problem, _putting(value))
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

    def _change(self, path: str, missing: str, problem: str, change: Change) -> None:
        """Change the container that ``path`` ends in; ``missing`` and ``problem`` say what is wrong with it."""
        keys = _split(path)
        if not keys:
            raise PatchProblem(missing)
        self.root = holder = self._owned(self.root)
        for key in keys[:-1]:
            inner = self._owned(_member(holder, key))
            if inner is None:
                raise PatchProblem(missing)
            holder[key if type(holder) is dict else _index(holder, key)] = inner
            holder = inner
        try:
            change(holder, keys[-1])
        except PatchProblem as error:
            raise PatchProblem(f"{problem}: {error}") from error

    def _replace(self, path: str, value: Any) -> None:
        if path == "":
            if type(value) not in (dict, list):
                raise PatchProblem("replace operation value must be object or array")
            self.root = value
            return

        def change(holder: Any, key: str) -> None:
            try:
                holder[key if type(holder) is dict else _index(holder, key)] = value
            except PatchProblem as error:
                absent = _missing("replace", "key", path)
                raise PatchProblem(absent) from error

        try:
            self._change(path, _missing("replace", "path", path), "", change)
        except PatchProblem as error:
            raise PatchProblem(str(error).removeprefix(": ")) from error


Change = Callable[[Any, str], None]
"""Changes a container at a key; raises ``PatchProblem``."""


def _missing(kind: str, what: str, path: str) -> str:
    return f"{kind} operation does not apply: doc is missing {what}: {path}: missing value"


def _putting(value: Any) -> Change:
    def put(holder: Any, key: str) -> None:
        if type(holder) is dict:
            holder[key] = value
        elif key == "-":
            holder.append(value)
        elif not _INDEX.match(key):
            raise PatchProblem(f"value was not a proper array index: '{key}': {_no_number(key)}")
        else:
            holder.insert(_index(holder, key, extra=1), value)

    return put


def _take(holder: Any, key: str) -> None:
    if type(holder) is list:
        del holder[_index(holder, key)]
    elif key in holder:
        del holder[key]
    else:
        raise PatchProblem(f"Unable to remove nonexistent key: {key}: missing value")


def _no_number(key: str) -> str:
    return f'strconv.Atoi: parsing "{key}": invalid syntax'


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
        raise PatchProblem(_no_number(key))
    size, index = len(holder) + extra, int(key)
    if not -size <= index < size:
        raise PatchProblem(f"Unable to access invalid index: {index}: invalid index referenced")
    return index + size if index < 0 else index


def _read(doc: Any, path: str, missing: str, problem: str) -> Any:
    """Return what stands at ``path``; a missing member of an object reads as null."""
    keys = _split(path)
    holder = doc
    for key in keys[:-1]:
        holder = _member(holder, key)
        if type(holder) not in (dict, list):
            break
    if not keys or type(holder) not in (dict, list):
        raise PatchProblem(missing)
    try:
        return holder.get(keys[-1]) if type(holder) is dict else holder[_index(holder, keys[-1])]
    except PatchProblem as error:
        raise PatchProblem(f"{problem}: {error}") from error


def _test(doc: Any, path: str, value: Any) -> None:
    missing = f"test operation does not apply: is missing path: {path}: missing value"
    found = doc if path == "" else _read(doc, path, missing, f"error in test for path: '{path}'")
    if found is not value and (found != value or compact(found) != compact(value)):
        raise PatchProblem(f"testing value {path} failed: test failed")
