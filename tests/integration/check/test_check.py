"""``kubectl fairlead check`` against our real server and a real API server: well, and each broken in turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fairlead_api.names import Locator
from tests.integration.check.desk import Desk
from tests.support.certificates import make_authority
from tests.support.clusters import Cluster
from tests.support.servers import FairleadServer, fairlead_server, run_program
from tests.support.waiting import wait_until


@pytest.fixture
def desk(fairlead: FairleadServer, cluster: Cluster, tmp_path: Path) -> Iterator[Desk]:
    """Give a desk; the agent that a failing test leaves is ended."""
    made = Desk(fairlead, cluster, tmp_path)
    yield made
    made.end_agent()


def test_a_joined_cluster(desk: Desk) -> None:
    """All is well; then one thing after the other is not."""
    assert wait_until(lambda: desk.wrong().keys() == {"clusters-joined"}, 20)
    desk.join()
    results, code = desk.check()
    assert [one for one in results.values() if one["result"] != "success"] == []
    assert (code, "agent-rights" in results, "agent-leftovers" in results) == (0, True, True)
    plain = desk.run("fairlead", "check")
    assert plain.returncode == 0
    assert "cluster east\n------------\n√ cluster is Ready\n" in plain.stdout
    assert plain.stdout.endswith("\nStatus check results are √\n")

    desk.plugin("cluster", "cordon", "east")
    assert desk.check()[1] == 0  # a warning
    assert "it is cordoned" in desk.wrong()["cluster-schedulable"]
    desk.run("kubectl-ws", "create", "shop", "--compute")
    assert wait_until(lambda: "cordoned" in desk.wrong().get("namespaces-schedulable", ""), 20)
    desk.plugin("cluster", "uncordon", "east")
    assert wait_until(lambda: not desk.wrong(), 20)

    _break_the_agents_rights(desk)
    _leave_something(desk)
    desk.end_agent()
    ended = desk.run("kubectl-fairlead", "check", "-o", "short")
    assert ended.returncode == 5
    assert ended.stdout.startswith("agent east\n----------\n")
    assert "agent is running\n    its process has ended: " in ended.stdout
    assert "to mend it: kubectl fairlead cluster join east --as-process" in ended.stdout
    other = desk.wrong("--cluster", "west")
    assert other == {"clusters-joined": "error: there is no SyncTarget west in root"}
    desk.join()
    assert desk.wrong() == {}


def _break_the_agents_rights(desk: Desk) -> None:
    """Take rights away, give others, weaken the namespace; joining again mends what is ours."""
    east = desk.cluster
    name = east.kubectl("get", "clusterroles", "-l", "app.kubernetes.io/part-of=fairlead", "-o", "name").split("/")[1]
    agent = name.split()[0]
    home = f"{agent}:{agent}"
    rule = [{"op": "remove", "path": "/rules/0"}]
    east.kubectl("patch", "clusterrole", agent, "--type=json", "-p", json.dumps(rule))
    east.kubectl("create", "clusterrolebinding", "too-much", "--clusterrole=cluster-admin", f"--serviceaccount={home}")
    east.kubectl("label", "namespace", agent, "--overwrite", "pod-security.kubernetes.io/enforce=privileged")
    try:
        wrong = desk.wrong()
        assert f"clusterrole/{agent} lacks" in wrong["agent-rights"]
        assert "clusterrolebinding/too-much gives it clusterrole/cluster-admin" in wrong["agent-rights"]
        assert "enforces privileged" in wrong["agent-namespace"]
    finally:
        east.kubectl("delete", "clusterrolebinding", "too-much")
    desk.join()
    assert desk.wrong() == {}


def _leave_something(desk: Desk) -> None:
    """A namespace of a SyncTarget that is gone is told, and nothing else is."""
    locator = Locator("root", "old", "0000", "w", "n").to_json()
    metadata = {"name": "kcp-leftover", "annotations": {"kcp.io/namespace-locator": locator}}
    left = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    desk.cluster.kubectl("create", "-f", "-", stdin=json.dumps(left))
    try:
        told = "warning: of no SyncTarget known here: namespace/kcp-leftover"
        assert desk.wrong() == {"agent-leftovers": told}
    finally:
        desk.cluster.kubectl("delete", "namespace", "kcp-leftover", "--wait=false")


def test_a_context_of_somebody_else(desk: Desk) -> None:
    """A cluster that was never joined, or a workspace, is no agent's cluster."""
    wrong = desk.wrong("--cluster", "east", "--context", desk.cluster.context)
    assert "there is no SyncTarget east" in wrong["clusters-joined"]
    desk.join()
    wrong = desk.wrong("--context", "root")
    assert list(wrong) == ["agent-cluster"]


def test_without_a_scheduler(cluster: Cluster, tmp_path: Path) -> None:
    """Nobody renews the Lease; waiting for it ends in time, and the rest is well."""
    with fairlead_server(tmp_path, "--no-scheduler") as server:
        desk = Desk(server, cluster, tmp_path)
        wrong = desk.wrong("--wait", "2s")
        assert wrong["scheduler-alive"] == "error: no scheduler has been heard of"
        assert wrong.keys() == {"scheduler-alive", "clusters-joined"}
        one_file = run_program("kubectl-fairlead", "--kubeconfig", str(server.kubeconfig), "check", "-o", "short")
        assert "no scheduler has been heard of" in one_file.stdout


def test_a_control_plane_that_cannot_be_talked_to(fairlead: FairleadServer, tmp_path: Path, cluster: Cluster) -> None:
    """No workspace, another authority, another server, and at last nobody there: one error each, the rest not tried."""
    desk = Desk(fairlead, cluster, tmp_path)
    results, code = desk.check("--from-context", cluster.context)
    assert (code, results["kubeconfig"]["result"], results["api-reachable"]["result"]) == (5, "error", "skipped")
    assert "does not point to a workspace" in results["kubeconfig"]["error"]

    config = yaml.safe_load(fairlead.kubeconfig.read_text())
    authority = make_authority(tmp_path).certificate
    for one in config["clusters"]:
        one["cluster"].pop("certificate-authority-data")
        one["cluster"]["certificate-authority"] = str(authority)
    (tmp_path / "other").write_text(yaml.safe_dump(config))
    wrong = desk.wrong("--from-kubeconfig", str(tmp_path / "other"))
    assert "certificate verify failed" in wrong["api-trusted"]
    assert wrong["compute-export"] == "skipped: not tried: api-trusted failed"

    fairlead.process.stop()
    wrong = desk.wrong()
    assert wrong["api-reachable"].startswith("error: no answer: 127.0.0.1:")
    assert "scheduler-alive" not in wrong
