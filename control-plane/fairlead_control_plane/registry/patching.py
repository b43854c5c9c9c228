"""
The patches: JSON Patch, merge patch, strategic merge patch. Server-side apply is in :mod:`applying`.

Source: k8s.io/apiserver pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, BadRequest, Cause, InternalError
from fairlead_api.field_errors import invalid, invalid_object
from fairlead_control_plane.registry import body, media
from fairlead_control_plane.registry.aside import aside, is_large, weighed
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.committing import Written
from fairlead_control_plane.registry.managing import Manage
from fairlead_control_plane.registry.metadata import check_place
from fairlead_control_plane.registry.options import WriteOptions
from fairlead_control_plane.registry.preparing import copied
from fairlead_control_plane.registry.writing import check_version, update
from fairlead_schema.jsonpatch import apply_json_patch
from fairlead_schema.mergepatch import apply_merge_patch
from fairlead_schema.strategic import apply_strategic_patch, go_text

Patch = Callable[[JsonObject], JsonObject]


def allowed_types(target: Target) -> tuple[str, ...]:
    """Return the media types a patch of this resource may have; strategic merge is for Go types only."""
    strategic = () if target.version.open_api else (media.STRATEGIC_PATCH,)
    return (media.JSON_PATCH, media.MERGE_PATCH, *strategic, media.APPLY_YAML)


def patch_of(raw: bytes, kind: str, target: Target, validation: str) -> tuple[Patch, list[str]]:
    """
    Parse a patch.

    Returns:
        A function from the present object to the patched one, and complaints about doubled keys.

    Raises:
        BadRequest, RequestTooLarge.
    """
    body.check_size(raw)
    parsed, problems = _parsed(raw, kind, validation)
    if kind == media.JSON_PATCH:
        return lambda obj: _as_object(apply_json_patch(obj, parsed)), problems
    if kind == media.MERGE_PATCH:
        return lambda obj: _as_object(apply_merge_patch(obj, parsed)), problems
    schema = target.version.schema()
    # Kubernetes merges these into the typed object, whose kind no patch can change.
    own = {"kind": target.resource.kind, "apiVersion": target.api_version}
    return Strategic(lambda obj: {**apply_strategic_patch(obj, parsed, schema), **own}, parsed), problems


class Strategic:
    """A strategic merge patch; what it says is shown when its result cannot be read."""

    __slots__ = ("_merge", "said")

    def __init__(self, merge: Patch, said: Any) -> None:
        self._merge = merge
        self.said = said

    def __call__(self, obj: JsonObject) -> JsonObject:
        """Return the patched object."""
        return self._merge(obj)


def _parsed(raw: bytes, kind: str, validation: str) -> tuple[Any, list[str]]:
    try:
        return body.parse_json(raw, validation)
    except BadRequest as error:
        # Of a strategic merge patch Kubernetes says no more than what its decoder said.
        said = "" if kind == media.STRATEGIC_PATCH else "error decoding patch: "
        raise BadRequest(error.message.replace("json parse error: ", said)) from error


def _as_object(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise BadRequest("the patch does not result in an object")
    return value


async def patch(  # noqa: PLR0913 - one is a keyword
    parts: Parts,
    target: Target,
    change: Patch,
    options: WriteOptions,
    manage: Manage,
    problems: list[str],
    *,
    is_long: bool = False,
) -> Written:
    """
    Patch an object. The update is tried again when somebody else was faster, unless the patch names a version.

    Args:
        is_long: The patch is so long that it is carried out beside the loop, however small the object.

    Raises:
        NotFound, Conflict, Invalid, BadRequest, ApiError.
    """

    async def changed(old: JsonObject | None) -> JsonObject:
        if old is None:
            raise BadRequest("there is nothing to patch")
        merged = await aside(lambda: change(old), is_large=is_long or is_large(old))
        made = await aside(
            lambda: finished(target, merged, change, options.validation, problems), is_large=await weighed(merged)
        )
        check_place(made, target.resource, target.namespace, target.name)
        check_version(target, made)
        return made

    return await update(parts, target, changed, options, manage, by_uid=False)


def finished(target: Target, merged: JsonObject, change: Patch, validation: str, problems: list[str]) -> JsonObject:
    """
    Decode what a patch has made of an object.

    Raises:
        Invalid: It is not of its kind any more; the patch is at fault.
        BadRequest, InternalError.
    """
    # The merges share unchanged parts with their input; what follows changes the result in place.
    patched = copied(merged)
    if target.version.open_api:
        _check_type(patched, target)
    try:
        return body.finish(body.checked_kind(patched, target), target, validation, list(problems))
    except BadRequest as error:
        raise _as_patch_error(error, target, patched, change) from error


def _check_type(patched: JsonObject, target: Target) -> None:
    """
    Check that what a patch made of a custom resource is still one of its kind.

    Raises:
        Invalid: It is of another kind or version, or of none.
        InternalError: It has no version, which Kubernetes cannot do without either.
    """
    if not patched.get("kind"):
        shown = orjson.dumps(patched, option=orjson.OPT_SORT_KEYS).decode()
        raise invalid_object("", "", "", [invalid("patch", shown, f"Object 'Kind' is missing in '{shown}'")])
    if not patched.get("apiVersion"):
        why = "Object 'apiVersion' is missing in 'object has no apiVersion field'"
        raise InternalError(f"Internal error occurred: {why}", causes=[Cause("", why)])
    if not isinstance(patched.get("metadata") or {}, dict):
        return  # is refused as such
    problems = body.type_problems(patched, target)
    if problems:
        raise body.other_type(patched, problems)


def _as_patch_error(error: BadRequest, target: Target, patched: JsonObject, change: Patch) -> ApiError:
    """Say of a patch whose result cannot be decoded what Kubernetes says: that the patch is at fault (422)."""
    _, found, text = error.message.partition(f"cannot be handled as a {target.resource.kind}: ")
    if not found:
        return error
    if isinstance(change, Strategic):
        return invalid_object("", "", "", [invalid("patch", go_text(change.said), unstructured(text))])
    shown = orjson.dumps(patched).decode()
    return invalid_object("", "", "", [invalid("patch", shown, text)])


_UNREADABLE = re.compile(r"json: cannot unmarshal (\w+)(?: (\S+))? into .* of type (.+)")
_KINDS = {"array": "slice", "object": "map", "number": "int64"}


def unstructured(text: str) -> str:
    """
    Say of a value of the wrong type what Go's converter says, where its JSON decoder would say ``text``.

    Source: k8s.io/apimachinery/pkg/runtime/converter.go (fromUnstructured).
    """
    match = _UNREADABLE.match(text)
    if match is None:
        return text
    word, literal, wanted = match.groups()
    given = "float64" if literal and "." in literal else _KINDS.get(word, word)
    if wanted.startswith("["):
        return f"cannot restore slice from {given}"
    if wanted.startswith("map["):
        return f"cannot restore map from {given}"
    if "." in wanted:
        return f"cannot restore struct from: {given}"
    if (given, wanted) == ("int64", "string") or (given == "float64" and wanted.startswith("int")):
        return f"cannot convert {given} to {wanted}"
    return f"unrecognized type: {wanted}"
