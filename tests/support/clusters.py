"""
Clusters for tests: the interface, what they share, and the choice between kind and real processes.

Whoever needs a cluster asks for :class:`Cluster`; the same tests run on either implementation.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fairlead_api import JsonObject
from tests.support import binaries

DOCKER_ANSWER_S = 5.0
AUDIT_POLICY: JsonObject = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        # What a cluster tells itself all day says nothing about our agent.
        {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
        {"level": "None", "nonResourceURLs": ["/livez*", "/readyz*", "/healthz*", "/openapi/*", "/version"]},
        {"level": "RequestResponse", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "Metadata"},
    ],
}
"""Every write with both bodies, every read with who and what."""


class KubectlFailed(AssertionError):
    """kubectl ended with another code than 0; the message holds what it wrote."""


class NotSupported(Exception):
    """This kind of cluster cannot do that; tests that need it are left out, and named at the end of the run."""


class Cluster(Protocol):
    """
    One real Kubernetes cluster.

    Attributes:
        name: Also the name of its context in ``kubeconfig``.
        kubeconfig: An administrator's, with one context.
        server: URL of the API server.
        certificate_authority: File that the API server's certificate is checked against.
        audit_log: File with one audit event a line.
    """

    name: str
    kubeconfig: Path
    server: str
    certificate_authority: Path
    audit_log: Path

    @property
    def context(self) -> str:
        """The context in ``kubeconfig``."""
        ...

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 60) -> str:
        """Run kubectl as administrator and return what it wrote; ``KubectlFailed`` when it fails."""
        ...

    def pause_api_server(self) -> None:
        """Freeze the API server: connections stay, nobody answers."""
        ...

    def resume_api_server(self) -> None:
        """End :meth:`pause_api_server`."""
        ...

    def kill_api_server(self) -> None:
        """End the API server at once, as a crash would."""
        ...

    def start_api_server(self) -> None:
        """Start it again on the same address and wait until it is ready."""
        ...

    def set_pod_readiness(self, delay_s: float) -> None:
        """From now on pods become Ready after ``delay_s`` seconds, ``NEVER_READY`` for never; or ``NotSupported``."""
        ...

    def stop(self) -> None:
        """Take the cluster down with everything it holds."""
        ...


def run_kubectl(
    kubeconfig: Path, *arguments: str, program: Path | None = None, stdin: str | None = None, timeout_s: float = 60
) -> str:
    """
    Run kubectl and return its standard output.

    Raises:
        KubectlFailed: It ended with another code than 0.
    """
    command = [str(program or binaries.binary("kubectl")), f"--kubeconfig={kubeconfig}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s)
    if done.returncode:
        raise KubectlFailed(f"kubectl {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def write_kubeconfig(path: Path, name: str, server: str, certificate_authority: Path, token: str) -> None:
    """Write a kubeconfig with one context called ``name``, readable by its owner alone."""
    config: JsonObject = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority": str(certificate_authority)}}
        ],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))


def audit_events(cluster: Cluster) -> Iterator[JsonObject]:
    """Yield the audit events written so far; a line that is being written is left for the next call."""
    for line in cluster.audit_log.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)


@functools.cache
def docker_answers() -> bool:
    """Say whether a Docker engine answers and kind is there to use it."""
    if not (shutil.which("docker") and shutil.which("kind")):
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=DOCKER_ANSWER_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def provider() -> str:
    """Say in one line which clusters this run uses, or that there are none."""
    if docker_answers():
        return "kind (Docker); not verified by the project so far"
    if reason := binaries.why_unavailable():
        return f"NONE: {reason}"
    versions = f"Kubernetes {binaries.KUBERNETES_VERSION}, etcd {binaries.ETCD_VERSION}, kwok {binaries.KWOK_VERSION}"
    return f"real processes ({versions}; nodes and pods played by kwok)"


def start_clusters(names: list[str], folder: Path, *, nodes: int = 2) -> list[Cluster]:
    """
    Start whole clusters side by side, and wait until their nodes are Ready.

    Args:
        names: One for each cluster; also the prefix of its nodes' names.
        folder: Where their data and logs go.
        nodes: How many Ready nodes each gets.

    Raises:
        BinariesUnavailable: There is neither Docker with kind nor a way to get the programs.
    """
    # Imported here, because both build on this module.
    from tests.support import kind_cluster, process_cluster  # noqa: PLC0415

    if docker_answers():
        return [kind_cluster.start(name, folder / name) for name in names]
    return list(process_cluster.start_all(names, folder, nodes=nodes))
