"""One side cannot be reached, or is not who it should be: nothing follows from that (F20, F21, F22)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fairlead_api import JsonObject
from tests.integration.syncer.faults.stage import DEPLOYMENTS, MAPS, NAME, Stage, deployment
from tests.integration.syncer.joined import SYNC_TIMEOUT_S
from tests.support import proxy
from tests.support.certificates import make_authority
from tests.support.chaos import Weather
from tests.support.proxy import fault_proxy
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[4]
OUTAGE_S = 1.5
FASTER = 20
"""A watch that went silent is given up after 90 s, which is 4.5 s for an agent whose loop runs that much faster."""


BREAKAGES = {
    "reset": Weather("reset"),
    "refused": Weather("refused"),
    "black hole": Weather("silent"),
    "no TLS": Weather("garbage"),
    "bad line": Weather(delay_s=0.02, lost=0.5, cut_after=4000),
}


def _kept(stage: Stage, count: int = 3) -> dict[str, str]:
    names = [f"kept-{number}" for number in range(count)]
    for name in names:
        stage.write(name, "1")
    return {name: stage.wait_value(name, "1")["metadata"]["uid"] for name in names}


def _wait_longer(seconds: float) -> None:
    """Let an outage last: what must not happen in it needs its time not to happen."""
    end_s = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end_s, seconds + 1)


def _converges(stage: Stage, kept: dict[str, str], name: str, value: str) -> None:
    """Expect what changed meanwhile to arrive, and nothing else to be touched."""
    stage.wait_value(name, value)
    assert {one: stage.uid_below(one) for one in kept} == kept
    touched = {line for line in stage.agent_writes(since=stage.began) if line.split()[1].startswith("configmaps/kept")}
    assert touched == {f"patch configmaps/{name}"}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_f20_upstream_unreachable_deletes_nothing(stage: Stage, breakage: str) -> None:
    """While it lasts nothing is written; then only what changed is, in place: no object is made anew."""
    kept = _kept(stage)
    stage.began = stage.audited()
    stage.up.be(BREAKAGES[breakage])
    if breakage in {"no TLS", "bad line"}:
        stage.up.sever()
    value = f"after {breakage}"
    stage.write("kept-0", value)
    _wait_longer(OUTAGE_S)
    if breakage != "bad line":
        assert stage.agent_writes(since=stage.began) == []
    stage.up.calm()
    _converges(stage, kept, "kept-0", value)


def test_f20_a_lost_name_deletes_nothing(stage: Stage) -> None:
    """The name of the control plane is unknown to an agent that starts; it waits until it is known again."""
    kept = _kept(stage)
    stage.began = stage.audited()
    names = stage.folder / "names"
    names.write_text("")
    stage.restart_agent(FAULTS_NAMES=str(names))
    stage.write("kept-0", "after the name")
    connects = stage.up.connects
    wait_until(lambda: stage.agent is not None and "Name or service not known" in stage.agent.log_tail(), 20)
    _wait_longer(OUTAGE_S)
    assert stage.up.connects == connects
    assert stage.agent_writes(since=stage.began) == []
    names.write_text(f"{NAME} 127.0.0.1\n")
    _converges(stage, kept, "kept-0", "after the name")


@pytest.mark.parametrize("way", ["429", "503", "foreign 404"])
def test_f20_a_first_start_waits_for_what_passes(stage: Stage, way: str) -> None:
    """An agent without a token is not let in for now: the same process comes in later, and says meanwhile why not."""
    stage.kill_agent()
    (stage.folder / f"agent-{stage.uid}" / "token").unlink()
    refusal = proxy.status(int(way)) if way.isdecimal() else proxy.canned(404, {"error": "no such host"})
    stage.proxy.inject(refusal, path="/enroll")
    seen = len(stage.proxy.seen)
    stage.start_agent()
    wait_until(lambda: stage.asked(lambda _, path: path.endswith("/enroll"), seen) >= 2, SYNC_TIMEOUT_S)
    assert stage.agent is not None
    assert "no token could be had" in stage.agent.log_tail()
    stage.proxy.heal()
    stage.write("first-start", way)
    stage.wait_value("first-start", way)
    assert stage.agent.return_code is None


def test_f20_half_open_is_noticed(stage: Stage) -> None:
    """Connections that are dead without a word are given up, on a clock that runs faster; new ones do the work."""
    kept = _kept(stage)
    stage.restart_agent(FAULTS_FASTER=str(FASTER))
    stage.write("kept-1", "before")
    stage.wait_value("kept-1", "before")
    stage.began = stage.audited()
    stage.up.freeze()
    stage.write("kept-0", "half open")
    _converges(stage, kept, "kept-0", "half open")


def test_f21_another_server_is_not_believed(stage: Stage) -> None:
    """Somebody else at the address, who says that there is nothing: the certificate is not the one that is trusted."""
    kept = _kept(stage)
    stage.began = stage.audited()
    folder = stage.folder / "impostor"
    folder.mkdir()
    serving = make_authority(folder).issue(folder, "impostor")
    target = stage.up.target
    with fault_proxy(stage.server.url, stage.server.directory / "ca.crt", serving) as impostor:
        impostor.inject(proxy.empty_list())
        port = urlsplit(impostor.url).port
        assert port is not None
        stage.up.lead_to("127.0.0.1", port)
        connects = stage.up.connects
        stage.write("kept-0", "the real one")
        wait_until(lambda: stage.up.connects >= connects + 5, SYNC_TIMEOUT_S)
        assert impostor.seen == []
        assert stage.agent_writes(since=stage.began) == []
        stage.up.lead_to(*target)
    _converges(stage, kept, "kept-0", "the real one")


@pytest.mark.parametrize(("for_s", "way"), [(600, "silent"), (600, "refused"), (7200, "refused")])
def test_f20_long_outages_in_virtual_time(for_s: int, way: str) -> None:
    """Ten minutes; and two hours, in which every token ends: the agents of the simulation delete nothing."""
    command = [sys.executable, "-m", "tests.integration.syncer.faults.outage", str(for_s), way]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _status(stage: Stage) -> JsonObject:
    return (stage.team.get(f"{DEPLOYMENTS}/f22") or {}).get("status") or {}


def test_f22_downstream_unreachable_keeps_what_is_known(stage: Stage) -> None:
    """The user's status stays, the SyncTarget says that nothing is heard, and a removal stays open until it is done."""
    stage.team.ok("POST", DEPLOYMENTS, deployment("f22"))
    below = f"/apis/apps/v1/namespaces/{stage.home()}/deployments/f22"
    wait_until(lambda: stage.down.get(below), SYNC_TIMEOUT_S)
    ready = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    stage.down.merge(f"{below}/status", {"status": ready})
    wait_until(lambda: _status(stage).get("readyReplicas") == 1, SYNC_TIMEOUT_S)
    stage.write("f22-gone", "1")
    stage.wait_value("f22-gone", "1")
    stage.down_link.be(Weather("silent"))
    known = _status(stage)
    stage.team.ok("DELETE", f"{MAPS}/f22-gone")
    wait_until(lambda: stage.condition("HeartbeatHealthy").get("status") == "False", 100)
    assert stage.condition("Ready")["status"] == "False"
    assert _status(stage) == known
    counted = stage.progress()["remaining"]
    assert stage.down_map("f22-gone") is not None
    stage.may_delete = {"configmaps/f22-gone", "deployments/f22"}
    stage.down_link.calm()
    stage.wait_gone("f22-gone")
    wait_until(lambda: stage.condition("Ready")["status"] == "True", SYNC_TIMEOUT_S)
    # The removal counted as long as the object might be there.
    wait_until(lambda: stage.progress()["remaining"] == counted - 1, SYNC_TIMEOUT_S)
    stage.team.ok("DELETE", f"{DEPLOYMENTS}/f22")
    wait_until(lambda: stage.down.get(below) is None, SYNC_TIMEOUT_S)
