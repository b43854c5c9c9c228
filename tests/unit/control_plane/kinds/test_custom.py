from __future__ import annotations

from typing import Any

from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.own import own_resource, own_resources
from fairlead_control_plane.kinds.record import ScalePaths


def _crd(**version: Any) -> dict[str, Any]:
    full = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}, **version}
    names = {"plural": "foos", "kind": "Foo"}
    return {
        "metadata": {"name": "foos.e.com", "uid": "u"},
        "spec": {"group": "e.com", "scope": "Cluster", "names": names, "versions": [full]},
    }


def test_names_left_out_follow_from_the_kind() -> None:
    """Singular and list kind have Kubernetes' defaults, the owner is the CRD's uid."""
    found = resource_from_crd(_crd())
    assert (found.singular, found.list_kind, found.owner, found.origin) == ("foo", "FooList", "u", "crd")
    assert not found.namespaced


def test_accepted_names_win() -> None:
    """What the names controller accepted is served, not what was asked for."""
    crd = _crd()
    crd["status"] = {"acceptedNames": {"plural": "foos", "kind": "Foo", "shortNames": ["f"]}}
    assert resource_from_crd(crd).short_names == ("f",)


def test_subresources_and_selectable_fields_are_read() -> None:
    """Scale paths, selectable fields and the default deprecation warning come from the version."""
    scale = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n", "labelSelectorPath": ".status.s"}
    found = resource_from_crd(
        _crd(subresources={"status": {}, "scale": scale}, selectableFields=[{"jsonPath": ".spec.a"}], deprecated=True)
    ).versions[0]
    assert found.subresources == {"status", "scale"}
    assert found.scale == ScalePaths(".spec.n", ".status.n", ".status.s")
    assert found.selectable == (".spec.a",)
    assert found.deprecation_warning == "e.com/v1 Foo is deprecated"


def test_status_is_apart_only_where_it_is_a_subresource() -> None:
    """With the subresource status is dropped on create and counts for no generation; without it is content."""
    obj = {"metadata": {}, "spec": {"a": 1}, "status": {"b": 2}}
    with_status = resource_from_crd(_crd(subresources={"status": {}})).strategy
    without = resource_from_crd(_crd()).strategy
    assert with_status.generation_of is not None
    assert without.generation_of is not None
    assert with_status.generation_of(obj) == {"spec": {"a": 1}}
    assert without.generation_of(obj) == {"spec": {"a": 1}, "status": {"b": 2}}
    for strategy, kept in ((with_status, False), (without, True)):
        created = {**obj}
        assert strategy.prepare_create is not None
        strategy.prepare_create(created)
        assert ("status" in created) is kept


def test_equal_schemas_are_compiled_once() -> None:
    """Two workspaces with the same CRD share the compiled schema."""
    assert resource_from_crd(_crd()).versions[0].schema() is resource_from_crd(_crd()).versions[0].schema()


def test_own_kinds_refuse_changes_of_immutable_fields() -> None:
    """A workspace's type cannot change; its cluster can be set once."""
    workspaces = own_resource("tenancy.kcp.io", "workspaces")
    check = workspaces.strategy.validate_update
    assert check is not None
    old = {"spec": {"type": {"name": "universal"}}}
    assert check({"spec": {"type": {"name": "universal"}, "cluster": "x"}}, old) == []
    assert [c.field for c in check({"spec": {"type": {"name": "other"}}}, old)] == ["spec.type.name"]
    assert [c.field for c in check({"spec": {"cluster": "y"}}, {"spec": {"cluster": "x"}})] == ["spec.cluster"]


def test_every_own_kind_has_a_record_with_a_schema() -> None:
    """All kinds of the registry compile and say whose they are."""
    for resource in own_resources():
        assert resource.origin == "own"
        assert resource.storage_version.schema().properties["metadata"] is not None


def test_deprecated_versions_name_a_better_one() -> None:
    """The best served version that is newer and not deprecated itself is named."""
    crd = _crd(name="v1beta1", deprecated=True)
    schema = {"openAPIV3Schema": {"type": "object"}}
    for name in ("v1", "v1alpha1", "v2"):
        version = {"name": name, "served": True, "storage": False, "schema": schema, "deprecated": name == "v2"}
        crd["spec"]["versions"].append(version)
    found = resource_from_crd(crd).versions[0]
    assert found.deprecation_warning == "e.com/v1beta1 Foo is deprecated; use e.com/v1 Foo"
