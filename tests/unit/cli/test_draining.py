"""The plan of a drain, and what stands in its way."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_cli import draining
from fairlead_cli.assignments import Assigned
from fairlead_cli.blocking import not_ready, reasons
from fairlead_cli.downstream import trouble_of
from fairlead_cli.failure import Failure

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def target(uid: str, status: JsonObject | None = None, **spec: object) -> JsonObject:
    """Return a SyncTarget called like its uid."""
    return {"metadata": {"name": uid, "uid": uid}, "spec": spec, "status": READY if status is None else status}


def assigned(*candidates: JsonObject, targets: list[JsonObject] | None = None, **status: object) -> Assigned:
    """Return a namespace on ``east``."""
    on = targets or [{"uid": "east", "name": "east", "cluster": "1abc", "state": "Draining"}]
    decision = {"message": "why", "placements": [{"name": "p", "candidates": list(candidates)}]}
    return Assigned("root:shop", "web", "east", {"spec": {"targets": on, "decision": decision}, "status": status})


def on_its_way(targets: list[JsonObject], *progress: JsonObject) -> Assigned:
    """Return a namespace on these targets, which are so far with it."""
    body = {"spec": {"targets": targets}, "status": {"targets": list(progress)}}
    return Assigned("root:shop", "web", "east", body)


def step(one: Assigned, *targets: JsonObject) -> draining.Step:
    return draining._step(one, "east", {each["metadata"]["uid"]: each for each in targets})


def test_a_cluster_that_came_later_is_a_candidate() -> None:
    """What can be seen now counts, not only what was seen when the namespace was placed."""
    found = step(assigned({"uid": "east", "name": "east", "accepted": True}), target("east"), target("west"))
    assert (found.candidates, found.reason) == (("west",), "")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (target("west", {}), "west is not ready"),
        (target("west", unschedulable=True), "west is cordoned and takes nothing new"),
        (target("west", unschedulable=True, evictAfter="2030-01-01T00:00:00Z"), "west is being drained"),
    ],
)
def test_why_a_cluster_is_none(other: JsonObject, reason: str) -> None:
    """Each refusal is told with the cluster's name."""
    assert step(assigned(), target("east"), other).reason == reason


def test_missing_apis_last() -> None:
    """A cluster that was refused for its APIs is refused still; one refused for its state may have changed."""
    apis = {"uid": "west", "name": "west", "filter": "APICompatible", "message": "does not support x"}
    assert step(assigned(apis), target("west")).reason == "west does not support x"
    cordoned = {"uid": "west", "name": "west", "filter": "Schedulable", "message": "is cordoned"}
    assert step(assigned(cordoned), target("west")).candidates == ("west",)


def test_candidates_of_other_workspaces_are_as_the_scheduler_said() -> None:
    """A SyncTarget that cannot be read here is judged by the decision."""
    far = {"uid": "far", "name": "far", "accepted": True}
    no = {"uid": "no", "name": "no", "accepted": False, "message": "is not ready"}
    assert step(assigned(far, no)).candidates == ("far",)
    assert step(assigned(no)).reason == "no is not ready"
    assert step(assigned()).reason == "there is no other cluster"


def test_ready_elsewhere_means_all_objects_are() -> None:
    """Applied in full and ready in full, on every target that must run it."""
    on = [
        {"uid": "east", "name": "east", "cluster": "c", "state": "Draining"},
        {"uid": "west", "name": "west", "cluster": "c", "state": "Sync"},
    ]
    report = {"uid": "west", "objects": 2, "applied": 2, "ready": 1}
    assert not assigned(targets=on).is_ready_elsewhere()
    one = assigned(targets=on)
    one.body["status"] = {"targets": [report]}
    assert not one.is_ready_elsewhere()
    report["ready"] = 2
    assert one.is_ready_elsewhere()


def test_a_time_needs_a_zone() -> None:
    """--at without a zone could mean two times."""
    options = {"at": "2030-01-01T00:00:00", "dry_run": False, "yes": True, "wait": None, "timeout": "1m"}
    with pytest.raises(Failure, match="has no zone") as caught:
        draining.Wanted.of("east", "", options)
    assert caught.value.exit_code == 2


def _pod(**status: object) -> JsonObject:
    return {"metadata": {"name": "web-1"}, "status": status}


@pytest.mark.parametrize(
    ("pod", "text"),
    [
        (_pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}]), ""),
        (_pod(phase="Succeeded"), ""),
        (_pod(), "pod web-1 is not ready: Pending"),
        (
            _pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"}]),
            "pod web-1: no node takes it: 0/2 nodes are available",
        ),
        (
            _pod(conditions=[{"type": "Ready", "status": "False", "message": "containers with unready status: [a]"}]),
            "pod web-1 is not ready: containers with unready status: [a]",
        ),
    ],
)
def test_why_a_pod_is_not_ready(pod: JsonObject, text: str) -> None:
    """The reason is the cluster's own where it gives one."""
    assert not_ready(pod) == text


def test_images_that_cannot_be_pulled_are_explained() -> None:
    """The image is named, and what the kubelet said."""
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    pod = _pod(containerStatuses=[{"image": "fairlead:v9", "state": {"waiting": waiting}}])
    told = "pod web-1: the image cannot be pulled (fairlead:v9): ImagePullBackOff: Back-off pulling image"
    assert trouble_of(pod) == told


def test_a_crash_is_told_by_its_last_words() -> None:
    """What the agent said at its end is worth more than the kubelet's wait."""
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}
    last = {"terminated": {"message": "Error: no answer from the server"}}
    pod = _pod(containerStatuses=[{"image": "i", "state": {"waiting": waiting}, "lastState": last}])
    assert trouble_of(pod).endswith("CrashLoopBackOff: Error: no answer from the server")


async def test_what_cannot_be_removed_is_named() -> None:
    """Object and finalizer, whether or not there is another cluster to go to."""
    message = "'c' in namespace kcp-x of the cluster is being deleted and waits for finalizers [example.com/x]"
    kept = {"resource": "configmaps", "name": "c", "reason": "Terminating", "message": message}
    leaving = {"uid": "east", "name": "east", "cluster": "1abc", "state": "Leaving"}
    said = f"web (root:shop): configmaps/c cannot be removed: {message}"
    nobody: Any = None
    progress: list[JsonObject] = [{"uid": "east", "remaining": 2, "blocked": [kept]}]
    assert await reasons(nobody, on_its_way([leaving], *progress)) == [said]
    west = {"uid": "west", "name": "west", "cluster": "1abc", "state": "Sync"}
    progress.append({"uid": "west", "objects": 2, "applied": 1, "ready": 1, "waived": 1})
    found = await reasons(nobody, on_its_way([leaving, west], *progress))
    assert found[:2] == ["web (root:shop): 2 objects are still being removed", said]
