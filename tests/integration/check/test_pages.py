"""The how-to page of the check, typed in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.check.desk import Desk
from tests.support import processes
from tests.support.binaries import binary
from tests.support.clusters import Cluster
from tests.support.pages import HOW_TO, Terminal, blocks
from tests.support.servers import PROGRAMS, fairlead_server

PAGE = HOW_TO / "check.md"


@pytest.fixture
def desk(cluster: Cluster, tmp_path: Path) -> Iterator[Desk]:
    """Give a desk with a joined cluster, and a server whose address does not say that it is on this machine."""
    (port,) = processes.free_ports(1)
    url = f"https://[::ffff:127.0.0.1]:{port}"
    with fairlead_server(tmp_path, f"--secure-port={port}", f"--external-url={url}") as server:
        made = Desk(server, cluster, tmp_path)
        made.join()
        yield made
        made.end_agent()


def test_find_out_what_is_wrong(desk: Desk) -> None:
    """Every command of the page ends with 0 where nothing is wrong, the one before joining included."""
    path = ":".join([str(PROGRAMS), str(binary("kubectl").parent), os.environ["PATH"]])
    environment = {
        "KUBECONFIG": f"{desk.server.kubeconfig}:{desk.cluster.kubeconfig}",
        "PATH": path,
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    context = {"--context east": f"--context {desk.cluster.context}"}
    terminal = Terminal(desk.folder, environment, context, timeout_s=180)
    whole, before, scripts = [terminal.run(block) for block in blocks(PAGE)]
    assert terminal.used == set(context)
    assert whole.count("Status check results are √") == 4
    assert "√ control plane can be reached from inside" not in before  # nothing runs Pods here
    assert "not verified" in before
    assert json.loads(scripts.partition("Status check results are √\n")[2])["success"] is True
