"""
Everything in a cluster that bears our marks is told for what it is; orphans go when exactly they are named.

The command is the administrator's, with their own credentials on both sides.
"""

from __future__ import annotations

import json

from fairlead_api import JsonObject
from fairlead_api.names import Locator, downstream_namespace
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined, config_map
from tests.support.servers import run_program
from tests.support.waiting import wait_until

_RBAC = "rbac.authorization.k8s.io/v1"
_GONE = "11111111-2222-3333-4444-555555555555"


def _run(joined: Joined, *arguments: str, code: int = 0) -> str:
    env = {"KUBECONFIG": f"{joined.server.kubeconfig}:{joined.cluster.kubeconfig}", "HOME": str(joined.folder)}
    sides = ("--context", joined.cluster.context, "--from-context", "root")
    done = run_program("kubectl-fairlead", "leftovers", *arguments, *sides, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def _audit(joined: Joined, *arguments: str) -> tuple[str, dict[str, str]]:
    """Return the name of the set of orphans, and the state of each object by name."""
    answer = json.loads(_run(joined, "-o", "json", *arguments))
    return answer["set"], {item["name"]: item["state"] for item in answer["items"]}


def _marked(joined: Joined, name: str) -> JsonObject:
    """Return a ConfigMap with marks as this agent makes them, that upstream knows nothing of."""
    like = joined.down_map("live")
    assert like is not None
    metadata = {"name": name, "labels": like["metadata"]["labels"], "annotations": like["metadata"]["annotations"]}
    return {**config_map(name, "left"), "metadata": metadata}


def test_orphans_are_told_and_go_when_named(joined: Joined) -> None:
    """Live, waiting, orphaned and forged objects; a wrong set, then the right one; the rest stays as it is."""
    maps = f"/api/v1/namespaces/{joined.home()}/configmaps"
    joined.write("live")
    joined.write("going")
    joined.wait_value("live", "1")
    joined.wait_value("going", "1")
    joined.stop_agent()
    joined.team.ok("DELETE", "/api/v1/namespaces/default/configmaps/going")
    joined.down.ok("POST", f"{maps}?fieldManager=syncer", _marked(joined, "orphan"))
    joined.down.ok("POST", f"{maps}?fieldManager=kubectl", _marked(joined, "forged"))
    joined.down.ok("POST", maps, config_map("theirs", "1"))
    digest, states = _audit(joined, joined.name)
    assert states["live"] == "live"
    assert states["going"] == "waiting"
    assert states["orphan"] == "orphan"
    assert states["forged"] == "foreign"
    assert "theirs" not in states
    assert "is not what is there now" in _run(joined, joined.name, "--remove", "--set", "0", "--yes", code=1)
    assert "nobody is there to confirm" in _run(joined, joined.name, "--remove", "--set", digest, code=2)
    before = {one["metadata"]["name"] for one in joined.down.ok("GET", maps)["items"]}
    said = _run(joined, joined.name, "--remove", "--set", digest, "--yes")
    assert "orphan deleted" in said
    after = {one["metadata"]["name"] for one in joined.down.ok("GET", maps)["items"]}
    assert before - after == {"orphan"}
    assert "no orphans" in _run(joined, joined.name, "--remove", "--yes", code=1)


def test_what_a_lost_synctarget_left(joined: Joined) -> None:
    """Foreign until somebody says that it is gone for good; then its namespace goes, unless another's is in it."""
    names = []
    for upstream in ("empty", "shared"):
        locator = Locator("root", "lost", _GONE, "w", f"{upstream}-{joined.number}")
        name = downstream_namespace(locator)
        names.append(name)
        metadata = {"name": name, "annotations": {"kcp.io/namespace-locator": locator.to_json()}}
        joined.down.ok("POST", "/api/v1/namespaces", {"metadata": metadata})
        joined.down.ok("POST", f"/apis/{_RBAC}/namespaces/{name}/rolebindings", _binding())
    joined.down.ok("POST", f"/api/v1/namespaces/{names[1]}/configmaps", config_map("theirs", "1"))
    _, states = _audit(joined)
    assert {states[name] for name in names} == {"foreign"}
    digest, states = _audit(joined, "--gone", _GONE)
    assert {states[name] for name in names} == {"orphan"}
    assert "is not gone" in _run(joined, "--gone", joined.uid, code=2)
    said = _run(joined, "--gone", _GONE, "--remove", "--set", digest, "--yes", code=1)
    assert "holds what is not ours: configmaps/theirs" in said
    shared = joined.down.ok("GET", f"/api/v1/namespaces/{names[1]}")
    assert "deletionTimestamp" not in shared["metadata"]
    wait_until(lambda: _is_going(joined, names[0]), SYNC_TIMEOUT_S)


def _binding() -> JsonObject:
    """Return what each agent binds its rights with in a namespace that it made."""
    name = "kcp-syncer-lost-1-namespace"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    return {"metadata": {"name": name}, "roleRef": role}


def _is_going(joined: Joined, name: str) -> bool:
    found = joined.down.get(f"/api/v1/namespaces/{name}")
    return found is None or "deletionTimestamp" in found["metadata"]
