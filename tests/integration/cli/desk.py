"""A platform engineer's terminal between a control plane and two real clusters."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.clusters import Cluster
from tests.support.servers import PROGRAMS, FairleadServer, run_program

KINDS = "namespaces,serviceaccounts,secrets,configmaps,deployments,pods,roles,rolebindings"
CLUSTER_KINDS = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "web:1"}]
"""


@dataclass(slots=True)
class Desk:
    """A platform engineer's terminal: Fairlead's and the clusters' contexts in one KUBECONFIG, a home of their own."""

    server: FairleadServer
    folder: Path
    east: Cluster
    west: Cluster

    def run(self, program: str, *arguments: str, code: int = 0) -> str:
        """Run a plugin; return standard output when it is to succeed, standard error when it is to fail."""
        done = run_program(program, *arguments, env=self.environment(), timeout_s=120)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stderr if code else done.stdout

    def environment(self) -> Mapping[str, str]:
        """Return what is in the environment of this terminal's commands."""
        files = (self.folder / "config", self.east.kubeconfig, self.west.kubeconfig)
        return {"KUBECONFIG": ":".join(map(str, files)), "HOME": str(self.folder)}

    def interrupt(self, word: str, *arguments: str) -> str:
        """Run ``kubectl fairlead`` and press Ctrl-C when it says a word; return all it said on standard error."""
        environment = {**os.environ, **self.environment()}
        command = [str(PROGRAMS / "kubectl-fairlead"), *arguments]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            said, pressed = "", False
            for line in process.stderr:
                said += line
                if word in line and not pressed:
                    process.send_signal(signal.SIGINT)
                    pressed = True
            assert process.wait(60) == 130, said
        assert "Traceback" not in said
        return said

    def cluster(self, *arguments: str, code: int = 0) -> str:
        """Run ``kubectl fairlead cluster``."""
        return self.run("kubectl-fairlead", "cluster", *arguments, code=code)

    def join(self, name: str, cluster: Cluster, *arguments: str, code: int = 0) -> str:
        """Join a cluster with an agent on this machine."""
        return self.cluster("join", name, "--context", cluster.context, "--as-process", *arguments, code=code)

    def log(self, name: str) -> str:
        """Return an agent's log."""
        return (self.folder / ".fairlead" / "clusters" / name / "agent.log").read_text()


def dump(cluster: Cluster) -> set[str]:
    """Return every object of the kinds we make or sync, by name and uid."""
    template = 'jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}/{.metadata.uid}{"\\n"}{end}'
    found = cluster.kubectl("get", KINDS, "-A", "-o", template) + cluster.kubectl("get", CLUSTER_KINDS, "-o", template)
    return set(found.split())
