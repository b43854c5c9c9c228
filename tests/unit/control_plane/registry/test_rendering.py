"""Objects as clients see them."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from fairlead_api.request import SYSTEM
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.call import Target
from fairlead_control_plane.registry.media import TABLE, Form
from fairlead_control_plane.registry.rendering import Renderer, as_yaml
from tests.unit.control_plane.in_process import in_process


def renderer(resource: Resource, form: Form) -> Renderer:
    target = Target(resource, resource.storage_version, "root", "", "", "", SYSTEM, [])
    return Renderer(target, form, 0.0, has_columns=False)


@pytest.mark.parametrize("resource", builtin_resources("cluster"), ids=lambda each: each.name)
def test_a_bookmark_of_every_kind_is_a_row_that_says_nothing(resource: Resource) -> None:
    """A cell that cannot cope with an empty object would end every Table watch of its kind."""
    made = renderer(resource, Form(TABLE, "v1beta1")).empty({"resourceVersion": "7"})
    assert made["metadata"] == {"resourceVersion": "7"}
    assert made["columnDefinitions"] is None
    assert made["rows"][0]["object"]["apiVersion"] == made["apiVersion"] == "meta.k8s.io/v1beta1"


def test_columns_stand_in_the_first_event_alone() -> None:
    """The others are shared by all who watch, whenever they began."""
    table = renderer(builtin_resources("cluster")[0], Form(TABLE))
    event = orjson.dumps(table.empty({"resourceVersion": "7"})) + b"\n"
    first, second = table.with_columns(event + event).splitlines()
    assert orjson.loads(first)["columnDefinitions"][0]["name"] == "Name"
    assert second == event.rstrip()


def test_yaml_says_again_what_stands_in_two_places() -> None:
    """Go writes no aliases, and some readers of YAML refuse them."""
    shared = {"version": "v1"}
    assert as_yaml({"a": shared, "b": [shared]}) == b"a:\n  version: v1\nb:\n- version: v1\n"


def test_the_scale_of_a_built_in_kind_has_columns_of_its_own() -> None:
    """It shows what is wanted and what is there; custom kinds have no Tables of it."""
    deployments = next(each for each in builtin_resources("cluster") if each.plural == "deployments")
    scale = {"kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 3}, "status": {"replicas": 1}}
    shown = orjson.loads(renderer(deployments, Form(TABLE)).scale(scale))
    assert shown["rows"][0]["cells"][:3] == ["d", 3, 1]
    custom = replace(deployments, versions=(replace(deployments.storage_version, open_api={"type": "object"}),))
    assert orjson.loads(renderer(custom, Form(TABLE)).scale(scale)) == scale


async def test_table_of_no_definitions() -> None:
    """An empty Table of CustomResourceDefinitions has null for its rows, that of any other kind a list."""
    async with in_process() as api:
        kind = "application/json;as=Table;g=meta.k8s.io;v=v1"
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert (await api.ask("GET", path, accept=kind))["rows"] is None
        assert (await api.ask("GET", "/api/v1/persistentvolumes", accept=kind))["rows"] == []
