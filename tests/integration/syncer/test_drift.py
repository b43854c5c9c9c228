"""
What somebody changes in the cluster is told with who it was, and put back, accepted or left to them as the user chose.

Aspects: put back and told; accepted, and what upstream says of other fields still comes; a manager's own field.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined
from tests.support.servers import run_program
from tests.support.waiting import wait_until

_MAPS = "/api/v1/namespaces/default/configmaps"


def _run(joined: Joined, *arguments: str) -> str:
    env = {"KUBECONFIG": str(joined.server.kubeconfig), "HOME": str(joined.folder)}
    done = run_program("kubectl-fairlead", *arguments, "-n", "default", "-w", ":root:team", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _edit(joined: Joined, name: str, value: str, manager: str) -> None:
    """Change a synced ConfigMap in the cluster as somebody there would."""
    path = f"/api/v1/namespaces/{joined.home()}/configmaps/{name}?fieldManager={manager}"
    joined.down.merge(path, {"data": {"k": value}})


def _drifted(joined: Joined) -> list[JsonObject]:
    return list(joined.progress().get("drifted") or ())


def _events(joined: Joined, name: str) -> list[str]:
    items = joined.team.ok("GET", "/api/v1/namespaces/default/events")["items"]
    return [one["message"] for one in items if one["involvedObject"]["name"] == name and one["reason"] == "Drifted"]


def test_put_back_and_told(joined: Joined) -> None:
    """At once, with the manager, the field and the time, in ``why`` and as an Event of the user's object."""
    joined.write("settings", "ours")
    joined.wait_value("settings", "ours")
    _edit(joined, "settings", "theirs", "somebody")
    wait_until(lambda: _drifted(joined), SYNC_TIMEOUT_S)
    joined.wait_value("settings", "ours")
    [drift] = _drifted(joined)
    assert (drift["name"], drift["path"], drift["manager"], drift["left"]) == ("settings", "data.k", "somebody", False)
    assert drift["since"]
    wait_until(lambda: _events(joined, "settings"), SYNC_TIMEOUT_S)
    assert _events(joined, "settings") == ["data.k was changed in the cluster by somebody, and put back"]
    assert "configmaps/settings: data.k changed by somebody" in _run(joined, "why", "configmap/settings")
    joined.write("settings", "newer")
    joined.wait_value("settings", "newer")
    wait_until(lambda: not _drifted(joined), SYNC_TIMEOUT_S)


def test_accepted(joined: Joined) -> None:
    """The value stays, another field still follows upstream, and it is put back when the user says so."""
    joined.write("settings", "ours")
    joined.wait_value("settings", "ours")
    _run(joined, "drift", "configmap/settings", "accept")
    _edit(joined, "settings", "theirs", "somebody")
    wait_until(lambda: [one["left"] for one in _drifted(joined)] == [True], SYNC_TIMEOUT_S)
    joined.team.merge(f"{_MAPS}/settings", {"data": {"other": "1"}})
    wait_until(lambda: "other" in ((joined.down_map("settings") or {}).get("data") or {}), SYNC_TIMEOUT_S)
    assert (joined.down_map("settings") or {})["data"] == {"k": "theirs", "other": "1"}
    _run(joined, "drift", "configmap/settings", "revert")
    joined.wait_value("settings", "ours")


def test_left_to_its_manager(joined: Joined) -> None:
    """The one that was named may own the field; another's edit is put back."""
    joined.write("settings", "ours")
    joined.wait_value("settings", "ours")
    _run(joined, "drift", "configmap/settings", "--leave", "tuner=data.k")
    _edit(joined, "settings", "theirs", "somebody")
    joined.wait_value("settings", "ours")
    _edit(joined, "settings", "tuned", "tuner")
    wait_until(lambda: [one["manager"] for one in _drifted(joined)] == ["tuner"], SYNC_TIMEOUT_S)
    assert (joined.down_map("settings") or {})["data"] == {"k": "tuned"}
