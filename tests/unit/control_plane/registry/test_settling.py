"""Custom objects under definitions that change after they were written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.catalog import StaticCatalog
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.registry import settling
from fairlead_control_plane.registry.call import Target
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Row
from tests.unit.control_plane.in_process import APPLY, MERGE, NAMESPACES, Api, in_process, lines

_THINGS = "/apis/x.io/{}/namespaces/default/things"
_V1 = _THINGS.format("v1")
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def _version(name: str, fields: JsonObject, *, storage: bool = False) -> JsonObject:
    schema = {"type": "object", "properties": fields}
    columns = [{"name": "A", "type": "string", "jsonPath": ".a"}]
    return {
        "name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": columns, "selectableFields": [{"jsonPath": ".a"}],
    }  # fmt: skip


def _definition(*versions: JsonObject, revision: int) -> JsonObject:
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    spec = {"group": "x.io", "scope": "Namespaced", "names": names, "versions": list(versions)}
    return {"metadata": {"name": "things.x.io", "uid": "u", "resourceVersion": str(revision)}, "spec": spec}


def _define(api: Api, *versions: JsonObject) -> None:
    """Change the definition now: what is there was written before."""
    thing = resource_from_crd(_definition(*versions, revision=api.store.revision + 1))
    parts = replace(api.registry.parts, catalog=StaticCatalog([NAMESPACES, thing]))
    api.registry = Registry(parts.store, parts.catalog, parts.hub, admission=parts.admission)


def _thing(name: str, version: str = "v1", **fields: object) -> JsonObject:
    head = {"apiVersion": f"x.io/{version}", "kind": "Thing", "metadata": {"name": name}}
    return {**head, **fields}


_STRING: JsonObject = {"type": "string"}
_BEFORE = _version("v1", {"a": _STRING, "b": _STRING}, storage=True)
_AFTER = _version("v1", {"a": {**_STRING, "default": "A"}}, storage=True)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process() as running:
        _define(running, _BEFORE)
        await running.ask("POST", _V1, _thing("old", b="gone"))
        _define(running, _AFTER)
        yield running


async def test_every_way_of_reading_shows_the_new_defaults(api: Api) -> None:
    """Get, list, Table and watch show defaults and drop what is not declared, with the old resourceVersion."""
    got = await api.ask("GET", f"{_V1}/old")
    assert (got["a"], "b" in got) == ("A", False)
    listed = await api.ask("GET", _V1)
    assert listed["items"] == [got]
    assert (await api.ask("GET", _V1, accept=_TABLE))["rows"][0]["cells"] == ["old", "A"]
    watch = await api.send("GET", _V1, watch="true", timeoutSeconds="1")
    assert watch.stream is not None
    assert lines(await anext(aiter(watch.stream)))[0]["object"] == got


async def test_selectors_see_what_is_shown(api: Api) -> None:
    """A field selector matches a default that is not in the store."""
    assert len((await api.ask("GET", _V1, fieldSelector="a=A"))["items"]) == 1
    assert not (await api.ask("GET", _V1, fieldSelector="a=B"))["items"]


async def test_a_patch_starts_from_what_is_shown(api: Api) -> None:
    """What a patch leaves alone is written back with its default; the next read needs nothing."""
    patched = await api.ask("PATCH", f"{_V1}/old", {"metadata": {"labels": {"x": "y"}}}, kind=MERGE)
    assert patched["a"] == "A"
    assert await api.ask("GET", f"{_V1}/old") == patched
    resource = await api.registry.parts.catalog.lookup("root", "x.io", "things")
    assert resource is not None
    target = Target(resource, resource.storage_version, "root", "default", "old")
    row = await api.store.get(target.key)
    assert row is not None
    assert await settling.row(target, row) is row


async def test_rows_that_need_nothing_are_the_same_sequence(api: Api) -> None:
    """What was written since is neither decoded nor copied."""
    thing = resource_from_crd(_definition(_AFTER, revision=5))
    target = Target(thing, thing.storage_version, "root", "default")
    found: Sequence[Row] = [Row("k", b"not even an object", 9, 9)]
    assert await settling.rows(target, found) is found


async def test_versions_have_their_own_schemas(api: Api) -> None:
    """Without conversion the apiVersion is exchanged; each version drops what it does not declare, one way or back."""
    other = _version("v2", {"c": {**_STRING, "default": "C"}})
    _define(api, _AFTER, other)
    made = await api.ask("POST", _THINGS.format("v2"), _thing("new", "v2"))
    assert (made["apiVersion"], "a" in made, "c" in made) == ("x.io/v2", False, False)
    assert (await api.ask("GET", f"{_V1}/new"))["a"] == "A"
    assert "a" not in await api.ask("GET", f"{_THINGS.format('v2')}/old")
    gone = await api.ask("DELETE", f"{_THINGS.format('v2')}/old")
    assert gone["status"] == "Success"


async def test_nothing_is_created_under_a_definition_that_is_going(api: Api) -> None:
    """Kubernetes' words; what is there can still be read."""
    definition = _definition(_AFTER, revision=api.store.revision + 1)
    definition["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    parts = replace(api.registry.parts, catalog=StaticCatalog([NAMESPACES, resource_from_crd(definition)]))
    api.registry = Registry(parts.store, parts.catalog, parts.hub, admission=parts.admission)
    refused = await api.ask("POST", _V1, _thing("new"))
    assert refused["message"] == (
        'things.x.io "new" is forbidden: create not allowed while custom resource definition is terminating'
    )
    assert (await api.ask("GET", f"{_V1}/old"))["a"] == "A"


async def test_lists_and_missing_subresources_read_as_in_kubernetes(api: Api) -> None:
    """Lists of custom objects always name ``continue``; a subresource that no version has is not found by name."""
    assert (await api.ask("GET", _V1))["metadata"]["continue"] == ""
    assert (await api.ask("GET", f"{_V1}/old/scale"))["message"] == 'things.x.io "old" not found'


async def test_an_apply_must_fit_the_versions_of_all_managers(api: Api) -> None:
    """A field that another manager's version does not declare fails the apply, as it does in Kubernetes."""
    other = _version("v2", {"c": _STRING})
    _define(api, _AFTER, other)
    path = f"{_THINGS.format('v2')}/old"
    answer = await api.ask("PATCH", path, _thing("old", "v2", c="x"), kind=APPLY, fieldManager="m")
    assert (answer["code"], answer["message"]) == (
        500,
        "failed to convert new object: .c: field not declared in schema",
    )
