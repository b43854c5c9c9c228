"""Giving a cluster up, making its SyncTarget again, replacing keys: what is left is said, each time the same."""

from __future__ import annotations

import base64
import json
import time

from fairlead_api.names import syncer_id
from fairlead_machinery import agentkeys
from tests.integration.cli.desk import DEPLOYMENT, Desk, dump
from tests.support.waiting import wait_until

PINNED = "internal.workload.kcp.io/agent-key"
ENDS_S = 60


def _with_work(desk: Desk, name: str) -> str:
    """Join east, have something run there; return the downstream namespace."""
    desk.join(name, desk.east)
    desk.run("kubectl-ws", "create", "shop", "--compute")
    url = f"{desk.server.url}/clusters/root:shop"
    desk.server.kubectl(f"--server={url}", "apply", "-f", "-", stdin=DEPLOYMENT)
    desk.server.kubectl(f"--server={url}", "rollout", "status", "deployment/web", "--timeout=60s")
    found = json.loads(desk.run("kubectl-fairlead", "where", "deploy/web", "-w", "shop", "-o", "json"))["places"][0]
    return str(found["namespace"])


def _target(desk: Desk, name: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(desk.server.kubectl("get", "synctarget", name, "-o", "json"))
    return found


def _report(said: str) -> str:
    """Return the part of the report that must be the same each time."""
    lines = said.splitlines()
    return "\n".join(lines[next(number for number, line in enumerate(lines) if line.startswith("Left in")) :])


def test_force_ends_and_says_the_same_until_nothing_is_left(desk: Desk) -> None:
    """The agent is dead and its namespace stuck on somebody's finalizer; the workspace's namespace stays, named."""
    before = dump(desk.east)
    home = _with_work(desk, "east")
    uid = _target(desk, "east")["metadata"]["uid"]
    agent = syncer_id("east", uid)
    stuck = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"stuck","finalizers":["example.org/hold"]}}'
    desk.east.kubectl("create", "-n", agent, "-f", "-", stdin=stuck)
    pid = (desk.folder / ".fairlead" / "clusters" / "east" / "agent.pid").read_text().strip()
    desk.run("/bin/kill", "-9", pid)
    began = time.monotonic()
    force = ("remove", "east", "--force", "--yes", "--timeout", "4s", "--context", desk.east.context)
    said = desk.cluster(*force, code=1)
    assert time.monotonic() - began < ENDS_S
    assert f"namespace/{home}  of namespace default in" in said
    assert f"namespace/{agent}  is being removed" in said
    assert "example.org/hold" in said
    assert desk.cluster("list", "-o", "name") == ""
    assert _report(desk.cluster(*force, code=1)) == _report(said)
    release = '{"metadata":{"finalizers":null}}'
    desk.east.kubectl("patch", "configmap", "stuck", "-n", agent, "--type=merge", "-p", release)
    desk.east.kubectl("delete", "namespace", home)
    assert wait_until(lambda: dump(desk.east) == before, 20)
    assert "nothing is left" in desk.cluster(*force)
    desk.run("kubectl-ws", "delete", "shop")


def test_force_without_the_cluster_names_what_it_cannot_see(desk: Desk) -> None:
    """And still does when it is said again, from its own record; with the cluster back the agent's rights go."""
    home = _with_work(desk, "lost")
    kubeconfig = desk.folder / ".fairlead" / "clusters" / "lost" / "cluster.json"
    record = json.loads(kubeconfig.read_text())
    kubeconfig.write_text(json.dumps({**record, "context": ""}))
    force = ("remove", "lost", "--force", "--yes", "--timeout", "4s")
    said = desk.cluster(*force, code=1)
    assert "not looked at" in said
    assert f"namespace/{home}" in said
    assert _report(desk.cluster(*force, code=1)) == _report(said)
    seen = desk.cluster(*force, "--context", desk.east.context, code=1)
    assert "not looked at" not in seen
    assert f"namespace/{home}" in seen
    assert "1 left" in seen
    own = [one for one in dump(desk.east) if "/kcp-syncer-lost-" in one and f"/{home}/" not in one]
    assert not own
    # F31: whoever joins under that name again is told what is not theirs, and it stays as it is.
    left = desk.east.kubectl("get", "deployment", "-n", home, "-o", "jsonpath={.items[*].metadata.uid}")
    joined = desk.join("lost", desk.east)
    assert "Cluster lost is joined" in joined
    assert left == desk.east.kubectl("get", "deployment", "-n", home, "-o", "jsonpath={.items[*].metadata.uid}")
    desk.run("kubectl-ws", "delete", "shop")
    desk.cluster("remove", "lost", "--yes")
    desk.east.kubectl("delete", "namespace", home)


def _knows_another_key(desk: Desk) -> None:
    """The control plane was restored, say, and knows another key than the agent's: to join again lets the agent in."""
    key = agentkeys.new_key()
    (desk.folder / ".fairlead" / "clusters" / "east" / "state" / agentkeys.KEY).write_bytes(agentkeys.to_pem(key))
    mark = agentkeys.thumbprint(agentkeys.public_jwk(key))
    desk.join("east", desk.east)

    def is_pinned() -> bool:
        pinned = json.loads(_target(desk, "east")["metadata"]["annotations"][PINNED])  # type: ignore[index]
        return agentkeys.thumbprint(pinned) == mark

    wait_until(is_pinned, 30)


def test_rotate(desk: Desk) -> None:
    """A process replaces its key; a Deployment's is replaced in its Secret, also when that was begun before."""
    desk.join("east", desk.east)
    before = _target(desk, "east")["metadata"]["annotations"][PINNED]  # type: ignore[index]
    assert "the key of east was replaced" in desk.cluster("rotate", "east", "--timeout", "60s")
    after = _target(desk, "east")["metadata"]["annotations"][PINNED]  # type: ignore[index]
    assert before != after
    assert "(" not in desk.cluster("list").splitlines()[1]
    _knows_another_key(desk)
    desk.server.kubectl("annotate", "synctarget", "east", "workload.fairlead.io/agent=cluster", "--overwrite")
    agent = syncer_id("east", _target(desk, "east")["metadata"]["uid"])
    old, following = agentkeys.new_key(), agentkeys.new_key()
    data = {agentkeys.KEY: old, agentkeys.NEXT_KEY: following}
    encoded = {name: base64.b64encode(agentkeys.to_pem(key)).decode() for name, key in data.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": agent}, "data": encoded}
    desk.east.kubectl("create", "-n", agent, "-f", "-", stdin=json.dumps(secret))
    assert "was replaced" in desk.cluster("rotate", "east", "--context", desk.east.context)
    written = json.loads(desk.east.kubectl("get", "secret", agent, "-n", agent, "-o", "json"))["data"]
    assert base64.b64decode(written[agentkeys.KEY]) == agentkeys.to_pem(following)
    assert agentkeys.NEXT_KEY not in written
    pinned = json.loads(_target(desk, "east")["metadata"]["annotations"][PINNED])  # type: ignore[index]
    assert agentkeys.thumbprint(pinned) == agentkeys.thumbprint(agentkeys.public_jwk(following))
    desk.cluster("remove", "east", "--yes", "--force", "--context", desk.east.context)
