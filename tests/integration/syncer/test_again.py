"""
The same names again: another object, namespace, SyncTarget or workspace behind a name that was there before.

Nothing of the one reaches the other, and nothing of the first stays behind.
"""

from __future__ import annotations

import base64

import jwt

from fairlead_api.names import Locator, downstream_namespace
from tests.integration.syncer.joined import COMPUTE, SYNC_TIMEOUT_S, Api, Joined, config_map
from tests.support.proxy import status
from tests.support.waiting import wait_until

MAPS = "/api/v1/namespaces/default/configmaps"


def _upstream_uid(joined: Joined, name: str) -> str:
    marks = ((joined.down_map(name) or {}).get("metadata") or {}).get("annotations") or {}
    return str(marks.get("internal.workload.kcp.io/upstream-uid", ""))


def test_an_object_made_again_replaces_the_first(joined: Joined) -> None:
    """Also when the agent was away, and its report of the first had been lost."""
    joined.write("again", "1")
    first = joined.wait_value("again", "1")["metadata"]["uid"]
    joined.kill_agent()
    joined.team.ok("DELETE", f"{MAPS}/again")
    second = joined.write("again", "2")["metadata"]["uid"]
    joined.start_agent()
    assert joined.wait_value("again", "2")["metadata"]["uid"] != first
    wait_until(lambda: _upstream_uid(joined, "again") == second, SYNC_TIMEOUT_S)


def test_a_lost_report_makes_nothing_foreign(joined: Joined) -> None:
    """What was made just before a crash is known again by its proof, under a new upstream uid too."""
    joined.proxy.inject(status(503), method="PUT", path="/configmaps/")
    joined.write("lost", "1")
    joined.wait_value("lost", "1")
    joined.kill_agent()
    joined.team.ok("DELETE", f"{MAPS}/lost")
    second = joined.write("lost", "2")["metadata"]["uid"]
    joined.proxy.heal()
    joined.start_agent()
    joined.wait_value("lost", "2")
    assert _upstream_uid(joined, "lost") == second


def test_a_namespace_made_again_gets_tokens_of_its_own(joined: Joined) -> None:
    """Tokens of the first are bound to a service account that is no more."""
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}

    def account_uid() -> str:
        path = f"/api/v1/namespaces/{joined.home('shop')}/secrets/kcp-token-default"
        secret = joined.down.get(path)
        if secret is None:
            return ""
        token = base64.b64decode(secret["data"]["token"]).decode()
        claims = jwt.decode(token, options={"verify_signature": False})
        return str(claims["kubernetes.io"]["serviceaccount"]["uid"])

    for _ in range(2):
        joined.team.ok("POST", "/api/v1/namespaces", shop)
        wait_until(lambda: joined.team.get("/api/v1/namespaces/shop/serviceaccounts/default"), SYNC_TIMEOUT_S)
        joined.team.ok("POST", "/apis/apps/v1/namespaces/shop/deployments", deployment)
        joined.assign("shop")
        account = joined.team.ok("GET", "/api/v1/namespaces/shop/serviceaccounts/default")["metadata"]["uid"]
        wait_until(lambda account=account: account_uid() == account, SYNC_TIMEOUT_S)  # type: ignore[misc]  # a default
        joined.team.ok("DELETE", "/api/v1/namespaces/shop")
        wait_until(lambda: joined.team.get("/api/v1/namespaces/shop") is None, SYNC_TIMEOUT_S)


def test_equal_names_in_two_workspaces_never_meet(joined: Joined) -> None:
    """One target, two workspaces, the same namespace and object: two namespaces downstream."""
    workspace = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "team-a"}}
    joined.root.ok("POST", "/apis/tenancy.kcp.io/v1alpha1/workspaces", workspace)
    other = Api(f"{joined.server.url}/clusters/root:team-a", joined.server.token, joined.server.tls())
    other.ok("POST", "/apis/apis.kcp.io/v1alpha1/apibindings", COMPUTE)
    namespace = other.ok("GET", "/api/v1/namespaces/default")["metadata"]
    joined.write("same", "ours")
    other.ok("POST", MAPS, config_map("same", "theirs"))
    assignments = "/apis/scheduling.fairlead.io/v1alpha1/assignments"
    ours = joined.team.ok("GET", f"{assignments}/default")
    spec = {"namespaceUID": namespace["uid"], "targets": ours["spec"]["targets"]}
    body = {"apiVersion": ours["apiVersion"], "kind": "Assignment", "metadata": {"name": "default"}, "spec": spec}
    other.ok("POST", assignments, body)
    cluster = namespace["annotations"]["kcp.io/cluster"]
    home = downstream_namespace(Locator("root", joined.name, joined.uid, cluster, "default"))
    path = f"/api/v1/namespaces/{home}/configmaps/same"
    wait_until(lambda: (joined.down.get(path) or {}).get("data") == {"k": "theirs"}, SYNC_TIMEOUT_S)
    joined.wait_value("same", "ours")
    other.ok("DELETE", f"{MAPS}/same")
    wait_until(lambda: joined.down.get(path) is None, SYNC_TIMEOUT_S)
    assert (joined.down_map("same") or {})["data"] == {"k": "ours"}
