"""The words of ``why`` and ``where``."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_cli import explaining, resolving, standing
from fairlead_cli.assignments import Assigned
from fairlead_cli.explaining import Subject
from fairlead_cli.failure import Failure
from fairlead_cli.resolving import Kind
from fairlead_machinery.client import Gvr

DEPLOYMENT = Kind(Gvr("apps", "v1", "deployments"), "deployment", namespaced=True)
WEB: JsonObject = {
    "metadata": {"name": "web", "generation": 7},
    "spec": {"replicas": 3},
    "status": {"readyReplicas": 3, "observedGeneration": 7},
}
TARGET = {"uid": "syncTargetUID", "name": "us-west1", "cluster": "root:org:ws", "state": "Sync"}
PLACEMENT = {
    "name": "default",
    "location": {"path": "root:org:ws", "name": "eu"},
    "candidates": [
        {"uid": "syncTargetUID", "name": "us-west1", "accepted": True, "score": 71},
        {"uid": "other", "name": "eu-1", "filter": "Schedulable", "message": "is cordoned and takes nothing new"},
    ],
}


def subject(*targets: JsonObject, decision: JsonObject | None = None) -> Subject:
    body = {"spec": {"targets": list(targets), "decision": decision or {"placements": [PLACEMENT]}}}
    return Subject("deploy/web", DEPLOYMENT, "test", WEB, Assigned("root:org:ws", "test", "", body), "root:org:ws")


def test_the_whole_answer() -> None:
    """Where and how it is, who chose it, every candidate, and its name downstream (kcp's test vector)."""
    assert explaining.lines(subject(TARGET), {("root:org:ws", "eu"): "region=eu"}) == [
        "deploy/web → us-west1 (Ready 3/3, generation 7 = observed 7)",
        '  Placement "default" selects namespace test and chose Location eu (labels: region=eu)',
        "  Candidates: us-west1 chosen (score 71) · eu-1 rejected: is cordoned and takes nothing new",
        "  Downstream: us-west1, namespace kcp-33jbiactwhg0",
    ]


def test_a_move_is_told() -> None:
    """What is being left says so, with the reason."""
    leaving = {**TARGET, "state": "Draining", "reason": "Waiting for the replacement to be ready"}
    assert explaining.lines(subject(leaving), {})[-1].endswith("Draining: Waiting for the replacement to be ready")


def test_nowhere() -> None:
    """Without a target the scheduler's message is the answer; without an Assignment no Placement selects it."""
    decided = {"message": "0/1 SyncTargets are available: a is not ready.", "placements": []}
    assert explaining.lines(subject(decision=decided), {})[:2] == [
        "deploy/web → nowhere (Ready 3/3, generation 7 = observed 7)",
        "  0/1 SyncTargets are available: a is not ready.",
    ]
    unplaced = Subject("deploy/web", DEPLOYMENT, "test", WEB, None, "")
    assert (
        explaining.lines(unplaced, {})[1]
        == "  no Placement selects namespace test (to see them: kubectl get placements)"
    )


def test_what_nobody_can_take_is_not_lost() -> None:
    """Of what runs where it should not, with nowhere to go, it is said that it stays; who refused it stands in wide."""
    drained = {"uid": "syncTargetUID", "name": "us-west1", "filter": "NotEvicting", "message": "is being drained"}
    decided = {"placements": [{**PLACEMENT, "candidates": [drained]}]}
    told = explaining.lines(subject(TARGET, decision=decided), {}, wide=True)
    assert told[2:4] == [
        "  Candidates: us-west1 rejected: is being drained (filter NotEvicting)",
        "  No cluster can take it, so it stays in us-west1 and runs on",
    ]


def test_trouble_with_a_cluster_is_told_with_its_mend() -> None:
    """A cluster that is silent or holds deletions says so, and what to do."""
    silent = {"metadata": {"name": "east"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    assert "no heartbeat yet" in standing.troubles(silent, "root")[0]
    status = {"conditions": [{"type": "Ready", "status": "True"}], "heldDeletions": {"count": 21, "digest": "x"}}
    [held] = standing.troubles({"metadata": {"name": "east"}, "status": status}, "root")
    assert held.startswith("east holds 21 deletions")
    assert held.endswith("kubectl fairlead cluster approve east -w root")


def test_what_is_sent() -> None:
    """What compute binds, ConfigMaps and Secrets are sent; where no SyncTarget can be seen nothing is claimed."""
    targets = {"u": {"status": {"syncedResources": [{"group": "apps", "resource": "deployments"}]}}}
    roles = Gvr("rbac.authorization.k8s.io", "v1", "roles")
    assert standing.is_sent(DEPLOYMENT.gvr, targets)
    assert standing.is_sent(Gvr("", "v1", "secrets"), targets)
    assert not standing.is_sent(roles, targets)
    assert standing.is_sent(roles, {})


def test_places_for_machines() -> None:
    """``where -o json`` holds all it takes to find the object in the cluster."""
    assert subject(TARGET).place(TARGET) == {
        "syncTarget": "us-west1",
        "cluster": "root:org:ws",
        "uid": "syncTargetUID",
        "state": "Sync",
        "namespace": "kcp-33jbiactwhg0",
        "resource": "deployments",
        "name": "web",
    }


@pytest.mark.parametrize("text", ["web", "deploy/", "/web", "a/b/c"])
def test_what_names_nothing(text: str) -> None:
    """Anything but TYPE/NAME is wrong usage."""
    with pytest.raises(Failure) as caught:
        resolving.split(text)
    assert caught.value.exit_code == 2


def test_words_for_a_kind() -> None:
    """Plural, singular, kind and short names are found; a group narrows."""
    resource = {
        "resource": "deployments",
        "singularResource": "deployment",
        "responseKind": {"kind": "Deployment"},
        "shortNames": ["deploy"],
        "scope": "Namespaced",
    }
    document = {"items": [{"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [resource]}]}]}
    for word in ("deployments", "deployment", "deploy"):
        assert resolving._search(document, word, "") == DEPLOYMENT
    assert resolving._search(document, "deploy", "apps") == DEPLOYMENT
    assert resolving._search(document, "deploy", "extensions") is None
