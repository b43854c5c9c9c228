"""The two pairs of servers, as kubectl sees them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from tests.conformance.cluster import conformance_cluster
from tests.kubectl.allowed import Allowed
from tests.kubectl.compare import MANIFESTS, Side
from tests.support import process_cluster
from tests.support.clusters import run_kubectl
from tests.support.servers import ADMIN_CONTEXT, fairlead_server, make_workspace
from tests.support.waiting import wait_until

_NAME = "twin"
_NODES = 2
Pair = tuple[Side, Side]


@contextlib.contextmanager
def workspace_pair(folder: Path, allowed: Allowed) -> Iterator[Pair]:
    """Give a workspace with the compute kinds, and a kube-apiserver whose housekeeping runs."""
    cluster = process_cluster.start_api(_NAME, folder / "cluster")
    try:
        cluster.launch_housekeeping()
        with fairlead_server(folder, "--no-scheduler") as server:
            url = make_workspace(server, _NAME, compute=True)
            kubeconfigs = (
                _kubeconfig(server.kubeconfig, folder / "ours", "shard-admin", url=url),
                _kubeconfig(cluster.kubeconfig, folder / "theirs", cluster.name),
            )
            wait_until(lambda: cluster.kubectl("get", "sa", "default", "--ignore-not-found", "-o", "name"), 30)
            yield _sides("workspace", folder, kubeconfigs, allowed)
    finally:
        cluster.stop()


@contextlib.contextmanager
def cluster_pair(folder: Path, allowed: Allowed) -> Iterator[Pair]:
    """Give our server with all of Kubernetes' kinds, and Kubernetes, each with controllers, scheduler and nodes."""
    with contextlib.ExitStack() as parts:
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(process_cluster.start_all, [_NAME], folder / "clusters", nodes=_NODES)
            server = parts.enter_context(conformance_cluster(folder / "server", nodes=_NODES, prefix=f"{_NAME}-"))
            (cluster,) = starting.result()
        parts.callback(cluster.stop)
        kubeconfigs = (
            _kubeconfig(server.kubeconfig, folder / "ours", "", context=ADMIN_CONTEXT),
            _kubeconfig(cluster.kubeconfig, folder / "theirs", cluster.name),
        )
        yield _sides("cluster", folder, kubeconfigs, allowed)


STARTS = {"workspace": workspace_pair, "cluster": cluster_pair}
"""Name of a pair to what starts it for the length of a ``with`` block."""


def _sides(pair: str, folder: Path, kubeconfigs: tuple[Path, Path], allowed: Allowed) -> Pair:
    for kubeconfig in kubeconfigs:
        run_kubectl(kubeconfig, "apply", "-f", str(MANIFESTS / "enter.yaml"))
    ours, theirs = (
        Side(kubeconfig, folder / f"{server}-home", allowed.rules_of(pair, server))
        for kubeconfig, server in zip(kubeconfigs, ("ours", "theirs"), strict=True)
    )
    return ours, theirs


def _kubeconfig(source: Path, target: Path, user: str, *, url: str = "", context: str = "") -> Path:
    """Write a kubeconfig of one context, whose user ``master`` is ``user``, or the context's where none is named."""
    config = yaml.safe_load(source.read_text())
    wanted = context or config["current-context"]
    chosen = next(each["context"] for each in config["contexts"] if each["name"] == wanted)
    cluster = next(each["cluster"] for each in config["clusters"] if each["name"] == chosen["cluster"])
    users = {each["name"]: each["user"] for each in config["users"]}
    written = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": _NAME,
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
        "clusters": [{"name": _NAME, "cluster": {**cluster, "server": url or cluster["server"]}}],
        "users": [
            {"name": _NAME, "user": users[chosen["user"]]},
            {"name": "master", "user": users[user or chosen["user"]]},
        ],
    }
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(written))
    return target
