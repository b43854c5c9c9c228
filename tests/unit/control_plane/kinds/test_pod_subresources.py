"""Pods' ephemeral containers and resources, written alone."""

from __future__ import annotations

import copy

import pytest

from fairlead_api import JsonObject
from fairlead_api.request import SYSTEM
from fairlead_control_plane.kinds.record import Writer
from fairlead_control_plane.kinds.strategies.pods import POD

WRITER = Writer(SYSTEM, "2026-01-01T00:00:00Z")
AMOUNTS: JsonObject = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}


def pod(**spec: object) -> JsonObject:
    """Return a pod as it is stored."""
    container: JsonObject = {"name": "c", "image": "i", "resources": copy.deepcopy(AMOUNTS)}
    found: JsonObject = {
        "metadata": {"name": "p", "labels": {"a": "b"}, "generation": 1},
        "spec": {"containers": [container], "restartPolicy": "Always", **spec},
        "status": {"phase": "Running", "qosClass": "Burstable"},
    }
    assert POD.prepare_update is not None
    POD.prepare_update(found, found)
    found["spec"]["containers"][0] |= {"terminationMessagePolicy": "File", "terminationMessagePath": "/t"}
    found["spec"] |= {"dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30}
    return found


def write(part: str, new: JsonObject, old: JsonObject) -> list[tuple[str, str]]:
    """Write a part; return what is wrong."""
    of = POD.subresources[part]
    assert of.prepare is not None
    assert of.validate is not None
    of.prepare(new, copy.deepcopy(old), WRITER)
    return [(cause.field, cause.message) for cause in of.validate(new, old)]


def test_ephemeral_containers_are_added_and_nothing_else() -> None:
    """What else is in the body is passed over."""
    old, new = pod(), pod()
    new["spec"]["containers"][0]["image"] = "other"
    new["metadata"]["labels"] = {}
    new["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "debug"}]
    assert write("ephemeralcontainers", new, old) == []
    assert new["spec"]["containers"] == old["spec"]["containers"]
    assert new["metadata"]["labels"] == {"a": "b"}
    debug = new["spec"]["ephemeralContainers"][0]
    assert (debug["terminationMessagePolicy"], debug["imagePullPolicy"]) == ("File", "Always")


def test_ephemeral_containers_stay_as_they_are() -> None:
    """Neither gone nor changed."""
    old = pod(ephemeralContainers=[{"name": "debug", "image": "debug"}])
    gone, changed = pod(), pod(ephemeralContainers=[{"name": "debug", "image": "other"}])
    (cause,) = write("ephemeralcontainers", gone, old)
    assert cause[1] == 'Forbidden: existing ephemeral containers "debug" may not be removed\n'
    (cause,) = write("ephemeralcontainers", changed, old)
    assert cause[1].startswith('Forbidden: existing ephemeral containers "debug" may not be changed\n')


def test_a_pod_is_resized() -> None:
    """Within its class of service; the rest of the body is passed over."""
    old, new = pod(), pod(nodeName="elsewhere")
    new["spec"]["containers"][0] |= {"image": "other"}
    new["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "200m"
    assert write("resize", new, old) == []
    assert new["spec"]["containers"][0]["image"] == "i"
    assert "nodeName" not in new["spec"]
    assert new["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "200m", "memory": "64Mi"}


QOS = ("spec", 'Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing')


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({**AMOUNTS, "requests": AMOUNTS["limits"]}, [QOS]),
        (
            {"requests": {"cpu": "100m", "memory": "64Mi"}},
            [("spec.containers[0].resources.limits", "Forbidden: resource limits cannot be removed")],
        ),
        (
            {**AMOUNTS, "limits": {**AMOUNTS["limits"], "ephemeral-storage": "1Gi"}},
            [("spec", "Forbidden: only cpu and memory resources are mutable")],
        ),
    ],
)
def test_refused_resizes(resources: JsonObject, wanted: list[tuple[str, str]]) -> None:
    """Another class, less than nothing, other things."""
    new = pod()
    new["spec"]["containers"][0]["resources"] = copy.deepcopy(resources)
    assert write("resize", new, pod()) == wanted


def test_containers_keep_their_places() -> None:
    """Another name is another container."""
    new = pod()
    new["spec"]["containers"][0]["name"] = "d"
    text = "Forbidden: containers may not be renamed or reordered on resize"
    assert write("resize", new, pod()) == [("spec.containers[0].name", text)]


@pytest.mark.parametrize(("part", "what"), [("resize", "cannot be resized"), ("ephemeralcontainers", "do not support")])
def test_static_pods_are_left_alone(part: str, what: str) -> None:
    """Their kubelet has them from a file."""
    old = pod()
    old["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    (cause,) = write(part, pod(), old)
    assert what in cause[1]
