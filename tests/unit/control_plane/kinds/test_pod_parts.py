"""Parts of pods that are written by themselves."""

from __future__ import annotations

import copy
from typing import Any

from fairlead_api import JsonObject
from tests.unit.control_plane.kinds.making import WRITER, new, strategy_of


def _pod(**fields: Any) -> JsonObject:
    """Return the spec of a pod whose only container has these fields."""
    return {"containers": [{"name": "web", "image": "web", **fields}]}


def _part(name: str, old: JsonObject, edit: JsonObject) -> tuple[JsonObject, list[tuple[str, str]]]:
    """Write a part of a pod; return the pod and what is wrong with it."""
    part = strategy_of("", "pods").subresources[name]
    obj = copy.deepcopy(old)
    obj["spec"] |= edit
    obj["metadata"]["labels"] = {"sent": "too"}
    assert part.prepare is not None
    assert part.validate is not None
    part.prepare(obj, old, WRITER)
    return obj, [(cause.field, cause.message) for cause in part.validate(obj, old)]


def test_ephemeral_containers_are_only_added() -> None:
    """Nothing else is taken over."""
    debug = {"name": "debug", "image": "debug:1"}
    pod, causes = _part(
        "ephemeralcontainers", new("", "pods", _pod()), {"ephemeralContainers": [debug], "hostname": "other"}
    )
    assert causes == []
    assert pod["spec"]["ephemeralContainers"][0]["name"] == "debug"
    assert "hostname" not in pod["spec"]
    assert "labels" not in pod["metadata"]
    _, causes = _part("ephemeralcontainers", pod, {"ephemeralContainers": []})
    assert causes == [
        ("spec.ephemeralContainers", 'Forbidden: existing ephemeral containers "debug" may not be removed\n')
    ]
    changed_one = {**pod["spec"]["ephemeralContainers"][0], "image": "debug:2"}
    _, ((_, text),) = _part("ephemeralcontainers", pod, {"ephemeralContainers": [changed_one]})
    assert '\n- "Image": "debug:1",\n+ "Image": "debug:2",\n' in text


def test_a_running_pod_is_resized() -> None:
    """In cpu and memory, as long as its class stays the same."""
    asked = {"requests": {"cpu": "1"}}
    old = new("", "pods", _pod(resources=asked))
    pod, causes = _part("resize", old, _pod(image="other", resources={"requests": {"cpu": "2"}}))
    assert causes == []
    assert pod["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "2"}}
    assert pod["spec"]["containers"][0]["image"] == "web"
    _, causes = _part("resize", old, _pod(resources={"requests": {"cpu": "2", "ephemeral-storage": "1Gi"}}))
    assert causes == [("spec", "Forbidden: only cpu and memory resources are mutable")]
    _, causes = _part("resize", old, _pod(resources={}))
    assert causes == [
        ("spec", 'Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'),
        ("spec.containers[0].resources.requests", "Forbidden: resource requests cannot be removed"),
    ]
