"""A workspace with compute on real clusters, joined and driven with the project's own commands."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairlead_api import JsonObject
from tests.support.clusters import Cluster, run_kubectl
from tests.support.servers import PROGRAMS, FairleadServer, fairlead_server

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

    def kill_agent(self, name: str) -> None:
        """End an agent's process at once, by the id in its state folder."""
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            os.kill(int((self.state / name / "agent.pid").read_text()), signal.SIGKILL)

    def start_drain(self, name: str) -> subprocess.Popen[str]:
        """Drain in the background, to be interrupted."""
        command = [str(PROGRAMS / "kubectl-fairlead"), "cluster", "drain", name, "--yes", "--timeout", "120s"]
        env = {**os.environ, "KUBECONFIG": str(self.server.kubeconfig)}
        return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)

    def make_workspace(self) -> None:
        """Create the workspace with one command, apply the manifest, wait until it runs."""
        done = self.server.command("kubectl-ws", "create", "shop", "--compute", timeout_s=120)
        assert done.returncode == 0, done.stdout + done.stderr
        self.kubectl("apply", "-f", "-", stdin=MANIFEST)
        self.kubectl("rollout", "status", "deployment/web", "--timeout=60s")

    def states(self) -> dict[str, str]:
        """Return the state of each cluster that has the namespace, from its Assignment."""
        return {one["name"]: one["state"] for one in self.get("assignment", "default")["spec"].get("targets", ())}

    def runs_in(self) -> str:
        """Return the names of the clusters that have the Deployment, as the namespace's condition says."""
        return self.plugin("where", "deployment/web", "-w", ":root:shop", "-o", "name").strip()


@contextlib.contextmanager
def a_team(clusters: list[Cluster], folder: Path) -> Iterator[Team]:
    """Run a control plane for some clusters; nothing is joined yet, and no workspace made."""
    with fairlead_server(folder) as server:
        made = Team(server, {cluster.name: cluster for cluster in clusters}, folder / "agents")
        try:
            yield made
        finally:
            for name in made.clusters:
                made.kill_agent(name)
