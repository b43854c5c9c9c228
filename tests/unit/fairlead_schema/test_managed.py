"""Entries of managedFields."""

import pytest

from fairlead_schema.fieldset import FieldSet
from fairlead_schema.managed import BadEntry, Manager, Managers, Ownership, capped, conflict, decode, encode, is_reset


def _owns(name: str, time: str = "", version: str = "v1") -> Ownership:
    return Ownership(FieldSet.of((name,)), version, time)


def test_appliers_come_first_then_time_and_name() -> None:
    """The order Kubernetes writes entries in."""
    managers: Managers = {
        Manager("b", "Update", "v1"): _owns("b", "2020-01-01T00:00:00Z"),
        Manager("a", "Update", "v1", "status"): _owns("a", "2020-01-02T00:00:00Z"),
        Manager("c", "Apply"): _owns("c", "2021-01-01T00:00:00Z"),
    }
    entries = encode(managers)
    assert [entry["manager"] for entry in entries] == ["c", "b", "a"]
    assert list(entries[2]) == ["manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"]
    assert {manager: owned.fields for manager, owned in decode(entries).items()} == {
        manager: owned.fields for manager, owned in managers.items()
    }


@pytest.mark.parametrize(
    "entry",
    [
        {"operation": "Own", "apiVersion": "v1", "fieldsType": "FieldsV1"},
        {"operation": "Apply", "fieldsType": "FieldsV1"},
        {"operation": "Apply", "apiVersion": "v1"},
        {"operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV2"},
        {"operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"x": {}}},
        {"operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:x": 1}},
    ],
)
def test_malformed_entries_are_refused(entry: dict[str, object]) -> None:
    """Nothing is guessed."""
    with pytest.raises(BadEntry):
        decode([entry])


def test_reset_is_an_empty_list_or_an_empty_entry() -> None:
    """Absent is no reset."""
    assert is_reset([])
    assert is_reset([{}])
    assert not is_reset(None)
    assert not is_reset([{}, {}])


def test_old_updaters_are_put_together_per_version() -> None:
    """At most ten are left; appliers do not count; a lone one of another version stays."""
    managers: Managers = {
        Manager(f"m{index:02}", "Update", "v1"): _owns(f"x{index}", f"2020-01-{index + 1:02}T00:00:00Z")
        for index in range(12)
    }
    managers[Manager("other", "Update", "v2")] = _owns("o", "2019-01-01T00:00:00Z", "v2")
    managers[Manager("applier", "Apply")] = _owns("p")
    found = capped(managers)
    ancient = Manager("ancient-changes", "Update", "v1")
    assert sum(not manager.is_applier for manager in found) == 10
    assert found[ancient].fields == FieldSet.of(("x0",), ("x1",), ("x2",), ("x3",))
    assert found[ancient].time == "2020-01-04T00:00:00Z"
    assert Manager("other", "Update", "v2") in found
    assert Manager("applier", "Apply") in found


def test_conflicts_are_told_as_kubectl_prints_them() -> None:
    """One in a line, several grouped by manager."""
    updater, applier = Manager("x", "Update", "apps/v1", "status"), Manager("y", "Apply")
    one = conflict({updater: FieldSet.of(("spec", "replicas"))})
    assert one.message == (
        'Apply failed with 1 conflict: conflict with "x" with subresource "status" using apps/v1: .spec.replicas'
    )
    several = conflict({applier: FieldSet.of(("a",)), updater: FieldSet.of(("b",), ("c",))})
    assert several.message == (
        'Apply failed with 3 conflicts: conflicts with "x" with subresource "status" using apps/v1:\n- .b\n- .c\n'
        'conflicts with "y":\n- .a'
    )
    assert [cause.as_json() for cause in several.causes][2] == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "y"',
        "field": ".a",
    }
