"""The processes of a soak and the links between them: everything real, everything breakable."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fairlead_api.names import ROOT
from fairlead_cli.process import LOG, PID, TOKEN, UPSTREAM
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.kubeconfig import Credentials
from tests.simulation.users import NAMESPACES, PLACEMENTS, make_workspace
from tests.soak.plan import HOSTS, PINNED, SIDE, WORKSPACES, Size
from tests.soak.tap import Tap
from tests.support import process_cluster, processes
from tests.support.chaos import Link, chaos_link
from tests.support.checking.history import Health, Record, Target
from tests.support.process_cluster import ADMIN_TOKEN, ProcessCluster
from tests.support.servers import FairleadServer, run_program
from tests.support.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 120.0
SYNC_TARGETS = Gvr("workload.kcp.io", "v1alpha1", "synctargets")
LOCATIONS = Gvr("scheduling.kcp.io", "v1alpha1", "locations")
_BACK_AFTER_S = 2.0
"""How long an agent that has ended stays away, as under whatever starts it again."""


class AuditedServer(FairleadServer):
    """Our server with a log of its requests."""

    @property
    def requests(self) -> Path:
        """Return the file with the log."""
        return self.directory.with_suffix(".requests")

    def launch(self) -> None:
        """Start it without waiting; again on the port it had, when it was started before."""
        command: list[str | Path] = [sys.executable, "-m", "tests.soak.audited", "start"]
        command += [f"--root-directory={self.directory}", f"--secure-port={self._port}"]
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        env = {"PYTHONPATH": path, "SOAK_REQUESTS": str(self.requests)}
        self.process = processes.start("fairlead start", command, log=self.directory.with_suffix(".log"), env=env)


@dataclass(slots=True)
class Agent:
    """
    An agent as ``cluster join`` set it up, started again whenever it ends.

    Attributes:
        up, down: Its ways to the control plane and to its cluster.
        user: Its user in the cluster.
        endings: Exit codes it ended with though nobody had killed it.
        kills: How often it was killed.
    """

    name: str
    folder: Path
    up: Link
    down: Link
    uid: str = ""
    user: str = ""
    kills: int = 0
    endings: list[int] = field(default_factory=list)
    process: processes.Process | None = None
    _command: list[str] = field(default_factory=list)

    def take_over(self) -> None:
        """Kill the process that ``cluster join`` started, and run the same command as a child of this one."""
        pid = int((self.folder / PID).read_text())
        self._command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
        os.kill(pid, signal.SIGKILL)
        claims = (self.folder / TOKEN).read_text().split(".")[1]
        self.user = json.loads(urlsafe_b64decode(claims + "=="))["sub"]
        self.start()

    def start(self) -> None:
        """Start it."""
        self.process = processes.start(f"agent {self.name}", self._command, log=self.folder / LOG)

    def kill(self) -> None:
        """End it at once; who supervises it starts it again."""
        process, self.process = self.process, None
        if process is not None:
            self.kills += 1
            process.kill()

    async def supervise(self) -> None:
        """Start it again whenever it has ended."""
        while True:
            await asyncio.sleep(0.5)
            code = None if self.process is None else self.process.return_code
            if self.process is not None and code is None:
                continue
            if code is not None:
                self.endings.append(code)
            await asyncio.sleep(_BACK_AFTER_S)
            self.start()


@dataclass(slots=True)
class Stage:
    """
    Everything that runs.

    Attributes:
        targets: By host.
        notes: Records of the history that are made while things happen: health, targets.
        trouble: Faults now, by host.
        workspaces: Names by logical cluster.
    """

    folder: Path
    size: Size
    server: AuditedServer
    tap: Tap
    clusters: dict[str, ProcessCluster]
    agents: dict[str, Agent] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    notes: list[Record] = field(default_factory=list)
    trouble: dict[str, int] = field(default_factory=lambda: dict.fromkeys(HOSTS, 0))
    workspaces: dict[str, str] = field(default_factory=dict)

    def plane(self) -> Client:
        """Return a client of the control plane, to be closed."""
        ca = (self.server.directory / "ca.crt").read_bytes()
        return Client(Credentials(self.server.url, token=self.server.token, ca=ca))

    def below(self, host: str) -> Client:
        """Return an administrator's client of a cluster, past all links; to be closed."""
        cluster = self.clusters[host]
        ca = cluster.certificate_authority.read_bytes()
        return Client(Credentials(cluster.server, token=ADMIN_TOKEN, ca=ca))

    def worse(self, *hosts: str) -> None:
        """Take note that something begins to be broken for these targets."""
        for host in hosts:
            self.trouble[host] += 1
            if self.trouble[host] == 1:
                self.notes.append(Health(time.time(), self.agents[host].uid, healthy=False))

    def better(self, *hosts: str) -> None:
        """Take note that it works again."""
        for host in hosts:
            self.trouble[host] -= 1
            if self.trouble[host] == 0:
                self.notes.append(Health(time.time(), self.agents[host].uid, healthy=True))

    def scheduler_pid(self) -> int:
        """Return the process id of the server's scheduler; 0 while there is none."""
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.server.process.pid and b"fairlead_scheduler" in (folder / "cmdline").read_bytes():
                    return int(folder.name)
        return 0

    # --- setting up --------------------------------------------------------------------------------------------------

    def join(self, host: str) -> None:
        """Join a cluster with one command that knows both sides by the links only."""
        agent, cluster = self.agents[host], self.clusters[host]
        up = self._by_link(self.server.kubeconfig, self.server.url, agent.up)
        down = self._by_link(cluster.kubeconfig, cluster.server, agent.down)
        done = run_program(
            "kubectl-fairlead",
            *("cluster", "join", host, "--context", cluster.context, "--as-process"),
            *("--state-directory", str(agent.folder), "--label", f"region={host}", "--timeout", "100s"),
            env={"KUBECONFIG": f"{up}:{down}"},
            timeout_s=START_TIMEOUT_S,
        )
        if done.returncode:
            raise RuntimeError(f"join of {host}: {done.stdout}{done.stderr}")
        if f":{agent.up.port}" not in (agent.folder / UPSTREAM).read_text():
            raise RuntimeError("the agent knows a way to the control plane past its link")
        agent.take_over()

    def _by_link(self, kubeconfig: Path, url: str, link: Link) -> Path:
        copy = self.folder / f"{kubeconfig.parent.name}-by-{link.port}.kubeconfig"
        copy.touch(mode=0o600)
        copy.write_text(kubeconfig.read_text().replace(url, f"https://127.0.0.1:{link.port}"))
        return copy

    async def furnish(self) -> None:
        """Make workspaces, namespaces, Locations and Placements; note who is who."""
        async with self.plane() as plane:
            for target in (await plane.at(ROOT).list(SYNC_TARGETS))[0]:
                metadata = target["metadata"]
                name, cluster = metadata["name"], metadata["annotations"]["kcp.io/cluster"]
                self.agents[name].uid = metadata["uid"]
                self.targets[name] = Target(time.time(), metadata["uid"], cluster, name)
                self.notes.append(self.targets[name])
            for host in HOSTS:
                await plane.at(ROOT).create(LOCATIONS, _location(host))
            for name in WORKSPACES:
                await make_workspace(plane, ROOT, name)
                place = plane.at(f"{ROOT}:{name}")
                if name == PINNED:
                    await place.delete(PLACEMENTS, "everywhere")
                    for host in HOSTS:
                        await place.create(PLACEMENTS, _pin(host))
                for number, namespace in enumerate(self.size.namespaces):
                    await _namespace(place, namespace, HOSTS[number % 2])
                found = await place.get(NAMESPACES, "default")
                self.workspaces[found["metadata"]["annotations"]["kcp.io/cluster"]] = name


def _location(host: str) -> dict[str, object]:
    resource = {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"}
    return {
        "apiVersion": "scheduling.kcp.io/v1alpha1",
        "kind": "Location",
        "metadata": {"name": host, "labels": {"region": host}},
        "spec": {"resource": resource, "instanceSelector": {"matchLabels": {"region": host}}},
    }


def _pin(host: str) -> dict[str, object]:
    return {
        "apiVersion": "scheduling.kcp.io/v1alpha1",
        "kind": "Placement",
        "metadata": {"name": host},
        "spec": {
            "namespaceSelector": {"matchLabels": {SIDE: host}},
            "locationSelectors": [{"matchLabels": {"region": host}}],
            "locationResource": {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"},
            "locationWorkspace": ROOT,
        },
    }


async def _namespace(place: Client, name: str, host: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    if name != "default":
        await place.create(NAMESPACES, body)
    await place.patch(NAMESPACES, name, {"metadata": {"labels": {SIDE: host}}})


@contextmanager
def a_stage(folder: Path, size: Size, seed: int) -> Iterator[Stage]:
    """Start clusters, server and links in a folder that is there; nothing is joined yet."""
    with ExitStack() as stack:
        clusters = process_cluster.start_all(list(HOSTS), folder, nodes=2)
        for cluster in clusters:
            stack.callback(cluster.stop)
        server = AuditedServer(folder / "fairlead")
        server.launch()
        stack.callback(lambda: server.process.stop())  # noqa: PLW0108 - of the process there is then
        server.wait_ready(START_TIMEOUT_S)
        (database,) = wait_until(lambda: list(server.directory.rglob("fairlead.db")), START_TIMEOUT_S)
        tap = stack.enter_context(Tap(database).following())
        stage = Stage(folder, size, server, tap, {cluster.name: cluster for cluster in clusters})
        for number, (host, cluster) in enumerate(stage.clusters.items()):
            up = stack.enter_context(chaos_link("127.0.0.1", _port(server.url), seed=seed + 2 * number))
            down = stack.enter_context(chaos_link("127.0.0.1", _port(cluster.server), seed=seed + 2 * number + 1))
            agent = stage.agents[host] = Agent(host, folder / f"agent-{host}", up, down)
            stack.callback(agent.kill)
        yield stage


def _port(url: str) -> int:
    return urlsplit(url).port or 443
