"""
Server-side apply.

Source: k8s.io/apiserver pkg/endpoints/handlers/patch.go (applyPatcher); KEP-555.
"""

from __future__ import annotations

import contextlib
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, BadRequest, NotFound, Unclassified
from fairlead_control_plane.registry import body, managing, messages
from fairlead_control_plane.registry.aside import aside, is_large, weighed
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.committing import Written
from fairlead_control_plane.registry.metadata import check_place
from fairlead_control_plane.registry.options import IGNORE, STRICT, WriteOptions
from fairlead_control_plane.registry.patching import unstructured
from fairlead_control_plane.registry.preparing import copied
from fairlead_control_plane.registry.writing import update
from fairlead_schema import apply as merging

_LARGE_BYTES = 128 << 10
"""Larger bodies are not read a second time for the words of a warning."""


def configuration(raw: bytes, validation: str) -> tuple[Any, list[str]]:
    """
    Parse an apply patch, YAML or JSON.

    Returns:
        The configuration, and complaints about doubled keys.

    Raises:
        BadRequest, RequestTooLarge.
    """
    body.check_size(raw)
    if raw.lstrip()[:1] == b"{":
        # What begins like JSON may be YAML all the same: that takes a comma after the last member.
        parsed = None
        with contextlib.suppress(BadRequest):
            parsed = body.parse_json(raw, validation)
        if parsed is not None:
            # Kubernetes reads it as YAML, and speaks of doubled keys as such.
            return parsed[0], _doubled(raw, validation) if parsed[1] and len(raw) < _LARGE_BYTES else parsed[1]
    value = body.parse_yaml(raw)
    return value, _doubled(raw, validation)


def _doubled(raw: bytes, validation: str) -> list[str]:
    """Return what is said of doubled keys; raises ``BadRequest`` where validation is strict."""
    problems = [] if validation == IGNORE else body.doubled_yaml_keys(raw)
    if problems and validation == STRICT:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise BadRequest(f"error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:{lines}")
    return problems


async def apply(
    parts: Parts, target: Target, config: Any, options: WriteOptions, *, problems: list[str] | None = None
) -> Written:
    """
    Apply a configuration; creates the object when there is none.

    Args:
        config: What the client sent; not changed.
        problems: Complaints about doubled keys. Unknown fields are an error of their own (500), as in Kubernetes.

    Raises:
        Conflict: Others own fields that it changes and ``options.force`` is not set.
        NotFound: A subresource of an object that is not there.
        BadRequest, Invalid, ApiError.
    """
    if not isinstance(config, dict):
        raise BadRequest("error decoding YAML: the configuration must be an object")
    _check_type(config, target)
    config = body.checked_kind(copied(config), target)
    if not isinstance(config.setdefault("metadata", {}), dict):
        raise BadRequest("metadata must be an object")
    large = await weighed(config)

    async def changed(old: JsonObject | None) -> JsonObject:
        if old is None and target.subresource:
            raise NotFound(f'{target.resource.name} "{target.name}" not found')
        return await aside(lambda: applied(old), is_large=large or (old is not None and is_large(old)))

    def applied(old: JsonObject | None) -> JsonObject:
        merged = merging.apply(
            old,
            config,
            schema=target.version.schema(),
            api_version=target.api_version,
            manager=options.manager,
            force=bool(options.force),
            subresource=target.subresource,
            now=parts.timestamp(),
            reset_fields=managing.reset_fields(target),
        )
        made = _converted(merged, target)
        if problems and options.validation == STRICT:
            raise body.unhandled(target, "strict decoding error: " + ", ".join(problems))
        if problems and options.validation != IGNORE:
            target.warnings.extend(problems)  # said once, however often this is tried
        _check_versions(target, made, old)
        check_place(made, target.resource, target.namespace, target.name)
        if old is None:
            _check_no_uid(made, target)
        elif config["metadata"].get("resourceVersion"):
            made["metadata"]["resourceVersion"] = config["metadata"]["resourceVersion"]
        return made

    may_create = not target.subresource
    return await update(parts, target, changed, options, managing.already, may_create=may_create, by_uid=False)


def _converted(merged: JsonObject, target: Target) -> JsonObject:
    """Return what applying gave as an object of its kind; raises what :func:`_unconvertible` says."""
    try:
        return body.finish(copied(merged), target, IGNORE, [])
    except BadRequest as error:
        raise _unconvertible(error, target, merged) from error


def _unconvertible(error: BadRequest, target: Target, merged: JsonObject) -> ApiError:
    """Say of a result that does not fit its type what Kubernetes' conversion says, which calls that its own fault."""
    _, found, text = error.message.partition(f"cannot be handled as a {target.resource.kind}: ")
    if not found or target.version.open_api:
        return error
    data = merged.get("metadata") or {}
    kind = f"{target.resource.group}/{target.version.name}, Kind={target.resource.kind}"
    where = f"{data.get('namespace', '')}/{data.get('name', '')}; {kind}"
    why = f"unable to convert unstructured object to {kind}: {unstructured(text)}"
    return Unclassified(f"failed to convert new object ({where}) to proper version: {why}")


def _check_no_uid(new: JsonObject, target: Target) -> None:
    """Raise ``Conflict`` when a configuration that would make an object names the uid of one."""
    uid = new["metadata"].get("uid")
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise messages.conflict(target.resource, target.name, why)


def _check_type(config: JsonObject, target: Target) -> None:
    """Raise ``BadRequest`` when a configuration is of another kind or version than the target, or of none."""
    kind, api_version = (
        each if isinstance(each, str) else "" for each in (config.get("kind"), config.get("apiVersion"))
    )
    if (kind, api_version) != (target.resource.kind, target.api_version):
        group, _, version = api_version.rpartition("/")
        raise BadRequest(f"invalid object type: {group}/{version}, Kind={kind}")


def _check_versions(target: Target, new: JsonObject, old: JsonObject | None) -> None:
    """
    Look at the result in the versions of all who manage fields of it, as Kubernetes does.

    Raises:
        Unclassified: One of them does not declare a field that is there (500).
    """
    if not target.version.open_api or len(target.resource.versions) == 1 or old is None:
        return
    named = {str(entry.get("apiVersion")) for entry in old["metadata"].get("managedFields") or ()}
    for version in target.resource.versions:
        if target.resource.api_version(version.name) not in named or version.open_api == target.version.open_api:
            continue
        dropped = version.schema().prune(copied(new))
        if dropped:
            raise Unclassified(f"failed to convert new object: .{dropped[0]}: field not declared in schema")
