"""
Deletions that come in a burst stop, say so, and wait for approval of exactly that set (invariant 2).

Aspects: a namespace full of objects deleted above; a wrong approval, a restart; the command that approves; agents that
die before they have told of anything; moves.
"""

from __future__ import annotations

from functools import partial

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined, config_map
from tests.support.servers import run_program
from tests.support.waiting import wait_until

COUNT, FLOOR = 60, 20


def _maps(joined: Joined, namespace: str) -> dict[str, JsonObject]:
    """Return the ConfigMaps the cluster has of a namespace, by name."""
    items = joined.down.ok("GET", f"/api/v1/namespaces/{joined.home(namespace)}/configmaps")["items"]
    return {item["metadata"]["name"]: item for item in items}


def _target(joined: Joined) -> JsonObject:
    return joined.root.ok("GET", f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}")


def _condition(joined: Joined) -> JsonObject:
    """Return the condition DeletionsHeld, ``{}`` while there is none."""
    conditions = _target(joined)["status"]["conditions"]
    return next((one for one in conditions if one["type"] == "DeletionsHeld"), {})


def _said(joined: Joined, reason: str) -> list[str]:
    """Return what Events of the SyncTarget say for a reason, the newest first."""
    items = joined.root.ok("GET", "/api/v1/namespaces/default/events")["items"]
    found = [one for one in items if one["involvedObject"]["uid"] == joined.uid and one["reason"] == reason]
    return [one["message"] for one in sorted(found, key=lambda one: int(one["metadata"]["resourceVersion"]))][::-1]


def _held(joined: Joined) -> JsonObject:
    return _target(joined)["status"].get("heldDeletions") or {}


def _approve(joined: Joined, *arguments: str, code: int = 0) -> str:
    env = {"KUBECONFIG": str(joined.server.kubeconfig), "HOME": str(joined.folder)}
    command = ("cluster", "approve", joined.name, "--context=root", "--yes", *arguments)
    done = run_program("kubectl-fairlead", *command, env=env)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr if code else done.stdout


def _is_gone(joined: Joined, namespace: str) -> bool:
    """Tell whether the cluster has been told to delete a namespace; without controllers it never ends."""
    found = joined.down.get(f"/api/v1/namespaces/{joined.home(namespace)}")
    return found is None or "deletionTimestamp" in found["metadata"]


def _fill(joined: Joined, namespace: str, count: int) -> dict[str, JsonObject]:
    """Make a namespace with ConfigMaps and have it run; return what the cluster has of it, the root CA's included."""
    metadata = {"name": namespace}
    joined.team.ok("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    joined.assign(namespace)
    for number in range(count):
        joined.team.ok("POST", f"/api/v1/namespaces/{namespace}/configmaps", config_map(f"m{number}", "1"))
    home = f"/api/v1/namespaces/{joined.home(namespace)}"
    wait_until(lambda: joined.down.get(home) and len(_maps(joined, namespace)) == count + 1, SYNC_TIMEOUT_S)
    wait_until(lambda: joined.progress(namespace).get("applied") == count + 1, SYNC_TIMEOUT_S)
    return _maps(joined, namespace)


def test_a_namespace_that_is_deleted_with_all_it_holds(joined: Joined) -> None:
    """The allowance goes; the rest stays byte-identical and is named, until exactly that set is approved."""
    before = _fill(joined, "crowd", COUNT)
    joined.team.ok("DELETE", "/api/v1/namespaces/crowd")
    wait_until(lambda: _held(joined).get("count") == len(before) - FLOOR, SYNC_TIMEOUT_S)
    wait_until(lambda: len(_maps(joined, "crowd")) == len(before) - FLOOR, SYNC_TIMEOUT_S)
    left = _maps(joined, "crowd")
    assert left == {name: before[name] for name in left}
    held, condition = _held(joined), _condition(joined)
    assert (condition["status"], condition["severity"], condition["reason"]) == ("True", "Warning", "BurstOfDeletions")
    assert f"{len(left)} deletions" in condition["message"]
    assert f"cluster approve {joined.name} --set {held['digest']}" in condition["message"]
    assert held["examples"][0] in condition["message"]
    assert _said(joined, "DeletionsHeld")[0].startswith(f"{len(left)} deletions came in a burst")
    ready = next(one for one in _target(joined)["status"]["conditions"] if one["type"] == "Ready")
    assert ready["status"] == "True"

    def reasons() -> bool:
        blocked = joined.progress("crowd").get("blocked") or ()
        return bool(blocked) and all(
            one["reason"] == "DeletionHeld" and held["digest"] in one["message"] for one in blocked
        )

    wait_until(reasons, SYNC_TIMEOUT_S)
    _stays_without_approval(joined, left, held["digest"])
    # An agent that starts gathers the set anew; until it has, this one is not what is held.
    said = wait_until(lambda: _approve(joined, f"--set={held['digest']}"), SYNC_TIMEOUT_S)
    assert f"{len(left)} deletions approved" in said
    wait_until(lambda: not _maps(joined, "crowd"), SYNC_TIMEOUT_S)
    wait_until(lambda: not _condition(joined) and not _held(joined), SYNC_TIMEOUT_S)
    wait_until(lambda: _said(joined, "DeletionsReleased"), SYNC_TIMEOUT_S)
    assignment = "/apis/scheduling.fairlead.io/v1alpha1/assignments/crowd"
    [entry] = joined.team.ok("GET", assignment)["spec"]["targets"]
    joined.team.merge(
        assignment, {"spec": {"targets": [{**entry, "state": "Leaving", "reason": "The namespace is gone"}]}}
    )
    wait_until(lambda: _is_gone(joined, "crowd"), SYNC_TIMEOUT_S)
    assert not _condition(joined)


def _stays_without_approval(joined: Joined, left: dict[str, JsonObject], digest: str) -> None:
    """Approve what is not held, and start the agent anew: nothing goes, and the same set is held."""
    assert "is not what is held now" in _approve(joined, "--set=0000000000000000", code=1)
    path = f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}"
    joined.root.merge(path, {"spec": {"approvedDeletions": "0000000000000000"}})
    wait_until(lambda: "which is another" in _condition(joined).get("message", ""), SYNC_TIMEOUT_S)
    joined.kill_agent()
    joined.start_agent()
    joined.wait_value(joined.write("after")["metadata"]["name"], "1")
    wait_until(lambda: _held(joined).get("digest") == digest, SYNC_TIMEOUT_S)
    assert _maps(joined, "crowd") == left


def test_each_life_of_an_agent_has_not_an_allowance_of_its_own(joined: Joined) -> None:
    """One that dies in the middle of a burst, before anything was held, has used up what it deleted."""
    before = _fill(joined, "crowd", COUNT)
    joined.stop_agent()
    joined.environment["FAIRLEAD_FAILPOINTS"] = f"syncer-after-delete=kill@{FLOOR - 5}"
    joined.start_agent()
    joined.wait_value(joined.write("marker")["metadata"]["name"], "1")
    joined.team.ok("DELETE", "/api/v1/namespaces/crowd")
    assert joined.agent is not None
    assert joined.agent.wait(SYNC_TIMEOUT_S) < 0
    assert len(_maps(joined, "crowd")) < len(before) - 1
    joined.start_agent()
    wait_until(lambda: _held(joined), SYNC_TIMEOUT_S)
    joined.wait_value(joined.write("after")["metadata"]["name"], "1")
    assert len(_maps(joined, "crowd")) >= len(before) - FLOOR


def test_moves_are_never_held(joined: Joined) -> None:
    """A drain of more namespaces than the allowance, each with a ready replacement, goes through."""
    names = [f"team-{number}" for number in range(FLOOR + 5)]
    for name in names:
        _fill(joined, name, 1)
    for name in names:
        joined.assign(name, "Leaving", "Replaced")
    for name in names:
        wait_until(partial(_is_gone, joined, name), SYNC_TIMEOUT_S)
    assert not _condition(joined)
