"""A played cluster comes to rest, rolls within its bounds, and replaces what a dead node took with it."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.conditions import get
from fairlead_lab.deployments import wanted_of
from fairlead_lab.settings import FAILED, READY_AFTER, LabSettings
from fairlead_lab.world import Key
from tests.unit.lab.stage import NEVER, Stage, deployment

WEB = Key("Deployment", "default", "web")
LAB = LabSettings("lab", region="eu-1", ready_after_s=1.0)
BOUNDS = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "25%", "50%", "100%"]))


def stage(seed: int = 0, lab: LabSettings = LAB) -> Stage:
    return Stage(lab, random.Random(seed).choice)


def status(played: Stage) -> JsonObject:
    found = played.world.get(WEB)
    assert found is not None
    value: JsonObject = found["status"]
    return value


def image(name: str, annotations: dict[str, str] | None = None) -> JsonObject:
    template: JsonObject = {"spec": {"containers": [{"name": "c", "image": name}]}}
    if annotations:
        template["metadata"] = {"annotations": annotations}
    return {"spec": {"template": template}}


@given(
    replicas=st.integers(0, 6),
    surge=BOUNDS,
    unavailable=BOUNDS,
    images=st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
    pauses=st.lists(st.floats(0, 4), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_a_rollout_keeps_its_bounds_and_ends(
    replicas: int, surge: int | str, unavailable: int | str, images: list[str], pauses: list[float], seed: int
) -> None:
    """Whatever the bounds, the templates and the order of work: enough stay ready, not too many run, all end ready."""
    played = stage(seed)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    web = played.create(deployment(replicas, strategy=strategy))
    played.run()
    wanted = wanted_of(web)
    seen: list[int] = []

    def look() -> None:
        seen.append(played.ready())
        asked = sum(one["spec"]["replicas"] for one in played.world.all("ReplicaSet"))
        assert asked <= wanted.most

    played.watch = look
    for name, pause_s in zip(images, pauses, strict=False):
        played.change(WEB, image(name))
        played.run(played.now_s + pause_s)
    played.run()
    assert min([replicas, *seen]) >= wanted.least
    assert played.ready() == replicas
    found = status(played)
    assert [found.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")] == [
        replicas
    ] * 4
    current = played.world.get(WEB)
    assert current is not None
    assert found["observedGeneration"] == current["metadata"]["generation"]


@given(
    sizes=st.lists(st.integers(0, 8), min_size=1, max_size=5),
    pauses=st.lists(st.floats(0, 3), min_size=5, max_size=5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_scaling_in_the_middle_of_a_rollout_ends_at_the_last_size(
    sizes: list[int], pauses: list[float], seed: int
) -> None:
    """Every change of size and template ends with exactly the pods asked for, all of the last template."""
    played = stage(seed)
    played.create(deployment(4))
    for number, (size, pause_s) in enumerate(zip(sizes, pauses, strict=False)):
        played.change(WEB, {"spec": {"replicas": size, **image(f"v{number}")["spec"]}})
        played.run(played.now_s + pause_s)
    played.run()
    assert played.ready() == sizes[-1]
    assert status(played).get("updatedReplicas", 0) == sizes[-1]


def test_rest_means_no_steps_that_write() -> None:
    """A cluster at rest stays as it is when every object is looked at again."""
    played = stage()
    played.create(deployment(3))
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    played.create({"kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    played.run()
    before = [obj for kind in ("Node", "Pod", "Service", "Deployment") for obj in played.world.all(kind)]
    for obj in before:
        played._enqueue(obj)
    played.run()
    assert before == [obj for kind in ("Node", "Pod", "Service", "Deployment") for obj in played.world.all(kind)]
    endpoints = played.world.get(Key("Endpoints", "default", "web"))
    assert endpoints is not None
    assert len(endpoints["subsets"][0]["addresses"]) == 3


def test_recreate_stops_first() -> None:
    """With Recreate, no pod of the new template runs beside one of the old."""
    played = stage()
    played.create(deployment(3, strategy={"type": "Recreate"}))
    played.run()
    mixed: list[set[str]] = []
    played.watch = lambda: mixed.append({pod["spec"]["containers"][0]["image"] for pod in played.world.all("Pod")})
    played.change(WEB, image("b"))
    played.run()
    assert {"a"} in mixed
    assert {"b"} in mixed
    assert {"a", "b"} not in mixed
    assert played.ready() == 3


def test_a_pod_that_is_never_ready_holds_the_rollout() -> None:
    """The old pods stay, and after the deadline the Deployment says that it is stuck."""
    played = stage()
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    played.create(deployment(2, strategy={"type": "RollingUpdate", "rollingUpdate": rolling}))
    played.run()
    played.change(WEB, image("b", {READY_AFTER: "never"}))
    played.run()
    assert played.ready() == 2
    progressing = get(status(played)["conditions"], "Progressing")
    assert progressing is not None
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")


def test_readiness_waits_as_the_annotation_says() -> None:
    """A pod with ``ready-after: 30s`` is not ready after 29 seconds and is after 31."""
    played = stage()
    played.create(deployment(1))
    played.change(WEB, image("b", {READY_AFTER: "30s"}))
    start_s = played.now_s
    played.run(start_s + 29)
    assert played.ready() == 0
    played.run(start_s + 31)
    assert played.ready() == 1


def test_a_dead_node_loses_its_pods_and_comes_back() -> None:
    """Pods of a node that plays dead are not ready, then replaced elsewhere; once it is back they end."""
    played = stage()
    played.create(deployment(4))
    played.run()
    node = Key("Node", "", "lab-node-0")
    played.change(node, {"metadata": {"annotations": {FAILED: "true"}}})
    played.run(played.now_s + 0.5)
    assert played.ready() == 2
    played.run(played.now_s + 20)
    assert played.ready() == 4
    assert {
        pod["spec"]["nodeName"] for pod in played.world.all("Pod") if "deletionTimestamp" not in pod["metadata"]
    } == {"lab-node-1"}
    found = played.world.get(node)
    assert found is not None
    assert (get(found["status"]["conditions"], "Ready") or {})["status"] == "Unknown"
    played.change(node, {"metadata": {"annotations": {FAILED: None}}})
    played.run(NEVER)
    found = played.world.get(node)
    assert found is not None
    assert "taints" not in found["spec"]
    assert (get(found["status"]["conditions"], "Ready") or {})["status"] == "True"
    assert len(list(played.world.all("Pod"))) == played.ready() == 4


def test_what_the_server_lets_every_pod_bear_is_the_labs_time() -> None:
    """The five minutes that a server adds to each pod count as not said; other times are the pod's own."""
    played = stage()
    body = deployment(4)
    toleration = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}
    body["spec"]["template"]["spec"]["tolerations"] = [{**toleration, "tolerationSeconds": 300}]
    played.create(body)
    patient = deployment(2)
    patient["metadata"]["name"] = "patient"
    patient["spec"]["template"]["spec"]["tolerations"] = [{**toleration, "tolerationSeconds": 299}]
    played.create(patient)
    played.run()
    played.change(Key("Node", "", "lab-node-0"), {"metadata": {"annotations": {FAILED: "true"}}})
    played.run(played.now_s + 20)
    seconds = [
        pod["spec"]["tolerations"][0]["tolerationSeconds"]
        for pod in played.world.all("Pod")
        if pod["spec"]["nodeName"] == "lab-node-0" and "deletionTimestamp" not in pod["metadata"]
    ]
    assert seconds == [299]


def test_addresses_are_unique() -> None:
    """Pods have addresses of their own."""
    played = stage()
    played.create(deployment(30))
    played.run()
    assert len({pod["status"]["podIP"] for pod in played.world.all("Pod")}) == 30


def test_history_is_limited() -> None:
    """Empty ReplicaSets beyond the limit go, the oldest first; the revision counts on."""
    played = stage()
    played.create(deployment(1, revisionHistoryLimit=2))
    played.run()
    for name in "bcdef":
        played.change(WEB, image(name))
        played.run()
    images = {one["spec"]["template"]["spec"]["containers"][0]["image"] for one in played.world.all("ReplicaSet")}
    assert images == {"d", "e", "f"}
    found = played.world.get(WEB)
    assert found is not None
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "6"
