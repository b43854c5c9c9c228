"""
The main job on real Kubernetes: apply to a workspace, run in a cluster, see it come back, drain and lose no replica.

Aspects: unchanged YAML with real kubectl; statuses and Pods upstream; a drain whose replacement takes its time, judged
by the merged watch history of both clusters; a replacement that never gets ready; kills in the middle.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from tests.support.clusters import Cluster, run_kubectl
from tests.support.history import watch_deployments
from tests.support.servers import FairleadServer, fairlead_server
from tests.support.stages import NEVER_READY
from tests.support.waiting import wait_until

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: green}
---
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {password: hunter2}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: password}}]
"""


@dataclass(slots=True)
class Team:
    """A workspace with compute, and the clusters behind it."""

    server: FairleadServer
    clusters: dict[str, Cluster]
    state: Path

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 90) -> str:
        """Run real kubectl against the workspace."""
        url = f"{self.server.url}/clusters/root:shop"
        return run_kubectl(
            self.server.kubeconfig, "--context=base", f"--server={url}", *arguments, stdin=stdin, timeout_s=timeout_s
        )

    def plugin(self, *arguments: str, code: int = 0, timeout_s: float = 120) -> str:
        """Run ``kubectl fairlead`` in the root workspace; its exit code must be ``code``."""
        done = self.server.command("kubectl-fairlead", *arguments, timeout_s=timeout_s)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def get(self, *arguments: str) -> JsonObject:
        """Read one object of the workspace."""
        found: JsonObject = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def join(self, name: str) -> None:
        """Join a cluster with one command."""
        cluster = self.clusters[name]
        env = {"KUBECONFIG": f"{self.server.kubeconfig}:{cluster.kubeconfig}"}
        done = self.server.command(
            "kubectl-fairlead",
            *("cluster", "join", name, "--context", cluster.context, "--as-process"),
            *("--state-directory", str(self.state / name), "--label", f"region={name}"),
            env=env,
            timeout_s=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def runs_in(self) -> str:
        """Return the names of the clusters that have the Deployment, as the namespace's condition says."""
        return self.plugin("where", "deployment/web", "-w", ":root:shop", "-o", "name").strip()


@pytest.fixture
def team(start_clusters: Callable[[list[str]], list[Cluster]], tmp_path: Path) -> Iterator[Team]:
    """A workspace ``root:shop`` with compute, before any cluster is joined."""
    clusters = start_clusters(["east", "west"])
    with fairlead_server(tmp_path) as server:
        made = Team(server, {cluster.name: cluster for cluster in clusters}, tmp_path / "agents")
        yield made
        for name in made.clusters:
            stop_agent(made, name)


def stop_agent(team: Team, name: str) -> None:
    """End an agent's process, by the id in its state folder."""
    for file in (team.state / name).glob("*.pid"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(file.read_text()), signal.SIGKILL)


def make_workspace(team: Team) -> None:
    """Create the workspace with one command."""
    done = team.server.command("kubectl-ws", "create", "shop", "--compute", timeout_s=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_apply_run_see_drain(team: Team) -> None:
    """The whole way, with real kubectl and unchanged YAML; a drain loses no ready replica although it takes a while."""
    team.join("east")
    make_workspace(team)
    team.kubectl("apply", "-f", "-", stdin=MANIFEST)
    team.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert team.runs_in().endswith("east")

    wait_until(lambda: len(team.get("pods")["items"]) == 3, 30)
    status = team.get("deployment", "web")["status"]
    assert status["readyReplicas"] == 3
    assert status["observedGeneration"] == team.get("deployment", "web")["metadata"]["generation"]

    team.join("west")
    team.clusters["west"].set_pod_readiness(30)
    with watch_deployments(list(team.clusters.values())) as history:
        began_s = time.monotonic()
        told = team.plugin("cluster", "drain", "east", "--yes", "--timeout", "150s", timeout_s=180)
        assert time.monotonic() - began_s > 25, told
        assert history.least_ready("web", since_s=began_s) >= 3
    assert team.runs_in().endswith("west")
    team.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    left = json.loads(
        team.clusters["east"].kubectl("get", "ns", "-l", "internal.workload.kcp.io/cluster", "-o", "json")
    )
    assert left["items"] == []


def test_a_replacement_that_never_gets_ready(team: Team) -> None:
    """The old copy stays, and the drain says which workload it waits for, with exit code 3."""
    team.join("east")
    make_workspace(team)
    team.kubectl("apply", "-f", "-", stdin=MANIFEST)
    team.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    team.join("west")
    team.clusters["west"].set_pod_readiness(NEVER_READY)
    told = team.plugin("cluster", "drain", "east", "--yes", "--timeout", "15s", code=3, timeout_s=60)
    assert "web" in told
    assert team.get("deployment", "web")["status"]["readyReplicas"] == 3
    assert "east" in team.runs_in()


def test_nowhere_to_go(team: Team) -> None:
    """A drain without an alternative keeps the workload and says why."""
    team.join("east")
    make_workspace(team)
    team.kubectl("apply", "-f", "-", stdin=MANIFEST)
    team.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    told = team.plugin("cluster", "drain", "east", "--yes", "--timeout", "10s", code=3, timeout_s=60)
    assert "drain" in told
    assert team.get("deployment", "web")["status"]["readyReplicas"] == 3
    assert team.plugin("cluster", "uncordon", "east")
