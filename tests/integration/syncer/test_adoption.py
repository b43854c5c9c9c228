"""
What runs in a cluster is handed over without a restart: the pods are the same ones before and after.

Aspects: a SyncTarget that was lost and made again; an object of somebody else's under our name; what would restart.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined, config_map
from tests.support.servers import run_program
from tests.support.waiting import wait_until

_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
_ASSIGNMENT = "/apis/scheduling.fairlead.io/v1alpha1/assignments/default"


def _deployment(name: str) -> JsonObject:
    template = {"metadata": {"labels": {"a": name}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def _adopt(joined: Joined, *arguments: str, code: int = 0) -> str:
    env = {"KUBECONFIG": f"{joined.server.kubeconfig}:{joined.cluster.kubeconfig}", "HOME": str(joined.folder)}
    sides = ("--context", joined.cluster.context, "--from-context", "root", "-w", ":root:team")
    done = run_program("kubectl-fairlead", "adopt", *arguments, *sides, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def _pods(joined: Joined, home: str) -> set[str]:
    """Return the pods that run there, by uid."""
    items = joined.down.ok("GET", f"/api/v1/namespaces/{home}/pods")["items"]
    return {one["metadata"]["uid"] for one in items if (one.get("status") or {}).get("phase") == "Running"}


def _upstream_ready(joined: Joined, name: str) -> bool:
    status = (joined.team.get(f"{_DEPLOYMENTS}/{name}") or {}).get("status") or {}
    return status.get("readyReplicas") == 2


def test_a_synctarget_made_again_takes_over_what_runs(joined_whole: Joined) -> None:
    """The same pods, replica sets and namespace; the agent goes on with them, edits and deletes included."""
    joined = joined_whole
    joined.team.ok("POST", _DEPLOYMENTS, _deployment("web"))
    joined.write("settings", "1")
    wait_until(lambda: _upstream_ready(joined, "web"), SYNC_TIMEOUT_S)
    home, before = joined.home(), _pods(joined, joined.home())
    assert len(before) == 2
    sets = f"/apis/apps/v1/namespaces/{home}/replicasets"
    replica_sets = {one["metadata"]["uid"] for one in joined.down.ok("GET", sets)["items"]}
    _lose_target(joined)

    assert "not clear which cluster" in _adopt(joined, "namespace/default", "--yes", code=2)
    joined.make_target()
    joined.write_cluster_kubeconfig()
    assert joined.home() != home
    said = _adopt(joined, "namespace/default", "--cluster", joined.name, "--yes")
    assert home in said
    joined.start_agent()
    joined.assign("default")
    wait_until(lambda: _upstream_ready(joined, "web"), SYNC_TIMEOUT_S)
    joined.team.merge("/api/v1/namespaces/default/configmaps/settings", {"data": {"k": "2"}})
    path = f"/api/v1/namespaces/{home}/configmaps/settings"
    wait_until(lambda: (joined.down.get(path) or {}).get("data") == {"k": "2"}, SYNC_TIMEOUT_S)

    assert _pods(joined, home) == before
    assert {one["metadata"]["uid"] for one in joined.down.ok("GET", sets)["items"]} == replica_sets
    assert joined.down.get(f"/api/v1/namespaces/{joined.home()}") is None
    joined.team.ok("DELETE", "/api/v1/namespaces/default/configmaps/settings")
    wait_until(lambda: joined.down.get(path) is None, SYNC_TIMEOUT_S)
    env = {"KUBECONFIG": str(joined.server.kubeconfig), "HOME": str(joined.folder)}
    where = run_program("kubectl-fairlead", "where", "deployment/web", "-n", "default", "-w", ":root:team", env=env)
    assert home in where.stdout


def _lose_target(joined: Joined) -> None:
    """Let the SyncTarget be deleted as somebody would who does not know what it is for."""
    joined.stop_agent()
    joined.root.ok("DELETE", f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}")

    def forgotten() -> bool:
        return not (joined.team.ok("GET", _ASSIGNMENT)["spec"].get("targets") or [])

    wait_until(forgotten, SYNC_TIMEOUT_S)


def test_exactly_one_foreign_object_is_handed_over(joined: Joined) -> None:
    """Refused while it is somebody else's, taken over as it is when handed over; another of the kind stays foreign."""
    maps = f"/api/v1/namespaces/{joined.home()}/configmaps"
    for name in ("mine", "other"):
        joined.down.ok("POST", maps, {**config_map(name, "foreign"), "metadata": {"name": name}})
        joined.write(name, "ours")
    taken = joined.down.ok("GET", f"{maps}/mine")["metadata"]["uid"]
    other = joined.down.ok("GET", f"{maps}/other")["metadata"]
    wait_until(lambda: _blocked(joined) == {"mine", "other"}, SYNC_TIMEOUT_S)
    wrong = _adopt(joined, "configmap/mine", "-n", "default", "--set", "0", "--yes", code=1)
    assert "is not what is there now" in wrong
    _joined_from(joined, "another")
    assert "is another cluster than" in _adopt(joined, "configmap/mine", "-n", "default", "--yes", code=1)
    _joined_from(joined, None)
    _adopt(joined, "configmap/mine", "-n", "default", "--yes")
    after = joined.wait_value("mine", "ours")
    assert after["metadata"]["uid"] == taken
    assert joined.down.ok("GET", f"{maps}/other")["metadata"] == other
    wait_until(lambda: _blocked(joined) == {"other"}, SYNC_TIMEOUT_S)


def _joined_from(joined: Joined, uid: str | None) -> None:
    """Write down by which uid the cluster was known when it was joined."""
    path = f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}"
    joined.root.merge(path, {"metadata": {"annotations": {"workload.fairlead.io/cluster-uid": uid}}})


def _blocked(joined: Joined) -> set[str]:
    return {str(one["name"]) for one in joined.progress().get("blocked", ())}


def test_what_would_restart_is_not_taken_over(joined_whole: Joined) -> None:
    """Told, and left as it is, until it is allowed to."""
    joined = joined_whole
    path = f"/apis/apps/v1/namespaces/{joined.home()}/deployments"
    theirs = joined.down.ok("POST", path, _deployment("web"))["metadata"]["uid"]
    wait_until(lambda: len(_pods(joined, joined.home())) == 2, SYNC_TIMEOUT_S)
    before = _pods(joined, joined.home())
    joined.team.ok("POST", _DEPLOYMENTS, _deployment("web"))
    wait_until(lambda: _blocked_reason(joined) == "NameTaken", SYNC_TIMEOUT_S)
    _adopt(joined, "deployment/web", "-n", "default", "--yes")
    wait_until(lambda: _blocked_reason(joined) == "WouldRestart", SYNC_TIMEOUT_S)
    assert _pods(joined, joined.home()) == before
    _adopt(joined, "deployment/web", "-n", "default", "--allow-restart", "--yes")
    wait_until(lambda: _upstream_ready(joined, "web"), SYNC_TIMEOUT_S)
    assert joined.down.ok("GET", f"{path}/web")["metadata"]["uid"] == theirs


def _blocked_reason(joined: Joined) -> str:
    return next((str(one["reason"]) for one in joined.progress().get("blocked", ()) if one["name"] == "web"), "")
