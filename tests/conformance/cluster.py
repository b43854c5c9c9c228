"""Our server in its ``cluster`` profile, with Kubernetes' own controllers and scheduler, and kwok, as its clients."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from fairlead_api import JsonObject
from tests.support import processes, stages
from tests.support.binaries import binary
from tests.support.servers import ADMIN_CONTEXT, FairleadServer, fairlead_server
from tests.support.waiting import wait_until

_JSON = "--kube-api-content-type=application/json"
_READY_S = 120.0


@contextlib.contextmanager
def conformance_cluster(folder: Path, *, nodes: int = 2, prefix: str = "") -> Iterator[FairleadServer]:
    """Run a whole cluster of our server for a ``with`` block; its nodes, named ``{prefix}node-1`` on, are Ready."""
    with contextlib.ExitStack() as parts:
        server = parts.enter_context(fairlead_server(folder, "--profile=cluster"))
        kubeconfig = server.kubeconfig
        for program, arguments in _clients(folder, kubeconfig).items():
            started = processes.start(program, [binary(program), *arguments], log=folder / f"{program}.log")
            parts.callback(started.stop)
        listed = {
            "apiVersion": "v1",
            "kind": "List",
            "items": [_node(f"{prefix}node-{number + 1}") for number in range(nodes)],
        }
        _kubectl(server, "create", "-f", "-", stdin=json.dumps(listed))
        wait_until(lambda: _ready_nodes(server) == nodes, _READY_S)
        yield server


def _clients(folder: Path, kubeconfig: Path) -> dict[str, list[str]]:
    manager_port, scheduler_port = processes.free_ports(2)
    stages_file = folder / "stages.yaml"
    stages_file.write_text(stages.node_and_pod_stages(0.0))
    usual = [f"--kubeconfig={kubeconfig}", "--bind-address=127.0.0.1", "--leader-elect=false", _JSON]
    fast = ["--kube-api-qps=200", "--kube-api-burst=400"]
    return {
        "kube-controller-manager": [
            *usual,
            *fast,
            f"--secure-port={manager_port}",
            f"--cert-dir={folder / 'manager'}",
        ],
        "kube-scheduler": [*usual, *fast, f"--secure-port={scheduler_port}", f"--cert-dir={folder / 'scheduler'}"],
        "kwok": [
            f"--kubeconfig={kubeconfig}",
            f"--config={stages_file}",
            "--manage-all-nodes",
            "--node-lease-duration-seconds=40",
            "--cidr=10.244.0.0/16",
        ],
    }


def _node(name: str) -> JsonObject:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def _ready_nodes(server: FairleadServer) -> int:
    found = json.loads(_kubectl(server, "get", "nodes", "-o", "json"))["items"]
    return sum(_is_ready(node) and not node["spec"].get("taints") for node in found)


def _is_ready(node: JsonObject) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _kubectl(server: FairleadServer, *arguments: str, stdin: str | None = None) -> str:
    return server.kubectl(*arguments, context=ADMIN_CONTEXT, stdin=stdin)
