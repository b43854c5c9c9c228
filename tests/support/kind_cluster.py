"""
A cluster made by kind, on a machine where a Docker engine answers.

Not verified so far: no machine of the project had an engine. Pods run for real here, so their readiness is not ours
to set (``NotSupported``); everything else is as with :mod:`tests.support.process_cluster`.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path

from fairlead_api import JsonObject
from tests.support.clusters import AUDIT_POLICY, Cluster, NotSupported, run_kubectl
from tests.support.waiting import wait_until

CREATE_TIMEOUT_S = 300.0
COMMAND_TIMEOUT_S = 60.0
_AUDIT_FOLDER = "/var/log/fairlead-audit"
_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_PARKED = "/etc/kubernetes/kube-apiserver.yaml"


class KindCluster:
    """Implements :class:`tests.support.clusters.Cluster`; made by :func:`start`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        # Two runs on one engine must not meet; the context is renamed to the name that tests use.
        self._kind_name = f"{name}-{uuid.uuid4().hex[:6]}"
        self._node = f"{self._kind_name}-control-plane"
        self.kubeconfig = folder / "admin.kubeconfig"
        self.audit_log = folder / "audit" / "audit.log"
        self.certificate_authority = folder / "ca.crt"
        self.server = ""

    @property
    def context(self) -> str:
        """The context in ``kubeconfig``."""
        return self.name

    def create(self) -> None:
        """Make the cluster and wait until its node is Ready."""
        self.audit_log.parent.mkdir(parents=True)
        (self.audit_log.parent / "policy.json").write_text(json.dumps(AUDIT_POLICY))
        config = self.folder / "kind.json"
        config.write_text(json.dumps(_configuration(self.audit_log.parent)))
        kubeconfig = f"--kubeconfig={self.kubeconfig}"
        _run(
            ["kind", "create", "cluster", f"--name={self._kind_name}", f"--config={config}", kubeconfig, "--wait=180s"],
            CREATE_TIMEOUT_S,
        )
        self.kubectl("config", "rename-context", f"kind-{self._kind_name}", self.name)
        self.server = self.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
        authority = '{{ (index .data "ca.crt") }}'
        self.certificate_authority.write_text(
            wait_until(
                lambda: self.kubectl(
                    "get", "configmap", "kube-root-ca.crt", "--ignore-not-found", f"-o=go-template={authority}"
                ),
                COMMAND_TIMEOUT_S,
            )
        )

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 60) -> str:
        """Run kubectl as administrator and return what it wrote; ``KubectlFailed`` when it fails."""
        return run_kubectl(self.kubeconfig, *arguments, stdin=stdin, timeout_s=timeout_s)

    def pause_api_server(self) -> None:
        """Freeze the API server: connections stay, nobody answers."""
        self._in_node("pkill", "-STOP", "-x", "kube-apiserver")

    def resume_api_server(self) -> None:
        """End :meth:`pause_api_server`."""
        self._in_node("pkill", "-CONT", "-x", "kube-apiserver")

    def kill_api_server(self) -> None:
        """End the API server at once; its manifest is moved away, so that the kubelet does not start it again."""
        self._in_node("mv", _MANIFEST, _PARKED)
        self._in_node("pkill", "-KILL", "-x", "kube-apiserver")

    def start_api_server(self) -> None:
        """Start it again on the same address and wait until it is ready."""
        self._in_node("mv", _PARKED, _MANIFEST)
        wait_until(lambda: self.kubectl("get", "--raw=/readyz"), CREATE_TIMEOUT_S)

    def set_pod_readiness(self, delay_s: float) -> None:
        """Refuse: these pods are real."""
        raise NotSupported(f"pods on kind run for real; their readiness cannot be set to {delay_s} s")

    def stop(self) -> None:
        """Delete the cluster."""
        _run(["kind", "delete", "cluster", f"--name={self._kind_name}"], CREATE_TIMEOUT_S)

    def _in_node(self, *command: str) -> None:
        _run(["docker", "exec", self._node, *command], COMMAND_TIMEOUT_S)


def start(name: str, folder: Path) -> KindCluster:
    """Make a cluster with kind and wait until its node is Ready."""
    cluster = KindCluster(name, folder)
    try:
        cluster.create()
    except BaseException:
        cluster.stop()
        raise
    return cluster


def _configuration(audit_folder: Path) -> JsonObject:
    mount: JsonObject = {
        "name": "audit",
        "hostPath": _AUDIT_FOLDER,
        "mountPath": _AUDIT_FOLDER,
        "pathType": "Directory",
    }
    api_server = {
        "extraArgs": {
            "audit-policy-file": f"{_AUDIT_FOLDER}/policy.json",
            "audit-log-path": f"{_AUDIT_FOLDER}/audit.log",
        },
        "extraVolumes": [mount],
    }
    patch = {"kind": "ClusterConfiguration", "apiServer": api_server}
    mounts = [{"hostPath": str(audit_folder), "containerPath": _AUDIT_FOLDER}]
    node = {"role": "control-plane", "kubeadmConfigPatches": [json.dumps(patch)], "extraMounts": mounts}
    return {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [node]}


def _run(command: list[str], timeout_s: float) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")


_: type[Cluster] = KindCluster
