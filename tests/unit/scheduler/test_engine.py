"""
From raw objects to writes and to rest.

Aspects: a whole move played with an obedient cluster ends, through the right states; equal worlds write nothing;
messages reach the namespace.
"""

from typing import Any

import pytest

from fairlead_scheduler.engine import Writes, decide
from fairlead_scheduler.world import COMPUTE_ANNOTATION, World, parse_time

NOW = "2026-01-01T00:00:00Z"
SHOP = "shop"


def target(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"u-{name}", "labels": {"internal.workload.kcp.io/key": f"k-{name}"}},
        "spec": spec,
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "syncedResources": [
                {"group": "apps", "resource": "deployments", "identityHash": "id", "state": "Accepted"}
            ],
        },
    }


def world(*names: str) -> World:
    made = World(clusters={"root:infra": "infra"})
    for name in names:
        made.put("targets", ("infra", name), target(name))
    location = {"metadata": {"name": "default"}, "spec": {"instanceSelector": {}}}
    made.put("locations", ("infra", "default"), location)
    placement = {
        "metadata": {"name": "p"},
        "spec": {"locationSelectors": [{}], "namespaceSelector": {}, "locationWorkspace": "root:infra"},
    }
    made.put("placements", (SHOP, "p"), placement)
    add_namespace(made, "web", "n1")
    binding = {
        "metadata": {"name": "kubernetes", "annotations": {COMPUTE_ANNOTATION: "true"}},
        "status": {
            "boundResources": [
                {"group": "apps", "resource": "deployments", "schema": {"identityHash": "id"}},
                {"resource": "pods", "schema": {"identityHash": "id"}},
            ]
        },
    }
    made.put("bindings", (SHOP, "kubernetes"), binding)
    return made


def add_namespace(made: World, name: str, uid: str) -> None:
    made.put("namespaces", (SHOP, name), {"metadata": {"name": name, "uid": uid}})


def order(made: World, name: str, **spec: Any) -> None:
    """Change a SyncTarget's spec."""
    made.put("targets", ("infra", name), {**made.targets["infra", name], "spec": spec})


def step(made: World) -> Writes:
    return decide(made, SHOP, made.snapshot(1000.0, 300.0), NOW)


def carry_out(made: World, writes: Writes) -> None:
    """Store what the engine wrote, as the server would."""
    for name, spec in writes.assignments.items():
        if spec is None:
            made.remove("assignments", (SHOP, name))
            continue
        old = made.assignments.get((SHOP, name), {"metadata": {"name": name, "generation": 0}})
        generation = old["metadata"]["generation"] + 1
        new = {**old, "metadata": {"name": name, "generation": generation}, "spec": spec}
        made.put("assignments", (SHOP, name), new)
    for name, write in writes.namespaces.items():
        obj = made.namespaces[SHOP, name]
        for field, changes in (("labels", write.labels), ("annotations", write.annotations)):
            merged = {**obj["metadata"].get(field, {}), **changes}
            obj["metadata"][field] = {key: value for key, value in merged.items() if value is not None}
        obj["status"] = {"conditions": [write.condition]}
    for name, status in writes.placement_status.items():
        made.placements[SHOP, name]["status"] = status
    for name, key in writes.placement_target.items():
        marks = made.placements[SHOP, name]["metadata"].setdefault("annotations", {})
        marks.pop("internal.workload.kcp.io/synctarget", None)
        if key is not None:
            marks["internal.workload.kcp.io/synctarget"] = key


def report(made: World, **progress: tuple[bool, int]) -> None:
    """Let targets say how far they are: complete, and rows remaining."""
    obj = made.assignments[SHOP, "web"]
    obj["status"] = {
        "observedGeneration": obj["metadata"]["generation"],
        "targets": [
            {"uid": f"u-{name}", "objects": 1, "applied": 1, "ready": int(complete), "remaining": remaining}
            for name, (complete, remaining) in progress.items()
        ],
    }


def states(made: World) -> dict[str, str]:
    obj = made.assignments.get((SHOP, "web"))
    return {one["name"]: one["state"] for one in obj["spec"]["targets"]} if obj else {}


def settle(made: World) -> None:
    for _ in range(5):
        writes = step(made)
        if writes == Writes():
            return
        carry_out(made, writes)
    pytest.fail(f"the engine does not come to rest: {writes}")


def test_a_namespace_is_placed_shown_and_left_in_peace() -> None:
    """One round writes everything, the next nothing."""
    made = world("a")
    settle(made)
    namespace = made.namespaces[SHOP, "web"]
    assert states(made) == {"a": "Sync"}
    assert namespace["metadata"]["labels"] == {"state.workload.kcp.io/k-a": "Sync"}
    assert namespace["metadata"]["annotations"] == {"scheduling.kcp.io/placement": ""}
    assert namespace["status"]["conditions"][0]["status"] == "True"
    placement = made.placements[SHOP, "p"]
    assert placement["status"]["phase"] == "Bound"
    assert placement["status"]["selectedLocation"] == {"path": "infra", "locationName": "default"}
    assert placement["metadata"]["annotations"]["internal.workload.kcp.io/synctarget"] == "k-a"


def test_scores_of_others_are_no_reason_to_write() -> None:
    """Another namespace changes the load, not this one's record."""
    made = world("a", "b")
    settle(made)
    add_namespace(made, "other", "n2")
    carry_out(made, step(made))
    assert "web" not in step(made).assignments


def test_a_drain_moves_and_ends() -> None:
    """New, Ready, old leaves, gone: and the namespace shows it all along."""
    made = world("a", "b")
    settle(made)
    assert states(made) == {"a": "Sync"}
    order(made, "a", unschedulable=True, evictAfter="1970-01-01T00:00:01Z")
    settle(made)
    assert states(made) == {"a": "Draining", "b": "Sync"}
    report(made, a=(True, 3), b=(False, 3))
    settle(made)
    assert states(made) == {"a": "Draining", "b": "Sync"}
    report(made, a=(True, 3), b=(True, 3))
    settle(made)
    assert states(made) == {"a": "Leaving", "b": "Sync"}
    assert made.namespaces[SHOP, "web"]["metadata"]["labels"] == {"state.workload.kcp.io/k-b": "Sync"}
    report(made, a=(True, 0), b=(True, 3))
    settle(made)
    assert states(made) == {"b": "Sync"}


def test_a_stale_status_moves_nothing() -> None:
    """Progress that speaks of an older spec is no progress."""
    made = world("a", "b")
    settle(made)
    report(made, a=(True, 3), b=(True, 0))
    order(made, "a", evictAfter="1970-01-01T00:00:01Z")
    carry_out(made, step(made))
    settle(made)
    assert states(made) == {"a": "Draining", "b": "Sync"}


def test_nowhere_to_go_says_why_and_holds() -> None:
    """A drain without an alternative keeps the workload; the reason is recorded."""
    made = world("a")
    settle(made)
    order(made, "a", evictAfter="1970-01-01T00:00:01Z")
    settle(made)
    assert states(made) == {"a": "Sync"}
    decision = made.assignments[SHOP, "web"]["spec"]["decision"]
    assert decision["reason"] == "NoValidTarget"
    assert "a is being drained" in decision["message"]


def test_unplaced_namespace_hears_why() -> None:
    """The condition carries the reason in the user's terms."""
    made = world()
    settle(made)
    condition = made.namespaces[SHOP, "web"]["status"]["conditions"][0]
    assert condition["status"] == "False"
    assert condition["reason"] == "Unschedulable"
    assert "no SyncTarget in Location default of root:infra" in condition["message"]


def test_deleted_namespace_empties_its_targets_then_goes() -> None:
    """The Assignment outlives the namespace until nothing remains."""
    made = world("a")
    settle(made)
    made.remove("namespaces", (SHOP, "web"))
    settle(made)
    assert states(made) == {"a": "Leaving"}
    report(made, a=(False, 1))
    settle(made)
    assert states(made) == {"a": "Leaving"}
    report(made, a=(False, 0))
    settle(made)
    assert (SHOP, "web") not in made.assignments


def test_a_new_namespace_of_the_same_name_waits_for_the_old_one() -> None:
    """Deleted and made again: first the old one's objects go, then the new one is placed."""
    made = world("a")
    settle(made)
    add_namespace(made, "web", "n2")
    settle(made)
    assert states(made) == {"a": "Leaving"}
    report(made, a=(False, 0))
    settle(made)
    assert states(made) == {"a": "Sync"}
    assert made.assignments[SHOP, "web"]["spec"]["namespaceUID"] == "n2"


def test_a_target_that_is_gone_holds_nothing() -> None:
    """The SyncTarget was deleted: the namespace moves on without its confirmation."""
    made = world("a", "b")
    settle(made)
    made.remove("targets", ("infra", "a"))
    settle(made)
    report(made, b=(True, 3))
    settle(made)
    assert states(made) == {"b": "Sync"}


def test_system_namespaces_are_never_placed() -> None:
    """kube-system stays in the workspace."""
    made = world("a")
    add_namespace(made, "kube-system", "n0")
    settle(made)
    assert (SHOP, "kube-system") not in made.assignments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-11-21T07:00:00Z", 1795244400.0),
        ("2024-02-29T12:30:15.5Z", 1709209815.5),
        ("2026-11-21T09:00:00+02:00", 1795244400.0),
        ("2000-03-01T00:00:00Z", 951868800.0),
    ],
)
def test_times_are_read(text: str, expected: float) -> None:
    """RFC 3339, leap years and offsets included."""
    assert parse_time(text) == expected


def test_a_restored_namespace_takes_its_target_back() -> None:
    """While the end of the old one is held, say; another of its name waits until nothing of the old is left."""
    made = world("a")
    settle(made)
    made.remove("namespaces", (SHOP, "web"))
    settle(made)
    report(made, a=(False, 3))
    assert states(made) == {"a": "Leaving"}
    add_namespace(made, "web", "n2")
    settle(made)
    assert states(made) == {"a": "Leaving"}
    made.put(
        "namespaces",
        (SHOP, "web"),
        {"metadata": {"name": "web", "uid": "n3", "annotations": {"bin.fairlead.io/restored-from": "n1"}}},
    )
    settle(made)
    assert states(made) == {"a": "Sync"}
    assert made.assignments[SHOP, "web"]["spec"]["namespaceUID"] == "n3"


def test_a_restored_namespace_leaves_a_target_that_was_left_for_another_cause() -> None:
    """What had moved away before the namespace went does not come back with it."""
    made = world("a", "b")
    settle(made)
    order(made, "a", unschedulable=True, evictAfter="1970-01-01T00:00:01Z")
    settle(made)
    report(made, a=(True, 1), b=(True, 1))
    carry_out(made, step(made))
    assert states(made) == {"a": "Leaving", "b": "Sync"}
    made.remove("namespaces", (SHOP, "web"))
    carry_out(made, step(made))
    assert states(made) == {"a": "Leaving", "b": "Leaving"}
    made.put(
        "namespaces",
        (SHOP, "web"),
        {"metadata": {"name": "web", "uid": "n2", "annotations": {"bin.fairlead.io/restored-from": "n1"}}},
    )
    carry_out(made, step(made))
    assert states(made) == {"a": "Leaving", "b": "Sync"}


def select(made: World, selector: dict[str, Any]) -> None:
    """Change which namespaces the Placement takes."""
    placement = made.placements[SHOP, "p"]
    placement = {**placement, "spec": {**placement["spec"], "namespaceSelector": selector}}
    made.put("placements", (SHOP, "p"), placement)


NONE = {"matchLabels": {"no": "such"}}


@pytest.mark.parametrize("spec", [{}, {"unschedulable": True}])
def test_a_placement_that_is_set_right_takes_its_target_back(spec: dict[str, Any]) -> None:
    """The one that still holds what runs, cordoned or not, though another is emptier and has the better name."""
    made = world("b")
    settle(made)
    made.put("targets", ("infra", "a"), target("a"))
    select(made, NONE)
    settle(made)
    assert states(made) == {"b": "Leaving"}
    report(made, b=(False, 2))
    order(made, "b", **spec)
    select(made, {})
    settle(made)
    assert states(made) == {"b": "Sync"}


def test_a_placement_that_is_set_right_moves_what_it_may_not_leave_there() -> None:
    """With overlap, as every move: the drained target goes when the other is complete; with no other it stays."""
    made = world("a")
    settle(made)
    select(made, NONE)
    settle(made)
    report(made, a=(False, 2))
    order(made, "a", evictAfter="1970-01-01T00:00:01Z")
    select(made, {})
    settle(made)
    assert states(made) == {"a": "Sync"}
    made.put("targets", ("infra", "b"), target("b"))
    settle(made)
    assert states(made) == {"a": "Draining", "b": "Sync"}


def test_what_was_left_is_taken_back_when_the_new_is_refused() -> None:
    """Moved away, and the new target drained before the old one was empty: it goes back, not to a third."""
    made = world("b", "c")
    settle(made)
    order(made, "b", evictAfter="1970-01-01T00:00:01Z")
    settle(made)
    report(made, b=(True, 1), c=(True, 1))
    carry_out(made, step(made))
    assert states(made) == {"b": "Leaving", "c": "Sync"}
    made.put("targets", ("infra", "a"), target("a"))
    order(made, "b")
    order(made, "c", evictAfter="1970-01-01T00:00:01Z")
    settle(made)
    assert states(made) == {"b": "Sync", "c": "Draining"}


def test_what_no_target_takes_holds_up_no_move() -> None:
    """A Secret that every agent refuses: it never ran, so nothing is lost; whatever else is missing is waited for."""
    made = world("a", "b")
    settle(made)
    [start] = states(made)
    order(made, start, unschedulable=True, evictAfter="1970-01-01T00:00:00Z")
    settle(made)
    [other] = set(states(made)) - {start}
    assert states(made) == {start: "Draining", other: "Sync"}
    report(made, **{start: (True, 2), other: (True, 2)})
    there = made.assignments[SHOP, "web"]["status"]["targets"][1]
    there |= {"objects": 3, "applied": 1, "ready": 1, "waived": 1}
    settle(made)
    assert states(made)[start] == "Draining"
    there["applied"] = there["ready"] = 2
    made.put("assignments", (SHOP, "web"), made.assignments[SHOP, "web"])
    settle(made)
    assert states(made)[start] == "Leaving"
