"""How much room the control plane's store has: a real disk, one that is nearly full, a real etcd near its quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.check.desk import Desk
from tests.support.clusters import Cluster
from tests.support.process_cluster import start_etcd
from tests.support.servers import fairlead_server

SMALL_DISK = """
import os
_real = os.statvfs

def _told(path):
    blocks, free = map(int, open(os.environ["DISK"]).read().split())
    real = _real(path)
    return os.statvfs_result((real.f_bsize, 1 << 20, blocks, free, free, *real[5:]))

if "DISK" in os.environ:
    os.statvfs = _told
"""


def test_a_disk_that_fills_up(cluster: Cluster, tmp_path: Path) -> None:
    """Told by the server as it goes: a warning, an error, and well again when there is room; in MiB."""
    site, disk = tmp_path / "site", tmp_path / "disk"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SMALL_DISK)
    disk.write_text("1000 500")
    known = [one for one in os.environ.get("PYTHONPATH", "").split(":") if one]
    env = {"PYTHONPATH": ":".join([str(site), *known]), "DISK": str(disk)}
    with fairlead_server(tmp_path, env=env) as server:
        desk = Desk(server, cluster, tmp_path)
        told = []
        for free in (500, 140, 40, 500):
            disk.write_text(f"1000 {free}")
            told.append(desk.wrong().get("api-store", ""))
        assert [one.partition(":")[0] for one in told] == ["", "warning", "error", ""]
        assert "140 MiB of 1000 MiB are free where the store is, which takes " in told[1]
        done = desk.run("fairlead", "check", "-o", "short")
        assert "× control plane's store has room" not in done.stdout  # noqa: RUF001 - the mark


def test_etcd_near_its_quota(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told with the quota that this etcd was given, before it refuses writes."""
    etcd = start_etcd(tmp_path)
    with etcd.process, fairlead_server(tmp_path, "--store=etcd", f"--etcd-servers={etcd.endpoint}") as server:
        assert "api-store" not in Desk(server, cluster, tmp_path).wrong()
        size = _metric(server.kubectl("get", "--raw", "/metrics", context="base"), "fairlead_store_size_bytes")
    quota = int(size / 0.9)
    monkeypatch.setenv("ETCD_QUOTA_BACKEND_BYTES", str(quota))
    etcd = start_etcd(tmp_path)
    with etcd.process, fairlead_server(tmp_path, "--store=etcd", f"--etcd-servers={etcd.endpoint}") as server:
        told = Desk(server, cluster, tmp_path).wrong()["api-store"]
    assert f"of its quota of {quota / 2**20:.0f} MiB" in told


def _metric(text: str, name: str) -> float:
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])
