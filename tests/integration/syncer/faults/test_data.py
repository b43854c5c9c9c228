"""One side has other data than before: wiped, or restored from a backup (F28, F29, F30)."""

from __future__ import annotations

import shutil
from pathlib import Path

from fairlead_api import JsonObject
from tests.integration.syncer.faults.stage import DEPLOYMENTS, MAPS, Stage, deployment
from tests.integration.syncer.joined import SYNC_TIMEOUT_S
from tests.support.servers import run_program
from tests.support.waiting import wait_until

WORKERS = 8
LONG_S = 60.0
FASTER = 40
"""Minutes of older lists, or two resyncs, tell a restored server from a replica that lags."""


def _at_once(stage: Stage) -> int:
    """Return the largest number of writes the agent had under way at the same time."""
    points: list[tuple[str, int]] = []
    for name in [f"f28-{number}" for number in range(20)]:
        for event in stage.events_of("configmaps", name, "create"):
            points += [(event["requestReceivedTimestamp"], 1), (event["stageTimestamp"], -1)]
    most = now = 0
    for _, step in sorted(points):
        now += step
        most = max(most, now)
    return most


def test_f28_a_wiped_cluster_is_filled_once(stage: Stage) -> None:
    """Everything is made again, once, a few at a time; what users wrote is untouched, and Pods stay shown meanwhile."""
    names = [f"f28-{number}" for number in range(20)]
    for name in names:
        stage.write(name, "1")
    stage.team.ok("POST", DEPLOYMENTS, deployment("f28"))
    for name in names:
        stage.wait_value(name, "1")
    below = f"/apis/apps/v1/namespaces/{stage.home()}/deployments/f28"
    wait_until(lambda: stage.down.get(below), SYNC_TIMEOUT_S)
    uids = {name: stage.team.ok("GET", f"{MAPS}/{name}")["metadata"]["uid"] for name in names}
    _run_pod(stage, stage.down.ok("GET", below))
    wait_until(lambda: _shown_pods(stage), SYNC_TIMEOUT_S)
    stage.real.replace_data(shutil.rmtree)
    assert _shown_pods(stage) == ["f28-abc-x"], "that nothing is heard of it does not hide it"
    stage.began = stage.audited()
    stage.write_cluster_kubeconfig()
    stage.restart_agent()
    for name in names:
        stage.wait_value(name, "1")
    wait_until(lambda: stage.down.get(below), SYNC_TIMEOUT_S)
    for name in names:
        codes = [event["responseStatus"]["code"] for event in stage.events_of("configmaps", name, "create")]
        assert codes.count(201) == 1
    wait_until(lambda: not _shown_pods(stage), SYNC_TIMEOUT_S)
    _run_pod(stage, stage.down.ok("GET", below))
    wait_until(lambda: _shown_pods(stage) == ["f28-abc-x"], SYNC_TIMEOUT_S)
    assert _at_once(stage) <= WORKERS
    assert {name: stage.team.ok("GET", f"{MAPS}/{name}")["metadata"]["uid"] for name in names} == uids
    assert stage.deleted() == set()
    stage.may_delete = {"deployments/f28"}
    stage.team.ok("DELETE", f"{DEPLOYMENTS}/f28")
    wait_until(lambda: stage.down.get(below) is None, SYNC_TIMEOUT_S)
    wait_until(lambda: not _shown_pods(stage), SYNC_TIMEOUT_S)


def _shown_pods(stage: Stage) -> list[str]:
    return [one["metadata"]["name"] for one in stage.team.ok("GET", "/api/v1/namespaces/default/pods")["items"]]


def _run_pod(stage: Stage, workload: JsonObject) -> None:
    """Make what the cluster's controllers would of a Deployment: a ReplicaSet, and a Pod of it."""
    home = f"namespaces/{stage.home()}"
    template = workload["spec"]["template"]
    labels = {**template["metadata"]["labels"], "pod-template-hash": "abc"}
    labels["internal.workload.kcp.io/cluster"] = workload["metadata"]["labels"]["internal.workload.kcp.io/cluster"]
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {**template, "metadata": {"labels": labels}},
    }
    made = stage.down.ok(
        "POST",
        f"/apis/apps/v1/{home}/replicasets",
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": _owned("f28-abc", workload, labels), "spec": spec},
    )
    if stage.down.get(f"/api/v1/{home}/serviceaccounts/default") is None:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        stage.down.ok("POST", f"/api/v1/{home}/serviceaccounts", account)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": _owned("f28-abc-x", made, labels)}
    stage.down.ok("POST", f"/api/v1/{home}/pods", {**pod, "spec": {"containers": [{"name": "c", "image": "i"}]}})


def _owned(name: str, owner: JsonObject, labels: JsonObject) -> JsonObject:
    reference = {"apiVersion": "apps/v1", "kind": owner["kind"], "name": owner["metadata"]["name"], "controller": True}
    return {"name": name, "labels": labels, "ownerReferences": [{**reference, "uid": owner["metadata"]["uid"]}]}


def test_f29_a_cluster_restored_from_an_old_backup_is_brought_up_to_date(stage: Stage) -> None:
    """Old values are replaced and what was new is made again; what had been deleted since is touched by nobody."""
    stage.restart_agent(FAULTS_FASTER=str(FASTER))
    for name in ("f29-changed", "f29-deleted"):
        stage.write(name, "1")
        stage.wait_value(name, "1")
    backup = stage.folder / "etcd-backup"
    stage.real.replace_data(lambda folder: _copy(folder, backup))
    stage.write("f29-changed", "2")
    stage.write("f29-new", "1")
    stage.team.ok("DELETE", f"{MAPS}/f29-deleted")
    stage.may_delete = {"configmaps/f29-deleted"}
    stage.wait_value("f29-changed", "2")
    made = stage.wait_value("f29-new", "1")["metadata"]["uid"]
    stage.wait_gone("f29-deleted")
    stage.real.replace_data(lambda folder: _copy(backup, folder))
    stage.began, stage.may_delete = stage.audited(), set()
    deleted = stage.uid_below("f29-deleted")
    assert (stage.down_map("f29-deleted") or {})["data"] == {"k": "1"}
    wait_until(lambda: ((stage.down_map("f29-changed") or {}).get("data") or {}).get("k") == "2", LONG_S)
    wait_until(lambda: stage.down_map("f29-new"), LONG_S)
    assert stage.uid_below("f29-new") != made
    stage.write("f29-after", "1")
    stage.wait_value("f29-after", "1")
    wait_until(lambda: _is_alarmed(stage, "f29-deleted"), LONG_S)
    assert stage.uid_below("f29-deleted") == deleted
    assert stage.deleted() == set()
    _hand_over(stage, "f29-deleted", deleted)


def _is_alarmed(stage: Stage, name: str) -> bool:
    """Tell whether the SyncTarget says that nothing explains a ConfigMap."""
    found = stage.condition("InventoryConsistent")
    return found.get("status") == "False" and f"configmaps {stage.home()}/{name}" in found["message"]


def _hand_over(stage: Stage, name: str, uid: str) -> None:
    """Ask for the object again: it says who has its name, and by one command it is that one; the alarm ends."""
    stage.write(name, "again")
    wait_until(lambda: stage.report(f"{MAPS}/{name}").get("reason") == "NameTaken", LONG_S)
    command = f"kubectl fairlead adopt configmap/{name} -n default"
    assert command in stage.report(f"{MAPS}/{name}")["message"]
    env = {"KUBECONFIG": f"{stage.server.kubeconfig}:{stage.cluster.kubeconfig}", "HOME": str(stage.folder)}
    sides = ("--context", stage.cluster.context, "--from-context", "root", "-w", ":root:team", "--yes")
    done = run_program("kubectl-fairlead", *command.split()[2:], *sides, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert stage.wait_value(name, "again")["metadata"]["uid"] == uid
    wait_until(lambda: not _is_alarmed(stage, name), LONG_S)


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def test_f30_what_a_restored_control_plane_does_not_know_is_kept(stage: Stage) -> None:
    """An older backup above: what it never heard of stays in the cluster, the rest becomes what the backup says."""
    stage.restart_agent(FAULTS_FASTER=str(FASTER))
    for name in ("f30-changed", "f30-deleted"):
        stage.write(name, "1")
        stage.wait_value(name, "1")
    backup = stage.folder / "plane-backup"
    stage.server.process.stop()
    _copy(stage.server.directory, backup)
    stage.server.restart()
    stage.write("f30-changed", "2")
    stage.write("f30-new", "1")
    stage.team.ok("DELETE", f"{MAPS}/f30-deleted")
    stage.may_delete = {"configmaps/f30-deleted"}
    stage.wait_value("f30-changed", "2")
    uid = stage.wait_value("f30-new", "1")["metadata"]["uid"]
    stage.wait_gone("f30-deleted")
    stage.server.process.stop()
    _copy(backup, stage.server.directory)
    stage.server.restart()
    stage.may_delete = set()
    stage.began = stage.audited()
    wait_until(lambda: ((stage.down_map("f30-changed") or {}).get("data") or {}).get("k") == "1", LONG_S)
    wait_until(lambda: stage.down_map("f30-deleted"), LONG_S)
    stage.write("f30-after", "1")
    stage.wait_value("f30-after", "1")
    wait_until(lambda: _is_alarmed(stage, "f30-new"), LONG_S)
    assert stage.uid_below("f30-new") == uid
    assert stage.deleted() == set()
    _hand_over(stage, "f30-new", uid)
