"""A desk for each test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.desk import Desk
from tests.support.clusters import Cluster
from tests.support.servers import FairleadServer


@pytest.fixture
def desk(fairlead: FairleadServer, two_clusters: tuple[Cluster, Cluster], tmp_path: Path) -> Iterator[Desk]:
    """Give a desk; agents that a failing test leaves are ended."""
    shutil.copy(fairlead.kubeconfig, tmp_path / "config")
    yield Desk(fairlead, tmp_path, *two_clusters)
    for file in tmp_path.rglob("agent.pid"):
        subprocess.run(["kill", "-9", file.read_text().strip()], check=False, capture_output=True)
    for cluster in two_clusters:
        cluster.kubectl("delete", "namespaces", "-l", "app.kubernetes.io/part-of=fairlead", "--wait=false")
