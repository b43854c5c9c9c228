"""A workspace that has Kubernetes' compute kinds, and a cluster that runs what is in it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import uvloop

from bench.client import Target, ask, connect
from bench.subjects import Running
from fairlead_api import JsonObject
from tests.support import processes
from tests.support.servers import PROGRAMS

WORKSPACE = "root:bench"
SYNC_TARGET = "bench"
_BEGUN, _BEGIN_S = "at work", 30.0
_MADE = (201, 409)  # the second row that needs it finds it


async def make_workspace(running: Running) -> Target:
    """Return where compute kinds are served: on our server in a workspace of its own, bound to root's export."""
    if running.name != "ours":
        return running.target
    inside = replace(running.target, prefix=f"/clusters/{WORKSPACE}")
    name = WORKSPACE.rpartition(":")[2]
    workspace: JsonObject = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}}
    binding = {
        "apiVersion": "apis.kcp.io/v1alpha1",
        "kind": "APIBinding",
        "metadata": {"name": "kubernetes"},
        "spec": {"reference": {"export": {"path": "root:compute", "name": "kubernetes"}}},
    }
    await _post(running.target, "/apis/tenancy.kcp.io/v1alpha1/workspaces", workspace)
    await _post(inside, "/apis/apis.kcp.io/v1alpha1/apibindings", binding)
    return inside


async def _post(target: Target, path: str, obj: JsonObject) -> None:
    (connection,) = await connect(target, 1)
    await ask(connection, target.request("POST", path, orjson.dumps(obj)), _MADE)
    connection.close()


@contextlib.contextmanager
def joined(ours: Running, cluster: Running, folder: Path, *options: str) -> Iterator[Running]:
    """Run an agent that takes the workspace's content into ``cluster``; yields ``ours`` with both its ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        upstream, uid, token = runner.run(_place(ours))
    folder.mkdir(parents=True)
    token_file = folder / "token"
    token_file.write_text(token)
    command: list[str | Path] = [
        *(PROGRAMS / "fairlead", "syncer", "--from-cluster=root", "--from-context=base"),
        *(f"--from-kubeconfig={ours.kubeconfig}", f"--to-kubeconfig={cluster.kubeconfig}"),
        *(f"--sync-target-name={SYNC_TARGET}", f"--sync-target-uid={uid}"),
        *(f"--state-directory={folder / 'state'}", f"--bootstrap-token-file={token_file}", "--log-level=info"),
        *options,
    ]
    agent = _Agent(command, folder / "agent.log")
    try:
        yield replace(ours, target=upstream, downstream=cluster.target, agent=agent)
    finally:
        agent.process.stop()


class _Agent:
    """An agent's process (see :class:`bench.subjects.Agent`)."""

    def __init__(self, command: list[str | Path], log: Path) -> None:
        self._command = command
        self._log = log
        self._starts = itertools.count()
        self.process = self._start()[0]

    @property
    def groups(self) -> frozenset[int]:
        """The process groups it consists of."""
        return frozenset({self.process.pid})

    def restart(self) -> None:
        """End it and start it anew; returns as it begins to read both sides."""
        self.process.stop()
        self.process, log = self._start()
        self.process.wait_ready(lambda: _BEGUN in log.read_text(), _BEGIN_S)

    def _start(self) -> tuple[processes.Process, Path]:
        log = self._log.with_suffix(f".{next(self._starts)}.log")
        return processes.start("fairlead syncer", self._command, log=log), log


async def _place(ours: Running) -> tuple[Target, str, str]:
    """Make workspace, Placement and SyncTarget; return the workspace, the SyncTarget's uid and an agent's token."""
    inside = await make_workspace(ours)
    placement = {
        "apiVersion": "scheduling.kcp.io/v1alpha1",
        "kind": "Placement",
        "metadata": {"name": "bench"},
        "spec": {
            "namespaceSelector": {},
            "locationSelectors": [{}],
            "locationResource": {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"},
            "locationWorkspace": "root",
        },
    }
    await _post(inside, "/apis/scheduling.kcp.io/v1alpha1/placements", placement)
    api_version = "workload.kcp.io/v1alpha1"
    target = {"apiVersion": api_version, "kind": "SyncTarget", "metadata": {"name": SYNC_TARGET}}
    path = f"/apis/{api_version}/synctargets"
    await _post(ours.target, path, target)
    (connection,) = await connect(ours.target, 1)
    request = ours.target.request("GET", f"{path}/{SYNC_TARGET}")
    uid = orjson.loads(await ask(connection, request, (200,), keep=True))["metadata"]["uid"]
    request = replace(ours.target, prefix="").request("POST", f"/services/syncer/root/{SYNC_TARGET}/{uid}/bootstrap")
    token = orjson.loads(await ask(connection, request, (200, 201), keep=True))["token"]
    connection.close()
    return inside, uid, token
