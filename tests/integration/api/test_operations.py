"""What operators meet: a full disk, a corrupt file, signals and crashes under load, etcd, another URL."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from tests.integration.security.wire import Wire
from tests.kubectl.compare import MANIFESTS
from tests.support import processes
from tests.support.clusters import NotSupported
from tests.support.servers import FairleadServer, fairlead_server, make_workspace
from tests.support.waiting import wait_until

MAPS = "/clusters/root/api/v1/namespaces/default/configmaps"


def _folder(name: str) -> Path:
    folder = processes.run_directory() / name
    folder.mkdir()
    return folder


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Mount a file system of that size in memory; needs root."""
    folder = Path(tempfile.mkdtemp(prefix="fairlead-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        folder.rmdir()
        raise NotSupported("a small file system cannot be mounted here; that needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


class Writers:
    """Threads that create ConfigMaps as fast as they are let, and remember which were acknowledged."""

    def __init__(self, wire: Wire, count: int = 4) -> None:
        self.acknowledged: list[str] = []
        self.codes: set[int] = set()
        self._wire = wire
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(count)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, writer: int) -> None:
        number = 0
        while not self._stop.is_set():
            name = f"w{writer}-{number}"
            number += 1
            try:
                answer = self._wire.ask("POST", MAPS, {"metadata": {"name": name}, "data": {"n": name}})
            except OSError:
                return  # the server is gone; what it had not answered may be there or not
            self.codes.add(answer.code)
            if answer.code == 201:
                self.acknowledged.append(name)


def _names(wire: Wire) -> set[str]:
    return {item["metadata"]["name"] for item in wire.ask("GET", MAPS).json["items"]}


def test_a_full_disk_refuses_writes_and_nothing_else() -> None:
    """Writes say why (503 or 507); reads go on; when there is room again so do writes; nothing is lost."""
    with small_disk(24) as disk, fairlead_server(disk, "--no-scheduler") as server:
        wire = Wire.to(server)
        made = []
        for number in range(60):
            body = {"metadata": {"name": f"big-{number}"}, "data": {"a": "x" * 900_000}}
            answer = wire.ask("POST", MAPS, body)
            if answer.code != 201:
                break
            made.append(f"big-{number}")
        assert answer.code in (503, 507), answer.message
        assert "disk" in answer.message or "full" in answer.message or "store" in answer.message
        assert made
        assert set(made) <= _names(wire)
        assert wire.ask("GET", "/readyz").code in (200, 500)
        watched = wire.ask("GET", f"{MAPS}?watch=1&timeoutSeconds=1&resourceVersion=0")
        assert watched.code == 200
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)

        def writes_again() -> bool:
            return wire.ask("POST", MAPS, {"metadata": {"generateName": "after-"}}).code == 201

        wait_until(writes_again, 20)
        server.process.kill()
        server.restart()
        assert set(made) <= _names(Wire.to(server))


def test_sigterm_under_load_ends_in_order() -> None:
    """Exit code 0, open watches end, and what was acknowledged is there at the next start."""
    with fairlead_server(_folder("sigterm"), "--no-scheduler", "--grace=5") as server:
        wire = Wire.to(server)
        ended: list[int] = []
        watching = threading.Thread(target=lambda: ended.append(wire.ask("GET", f"{MAPS}?watch=1").code))
        watching.start()
        with Writers(wire) as writers:
            wait_until(lambda: len(writers.acknowledged) > 50, 20)
            server.process.signal(signal.SIGTERM)
            assert server.process.wait(15) == 0
        watching.join(10)
        assert ended == [200]
        assert writers.codes <= {201, 429, 503}
        server.restart()
        assert set(writers.acknowledged) <= _names(wire)


def test_kill_under_load_loses_nothing_and_watches_go_on() -> None:
    """After kill -9 every acknowledged write is there, and a watch from before shows what came after."""
    with fairlead_server(_folder("kill"), "--no-scheduler") as server:
        wire = Wire.to(server)
        acknowledged: set[str] = set()
        revision = wire.ask("GET", MAPS).json["metadata"]["resourceVersion"]
        for _ in range(3):
            with Writers(wire) as writers:
                before = len(writers.acknowledged)
                wait_until(lambda writers=writers, before=before: len(writers.acknowledged) > before + 30, 20)  # type: ignore[misc]
                server.process.kill()
            acknowledged |= set(writers.acknowledged)
            server.restart()
            assert acknowledged <= _names(wire)
            for name in _names(wire) - {"kube-root-ca.crt"}:
                assert wire.ask("DELETE", f"{MAPS}/{name}").code == 200
            acknowledged.clear()
        last = set(writers.acknowledged)
        raw = wire.ask("GET", f"{MAPS}?watch=1&timeoutSeconds=1&resourceVersion={revision}").body
        events = [json.loads(line) for line in raw.splitlines()]
        added = [event["object"]["metadata"]["name"] for event in events if event["type"] == "ADDED"]
        assert last <= set(added)
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions))


def test_the_same_api_on_etcd(etcd: str) -> None:
    """With ``--store etcd`` kubectl applies, reads, watches and deletes, over a restart as well."""
    with fairlead_server(_folder("on-etcd"), "--no-scheduler", "--store=etcd", f"--etcd-servers={etcd}") as server:
        url = f"--server={make_workspace(server, 'on-etcd', compute=True)}"
        for name in ("configmap", "secret", "deployment", "service", "crd"):
            server.kubectl(url, "apply", "-f", str(MANIFESTS / f"{name}.yaml"))
        server.kubectl(url, "wait", "crd/cars.example.com", "--for=condition=Established", "--timeout=10s")
        server.kubectl(url, "apply", "--server-side", "-f", str(MANIFESTS / "car.yaml"))
        assert server.process.stop(grace_s=15) == 0
        server.restart()
        assert "beetle" in server.kubectl(url, "get", "cars,deployments,configmaps", "-o", "name")
        assert server.kubectl(url, "get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "3"
        server.kubectl(url, "delete", "-f", str(MANIFESTS / "deployment.yaml"), "--cascade=foreground")
        server.kubectl(url, "delete", "crd", "cars.example.com")


def test_an_external_url_shows_wherever_a_url_is_written() -> None:
    """In kubeconfigs, the certificate, workspaces and discovery; the scheduler beside the server needs it not."""
    folder = _folder("external")
    server = FairleadServer(folder / "fairlead", ("--external-url=https://fairlead.test:8443",))
    server.launch()
    try:
        wait_until(lambda: server.kubeconfig.exists() and "fairlead.test" in server.kubeconfig.read_text(), 20)
        assert server.url == "https://fairlead.test:8443"
        found = wait_until(lambda: _listening(server.process.pid), 20)
        certificate = x509.load_pem_x509_certificate((server.directory / "apiserver.crt").read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        tls = server.tls()
        tls.check_hostname = False
        wire = Wire(f"https://127.0.0.1:{found}", server.token, tls)
        wait_until(lambda: wire.ask("GET", "/readyz").code == 200, 20)
        workspace = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "w"}}
        assert wire.ask("POST", "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces", workspace).code == 201
        made = wire.ask("GET", "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces/w").json
        assert made["spec"]["URL"] == "https://fairlead.test:8443/clusters/root:w"
        address = wire.ask("GET", "/clusters/root/api").json["serverAddressByClientCIDRs"][0]["serverAddress"]
        assert address == "fairlead.test:8443"
        assert "fairlead.test" in names.get_values_for_type(x509.DNSName)
        lease = "/clusters/root/apis/coordination.k8s.io/v1/namespaces/kcp-system/leases/fairlead-scheduler"
        wait_until(lambda: wire.ask("GET", lease).code == 200, 20)  # a name that nobody can resolve is in nobody's way
    finally:
        server.process.stop()


def _listening(pid: int) -> int:
    """Return the TCP port of 127.0.0.1 that a process listens on, 0 when there is none yet."""
    inodes = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            inodes.add(os.readlink(descriptor).removeprefix("socket:[").rstrip("]"))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and columns[9] in inodes:
            return int(columns[1].split(":")[1], 16)
    return 0
