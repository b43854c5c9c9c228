"""
A namespace of ours that somebody deletes and makes again with every mark it had, as a backup does, is somebody's.

Nothing of the workspace goes into it, nothing in it is touched, and its users hear of it; one command hands it over.
"""

from __future__ import annotations

import copy

from fairlead_api import JsonObject
from tests.integration.syncer.joined import BOTH_MODES, SYNC_TIMEOUT_S, Joined
from tests.support.proxy import status
from tests.support.servers import run_program
from tests.support.waiting import wait_until

_CONTENTS = ("api/v1:secrets", "api/v1:configmaps", "apis/rbac.authorization.k8s.io/v1:rolebindings")
_TAKEN = {"settings": "NamespaceTaken", "later": "NamespaceTaken"}


@BOTH_MODES
def test_a_copied_namespace_is_filled_by_nobody_until_it_is_handed_over(joined: Joined) -> None:
    """With a copy of an object in it; found by an agent that was away, and again by one that starts anew."""
    joined.write("settings", "1")
    ours = joined.wait_value("settings", "1")
    home = joined.home()
    wait_until(lambda: _is_sealed(joined, home), SYNC_TIMEOUT_S)
    space = joined.down.ok("GET", f"/api/v1/namespaces/{home}")
    joined.kill_agent()
    _end(joined, home)
    before = joined.audited()
    made = joined.down.ok("POST", "/api/v1/namespaces", _bare(space))
    held = joined.down.ok("POST", f"/api/v1/namespaces/{home}/configmaps", _bare(ours) | {"data": {"k": "theirs"}})
    joined.start_agent()
    joined.write("later", "1")
    wait_until(lambda: _reasons(joined) | _TAKEN == _reasons(joined), SYNC_TIMEOUT_S)
    joined.stop_agent()
    joined.start_agent()
    joined.write("last", "1")
    wait_until(lambda: _reasons(joined).get("last") == "NamespaceTaken", SYNC_TIMEOUT_S)
    assert joined.agent_writes(since=before) == []
    assert joined.down.ok("GET", f"/api/v1/namespaces/{home}")["metadata"] == made["metadata"]
    said = _adopt(joined, "namespace/default", "--cluster", joined.name, "--from", home, "--yes")
    assert "with 1 objects handed over" in said
    assert joined.wait_value("settings", "1")["metadata"]["uid"] == held["metadata"]["uid"]
    joined.wait_value("later", "1")
    wait_until(lambda: not _reasons(joined), SYNC_TIMEOUT_S)


def test_a_copy_of_what_was_never_reported_stays(joined: Joined) -> None:
    """Its proof is good until then; but the cluster says who wrote it, whatever the copy says itself of that."""
    joined.proxy.inject(status(503), method="PUT", path="/configmaps/")
    joined.write("settings", "1")
    ours = joined.wait_value("settings", "1")
    home = joined.home()
    joined.kill_agent()
    path = f"/api/v1/namespaces/{home}/configmaps"
    joined.down.ok("DELETE", f"{path}/settings")
    claimed = {"metadata": {**_bare(ours)["metadata"], "managedFields": ours["metadata"]["managedFields"]}}
    held = joined.down.ok("POST", path, {**ours, **claimed, "data": {"k": "theirs"}})
    joined.proxy.heal()
    joined.start_agent()
    wait_until(lambda: _reasons(joined).get("settings") == "NameTaken", SYNC_TIMEOUT_S)
    joined.assign("default", "Leaving")
    wait_until(lambda: _reasons(joined).get("default") == "NamespaceNotEmpty", SYNC_TIMEOUT_S)
    assert joined.down.ok("GET", f"{path}/settings") == held


def _is_sealed(joined: Joined, home: str) -> bool:
    annotations = joined.down.ok("GET", f"/api/v1/namespaces/{home}")["metadata"]["annotations"]
    return "internal.workload.kcp.io/uid-proof" in annotations


def _end(joined: Joined, home: str) -> None:
    """Delete a namespace with all that is in it, as the cluster's own controller would."""
    for one in _CONTENTS:
        group, _, plural = one.partition(":")
        joined.down.ok("DELETE", f"/{group}/namespaces/{home}/{plural}")
    path = f"/api/v1/namespaces/{home}"
    joined.down.ok("DELETE", path)
    body = joined.down.ok("GET", path)
    joined.down.ok("PUT", f"{path}/finalize", {**body, "spec": {"finalizers": []}})
    wait_until(lambda: joined.down.get(path) is None, SYNC_TIMEOUT_S)


def _bare(obj: JsonObject) -> JsonObject:
    """Return a copy as a backup would restore it: all marks, no identity."""
    made = copy.deepcopy(obj)
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        made["metadata"].pop(field, None)
    return made


def _reasons(joined: Joined) -> dict[str, str]:
    """Return what the Assignment says of each object that is not in order, by name."""
    return {str(one["name"]): str(one["reason"]) for one in joined.progress().get("blocked", ())}


def _adopt(joined: Joined, *arguments: str) -> str:
    env = {"KUBECONFIG": f"{joined.server.kubeconfig}:{joined.cluster.kubeconfig}", "HOME": str(joined.folder)}
    sides = ("--context", joined.cluster.context, "--from-context", "root", "-w", ":root:team")
    done = run_program("kubectl-fairlead", "adopt", *arguments, *sides, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
