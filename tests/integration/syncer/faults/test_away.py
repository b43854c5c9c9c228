"""An agent that was away while things went (F27): what it deletes it has asked about, and many wait for a word."""

from __future__ import annotations

from tests.integration.syncer.faults.stage import MAPS, Stage
from tests.integration.syncer.joined import SYNC_TIMEOUT_S
from tests.support.waiting import wait_until

TARGETS = "/apis/workload.kcp.io/v1alpha1/synctargets"


def test_f27_back_from_away_it_asks_before_each_deletion(stage: Stage) -> None:
    """Deleted, and deleted and made again, while the agent was down: a fresh question before each deletion."""
    for name in ("f27-gone", "f27-again", "f27-kept"):
        stage.write(name, "1")
    uids = {name: stage.wait_value(name, "1")["metadata"]["uid"] for name in ("f27-gone", "f27-again", "f27-kept")}
    stage.kill_agent()
    for name in ("f27-gone", "f27-again"):
        stage.team.ok("DELETE", f"{MAPS}/{name}")
    stage.write("f27-again", "2")
    seen = len(stage.proxy.seen)
    stage.may_delete = {"configmaps/f27-gone", "configmaps/f27-again"}
    stage.start_agent()
    stage.wait_gone("f27-gone")
    stage.wait_value("f27-again", "2")
    assert stage.uid_below("f27-again") != uids["f27-again"]
    assert stage.uid_below("f27-kept") == uids["f27-kept"]
    for name in ("f27-gone", "f27-again"):
        assert stage.asked(lambda m, p, n=name: m == "DELETE" and f"/{n}?" in p and "dryRun=All" in p, seen)  # type: ignore[misc]  # a default


def test_f27_many_deletions_wait_for_approval(stage: Stage) -> None:
    """A namespace that lost its place while the agent was down: the burst is held until exactly it is approved."""
    names = [f"m{number}" for number in range(8)]
    stage.make_namespace("f27")
    for name in names:
        stage.write(name, "1", "f27")
    for name in names:
        stage.wait_value(name, "1", "f27")
    stage.kill_agent()
    stage.assign("f27", "Leaving")
    wait_until(lambda: stage.progress("f27").get("objects") == 0, SYNC_TIMEOUT_S)
    stage.may_delete = {f"configmaps/{name}" for name in [*names, "kcp-root-ca.crt"]}
    stage.may_delete |= {f"namespaces/{stage.home('f27')}"}
    stage.agent_arguments = ("--deletion-floor=2", "--deletion-share=0")
    stage.start_agent()
    wait_until(lambda: stage.condition("DeletionsHeld").get("status") == "True", SYNC_TIMEOUT_S)
    held = wait_until(lambda: _held(stage, len(names) + 1), SYNC_TIMEOUT_S)
    stage.root.merge(f"{TARGETS}/{stage.name}", {"spec": {"approvedDeletions": held}})
    wait_until(lambda: not any(stage.down_map(name, "f27") for name in names), SYNC_TIMEOUT_S)
    wait_until(lambda: stage.down.get(f"/api/v1/namespaces/{stage.home('f27')}") is None, SYNC_TIMEOUT_S)
    stage.team.ok("DELETE", "/api/v1/namespaces/f27")
    stage.forget("f27")
    stage.root.merge(f"{TARGETS}/{stage.name}", {"spec": {"approvedDeletions": None}})


def _held(stage: Stage, objects: int) -> str:
    """Return the digest of what is held once it is all of so many but two, or more if earlier cases deleted some."""
    status = stage.root.ok("GET", f"{TARGETS}/{stage.name}").get("status") or {}
    held, gone = status.get("heldDeletions") or {}, len(stage.deleted())
    return str(held["digest"]) if gone <= 2 and held.get("count") == objects - gone else ""
