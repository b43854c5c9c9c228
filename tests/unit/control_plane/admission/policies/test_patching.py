"""What mutations make of objects."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_control_plane.admission.policies.patching import BadMutation, configured, patched
from fairlead_schema.cel.objects import PATCH_TYPE, ROOT_TYPE, Made, MadeType
from fairlead_schema.cel.values import Value
from fairlead_schema.merging import shape_of
from tests.unit.control_plane.in_process import known

SHAPE = shape_of(known("apps", "deployments").storage_version.schema())
DEPLOYMENT: JsonObject = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"a": "b"}},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "i", "args": ["x"]}]}}},
}


def made(path: str, **fields: Value) -> Made:
    """Return what ``<path>{...}`` makes."""
    return Made(ROOT_TYPE if path == "Object" else MadeType(path), fields)


def operation(**fields: Value) -> Made:
    """Return what ``JSONPatch{...}`` makes."""
    return Made(PATCH_TYPE, {name.rstrip("_"): value for name, value in fields.items()})


def containers(*listed: JsonObject) -> Made:
    """Return a configuration of containers."""
    pod = made("Object.spec.template.spec", containers=list(listed))
    return made("Object", spec=made("Object.spec", template=made("Object.spec.template", spec=pod)))


def test_lists_are_merged_by_their_keys() -> None:
    """A container of another name is added, one of the same is completed; the object given stays as it was."""
    before = copy.deepcopy(DEPLOYMENT)
    found = configured(DEPLOYMENT, containers({"name": "c", "image": "j"}, {"name": "d"}), SHAPE)
    assert found["spec"]["template"]["spec"]["containers"] == [
        {"name": "c", "image": "j", "args": ["x"]},
        {"name": "d"},
    ]
    assert before == DEPLOYMENT


def test_what_can_only_be_replaced_is_refused() -> None:
    """A policy must not throw away what others put into a list without keys."""
    with pytest.raises(BadMutation, match=r"may not mutate atomic arrays, maps or structs: .*\.args"):
        configured(DEPLOYMENT, containers({"name": "c", "args": ["y"]}), SHAPE)


def test_names_of_types_say_where_they_stand() -> None:
    """``Object.spec`` belongs into ``spec``."""
    with pytest.raises(BadMutation, match=r'unexpected type name "Object\.spec", expected "Object\.meta'):
        configured(DEPLOYMENT, made("Object", metadata=made("Object.spec")), SHAPE)


def test_undeclared_fields_are_refused() -> None:
    """As by server-side apply."""
    with pytest.raises(BadMutation, match=r"\.spec\.nothing: field not declared in schema"):
        configured(DEPLOYMENT, made("Object", spec=made("Object.spec", nothing=1)), SHAPE)


@given(st.dictionaries(st.text("abc", min_size=1), st.text(), max_size=4))
def test_merging_twice_is_once(labels: dict[str, str]) -> None:
    """And nothing is lost that was there."""
    config = made("Object", metadata=made("Object.metadata", labels=labels))
    once = configured(DEPLOYMENT, config, SHAPE)
    assert configured(once, config, SHAPE) == once
    assert once["metadata"]["labels"] == {"a": "b", **labels}


def test_patches_are_applied_in_order() -> None:
    """Values may be objects that expressions made."""
    more = made("Object.spec.template.spec.containers", name="m")
    found = patched(
        DEPLOYMENT,
        [
            operation(op="replace", path="/spec/replicas", value=3),
            operation(op="add", path="/spec/template/spec/containers/-", value=more),
            operation(op="copy", from_="/spec/replicas", path="/spec/minReadySeconds"),
        ],
    )
    assert found["spec"]["replicas"] == found["spec"]["minReadySeconds"] == 3
    assert found["spec"]["template"]["spec"]["containers"][1] == {"name": "m"}


def test_a_failed_test_leaves_the_object_alone() -> None:
    """That is what tests in patches are for here."""
    failing = [operation(op="test", path="/spec/replicas", value=7), operation(op="remove", path="/spec")]
    assert patched(DEPLOYMENT, failing) is DEPLOYMENT


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (operation(op="remove", path="/a"), "JSON Patch: error in remove for path: '/a': Unable to remove nonexistent"),
        (operation(op="turn", path="/a"), "JSON Patch: Unexpected kind: turn"),
        (operation(op="add", path="/a", value={1: 2}), "JSONPath valueExpression evaluated to a type that could not"),
        (operation(op="add", path="/a", value=made("Object.a", b=made("Object.c"))), 'type name "Object.c"'),
    ],
)
def test_wrong_patches_say_why(wrong: Made, said: str) -> None:
    """In Kubernetes' words."""
    with pytest.raises(BadMutation, match=said):
        patched(DEPLOYMENT, [wrong])
