"""Who is measured: our server, and as reference kube-apiserver with etcd; both durable, both with TLS and a token."""

from __future__ import annotations

import compileall
import contextlib
import functools
import pkgutil
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import FileFinder
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from bench.client import Target
from tests.support import process_cluster, processes
from tests.support.servers import FairleadServer


class Subject(Protocol):
    """A server that can be started for a measurement."""

    name: str

    def run(self, folder: Path) -> contextlib.AbstractContextManager[Running]:
        """Start it with nothing in it, in ``folder``, for the length of a ``with`` block."""
        ...


class Agent(Protocol):
    """What brings our server's content to a cluster."""

    @property
    def groups(self) -> frozenset[int]:
        """The process groups it consists of."""
        ...

    def restart(self) -> None:
        """End it and start it anew; returns as it begins to read both sides."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """
    A started server.

    Attributes:
        start_s: Seconds from the start of its first process until it said it was ready.
        groups: The process groups it consists of.
        kubeconfig: An administrator's.
        downstream: The cluster that what is applied ends up in, when that is another one.
        agent: Brings it there.
    """

    name: str
    target: Target
    start_s: float
    groups: frozenset[int]
    kubeconfig: Path
    downstream: Target | None = None
    agent: Agent | None = None

    def memory_mib(self) -> float:
        """Return the proportional set size of all its processes, in MiB."""
        return memory_mib(self.groups)


def memory_mib(groups: frozenset[int]) -> float:
    """Return the proportional set size of all processes of some groups, in MiB."""
    total_kib = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) in groups:
                total_kib += _pss_kib(entry)
    return total_kib / 1024


def _pss_kib(entry: Path) -> int:
    for line in (entry / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


class Reference:
    """kube-apiserver and etcd as processes."""

    name = "reference"

    @contextlib.contextmanager
    def run(self, folder: Path) -> Iterator[Running]:
        """Start both, without audit log and with synced writes."""
        cluster = process_cluster.start_api(self.name, folder, for_measurement=True)
        try:
            start_s = time.monotonic() - cluster.started_at_s
            tls = ssl.create_default_context(cafile=str(cluster.certificate_authority))
            target = _target(cluster.server, cluster.token, tls)
            yield Running(self.name, target, start_s, frozenset(part.pid for part in cluster.parts), cluster.kubeconfig)
        finally:
            cluster.stop()


class Ours:
    """``fairlead start`` on its default store."""

    name = "ours"

    @contextlib.contextmanager
    def run(self, folder: Path) -> Iterator[Running]:
        """Start it; its certificates are made within the time measured."""
        _compile()
        folder.mkdir(parents=True)
        server = FairleadServer(folder / "fairlead")
        started_at_s = time.monotonic()
        server.launch()
        try:
            server.wait_ready()
            start_s = time.monotonic() - started_at_s
            target = _target(server.url, server.token, server.tls(), "/clusters/root")
            yield Running(self.name, target, start_s, frozenset({server.process.pid}), server.kubeconfig)
        finally:
            server.process.stop()


@functools.cache
def _compile() -> None:
    """Compile our modules as installing a package does; in a working tree, where nothing is installed, none may be."""
    for package in pkgutil.iter_modules():
        if package.name.startswith("fairlead_") and isinstance(package.module_finder, FileFinder):
            compileall.compile_dir(Path(package.module_finder.path, package.name), quiet=1)


def _target(url: str, token: str, tls: ssl.SSLContext, prefix: str = "") -> Target:
    parts = urlsplit(url)
    return Target(parts.hostname or "", parts.port or 0, token, tls, prefix)


def fresh_folder(name: str) -> Path:
    """Return a folder of this run that is not there yet."""
    return processes.run_directory() / f"{name}-{time.monotonic_ns()}"
