"""A mistake that would delete much is held, and can be taken back: then nothing of it has happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from tests.support.clusters import Cluster, run_kubectl
from tests.support.team import Team, a_team
from tests.support.waiting import wait_until

_MANY = 60
_WAIT_S = 60


@pytest.fixture
def team(start_clusters: Callable[[list[str]], list[Cluster]], tmp_path: Path) -> Iterator[Team]:
    """A Deployment and many ConfigMaps in a namespace of their own, which run in east."""
    with a_team(start_clusters(["east"]), tmp_path) as made:
        made.join("east")
        made.make_workspace()
        made.kubectl("create", "namespace", "big")
        items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{n}"}} for n in range(_MANY)]
        everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        made.kubectl("apply", "-n", "big", "-f", "-", stdin=everything)
        made.kubectl("create", "deployment", "shelf", "-n", "big", "--image=web:1", "--replicas=2")
        made.kubectl("rollout", "status", "-n", "big", "deployment/shelf", "--timeout=60s")
        wait_until(lambda: len(_maps(made)) == _MANY, _WAIT_S)
        yield made


def _below(team: Team, kinds: str) -> list[JsonObject]:
    """Return what east has of ours, of some kinds."""
    command = ("get", kinds, "-A", "-o", "json")
    items: list[JsonObject] = json.loads(team.clusters["east"].kubectl(*command))["items"]
    return [one for one in items if one["metadata"]["namespace"].startswith("kcp-")]


def _maps(team: Team) -> list[str]:
    names = [str(one["metadata"]["name"]) for one in _below(team, "configmaps")]
    return [name for name in names if name.startswith("m")]


def _shelf(team: Team) -> dict[str, str]:
    """Return the uids of the Deployment and its Pods in east."""
    found = [one for one in _below(team, "deployments,pods") if one["metadata"]["name"].startswith("shelf")]
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["uid"] for one in found}


def _held(team: Team) -> str:
    """Return what SyncTarget east says of deletions that are held; "" while none are."""
    url = f"{team.server.url}/clusters/root"
    said = run_kubectl(
        team.server.kubeconfig, "--context=base", f"--server={url}", "get", "synctarget", "east", "-o", "json"
    )
    conditions = (json.loads(said).get("status") or {}).get("conditions") or ()
    found = [one for one in conditions if one["type"] == "DeletionsHeld" and one["status"] == "True"]
    return str(found[0]["message"]) if found else ""


def test_a_namespace_that_is_restored_has_not_stopped(team: Team) -> None:
    """Deleted, held, restored: the same Deployment with the same Pods, all that went is there, nothing is held."""
    before = _shelf(team)
    team.kubectl("delete", "namespace", "big", "--timeout=60s")
    wait_until(lambda: _held(team), _WAIT_S)
    team.plugin("restore", "namespace/big", "-w", ":root:shop")
    wait_until(lambda: not _held(team), _WAIT_S)
    wait_until(lambda: len(_maps(team)) == _MANY, _WAIT_S)
    team.kubectl("rollout", "status", "-n", "big", "deployment/shelf", "--timeout=60s")
    assert len(before) == 3
    assert _shelf(team) == before
    team.kubectl("scale", "-n", "big", "deployment/shelf", "--replicas=3")
    team.kubectl("rollout", "status", "-n", "big", "deployment/shelf", "--timeout=60s")
    assert before.items() < _shelf(team).items()


def test_a_placement_that_is_set_right_has_stopped_nothing(team: Team) -> None:
    """It selected nothing for a while: what is held runs on, what went within the allowance comes back."""
    before = _shelf(team)
    assert len(before) == 3
    _select(team, {"matchLabels": {"no": "such"}})
    wait_until(lambda: _held(team), _WAIT_S)
    wait_until(lambda: len(_maps(team)) < _MANY, _WAIT_S)
    _select(team, {})
    wait_until(lambda: not _held(team), _WAIT_S)
    wait_until(lambda: len(_maps(team)) == _MANY, _WAIT_S)
    team.kubectl("rollout", "status", "-n", "big", "deployment/shelf", "--timeout=60s")
    team.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert team.runs_in() == "synctarget.workload.kcp.io/east"
    assert _shelf(team) == before


def _select(team: Team, selector: JsonObject) -> None:
    """Change which namespaces the workspace's Placement takes."""
    patch = json.dumps([{"op": "replace", "path": "/spec/namespaceSelector", "value": selector}])
    name = team.kubectl("get", "placements", "-o", "name").strip()
    team.kubectl("patch", name, "--type=json", "-p", patch)


def test_a_collection_that_is_deleted_is_held(team: Team) -> None:
    """One request for all of a namespace's objects is no word about each of them."""
    team.kubectl("delete", "--raw", "/api/v1/namespaces/big/configmaps")
    wait_until(lambda: _held(team), _WAIT_S)
    assert len(_maps(team)) > _MANY // 2
    assert "approve" in _held(team)
    team.plugin("cluster", "approve", "east", "--yes")
    wait_until(lambda: not _maps(team), _WAIT_S)
    assert len(_shelf(team)) == 3
