"""Why a tombstone was made is said truly: the agent's brake goes by it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.assignment import parse
from fairlead_control_plane.views.effects import next_view

MAPS = Resource("", "configmaps", "ConfigMap", ())
SECRETS = Resource("", "secrets", "Secret", ())
BEFORE = rows.View("u1", "v1", "ConfigMap", hash="h")


def entry(**fields: str) -> JsonObject:
    return {"uid": "t", "key": "k", "state": "Sync", **fields}


def cause(target: Mapping[str, Any], obj: JsonObject | None, resource: Resource = MAPS, **more: str) -> str:
    """Return the cause of the tombstone that follows."""
    assignment = parse({"spec": {"targets": [target]}}, Compare("a", 1))
    after = next_view(resource, obj, BEFORE, assignment, "t", accepts=True, now="now", **more)
    assert after is not None
    assert after.state == rows.REMOVED
    return after.cause


OBJECT: JsonObject = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": "u1"}}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Replaced", "Moved"),
        ("The namespace is gone", "NamespaceDeleted"),
        ("No Placement selects this namespace", "Unassigned"),
        ("", "Unassigned"),
    ],
)
def test_a_target_that_is_left(reason: str, expected: str) -> None:
    """Only what has a ready replacement is a move."""
    assert cause(entry(state="Leaving", reason=reason), OBJECT) == expected


def test_who_deleted_it() -> None:
    """A user's word about one object is another cause than the control plane's sweep, wherever it was to run."""
    assert cause(entry(), None) == "Deleted"
    assert cause(entry(), None, end="Collected") == "Collected"
    assert cause(entry(state="Leaving", reason="Replaced"), None, end="Collected") == "Collected"


def test_what_must_not_leave_its_workspace() -> None:
    """An object that became one of those is taken back."""
    release = {**OBJECT, "kind": "Secret", "type": "helm.sh/release.v1"}
    assert cause(entry(reason="Replaced"), release, SECRETS) == "Unassigned"


def test_the_first_cause_stays() -> None:
    """A tombstone is not made again for another reason."""
    tombstone = rows.View("u1", "v1", "ConfigMap", state=rows.REMOVED, cause="Unassigned", since="then")
    assignment = parse({"spec": {"targets": [entry()]}}, Compare("a", 1))
    assert next_view(MAPS, None, tombstone, assignment, "t", accepts=True, now="now") == tombstone


@pytest.mark.parametrize(
    ("restored_from", "expected"),
    [("u1", {"downstreamUID": "d1"}), ("u0", {"replaces": "u1", "downstreamUID": "d1"})],
)
def test_what_is_restored_runs_on(restored_from: str, expected: JsonObject) -> None:
    """While its removal is not confirmed; any other object of that name replaces what runs, which restarts it."""
    gone = replace(BEFORE, state=rows.REMOVED, cause="Collected", report={"downstreamUID": "d1", "appliedHash": "h"})
    annotations = {"bin.fairlead.io/restored-from": restored_from}
    obj = {**OBJECT, "metadata": {"name": "a", "uid": "u2", "annotations": annotations}}
    assignment = parse({"spec": {"targets": [entry()]}}, Compare("a", 1))
    after = next_view(MAPS, obj, gone, assignment, "t", accepts=True, now="now")
    assert after is not None
    assert (after.state, after.uid, after.report) == (rows.SYNC, "u2", expected)


@pytest.mark.parametrize("replaces", [{}, {"replaces": "u0"}])
def test_what_is_assigned_again_runs_on(replaces: JsonObject) -> None:
    """A tombstone of the very object is no earlier one that it replaces; what was still to replace is."""
    report = {**replaces, "downstreamUID": "d1"}
    gone = replace(BEFORE, state=rows.REMOVED, cause="Unassigned", report={**report, "appliedHash": "h"})
    assignment = parse({"spec": {"targets": [entry()]}}, Compare("a", 1))
    after = next_view(MAPS, OBJECT, gone, assignment, "t", accepts=True, now="now")
    assert after is not None
    assert (after.state, after.uid, after.cause, after.report) == (rows.SYNC, "u1", "", report)
