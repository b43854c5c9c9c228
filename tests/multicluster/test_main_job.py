"""
The main job on real Kubernetes: apply to a workspace, run in a cluster, see it come back, drain and lose no replica.

Aspects: unchanged YAML with real kubectl; statuses and Pods upstream; a drain whose replacement takes its time, judged
by the merged watch history of both clusters; a replacement that never gets ready; kills in the middle.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fairlead_cli.demo_history import fewest_ready
from tests.support.clusters import Cluster
from tests.support.history import watch_pods
from tests.support.stages import NEVER_READY
from tests.support.team import Team, a_team
from tests.support.waiting import wait_until


@pytest.fixture
def team(start_clusters: Callable[[list[str]], list[Cluster]], tmp_path: Path) -> Iterator[Team]:
    """A control plane and two clusters, east and west, before anything is joined."""
    with a_team(start_clusters(["east", "west"]), tmp_path) as made:
        yield made


def test_apply_run_see_drain(team: Team) -> None:
    """The whole way, with real kubectl and unchanged YAML; a drain loses no ready replica although it takes a while."""
    team.join("east")
    team.make_workspace()
    assert team.runs_in().endswith("east")

    wait_until(lambda: len(team.get("pods")["items"]) == 3, 30)
    status = team.get("deployment", "web")["status"]
    assert status["readyReplicas"] == 3
    assert status["observedGeneration"] == team.get("deployment", "web")["metadata"]["generation"]

    team.join("west")
    team.clusters["west"].set_pod_readiness(30)
    with watch_pods(list(team.clusters.values()), "app=web") as history:
        began_s = time.monotonic()
        told = team.plugin("cluster", "drain", "east", "--yes", "--timeout", "150s", timeout_s=180)
        assert time.monotonic() - began_s > 25, told
        assert fewest_ready(list(history.events), team.clusters, began_s) >= 3
    assert team.runs_in().endswith("west")
    team.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    left = json.loads(
        team.clusters["east"].kubectl("get", "ns", "-l", "internal.workload.kcp.io/cluster", "-o", "json")
    )
    assert left["items"] == []


def test_a_replacement_that_never_gets_ready(team: Team) -> None:
    """The old copy stays, and the drain says which workload it waits for, with exit code 3."""
    team.join("east")
    team.make_workspace()
    team.join("west")
    team.clusters["west"].set_pod_readiness(NEVER_READY)
    told = team.plugin("cluster", "drain", "east", "--yes", "--timeout", "15s", code=3, timeout_s=60)
    assert "web" in told
    assert team.get("deployment", "web")["status"]["readyReplicas"] == 3
    assert "east" in team.runs_in()


def test_nowhere_to_go(team: Team) -> None:
    """A drain without an alternative keeps the workload and says why."""
    team.join("east")
    team.make_workspace()
    told = team.plugin("cluster", "drain", "east", "--yes", "--timeout", "10s", code=3, timeout_s=60)
    assert "drain" in told
    assert team.get("deployment", "web")["status"]["readyReplicas"] == 3
    assert team.plugin("cluster", "uncordon", "east")


def _kill_scheduler(team: Team) -> None:
    """Kill the server's child; it is started again by itself."""
    subprocess.run(["pkill", "-KILL", "-P", str(team.server.process.pid)], check=True)


def _kill_server(team: Team) -> None:
    team.server.process.kill()
    team.server.restart()


def _kill_agents(team: Team) -> None:
    for name in team.clusters:
        team.kill_agent(name)
    for name in team.clusters:
        team.join(name)


def test_kills_in_the_middle_of_drains(team: Team) -> None:
    """Whoever is killed when: the drain goes on, nothing is lost, and the next one works."""
    team.join("east")
    team.make_workspace()
    team.join("west")
    for cluster in team.clusters.values():
        cluster.set_pod_readiness(4)
    here, there = "east", "west"
    with watch_pods(list(team.clusters.values()), "app=web") as history:
        for kill in (None, _kill_scheduler, _kill_server, _kill_agents):
            for phase in ("Draining", "Leaving"):
                began_s = time.monotonic()
                command = team.start_drain(here)
                wait_until(lambda at=here, state=phase: team.states().get(at) in {state, "Leaving", None}, 60)  # type: ignore[misc]
                command.kill()  # the command line is killed each time
                command.wait()
                if kill is not None:
                    kill(team)
                team.plugin("cluster", "drain", here, "--yes", "--timeout", "120s", timeout_s=150)
                assert team.states() == {there: "Sync"}
                assert fewest_ready(list(history.events), team.clusters, began_s) >= 3, (kill, phase)
                team.plugin("cluster", "uncordon", here)
                here, there = there, here
