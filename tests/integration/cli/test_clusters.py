"""``kubectl fairlead cluster`` and ``kubectl kcp workload`` against a running server and real clusters."""

from __future__ import annotations

import json
import socket

import yaml

from tests.integration.cli.desk import DEPLOYMENT, Desk, dump
from tests.support.waiting import wait_until


def test_a_clusters_life(desk: Desk) -> None:
    """Join, see, place, drain and remove; after that the cluster is as it was before."""
    before = dump(desk.east)
    told = desk.join("east", desk.east, "--label", "region=east")
    assert "Cluster east is joined" in told
    assert "Next: kubectl ws create" in told
    assert "Cluster east is joined" in desk.join("east", desk.east)  # said twice, it is the same cluster
    assert desk.cluster("list", "-o", "name") == "synctarget.workload.kcp.io/east\n"
    assert "region=east" in desk.cluster("list", "-o", "wide")

    desk.run("kubectl-ws", "create", "shop", "--compute")
    url = f"{desk.server.url}/clusters/root:shop"
    desk.server.kubectl(f"--server={url}", "apply", "-f", "-", stdin=DEPLOYMENT)
    desk.server.kubectl(f"--server={url}", "rollout", "status", "deployment/web", "--timeout=60s")
    found = json.loads(desk.run("kubectl-fairlead", "where", "deploy/web", "-w", "shop", "-o", "json"))["places"][0]
    desk.east.kubectl("get", "deployment", found["name"], "-n", found["namespace"])
    why = desk.run("kubectl-fairlead", "why", "deployments.apps/web", "-w", "shop")
    assert why.startswith("deployments.apps/web → east (Ready 2/2, generation 1 = observed 1)\n")
    assert "east chosen" in why

    refusal = desk.cluster("drain", "east", "--yes", "--timeout", "3s", code=3)
    assert "default (root:shop): nowhere to go" in refusal
    assert "is being drained" in desk.run("kubectl-fairlead", "why", "deploy/web", "-w", "shop")
    desk.join("west", desk.west)
    plan = json.loads(desk.cluster("drain", "east", "--dry-run", "-o", "json"))
    assert [one["candidates"] for one in plan["namespaces"]] == [["west"]]
    assert desk.cluster("drain", "east", "--yes", "--timeout", "60s").endswith("cluster uncordon east\n")
    assert desk.run("kubectl-fairlead", "where", "deploy/web", "-w", "shop", "-o", "name").endswith("/west\n")
    assert desk.cluster("remove", "east", "--yes") == 'cluster "east" removed\n'
    assert wait_until(lambda: dump(desk.east) == before, 20)
    desk.run("kubectl-ws", "delete", "shop")
    desk.cluster("remove", "west", "--yes")
    assert desk.cluster("list", "-o", "name") == ""


def test_what_is_refused_at_join(desk: Desk) -> None:
    """Each refusal is one line with its fix, and nothing is left on either side."""
    before = dump(desk.east)
    loopback = desk.cluster("join", "a", "--context", desk.east.context, code=1)
    assert "--external-url" in loopback
    config = yaml.safe_load(desk.east.kubeconfig.read_text())
    with socket.socket() as free:  # bound and not listening: nobody answers
        free.bind(("127.0.0.1", 0))
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free.getsockname()[1]}"
        (desk.folder / "dead").write_text(yaml.safe_dump(config))
        dead = desk.cluster("join", "a", "--kubeconfig", str(desk.folder / "dead"), "--as-process", code=1)
    assert len(dead.splitlines()) == 1
    assert "cannot be reached" in dead
    assert desk.cluster("list", "-o", "name") == ""
    desk.cluster("join", "a", "--context", "no-such-context", code=1)
    desk.join("used", desk.east)
    assert 'SyncTarget "used" is another cluster' in desk.join("used", desk.west, code=1)
    desk.cluster("remove", "used", "--yes")
    assert wait_until(lambda: dump(desk.east) == before, 20)


def test_a_placement_that_matches_nothing(desk: Desk) -> None:
    """Whoever binds is told at once, with exit code 3; whoever applies reads the same in ``why``."""
    desk.join("east", desk.east)
    desk.run("kubectl-ws", "create", "shop", "--enter")
    bind = ("bind", "compute", ":root", "--location-selectors", "region=mars", "--name", "mars", "--timeout", "5s")
    reason = "none of the 1 Locations of root matches locationSelectors"
    assert reason in desk.run("kubectl-kcp", *bind, code=3)
    desk.server.kubectl("--server", f"{desk.server.url}/clusters/root:shop", "apply", "-f", "-", stdin=DEPLOYMENT)
    assert wait_until(lambda: reason in desk.run("kubectl-fairlead", "why", "deployment/web"), 10)
    assert reason in desk.run("kubectl-fairlead", "where", "deployment/web", code=1)
    desk.cluster("remove", "east", "--yes", "-w", "root")


def test_kcps_words(desk: Desk) -> None:
    """Cordon, uncordon and drain say what kcp says, each twice; sync prints a manifest the cluster takes."""
    manifest = desk.run("kubectl-kcp", "workload", "sync", "east", "--syncer-image", "fairlead:v1", "--labels", "a=b")
    desk.east.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=_first(manifest))
    kinds = [one["kind"] for one in yaml.safe_load_all(manifest)]
    assert kinds[0] == "Namespace"
    policy = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    assert kinds[-5:] == ["Secret", "Deployment", "ClusterRole", *policy], "kcp's objects, then what kcp does not have"
    for verb, past in (("cordon", "cordoned"), ("uncordon", "uncordoned"), ("drain", "draining")):
        assert desk.run("kubectl-kcp", "workload", verb, "east") == f"east {past}\n"
        assert desk.run("kubectl-kcp", "workload", verb, "east") == f"east already {past}\n"
    assert desk.run("kubectl-kcp", "workload", "uncordon", "east") == "east uncordoned\n"
    target = json.loads(desk.server.kubectl("get", "synctarget", "east", "-o", "json"))
    assert (target["metadata"]["labels"]["a"], target["spec"].get("evictAfter")) == ("b", None)
    assert "not found" in desk.run("kubectl-kcp", "workload", "cordon", "nope", code=1)


def _first(manifest: str) -> str:
    """Return what can be tried without its namespace."""
    documents = [one for one in yaml.safe_load_all(manifest) if "namespace" not in one["metadata"]]
    return yaml.safe_dump_all(documents)


def test_a_user_without_rights_is_told_so(desk: Desk) -> None:
    """What the server forbids ends with exit code 4."""
    config = yaml.safe_load((desk.folder / "config").read_text())
    for user in config["users"]:
        user["user"] = {"token": "nobody"}
    (desk.folder / "config").write_text(yaml.safe_dump(config))
    desk.cluster("list", code=4)
