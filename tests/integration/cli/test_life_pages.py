"""How-to pages of an agent's life, typed in one after the other."""

from __future__ import annotations

import os

import pytest

from tests.integration.cli.desk import Desk, dump
from tests.support.binaries import binary
from tests.support.pages import HOW_TO, Terminal, blocks
from tests.support.servers import PROGRAMS
from tests.support.waiting import wait_until

JOIN, UPGRADE, RECOVER, REMOVE = (
    HOW_TO / f"{name}.md" for name in ("join-a-cluster", "upgrade-an-agent", "recover-an-agent", "remove-a-cluster")
)
NOT_RUN = {
    JOIN: ["needs an image and pods that really run; tests/integration/charts installs the same objects"],
    UPGRADE: ["needs an image and pods that really run; tests/integration/charts upgrades and rolls back"],
    RECOVER: [],
    REMOVE: [],
}


@pytest.mark.parametrize("page", NOT_RUN, ids=lambda page: page.stem)
def test_what_is_not_run_is_known(page: object) -> None:
    """Whatever else is in a fence of commands is run below."""
    known = {one: reasons for one, reasons in NOT_RUN.items() if one == page}
    assert [[block.not_run for block in blocks(one) if block.not_run] for one in known] == list(known.values())


@pytest.mark.timeout(400)
def test_the_life_of_an_agent(desk: Desk) -> None:
    """Joined, upgraded, recovered, removed: every command works, and both clusters are as they were."""
    before = dump(desk.east), dump(desk.west)
    path = ":".join([str(PROGRAMS), str(binary("kubectl").parent), os.environ["PATH"]])
    contexts = {f"--context {one.name}": f"--context {one.context}" for one in (desk.east, desk.west)}
    environment = {**desk.environment(), "PATH": path, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    terminal = Terminal(desk.folder, environment, contexts, timeout_s=180)
    told = {
        page: [terminal.run(block) for block in blocks(page) if not block.not_run]
        for page in (JOIN, UPGRADE, RECOVER, REMOVE)
    }
    assert terminal.used == set(contexts)
    assert "region=eu" in told[JOIN][0]
    assert "Cluster east is joined" in told[UPGRADE][1]
    assert "Cluster east is joined" in told[RECOVER][1]
    assert "the key of east was replaced" in told[RECOVER][2]
    assert 'cluster "east" removed' in told[REMOVE][0]
    assert "nothing is left" in told[REMOVE][1]
    assert wait_until(lambda: (dump(desk.east), dump(desk.west)) == before, 20)
