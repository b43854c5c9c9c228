"""What the suite is run against: our server as one cluster, one of its workspaces, and Kubernetes itself."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from fairlead_api import JsonObject
from tests.conformance.cluster import conformance_cluster
from tests.conformance.suite import Target
from tests.support.clusters import run_kubectl
from tests.support.process_cluster import start_all
from tests.support.servers import ADMIN_CONTEXT, FairleadServer, fairlead_server, make_workspace

_WORKSPACE = "conformance"
_REFERENCE = "reference"
_ADMINISTRATOR = "shard-admin"
_MASTER_SERVICE: JsonObject = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "kubernetes", "namespace": "default"},
    "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
}
"""The suite learns from its address whether a cluster speaks IPv4; a workspace has no such service of itself."""


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Target]:
    """Run our server in its ``cluster`` profile, with Kubernetes' controllers, scheduler and two nodes of kwok."""
    with conformance_cluster(folder) as server:
        yield Target(server.kubeconfig, ADMIN_CONTEXT)


@contextlib.contextmanager
def reference(folder: Path) -> Iterator[Target]:
    """Run Kubernetes: etcd, kube-apiserver, controllers, scheduler and two nodes of kwok."""
    (started,) = start_all([_REFERENCE], folder, nodes=2)
    try:
        yield Target(started.kubeconfig, started.context)
    finally:
        started.stop()


@contextlib.contextmanager
def workspace(folder: Path) -> Iterator[Target]:
    """Run our server with a workspace that has the compute kinds bound; no cluster is joined, so no pod runs."""
    with fairlead_server(folder) as server:
        url = make_workspace(server, _WORKSPACE, compute=True)
        kubeconfig = folder / "workspace.kubeconfig"
        _write_kubeconfig(server, url, kubeconfig)
        run_kubectl(kubeconfig, "create", "-f", "-", stdin=json.dumps(_MASTER_SERVICE))
        yield Target(kubeconfig, _WORKSPACE, has_nodes=False)


def _write_kubeconfig(server: FairleadServer, url: str, path: Path) -> None:
    """Write a kubeconfig with one context, the workspace's, for the administrator of all workspaces."""
    config = yaml.safe_load(server.kubeconfig.read_text())
    trusted = config["clusters"][0]["cluster"]
    names = {"cluster": _WORKSPACE, "user": _ADMINISTRATOR}
    config |= {
        "clusters": [{"name": _WORKSPACE, "cluster": {**trusted, "server": url}}],
        "contexts": [{"name": _WORKSPACE, "context": names}],
        "current-context": _WORKSPACE,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))
