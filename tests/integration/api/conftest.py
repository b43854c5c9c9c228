"""A workspace with the compute kinds beside a real cluster whose housekeeping runs, for one module."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fairlead_api import JsonObject
from tests.integration.api import accepted
from tests.integration.api.compare import MANIFESTS, Side
from tests.support import process_cluster, processes
from tests.support.clusters import run_kubectl
from tests.support.servers import FairleadServer, fairlead_server
from tests.support.waiting import wait_until

WORKSPACE = "twin"
_BINDING: JsonObject = {
    "apiVersion": "apis.kcp.io/v1alpha1",
    "kind": "APIBinding",
    "metadata": {"name": "kubernetes"},
    "spec": {"reference": {"export": {"path": "root:compute", "name": "kubernetes"}}},
}


def make_workspace(server: FairleadServer, name: str, *, compute: bool = False) -> str:
    """Make a universal workspace below root, bind compute when asked to; return its URL."""
    made = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}}
    server.kubectl("create", "-f", "-", stdin=json.dumps(made))
    server.kubectl("wait", f"workspace/{name}", "--for=jsonpath={.status.phase}=Ready", "--timeout=20s")
    url = f"{server.url}/clusters/root:{name}"
    if compute:
        server.kubectl(f"--server={url}", "create", "-f", "-", stdin=json.dumps(_BINDING))
        server.kubectl(f"--server={url}", "wait", "apibinding/kubernetes", "--for=condition=Ready", "--timeout=20s")
    return url


def _kubeconfig(source: Path, target: Path, user: str, *, url: str = "") -> Path:
    """Write a kubeconfig whose user ``master`` may do everything, in place of ``user``."""
    config = yaml.safe_load(source.read_text())
    found = next(each["user"] for each in config["users"] if each["name"] == user)
    config["users"].append({"name": "master", "user": found})
    context = next(each["context"] for each in config["contexts"] if each["name"] == config["current-context"])
    for cluster in config["clusters"]:
        if url and cluster["name"] == context["cluster"]:
            cluster["cluster"]["server"] = url
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(config))
    return target


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Side, Side]]:
    """Give Fairlead and Kubernetes, as the same kubectl sees them."""
    folder = processes.run_directory() / "pair"
    cluster = process_cluster.start_api("twin", folder / "cluster")
    try:
        cluster.launch_housekeeping()
        with fairlead_server(folder, "--no-scheduler") as server:
            url = make_workspace(server, WORKSPACE, compute=True)
            ours = Side(
                _kubeconfig(server.kubeconfig, folder / "ours", "shard-admin", url=url), accepted.rules(accepted.OURS)
            )
            theirs = Side(
                _kubeconfig(cluster.kubeconfig, folder / "theirs", cluster.name), accepted.rules(accepted.THEIRS)
            )
            for side in (ours, theirs):
                run_kubectl(side.kubeconfig, "apply", "-f", str(MANIFESTS / "enter.yaml"))
            wait_until(lambda: cluster.kubectl("get", "sa", "default", "--ignore-not-found", "-o", "name"), 30)
            yield ours, theirs
    finally:
        cluster.stop()
