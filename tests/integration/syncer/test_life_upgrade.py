"""An agent of another version: what runs is not touched, and both sides pass over what they do not know."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import orjson
from aiohttp import web

from fairlead_api import JsonObject
from fairlead_machinery import agentkeys
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Api, Joined
from tests.integration.syncer.test_life_leader import condition, leader, target
from tests.support.proxy import Exchange
from tests.support.waiting import wait_until

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CONVERSATIONS = sorted((Path(__file__).parent / "testdata").glob("conversation-*.json"))
OTHER_VERSION = """
import importlib.metadata, os
_real = importlib.metadata.version
importlib.metadata.version = lambda name: os.environ["OTHER_VERSION"] if name == "fairlead" else _real(name)
"""


def _become(joined: Joined, version: str) -> None:
    """Restart the agent as if it were of another version."""
    joined.stop_agent()
    site = joined.folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(OTHER_VERSION)
    known = [one for one in os.environ.get("PYTHONPATH", "").split(":") if one]
    joined.environment.update({"PYTHONPATH": ":".join([str(site), *known]), "OTHER_VERSION": version})
    joined.start_agent()
    wait_until(lambda: target(joined)["status"].get("syncerVersion") == version, SYNC_TIMEOUT_S)


def _running(joined: Joined) -> tuple[int, str, list[str]]:
    """Return what a rollout would change: generation, hash of the template, uids of the Pods."""
    home = joined.home()
    made = joined.down.ok("GET", f"/apis/apps/v1/namespaces/{home}/deployments/web")
    [replicas] = joined.down.ok("GET", f"/apis/apps/v1/namespaces/{home}/replicasets")["items"]
    pods = joined.down.ok("GET", f"/api/v1/namespaces/{home}/pods")["items"]
    uids = sorted(pod["metadata"]["uid"] for pod in pods)
    return made["metadata"]["generation"], replicas["metadata"]["labels"]["pod-template-hash"], uids


def _label(joined: Joined) -> str:
    path = f"/apis/apps/v1/namespaces/{joined.home()}/deployments/web"
    return str(joined.down.ok("GET", path)["metadata"]["labels"].get("seen-by"))


def test_an_upgrade_of_the_agent_rolls_nothing_out(joined_whole: Joined) -> None:
    """Up, too new, and back: no generation, no template and no Pod changes; the SyncTarget says what is wrong."""
    joined = joined_whole
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    joined.team.ok("POST", DEPLOYMENTS, body)
    wait_until(
        lambda: (joined.team.ok("GET", f"{DEPLOYMENTS}/web").get("status") or {}).get("readyReplicas") == 2,
        SYNC_TIMEOUT_S,
    )
    before = _running(joined)
    for version, reason in (("0.1.7", ""), ("0.9.0", "AgentTooNew"), ("1.4.0", "AgentTooNew"), ("0.1.0", "")):
        _become(joined, version)
        joined.write("seen-by", version)
        joined.wait_value("seen-by", version)
        assert _running(joined) == before, version
        # Applied anew, for a label of its own: a Deployment's generation grows with that, its template stays.
        joined.team.merge(f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"seen-by": version}}})
        wait_until(lambda version=version: _label(joined) == version, SYNC_TIMEOUT_S)  # type: ignore[misc]  # a default
        assert _running(joined)[1:] == before[1:], version
        before = _running(joined)
        assert condition(joined, "AgentVersionSupported").get("reason", "") == reason


def test_an_agent_passes_over_what_it_does_not_know(joined: Joined) -> None:
    """Every answer of a newer control plane may hold more."""

    async def more(exchange: Exchange) -> web.StreamResponse:
        if exchange.request.query.get("watch") == "true":
            return await exchange.stream()
        code, content_type, body = await exchange.forward()
        if code == 200 and "json" in content_type:
            body = orjson.dumps({**orjson.loads(body), "fromTheFuture": {"a": [1]}})
        return web.Response(status=code, body=body, headers={"Content-Type": content_type})

    joined.proxy.inject(more, path="/services/")
    joined.kill_agent()
    (joined.folder / f"agent-{joined.uid}" / "token").unlink()
    joined.start_agent()
    joined.write("future", "1")
    joined.wait_value("future", "1")
    joined.team.ok("DELETE", "/api/v1/namespaces/default/configmaps/future")
    wait_until(lambda: joined.down_map("future") is None, SYNC_TIMEOUT_S)


def test_agents_of_earlier_versions_are_understood(joined: Joined) -> None:
    """What an agent of each release said is said again, also with words of a later one; the answers hold as much."""
    assert CONVERSATIONS
    joined.write("c")
    joined.wait_value("c", "1")
    epoch = leader(joined)["epoch"]
    key = agentkeys.from_pem((joined.folder / f"agent-{joined.uid}" / agentkeys.KEY).read_bytes())
    joined.kill_agent()
    for path in CONVERSATIONS:
        for further in ({}, {"fromTheFuture": {"a": [1]}}):
            epoch += 1
            known = {
                "place": f"/services/syncer/root/{joined.name}/{joined.uid}",
                "cluster": joined.workspace_cluster,
                "process": f"{path.stem}-{epoch}",
            }
            _say_again(joined, json.loads(path.read_text()), known, key, further)


def _say_again(
    joined: Joined, steps: list[JsonObject], known: dict[str, str], key: agentkeys.Key, further: JsonObject
) -> None:
    token = ""
    for step in steps:
        path = _filled(step["path"], known)
        known["proof"] = agentkeys.proof(key, path, time.time())
        body = {**json.loads(_filled(json.dumps(step["body"]), known)), **further} if "body" in step else None
        api = Api(joined.server.url, token, joined.server.tls())
        expected = step["answer"]

        def answered(
            api: Api = api, path: str = path, body: JsonObject | None = body, step: JsonObject = step
        ) -> JsonObject:
            code, answer = api.call(step["method"], path, body)
            assert code == step["code"], (path, code, answer)
            assert all(answer.get(name) == value for name, value in step["answer"].items() if value is not None), answer
            return answer

        answer = wait_until(answered, 30)
        assert set(expected) <= set(answer), path
        token = answer.get("token", token)
        if "uid" in step:
            known[step["uid"]] = answer["metadata"]["uid"]


def _filled(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"<{name}>", value)
    return text
