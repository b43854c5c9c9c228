"""F32: two agents for one SyncTarget; a copied state directory, a paused leader, a dead one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined
from tests.support import processes, proxy
from tests.support.servers import PROGRAMS
from tests.support.waiting import wait_until

LEADER = "internal.workload.kcp.io/agent-leader"
TAKEOVER_S = 40.0


def target(joined: Joined) -> JsonObject:
    return joined.root.ok("GET", f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}")


def leader(joined: Joined) -> JsonObject:
    """Return who is at work, as the SyncTarget says."""
    found: JsonObject = json.loads(target(joined)["metadata"]["annotations"].get(LEADER, "{}"))
    return found


def condition(joined: Joined, kind: str) -> JsonObject:
    found = (target(joined).get("status") or {}).get("conditions") or ()
    return next((one for one in found if one["type"] == kind), {})


@dataclass
class Second:
    """A second agent from a copy of the first one's state directory."""

    process: processes.Process
    log: Path

    def said(self, words: str) -> bool:
        return words in self.log.read_text()


@pytest.fixture
def second(joined: Joined) -> Iterator[Second]:
    folder = joined.folder / "copy"
    shutil.copytree(joined.folder / f"agent-{joined.uid}", folder)
    command = [
        str(PROGRAMS / "fairlead"),
        "syncer",
        f"--from-kubeconfig={joined.folder / 'upstream.kubeconfig'}",
        "--from-cluster=root",
        f"--to-kubeconfig={joined.folder / 'cluster.kubeconfig'}",
        f"--sync-target-name={joined.name}",
        f"--sync-target-uid={joined.uid}",
        f"--state-directory={folder}",
    ]
    log = joined.folder / "second.log"
    with processes.start("second syncer", command, log=log) as process:
        started = Second(process, log)
        wait_until(lambda: started.said("this one waits"), SYNC_TIMEOUT_S)
        yield started


def test_f32_of_two_agents_one_writes_and_the_other_says_that_it_waits(joined: Joined, second: Second) -> None:
    """Every change is written once; when the one is killed the other goes on where it was."""
    epoch = leader(joined)["epoch"]
    began = joined.audited()
    for number in range(4):
        joined.write("shared", str(number))
        joined.wait_value("shared", str(number))
    writes = [one for one in joined.agent_writes(since=began) if one.endswith("/shared")]
    # A POST, then an apply for each change, the first with the patch that makes us its applier.
    assert len(writes) <= 5
    wait_until(lambda: condition(joined, "StandbyAgents").get("status") == "True", SYNC_TIMEOUT_S)
    assert leader(joined)["epoch"] == epoch
    uid = (joined.down_map("shared") or {})["metadata"]["uid"]
    joined.kill_agent()
    joined.write("shared", "after")
    wait_until(lambda: leader(joined)["epoch"] == epoch + 1, TAKEOVER_S)
    assert joined.wait_value("shared", "after")["metadata"]["uid"] == uid
    assert joined.agent_writes("delete", since=began) == []
    # The first is started again: it waits, and nothing goes back and forth.
    joined.start_agent()
    wait_until(lambda: "this one waits" in (joined.folder / "agent.log").read_text(), SYNC_TIMEOUT_S)
    assert leader(joined)["epoch"] == epoch + 1
    assert second.process.return_code is None


def test_f32_a_leader_that_was_paused_deletes_and_overwrites_nothing(joined: Joined, second: Second) -> None:
    """It was about to delete; meanwhile the removal was taken back, and another agent came to be at work."""
    joined.write("kept", "1")
    uid = joined.wait_value("kept", "1")["metadata"]["uid"]
    epoch = leader(joined)["epoch"]
    began = joined.audited()
    joined.proxy.inject(proxy.status(503), method="DELETE", path="/services/")
    joined.assign("default", "Leaving")
    wait_until(lambda: any(m == "DELETE" and "dryRun" in p for m, p in joined.proxy.seen), SYNC_TIMEOUT_S)
    assert joined.agent is not None
    joined.agent.pause()
    joined.assign("default", "Sync")
    joined.proxy.heal()
    wait_until(lambda: leader(joined)["epoch"] == epoch + 1, TAKEOVER_S)
    joined.write("kept", "2")
    joined.wait_value("kept", "2")
    before = len(joined.agent_writes(since=began))
    joined.agent.resume()
    wait_until(lambda: "another agent is at work" in (joined.folder / "agent.log").read_text(), TAKEOVER_S)
    joined.write("kept", "3")
    assert joined.wait_value("kept", "3")["metadata"]["uid"] == uid
    assert joined.agent_writes("delete", since=began) == []
    assert len([one for one in joined.agent_writes(since=began) if one.endswith("/kept")]) <= before + 2
    assert leader(joined)["epoch"] == epoch + 1
    assert second.said("at work")


def test_f32_an_agent_that_is_told_to_end_hands_over_at_once(joined: Joined, second: Second) -> None:
    """As in a rolling update: nobody waits for a lease to run out."""
    epoch = leader(joined)["epoch"]
    joined.stop_agent()
    wait_until(lambda: leader(joined)["epoch"] == epoch + 1, 10)
    joined.write("rolled", "1")
    joined.wait_value("rolled", "1")
    assert second.process.return_code is None
