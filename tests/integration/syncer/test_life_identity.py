"""Who an agent is: keys replaced with a crash at each step, clocks that are wrong, credentials that end, F31."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from fairlead_machinery import agentkeys
from fairlead_machinery.failpoints import ROTATION
from tests.integration.syncer.joined import AGENT_NAMESPACE, SYNC_TIMEOUT_S, Api, Joined
from tests.integration.syncer.test_life_leader import condition, target
from tests.support.waiting import wait_until

PINNED, ROTATE = "internal.workload.kcp.io/agent-key", "workload.fairlead.io/rotate-key"
BEAT_S = 60.0


def pinned(joined: Joined) -> str:
    """Return the thumbprint of the key that is pinned now."""
    return agentkeys.thumbprint(json.loads(target(joined)["metadata"]["annotations"][PINNED]))


def state(joined: Joined) -> Path:
    return joined.folder / f"agent-{joined.uid}"


def ask_to_rotate(joined: Joined) -> None:
    path = f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}"
    joined.root.merge(path, {"metadata": {"annotations": {ROTATE: pinned(joined)}}})


def token_by(joined: Joined, key: agentkeys.Key) -> tuple[int, JsonObject]:
    """Ask for a token with a key."""
    path = f"/services/syncer/root/{joined.name}/{joined.uid}/token"
    body = {"proof": agentkeys.proof(key, path, time.time())}
    return Api(joined.server.url, "", joined.server.tls()).call("POST", path, body)


@pytest.mark.timeout(400)
def test_a_key_is_replaced_whatever_step_is_the_last(joined: Joined) -> None:
    """Killed at each, the agent goes on with whichever key is pinned; objects stay, the old key opens nothing."""
    joined.write("kept", "0")
    uid = joined.wait_value("kept", "0")["metadata"]["uid"]
    began = joined.audited()
    for number, step in enumerate(sorted(ROTATION), 1):
        before = agentkeys.from_pem((state(joined) / agentkeys.KEY).read_bytes())
        joined.stop_agent()
        joined.environment["FAIRLEAD_FAILPOINTS"] = f"{step}=kill"
        ask_to_rotate(joined)
        joined.start_agent()
        assert joined.agent is not None
        joined.agent.wait(SYNC_TIMEOUT_S)
        joined.environment.clear()
        joined.start_agent()
        old = agentkeys.thumbprint(agentkeys.public_jwk(before))
        wait_until(lambda old=old: pinned(joined) != old, SYNC_TIMEOUT_S)  # type: ignore[misc]  # a default
        joined.write("kept", str(number))
        assert joined.wait_value("kept", str(number))["metadata"]["uid"] == uid, step
        assert token_by(joined, before)[0] == 401
        wait_until(lambda: not (state(joined) / agentkeys.NEXT_KEY).exists(), SYNC_TIMEOUT_S)
        assert token_by(joined, agentkeys.from_pem((state(joined) / agentkeys.KEY).read_bytes()))[0] == 200
    assert joined.agent_writes("delete", "create", since=began) == []


def test_a_rotation_needs_both_keys(joined: Joined) -> None:
    """Neither who has only a new key, nor who copied a proof for another one, pins anything."""
    place = f"/services/syncer/root/{joined.name}/{joined.uid}/rotate"
    api = Api(joined.server.url, "", joined.server.tls())
    own = agentkeys.from_pem((state(joined) / agentkeys.KEY).read_bytes())
    first, second = agentkeys.new_key(), agentkeys.new_key()
    mark = agentkeys.thumbprint(agentkeys.public_jwk(first))

    def body(key: agentkeys.Key, by_old: str) -> JsonObject:
        proof = agentkeys.proof(key, place, time.time())
        return {"publicKey": agentkeys.public_jwk(key), "proof": proof, "proofByOldKey": by_old}

    before = pinned(joined)
    for wrong in (
        body(first, agentkeys.proof(first, f"{place}#{mark}", time.time())),
        body(first, agentkeys.proof(own, place, time.time())),
        body(second, agentkeys.proof(own, f"{place}#{mark}", time.time())),
        {
            **body(second, agentkeys.proof(own, f"{place}#{mark}", time.time())),
            "publicKey": agentkeys.public_jwk(first),
        },
    ):
        assert api.call("POST", place, wrong)[0] == 401
    assert api.call("POST", place, {})[0] == 400
    assert pinned(joined) == before


SKEW = """
import os, time
_real, _skew_s = time.time, float(os.environ["SKEW_S"])
time.time = lambda: _real() + _skew_s
"""


@pytest.mark.parametrize("skew_s", [3600, -3600], ids=["ahead", "behind"])
def test_f36_an_agent_whose_clock_is_an_hour_off(joined: Joined, skew_s: int) -> None:
    """Proofs, tokens and heartbeats go by the server's clock, from the first start with a wrong one."""
    joined.stop_agent()
    site = joined.folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SKEW)
    known = [one for one in os.environ.get("PYTHONPATH", "").split(":") if one]
    joined.environment.update({"PYTHONPATH": ":".join([str(site), *known]), "SKEW_S": str(skew_s)})
    (state(joined) / "token").unlink()
    joined.start_agent()
    joined.write("skewed", "1")
    joined.wait_value("skewed", "1")
    assert "clock differs" in (joined.folder / "agent.log").read_text()
    beat = target(joined)["status"]["lastSyncerHeartbeatTime"]
    assert abs(time.mktime(time.strptime(beat, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - time.time()) < BEAT_S
    assert condition(joined, "HeartbeatHealthy")["status"] == "True"
    ask_to_rotate(joined)
    old = pinned(joined)
    wait_until(lambda: pinned(joined) != old, SYNC_TIMEOUT_S)
    joined.write("skewed", "2")
    joined.wait_value("skewed", "2")


def test_f35_a_credential_that_is_refused_is_an_alarm_and_no_deletion(joined: Joined) -> None:
    """The agent says why it cannot speak to its cluster, and goes on with the credential it is given anew."""
    joined.write("kept", "1")
    uid = joined.wait_value("kept", "1")["metadata"]["uid"]
    began = joined.audited()
    joined.down.ok("DELETE", f"/api/v1/namespaces/{AGENT_NAMESPACE}/serviceaccounts/{joined.manifest().id}")
    wait_until(lambda: condition(joined, "ClusterReachable").get("reason") == "CredentialsRefused", BEAT_S)
    joined.write("kept", "2")
    # The next account of that name is another one; its token goes where the first was.
    joined.write_cluster_kubeconfig()
    assert joined.wait_value("kept", "2")["metadata"]["uid"] == uid
    wait_until(lambda: condition(joined, "ClusterReachable") == {}, BEAT_S)
    assert joined.agent is not None
    assert joined.agent.return_code is None
    assert joined.agent_writes("delete", since=began) == []


def test_f31_a_synctarget_made_again_is_another_one(joined: Joined) -> None:
    """The agent of the first ends by itself and touches nothing; the second neither adopts nor removes its objects."""
    joined.write("kept", "1")
    first = joined.wait_value("kept", "1")
    home, old_agent = joined.home(), joined.agent
    assert old_agent is not None
    began = joined.audited()
    joined.root.ok("DELETE", f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}")
    joined.make_target()
    assert old_agent.wait(SYNC_TIMEOUT_S) != 0
    assert "join the cluster again" in (joined.folder / "agent.log").read_text()
    assert joined.down.get(f"/api/v1/namespaces/{home}/configmaps/kept") == first
    assert joined.agent_writes(since=began) == []
    joined.write_cluster_kubeconfig()
    joined.start_agent()
    joined.assign("default")
    second = joined.wait_value("kept", "1")
    assert second["metadata"]["namespace"] != home
    assert joined.down.get(f"/api/v1/namespaces/{home}/configmaps/kept") == first
    assert joined.agent_writes("delete", since=began) == []
