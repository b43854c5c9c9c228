"""The clusters that other tests stand on do what clusters do."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from fairlead_api import JsonObject
from tests.support.clusters import Cluster, audit_events
from tests.support.stages import NEVER_READY
from tests.support.waiting import wait_until


def _pods(cluster: Cluster, namespace: str) -> list[JsonObject]:
    found: list[JsonObject] = json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    return found


def _ready(pod: JsonObject) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))


def test_a_deployment_runs_on_each(two_clusters: tuple[Cluster, Cluster]) -> None:
    """Pods of a Deployment run on the cluster it was created in, and the audit log tells who created it."""
    for cluster in two_clusters:
        cluster.kubectl("create", "namespace", "harness")
        cluster.kubectl("create", "deployment", "web", "--image=web:1", "--replicas=3", "-n", "harness")
        cluster.kubectl("rollout", "status", "deployment/web", "-n", "harness", "--timeout=60s")
        pods = _pods(cluster, "harness")
        assert [pod["status"]["phase"] for pod in pods] == ["Running"] * 3
        assert all(pod["spec"]["nodeName"].startswith(cluster.name) for pod in pods)
        created = [
            event["user"]["username"]
            for event in audit_events(cluster)
            if event["verb"] == "create"
            and event["requestURI"].startswith("/apis/apps/v1/namespaces/harness/deployments?")
        ]
        assert created == ["kubernetes-admin"]
        cluster.kubectl("delete", "namespace", "harness", "--wait=false")


def test_readiness_and_a_crash(start_clusters: Callable[[list[str]], list[Cluster]]) -> None:
    """Pods can be late or never ready, and a killed API server comes back with everything it held."""
    (cluster,) = start_clusters(["frail"])
    cluster.kubectl("create", "deployment", "web", "--image=web:1", "--replicas=1")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")

    cluster.set_pod_readiness(NEVER_READY)
    cluster.kubectl("scale", "deployment/web", "--replicas=2")
    wait_until(lambda: [pod["status"]["phase"] for pod in _pods(cluster, "default")] == ["Running"] * 2, 60)
    assert sum(_ready(pod) for pod in _pods(cluster, "default")) == 1

    cluster.kill_api_server()
    with pytest.raises(AssertionError, match="refused"):
        cluster.kubectl("get", "pods", "--request-timeout=2s")
    cluster.start_api_server()
    assert len(_pods(cluster, "default")) == 2

    cluster.set_pod_readiness(1)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
