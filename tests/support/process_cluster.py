"""
A cluster made of real processes: etcd, kube-apiserver, controller manager, scheduler, and kwok to play its nodes.

Without nodes (:func:`start_api`) it is etcd and the API server alone, which is what most integration tests need.
"""

from __future__ import annotations

import contextlib
import json
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairlead_api import JsonObject
from tests.support import processes, stages
from tests.support.binaries import binary
from tests.support.certificates import Authority, make_authority, write_service_account_key
from tests.support.clusters import AUDIT_POLICY, Cluster, run_kubectl, write_kubeconfig
from tests.support.waiting import wait_until

START_TIMEOUT_S = 90.0
"""Seconds; ten is usual, a machine whose cores are shared may take several times that."""
ANSWER_TIMEOUT_S = 2.0
ADMIN_TOKEN = "administrator"
SERVICE_NETWORK = "10.96.0.0/16"
_TOKENS = "\n".join(
    [
        f'{ADMIN_TOKEN},kubernetes-admin,1,"system:masters"',
        "manager,system:kube-controller-manager,2",
        "scheduler,system:kube-scheduler,3",
        'player,kwok,4,"system:masters"',
    ]
)

_HOUSEKEEPING = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
)


@dataclass(slots=True)
class Etcd:
    """A running etcd with one member."""

    process: processes.Process
    endpoint: str

    def stop(self) -> None:
        """Stop it; its data stay until the run's folder goes."""
        self.process.stop()


def launch_etcd(folder: Path, *, is_durable: bool = False) -> Etcd:
    """
    Start etcd without waiting for it.

    Args:
        folder: For data and log.
        is_durable: Whether it syncs its files, as in production; for measurements.
    """
    client_port, peer_port = processes.free_ports(2)
    endpoint, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    command: list[str | Path] = [
        binary("etcd"),
        "--name=test",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={endpoint}",
        f"--advertise-client-urls={endpoint}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
        "--log-level=warn",
        *([] if is_durable else ["--unsafe-no-fsync"]),
    ]
    return Etcd(processes.start("etcd", command, log=folder / "etcd.log"), endpoint)


def start_etcd(folder: Path, *, is_durable: bool = False) -> Etcd:
    """Start etcd and wait until it serves."""
    etcd = launch_etcd(folder, is_durable=is_durable)
    etcd.process.wait_ready(lambda: _answers(f"{etcd.endpoint}/health"), START_TIMEOUT_S)
    return etcd


def _answers(url: str, certificate_authority: Path | None = None, token: str = "") -> bool:
    context = ssl.create_default_context(cafile=str(certificate_authority)) if certificate_authority else None
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with (
        contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
        urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S, context=context) as answer,
    ):
        return bool(answer.status == 200)
    return False


class ProcessCluster:
    """Implements :class:`tests.support.clusters.Cluster`; made by :func:`start_api` and :func:`start_all`."""

    def __init__(self, name: str, folder: Path, *, for_measurement: bool = False) -> None:
        folder.mkdir(parents=True)
        self.name = name
        self.folder = folder
        (self._port,) = processes.free_ports(1)
        self.server = f"https://127.0.0.1:{self._port}"
        self._authority: Authority = make_authority(folder)
        self.certificate_authority = self._authority.certificate
        self.token = ADMIN_TOKEN
        self.audit_log = folder / "audit.log"
        self.audit_log.touch()
        self.kubeconfig = self._kubeconfig("admin", ADMIN_TOKEN)
        self._write_api_server_files()
        self._for_measurement = for_measurement
        self.started_at_s = time.monotonic()
        self.etcd = launch_etcd(folder, is_durable=for_measurement)
        self.api_server = self._launch_api_server()
        self._others: dict[str, processes.Process] = {}
        self._manager_arguments: tuple[str, ...] = ()

    @property
    def context(self) -> str:
        """The context in ``kubeconfig``."""
        return self.name

    @property
    def parts(self) -> list[processes.Process]:
        """All its processes, in the order in which they should stop."""
        return [*reversed(self._others.values()), self.api_server, self.etcd.process]

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 60) -> str:
        """Run kubectl as administrator and return what it wrote; ``KubectlFailed`` when it fails."""
        return run_kubectl(self.kubeconfig, *arguments, stdin=stdin, timeout_s=timeout_s)

    def wait_api_ready(self) -> None:
        """Wait until the API server says it is ready, which takes its post-start hooks in."""
        self.api_server.wait_ready(
            lambda: _answers(f"{self.server}/readyz", self.certificate_authority, self.token), START_TIMEOUT_S
        )

    def launch_controllers(self, nodes: int) -> None:
        """Start what makes a cluster of an API server, and register its nodes; does not wait for them."""
        self._launch_manager()
        self._launch_scheduler()
        self._launch_kwok(0.0)
        listed = {"apiVersion": "v1", "kind": "List", "items": [self._node(number + 1) for number in range(nodes)]}
        self.kubectl("create", "-f", "-", stdin=json.dumps(listed))

    def launch_housekeeping(self) -> None:
        """Start the controllers that look after namespaces and garbage alone; nothing acts on workloads."""
        self._launch_manager("--controllers=" + ",".join(_HOUSEKEEPING))

    def wait_nodes_ready(self, nodes: int) -> None:
        """Wait until the nodes are Ready and pods may be placed on them, and new namespaces have what pods need."""

        def placeable_nodes() -> bool:
            found = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
            return sum(not node["spec"].get("taints") for node in found) == nodes

        def default_account() -> str:
            return self.kubectl("get", "serviceaccount", "default", "--ignore-not-found", "-o", "name")

        wait_until(placeable_nodes, START_TIMEOUT_S)
        wait_until(default_account, START_TIMEOUT_S)

    def pause_api_server(self) -> None:
        """Freeze the API server: connections stay, nobody answers."""
        self.api_server.pause()

    def resume_api_server(self) -> None:
        """End :meth:`pause_api_server`."""
        self.api_server.resume()

    def kill_api_server(self) -> None:
        """End the API server at once, as a crash would."""
        self.api_server.kill()

    def start_api_server(self) -> None:
        """Start it again on the same address and wait until it is ready."""
        self.api_server = self._launch_api_server()
        self.wait_api_ready()

    def replace_data(self, replace: Callable[[Path], None]) -> None:
        """Stop all but the nodes' player, let ``replace`` change etcd's folder, and start on the same address again."""
        manager = self._others.pop("kube-controller-manager", None)
        for part in (manager, self.api_server, self.etcd.process):
            if part is not None:
                part.stop()
        replace(self.folder / "etcd")
        self.etcd = launch_etcd(self.folder, is_durable=self._for_measurement)
        self.start_api_server()
        if manager is not None:
            self._launch_manager(*self._manager_arguments)

    def set_pod_readiness(self, delay_s: float) -> None:
        """From now on pods become Ready after ``delay_s`` seconds; pods that are Ready stay so."""
        self._others.pop("kwok").stop()
        # The next one has another identity and would wait until the leases of its predecessor have run out.
        self.kubectl("delete", "leases", "--all", "--namespace=kube-node-lease")
        self._launch_kwok(delay_s)

    def stop(self) -> None:
        """Stop every process; data and logs stay until the run's folder goes."""
        for part in self.parts:
            part.signal(signal.SIGCONT)
            # State is thrown away, so nothing needs to end in order.
            part.stop(grace_s=0.2)

    def _kubeconfig(self, user: str, token: str) -> Path:
        path = self.folder / f"{user}.kubeconfig"
        write_kubeconfig(path, self.name, self.server, self.certificate_authority, token)
        return path

    def _write_api_server_files(self) -> None:
        self._serving = self._authority.issue(self.folder, "apiserver")
        self._account_key = write_service_account_key(self.folder)
        (self.folder / "tokens.csv").write_text(_TOKENS + "\n")
        (self.folder / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))

    def _launch_api_server(self) -> processes.Process:
        command: list[str | Path] = [
            binary("kube-apiserver"),
            f"--etcd-servers={self.etcd.endpoint}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            # An address on loopback is refused as an endpoint, loudly and for ever.
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._port}",
            f"--cert-dir={self.folder}",
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={self._serving.key}",
            f"--client-ca-file={self.certificate_authority}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={self._account_key}",
            f"--service-account-signing-key-file={self._account_key}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
        ]
        if not self._for_measurement:
            command += [
                f"--audit-policy-file={self.folder / 'audit-policy.json'}",
                f"--audit-log-path={self.audit_log}",
            ]
        return processes.start("kube-apiserver", command, log=self.folder / "kube-apiserver.log")

    def _launch_manager(self, *arguments: str) -> None:
        self._manager_arguments = arguments
        (port,) = processes.free_ports(1)
        self._launch(
            "kube-controller-manager",
            f"--kubeconfig={self._kubeconfig('manager', 'manager')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.folder / 'manager'}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self._account_key}",
            f"--root-ca-file={self.certificate_authority}",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            *arguments,
        )

    def _launch_scheduler(self) -> None:
        (port,) = processes.free_ports(1)
        self._launch(
            "kube-scheduler",
            f"--kubeconfig={self._kubeconfig('scheduler', 'scheduler')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.folder / 'scheduler'}",
            "--leader-elect=false",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        )

    def _launch_kwok(self, ready_delay_s: float) -> None:
        config = self.folder / "stages.yaml"
        config.write_text(stages.node_and_pod_stages(ready_delay_s))
        self._launch(
            "kwok",
            f"--kubeconfig={self._kubeconfig('kwok', 'player')}",
            f"--config={config}",
            "--manage-all-nodes",
            "--node-lease-duration-seconds=40",
            "--cidr=10.244.0.0/16",
        )

    def _launch(self, program: str, *arguments: str) -> None:
        command: list[str | Path] = [binary(program), *arguments]
        self._others[program] = processes.start(program, command, log=self.folder / f"{program}.log")

    def _node(self, number: int) -> JsonObject:
        name = f"{self.name}-node-{number}"
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def start_api(name: str, folder: Path, *, for_measurement: bool = False) -> ProcessCluster:
    """
    Start etcd and kube-apiserver alone, and wait until they are ready.

    Args:
        name: Of the cluster and its context.
        folder: For data and logs; must not exist yet.
        for_measurement: As it is run in production: etcd syncs its files; and without the audit log, which is ours.
    """
    cluster = ProcessCluster(name, folder, for_measurement=for_measurement)
    _or_stop([cluster], cluster.wait_api_ready)
    return cluster


def start_all(names: list[str], folder: Path, *, nodes: int) -> list[ProcessCluster]:
    """Start whole clusters side by side and wait until pods can run on all their nodes."""
    clusters = [ProcessCluster(name, folder / name) for name in names]

    def complete() -> None:
        for cluster in clusters:
            cluster.wait_api_ready()
            cluster.launch_controllers(nodes)
        for cluster in clusters:
            cluster.wait_nodes_ready(nodes)

    _or_stop(clusters, complete)
    return clusters


def _or_stop(clusters: list[ProcessCluster], step: Callable[[], None]) -> None:
    """Do a step of a start; when it fails, stop what was started so far."""
    try:
        step()
    except BaseException:
        for cluster in clusters:
            cluster.stop()
        raise


_: type[Cluster] = ProcessCluster
