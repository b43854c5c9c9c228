"""How-to pages of this room, typed in."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from tests.integration.charts.test_installing import VOLUME, end_pod
from tests.support import processes
from tests.support.binaries import binary
from tests.support.charts import CHARTS, Helm
from tests.support.clusters import Cluster
from tests.support.pages import HOW_TO, Terminal, blocks
from tests.support.servers import PROGRAMS, FairleadServer, fairlead_server

INSTALL, BUILD = HOW_TO / "install-with-helm.md", HOW_TO / "build-the-image.md"
NOT_RUN = {
    INSTALL: [
        "nothing can be executed in a pod that is played",
        "tests/integration/charts does the same without this terminal",
    ],
    BUILD: ["no machine of the project has an engine", "it would run itself"],
}
STORAGE = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: by-hand, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
"""


@pytest.mark.parametrize("page", NOT_RUN, ids=lambda page: page.stem)
def test_what_is_not_run_is_known(page: Path) -> None:
    """Whatever else is in a fence of commands is run below."""
    assert [block.not_run for block in blocks(page) if block.not_run] == NOT_RUN[page]


@pytest.fixture
def far_server(tmp_path: Path) -> Iterator[FairleadServer]:
    """Give a server whose address does not say that it is on this machine; agents in a cluster are refused such."""
    (port,) = processes.free_ports(1)
    url = f"https://[::ffff:127.0.0.1]:{port}"
    with fairlead_server(tmp_path, f"--secure-port={port}", f"--external-url={url}") as server:
        yield server


@pytest.fixture
def hub(two_clusters: tuple[Cluster, Cluster]) -> Iterator[Cluster]:
    """Give a cluster with a default StorageClass and a volume, both for this test alone."""
    west = two_clusters[1]
    west.kubectl("create", "-f", "-", stdin=f"{STORAGE}---{VOLUME % 'page'}")
    yield west
    west.kubectl("delete", "storageclass/by-hand", "persistentvolume/page", "--wait=false")
    west.kubectl("delete", "namespace", "fairlead", "--ignore-not-found", "--wait=false")


@pytest.fixture
def terminal(tmp_path: Path, helm: Helm, far_server: FairleadServer, hub: Cluster, east: Cluster) -> Terminal:
    """Give a reader's terminal in a checkout, with both clusters' contexts in the usual kubeconfig."""
    folder = tmp_path / "checkout"
    (folder / ".kube").mkdir(parents=True)
    (folder / ".kube" / "config").write_text(json.dumps(_both(hub, east)))
    (folder / "charts").symlink_to(CHARTS)
    shutil.copy(far_server.kubeconfig, folder / "admin.kubeconfig")
    programs = [str(PROGRAMS), *(str(binary(name).parent) for name in ("helm", "kubectl"))]
    path = ":".join([*programs, os.environ["PATH"]])
    return Terminal(folder, {**helm.environment, "PATH": path})


def _both(hub: Cluster, east: Cluster) -> JsonObject:
    """Return one kubeconfig for both clusters; the first is called hub."""
    first, second = (json.loads(cluster.kubeconfig.read_text()) for cluster in (hub, east))
    for part in ("clusters", "users", "contexts"):
        first[part] += second[part]
    first["contexts"][0]["name"] = first["current-context"] = "hub"
    return dict(first)


def test_install_with_helm(terminal: Terminal, hub: Cluster, east: Cluster) -> None:
    """Every command of the page works, in its order, and both clusters are as they were before."""
    before = _namespaces(hub), _namespaces(east)
    with _ending(hub, "fairlead"):
        install, agent, *rest = [block for block in blocks(INSTALL) if not block.not_run]
        assert "Phase:          Succeeded" in terminal.run(install)
    listed = terminal.run(agent)
    assert "east" in listed
    told = [terminal.run(block) for block in rest]
    assert "data-fairlead-0" in told[-1]
    assert 'cluster "east" removed' in told[-1]
    assert (_namespaces(hub), _namespaces(east)) == before


def _namespaces(cluster: Cluster) -> set[str]:
    """Return the namespaces that are there to stay."""
    listed = json.loads(cluster.kubectl("get", "namespaces", "-o", "json"))["items"]
    return {one["metadata"]["name"] for one in listed if one["status"]["phase"] == "Active"}


@contextlib.contextmanager
def _ending(cluster: Cluster, namespace: str) -> Iterator[None]:
    """End the pod of ``helm test`` as it would end, for nobody runs its container."""
    player = threading.Thread(target=end_pod, args=(cluster, namespace, "Succeeded"))
    player.start()
    yield
    player.join()
