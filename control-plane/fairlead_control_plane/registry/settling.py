"""
Custom objects as their definition has it now, whenever they were written.

What is in the store was pruned and given defaults by the schema of its time. Read under a later definition it is
pruned and given the defaults that the version it is stored in has by then, and shown in the version asked for, whose
schema prunes it once more. Nothing of this is needed for what was written since the definition last changed and is
read in the version it is stored in, or in one of the same schema: those rows are passed on as they are.

Source: k8s.io/apiextensions-apiserver pkg/apiserver/customresource_handler.go (crdConversionRESTOptionsGetter,
schemaCoercingConverter, unstructuredDefaulter).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.record import Resource, Version
from fairlead_control_plane.registry import conversion
from fairlead_control_plane.registry.call import Target
from fairlead_control_plane.store.contract import Event, Row

_SLICE = 100
"""Objects settled before other requests get their turn."""

_LISTS_KEPT = 16
_kept: OrderedDict[object, tuple[Sequence[Row], Sequence[Row]]] = OrderedDict()
"""What was last made of a store's rows, by collection and definition; of use while the rows are the same ones."""


def is_converted(target: Target) -> bool:
    """Tell whether a webhook converts what is shown in the target's version."""
    return target.resource.converter is not None and not target.version.storage


async def row(target: Target, one: Row) -> Row:
    """Return a row with its object settled; the same one when there is nothing to do."""
    return (await _converted(target, [one]))[0] if is_converted(target) else _row(target, one)


async def value(target: Target, stored: bytes) -> bytes:
    """Return the bytes of what was just written in the target's version where a webhook converts it."""
    return (await row(target, Row("", stored, 0, 0))).value if is_converted(target) else stored


async def objects(target: Target, found: Sequence[JsonObject]) -> list[JsonObject]:
    """Return settled objects of the storage version in the target's, as its webhook converts them; pruned."""
    made = await conversion.converted(target.resource, found, target.api_version, confined=target.is_confined)
    schema = target.version.schema()
    for obj in made:
        schema.prune(obj)
    return made


async def _converted(target: Target, found: Sequence[Row]) -> list[Row]:
    stored = target.as_stored
    decoded = [orjson.loads(memoryview(_row(stored, one).value)[4:]) for one in found]
    made = await objects(target, decoded)
    return [replace(one, value=encoding.encode(obj)) for one, obj in zip(found, made, strict=True)]


def _row(target: Target, one: Row) -> Row:
    if target.version.is_as_stored and one.mod_revision >= target.resource.since:
        return one
    value = settled(target, one.value)
    return one if value is one.value else replace(one, value=value)


async def rows(target: Target, found: Sequence[Row]) -> Sequence[Row]:
    """Return rows with their objects settled; the very sequence when there is nothing to do in any of them."""
    if target.version.is_as_stored and (
        not target.resource.since or all(one.mod_revision >= target.resource.since for one in found)
    ):
        return found
    key = (target.prefix, target.version.name, target.resource.since)
    kept = _kept.get(key)
    if kept is not None and kept[0] is found:
        return kept[1]
    if is_converted(target):
        return await _converted(target, found)
    made: list[Row] = []
    is_same = True
    for index, one in enumerate(found):
        made.append(_row(target, one))
        is_same = is_same and made[-1] is one
        if index % _SLICE == _SLICE - 1:
            await asyncio.sleep(0)
    shown = found if is_same else made
    _kept[key] = (found, shown)
    if len(_kept) > _LISTS_KEPT:
        _kept.popitem(last=False)
    return shown


def event(target: Target, one: Event) -> Event:
    """Return an event with the objects in it settled."""
    now = None if one.row is None else _row(target, one.row)
    before = None if one.previous is None else _row(target, one.previous)
    return one if now is one.row and before is one.previous else replace(one, row=now, previous=before)


async def to_storage(target: Target, obj: JsonObject) -> JsonObject:
    """Return an object of the target's version as it is stored: in the storage version, pruned and with defaults."""
    storage = target.resource.storage_version
    api_version = target.resource.api_version(storage.name)
    if is_converted(target):
        (obj,) = await conversion.converted(target.resource, [obj], api_version, confined=target.is_confined)
    new: JsonObject = {**obj, "apiVersion": api_version}
    if target.version.is_as_stored:
        return new
    new = orjson.loads(orjson.dumps(new))
    _settle(storage, new)
    return new


def settled(target: Target, stored: bytes) -> bytes:
    """Return stored bytes with the object settled."""
    raw = memoryview(stored)[4:]
    obj: JsonObject = orjson.loads(raw)
    before = orjson.dumps(obj)
    _settle(_stored_version(target.resource, obj), obj)
    if obj["apiVersion"] != target.api_version:
        obj["apiVersion"] = target.api_version
        target.version.schema().prune(obj)
    return stored if orjson.dumps(obj) == before else encoding.encode(obj)


def _stored_version(resource: Resource, obj: JsonObject) -> Version:
    """Return the version an object is stored in; one that is gone counts as the storage version."""
    name = str(obj.get("apiVersion", "")).rpartition("/")[2]
    return next((one for one in resource.versions if one.name == name), resource.storage_version)


def _settle(version: Version, obj: JsonObject) -> None:
    schema = version.schema()
    schema.prune(obj)
    schema.default(obj)
