"""
Server-side apply to ``/scale``: the Scale is what is applied to, the object behind it keeps who manages its replicas.

The owners of the object's replicas are shown as owners of the Scale's, and what the apply makes of them is written
back, in the object's version.

Source: k8s.io/apimachinery/pkg/util/managedfields (scalehandler.go).
"""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_control_plane.registry import body, managing, messages, metadata, scaling
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.committing import Written
from fairlead_control_plane.registry.options import WriteOptions
from fairlead_control_plane.registry.preparing import copied
from fairlead_control_plane.registry.writing import update
from fairlead_schema import apply as merging
from fairlead_schema import managed
from fairlead_schema.fieldset import FieldSet
from fairlead_schema.managed import Manager, Managers, Ownership

_VERSION = "autoscaling/v1"
_REPLICAS = FieldSet.of(("spec", "replicas"))
_STATUS = FieldSet.of(("status",))


async def apply(parts: Parts, target: Target, config: Any, options: WriteOptions) -> Written:
    """
    Apply a Scale to an object and return the object.

    Raises:
        Conflict: Others own the replicas and ``options.force`` is not set.
        NotFound, BadRequest, Invalid, ApiError.
    """
    if not isinstance(config, dict):
        raise BadRequest("error decoding YAML: the configuration must be an object")
    metadata.check_place(
        {"metadata": {"name": target.name, **(config.get("metadata") or {})}},
        target.resource,
        target.namespace,
        target.name,
    )

    async def changed(old: JsonObject | None) -> JsonObject:
        if old is None:
            raise messages.not_found(target.resource, target.name)
        owners = managed.decode(old["metadata"].get("managedFields"))
        scale = _applied(target, old, owners, config, options)
        new = scaling.scaled(target, old, scaling.checked(target, scale))
        given = config.get("metadata") or {}
        if given.get("resourceVersion"):
            new["metadata"]["resourceVersion"] = given["resourceVersion"]
        entries = _owners_after(target, owners, managed.decode(scale["metadata"].get("managedFields")))
        new["metadata"]["managedFields"] = managed.encode(entries)
        return body.finish(new, target, "Ignore", [])

    return await update(parts, target, changed, options, managing.already)


def _applied(
    target: Target, old: JsonObject, owners: Managers, config: JsonObject, options: WriteOptions
) -> JsonObject:
    """Return the Scale after the apply, with its owners."""
    live = scaling.scale_of(target, old)
    live["metadata"]["managedFields"] = managed.encode(_owners_of_scale(target, owners))
    applied = merging.apply(
        live,
        config,
        schema=scaling.SCHEMA(),
        api_version=_VERSION,
        manager=options.manager,
        force=bool(options.force),
        subresource="scale",
        now="",  # of a scale no time is noted
        reset_fields=_STATUS,
    )
    return copied(applied)


def _owners_of_scale(target: Target, owners: Managers) -> Managers:
    path = scaling.owned_path(target)
    return {
        _in_version(manager, _VERSION): Ownership(_REPLICAS, _VERSION, owned.time)
        for manager, owned in owners.items()
        if owned.fields.intersection(path)
    }


def _in_version(manager: Manager, version: str) -> Manager:
    return Manager(manager.name, manager.operation, "" if manager.is_applier else version, manager.subresource)


def _owners_after(target: Target, before: Managers, of_scale: Managers) -> Managers:
    """Return the object's owners: who lost its replicas lost that field, who gained them is noted."""
    path = scaling.owned_path(target)
    left = dict(of_scale)
    found: Managers = {}
    for manager, owned in before.items():
        still = left.pop(_in_version(manager, _VERSION), None)
        fields = owned.fields.union(path) if still is not None else owned.fields.difference(path)
        if fields:
            found[manager] = Ownership(fields, owned.api_version, owned.time)
    for manager, owned in left.items():
        if owned.fields.intersection(_REPLICAS):
            found[_in_version(manager, target.api_version)] = Ownership(path, target.api_version, owned.time)
    return found
