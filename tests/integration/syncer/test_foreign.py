"""
Foreign objects stay byte-identical (invariant 3): inside our namespaces, under our names, with forged marks.

The measure is the resourceVersion: it moves with every write, whoever makes it.
"""

from __future__ import annotations

import copy

from fairlead_api import JsonObject
from tests.integration.syncer.joined import BOTH_MODES, SYNC_TIMEOUT_S, Joined, config_map
from tests.support.waiting import wait_until

Seen = dict[str, tuple[str, str]]


def _stripped(obj: JsonObject, name: str = "") -> JsonObject:
    """Return a copy as somebody would restore it: all marks, no identity."""
    made = copy.deepcopy(obj)
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        made["metadata"].pop(field, None)
    if name:
        made["metadata"]["name"] = name
    return made


def _versions(joined: Joined, paths: list[str]) -> Seen:
    found: Seen = {}
    for path in paths:
        obj = joined.down.get(path)
        assert obj is not None, f"{path} is gone"
        found[path] = (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"])
    return found


def _forge_cluster_scoped(joined: Joined, ours: JsonObject) -> str:
    """Make a ClusterRole with marks copied from one of ours; return its path."""
    marks = {"labels": ours["metadata"]["labels"], "annotations": ours["metadata"]["annotations"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    roles, name = "/apis/rbac.authorization.k8s.io/v1/clusterroles", f"forged-{joined.number}"
    joined.down.ok("POST", roles, {**role, "metadata": {"name": name, **marks}})
    return f"{roles}/{name}"


@BOTH_MODES
def test_s66_foreign_objects_are_never_touched(joined: Joined) -> None:
    """Through sync, unassignment, and the end of the SyncTarget; the namespace stays and says why."""
    home = joined.home()
    maps = f"/api/v1/namespaces/{home}/configmaps"
    down = joined.down
    # Under the name of an object that is about to come, plain and with marks copied from one of ours.
    joined.write("ours")
    ours = joined.wait_value("ours", "1")
    down.ok("POST", maps, config_map("taken", "foreign"))
    down.ok("POST", maps, {**_stripped(ours, "forged"), "data": {"k": "foreign"}})
    down.ok("POST", maps, _stripped(ours, "never-upstream"))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    down.ok("POST", f"/api/v1/namespaces/{home}/serviceaccounts", account)
    paths = [f"{maps}/{name}" for name in ("taken", "forged", "never-upstream")]
    paths += [f"/api/v1/namespaces/{home}/serviceaccounts/robot", _forge_cluster_scoped(joined, ours)]
    before = _versions(joined, paths)

    for name in ("taken", "forged"):
        joined.write(name)
    wait_until(lambda: {each["name"] for each in joined.progress().get("blocked", [])} == {"taken", "forged"}, 20)
    assert {each["reason"] for each in joined.progress()["blocked"]} == {"NameTaken"}
    assert _versions(joined, paths) == before

    joined.assign("default", "Leaving")
    wait_until(lambda: joined.down_map("ours") is None, SYNC_TIMEOUT_S)
    wait_until(lambda: [each["name"] for each in joined.progress()["blocked"]] == ["default"], SYNC_TIMEOUT_S)
    wait_until(lambda: "robot" in joined.progress()["blocked"][0]["message"], SYNC_TIMEOUT_S)
    [why] = joined.progress()["blocked"]
    assert why["reason"] == "NamespaceNotEmpty"
    assert "configmaps/forged" in why["message"]
    assert "serviceaccounts/robot" in why["message"]
    assert _versions(joined, paths) == before

    joined.root.ok("DELETE", f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}")
    agent = joined.agent
    assert agent is not None
    wait_until(lambda: agent.return_code is not None, SYNC_TIMEOUT_S)
    assert "was deleted" in agent.log_tail() or "not registered" in agent.log_tail()
    assert _versions(joined, paths) == before
    namespace = down.get(f"/api/v1/namespaces/{home}")
    assert namespace is not None
    assert not namespace["metadata"].get("deletionTimestamp")
    wait_until(lambda: not joined.progress(), SYNC_TIMEOUT_S)


@BOTH_MODES
def test_a_restored_copy_of_ours_is_foreign(joined: Joined) -> None:
    """Deleted and put back from a backup, with every mark it had, it is somebody's: reported, not touched."""
    joined.write("restored")
    ours = joined.wait_value("restored", "1")
    path = f"/api/v1/namespaces/{joined.home()}/configmaps"
    wait_until(lambda: joined.progress().get("applied", 0) >= 2, SYNC_TIMEOUT_S)
    joined.stop_agent()
    joined.down.ok("DELETE", f"{path}/restored")
    restored = joined.down.ok("POST", path, {**_stripped(ours), "data": {"k": "from a backup"}})
    joined.start_agent()
    wait_until(lambda: [each["name"] for each in joined.progress().get("blocked", [])] == ["restored"], SYNC_TIMEOUT_S)
    joined.write("restored", "2")
    joined.write("after", "1")
    joined.wait_value("after", "1")
    assert joined.down_map("restored") == restored


@BOTH_MODES
def test_a_refused_object_is_made_when_the_foreign_one_goes(joined: Joined) -> None:
    """Nobody has to touch anything upstream."""
    path = f"/api/v1/namespaces/{joined.home()}/configmaps"
    joined.down.ok("POST", path, config_map("taken", "foreign"))
    joined.write("taken")
    wait_until(lambda: joined.progress().get("blocked"), SYNC_TIMEOUT_S)
    joined.down.ok("DELETE", f"{path}/taken")
    joined.wait_value("taken", "1")
    wait_until(lambda: not joined.progress().get("blocked"), SYNC_TIMEOUT_S)


@BOTH_MODES
def test_s67_a_namespace_of_our_name_with_a_copied_locator_is_foreign(joined: Joined) -> None:
    """Made beforehand by somebody who can compute the name and read other locators, it is left alone."""
    joined.team.ok(
        "POST", "/api/v1/namespaces", {"metadata": {"name": "squat"}, "apiVersion": "v1", "kind": "Namespace"}
    )
    own = joined.down.get(f"/api/v1/namespaces/{joined.home()}") or {}
    forged = _stripped(own, joined.home("squat"))
    marks = forged["metadata"]["annotations"]
    marks["kcp.io/namespace-locator"] = marks["kcp.io/namespace-locator"].replace("default", "squat")
    forged.pop("spec"), forged.pop("status")
    made = joined.down.ok("POST", "/api/v1/namespaces", forged)
    joined.write("inside", namespace="squat")
    joined.assign("squat")
    wait_until(lambda: joined.progress("squat").get("blocked"), SYNC_TIMEOUT_S)
    assert joined.progress("squat")["blocked"][0]["reason"] == "NamespaceTaken"
    joined.assign("squat", "Leaving")
    wait_until(lambda: joined.progress("squat").get("remaining") == 0, SYNC_TIMEOUT_S)
    assert joined.down.get(f"/api/v1/namespaces/{joined.home('squat')}") == made
