"""
Server-side apply.

Source: k8s.io/apiserver pkg/endpoints/handlers/patch.go (applyPatcher); KEP-555.
"""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, NotFound
from fairlead_control_plane.registry import body, managing
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.committing import Written
from fairlead_control_plane.registry.metadata import check_place
from fairlead_control_plane.registry.options import IGNORE, STRICT, WriteOptions
from fairlead_control_plane.registry.preparing import copied
from fairlead_control_plane.registry.writing import update
from fairlead_schema import apply as merging


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
        return body.parse_json(raw, validation)
    return body.parse_yaml(raw), []


async def apply(
    parts: Parts, target: Target, config: Any, options: WriteOptions, *, problems: list[str] | None = None
) -> Written:
    """
    Apply a configuration; creates the object when there is none.

    Args:
        config: What the client sent; not changed.
        problems: Complaints so far, joined by those about unknown fields.

    Raises:
        Conflict: Others own fields that it changes and ``options.force`` is not set.
        NotFound: A subresource of an object that is not there.
        BadRequest, Invalid, ApiError.
    """
    if not isinstance(config, dict):
        raise BadRequest("error decoding YAML: the configuration must be an object")
    if not config.get("kind") or not config.get("apiVersion"):
        raise BadRequest("error decoding YAML: Object 'Kind' or 'apiVersion' is missing in the configuration")
    config = body.checked_kind(copied(config), target)
    if not isinstance(config.setdefault("metadata", {}), dict):
        raise BadRequest("metadata must be an object")
    check_place(config, target.resource, target.namespace, target.name)
    _complain(config, target, options, problems or [])

    async def changed(old: JsonObject | None) -> JsonObject:
        if old is None and target.subresource:
            raise NotFound(f'{target.resource.name} "{target.name}" not found')
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
        new = copied(merged)
        if old is not None and config["metadata"].get("resourceVersion"):
            new["metadata"]["resourceVersion"] = config["metadata"]["resourceVersion"]
        return body.finish(new, target, IGNORE, [])

    return await update(parts, target, changed, options, managing.already, may_create=not target.subresource)


def _complain(config: JsonObject, target: Target, options: WriteOptions, problems: list[str]) -> None:
    """Refuse or warn of fields the schema does not have, and drop them, so that the merge meets none."""
    if options.validation == IGNORE:
        return
    if options.validation == STRICT:
        unknown = target.version.schema().prune(copied(config))
        problems = [f'unknown field "{path}"' for path in unknown] + problems
        if problems:
            raise body.unhandled(target, "strict decoding error: " + ", ".join(problems))
        return
    target.warnings.extend(problems)
