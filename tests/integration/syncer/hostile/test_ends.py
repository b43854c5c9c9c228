"""What stays when somebody tears at namespaces: policies, users' objects, and no token (S70, S71, S74, S80)."""

from __future__ import annotations

import base64

import jwt

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Api, Joined
from tests.support.waiting import wait_until

CORE = "/api/v1/namespaces/default"
_LOCATOR = "kcp.io/namespace-locator"


def _deployment(name: str) -> JsonObject:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def _home(joined: Joined) -> str:
    return f"/api/v1/namespaces/{joined.home()}"


def test_s70_what_holds_tenants_outlasts_them(joined: Joined) -> None:
    """Their own objects of its name stay upstream, and it goes with the namespace, after all that it holds."""
    joined.allow(quota={"pods": "3"}, containerLimits={"default": {"cpu": "1"}})
    quota, limits = (f"{_home(joined)}/{plural}/fairlead-tenant" for plural in ("resourcequotas", "limitranges"))
    wait_until(lambda: joined.down.get(quota) and joined.down.get(limits), SYNC_TIMEOUT_S)
    before = [joined.down.ok("GET", path) for path in (quota, limits)]
    assert before[0]["spec"] == {"hard": {"pods": "3"}}
    forged: list[tuple[str, str, JsonObject]] = [
        ("ResourceQuota", "resourcequotas", {"hard": {"pods": "99"}}),
        ("LimitRange", "limitranges", {"limits": []}),
    ]
    for kind, plural, spec in forged:
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "fairlead-tenant"}, "spec": spec}
        joined.team.ok("POST", f"{CORE}/{plural}", body)
        joined.team.ok("DELETE", f"{CORE}/{plural}/fairlead-tenant")
    joined.write("held")
    joined.wait_value("held", "1")
    assert [joined.down.get(quota), joined.down.get(limits)] == before
    began = joined.audited()
    joined.assign("default", "Leaving")
    wait_until(lambda: "delete namespaces/" + joined.home() in joined.agent_writes("delete"), SYNC_TIMEOUT_S)
    deleted = joined.agent_writes("delete", since=began)
    assert deleted[-1] == f"delete namespaces/{joined.home()}"
    assert "delete configmaps/held" in deleted
    assert not [each for each in deleted if "fairlead-tenant" in each]


def _drifted(joined: Joined) -> dict[str, str]:
    """Return what the workspace was told of its namespace: the message of each Event by its first word."""
    events = joined.team.ok("GET", f"{CORE}/events")["items"]
    of_it = [each for each in events if each["involvedObject"]["kind"] == "Namespace" and each["reason"] == "Drifted"]
    return {each["message"].split()[0]: each["message"] for each in of_it}


def test_s70_what_somebody_makes_of_it_is_put_back_and_told(joined: Joined) -> None:
    """Quota, isolation and level, edited and deleted in the cluster by somebody who is named."""
    joined.allow(quota={"pods": "3", "requests.cpu": "1000m"}, networkIsolation={"podNetworks": ["10.0.0.0/8"]})
    quota = f"{_home(joined)}/resourcequotas/fairlead-tenant"
    walls = f"/apis/networking.k8s.io/v1/namespaces/{joined.home()}/networkpolicies/fairlead-tenant"
    wait_until(lambda: joined.down.get(quota) and joined.down.get(walls), SYNC_TIMEOUT_S)
    before = [joined.down.ok("GET", path)["spec"] for path in (quota, walls)]
    tenant = joined.down.ok("GET", _home(joined))["metadata"]["labels"]["kcp.io/tenant-id"]
    assert before[1]["ingress"][0]["from"][0] == {"namespaceSelector": {"matchLabels": {"kcp.io/tenant-id": tenant}}}
    joined.down.merge(f"{quota}?fieldManager=mallory", {"spec": {"hard": {"pods": "99"}}})
    joined.down.ok("DELETE", walls)
    # No watch tells of these; the namespace's own event has all of it looked at.
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    joined.down.merge(f"{_home(joined)}?fieldManager=mallory", label)
    wait_until(lambda: len(_drifted(joined)) >= 3, SYNC_TIMEOUT_S)
    assert [joined.down.ok("GET", path)["spec"] for path in (quota, walls)] == before
    home = joined.down.ok("GET", _home(joined))
    assert home["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    told = _drifted(joined)
    assert "mallory" in told["metadata.labels[pod-security.kubernetes.io/enforce]"]
    assert (
        "spec.hard.pods was changed in the cluster by mallory, and put back" in told["resourcequotas/fairlead-tenant:"]
    )
    assert "networkpolicies/fairlead-tenant" in told
    joined.write("after")
    joined.wait_value("after", "1")
    wait_until(lambda: not joined.progress().get("drifted"), SYNC_TIMEOUT_S)
    joined.assign("default", "Leaving")
    wait_until(lambda: "delete namespaces/" + joined.home() in joined.agent_writes("delete"), SYNC_TIMEOUT_S)


def test_s70_without_the_quota_nothing_runs(joined: Joined) -> None:
    """Somebody else's quota in its place: what comes is refused until the agent can keep its own."""
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "fairlead-tenant"}}
    path = f"{_home(joined)}/resourcequotas"
    joined.down.ok("POST", path, {**body, "spec": {"hard": {"pods": "99"}}})
    joined.allow(quota={"pods": "3"})
    joined.write("waits")
    wait_until(lambda: "waits" in {each["name"] for each in joined.progress().get("blocked", [])}, SYNC_TIMEOUT_S)
    assert {each["reason"] for each in joined.progress()["blocked"]} == {"PolicyNotEnforced"}
    assert joined.down_map("waits") is None
    joined.down.ok("DELETE", f"{path}/fairlead-tenant")
    joined.wait_value("waits", "1")
    assert (joined.down.get(f"{path}/fairlead-tenant") or {})["spec"] == {"hard": {"pods": "3"}}


def test_s71_a_rewritten_locator_leads_nowhere(joined: Joined) -> None:
    """A namespace whose name does not follow from its locator is nobody's: no Pod comes up from it, nothing goes in."""
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    joined.team.ok("POST", "/api/v1/namespaces", shop)
    joined.assign("shop")
    joined.write("s", namespace="shop")
    joined.wait_value("s", "1", "shop")
    joined.stop_agent()
    found = joined.down.ok("GET", _home(joined))["metadata"]
    forged = found["annotations"][_LOCATOR].replace('"default"', '"shop"')
    assert forged != found["annotations"][_LOCATOR]
    joined.down.merge(_home(joined), {"metadata": {"annotations": {_LOCATOR: forged}}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    joined.down.ok("POST", f"{_home(joined)}/serviceaccounts", account)
    labels = {"internal.workload.kcp.io/cluster": found["labels"]["internal.workload.kcp.io/cluster"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "spy", "labels": labels}}
    joined.down.ok("POST", f"{_home(joined)}/pods", {**pod, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    joined.start_agent()
    joined.write("later")
    wait_until(lambda: "later" in {each["name"] for each in joined.progress().get("blocked", [])}, SYNC_TIMEOUT_S)
    assert {each["reason"] for each in joined.progress()["blocked"]} == {"NamespaceTaken"}
    joined.write("t", namespace="shop")
    joined.wait_value("t", "1", "shop")
    for namespace in ("default", "shop"):
        assert joined.team.ok("GET", f"/api/v1/namespaces/{namespace}/pods")["items"] == []
    assert joined.down_map("later") is None


def test_s74_a_namespace_that_vanishes_takes_nothing_of_its_users(joined: Joined) -> None:
    """Deleted in the cluster with all it held, it is made again, and so are the objects; upstream none is touched."""
    joined.write("kept")
    first = joined.wait_value("kept", "1")["metadata"]["uid"]
    joined.team.ok("POST", "/apis/apps/v1/namespaces/default/deployments", _deployment("web"))
    place = f"/apis/apps/v1/namespaces/{joined.home()}/deployments/web"
    wait_until(lambda: joined.down.get(place), SYNC_TIMEOUT_S)
    ours = [f"{CORE}/configmaps/kept", "/apis/apps/v1/namespaces/default/deployments/web"]
    before = [joined.team.ok("GET", path)["metadata"]["uid"] for path in ours]
    joined.stop_agent()
    namespace = joined.down.ok("DELETE", _home(joined))
    for path in (place, f"{_home(joined)}/configmaps/kept"):
        joined.down.ok("DELETE", path)
    # No controller is there to end it.
    joined.down.ok("PUT", f"{_home(joined)}/finalize", {**namespace, "spec": {"finalizers": []}})
    wait_until(lambda: joined.down.get(_home(joined)) is None, SYNC_TIMEOUT_S)
    joined.start_agent()
    wait_until(lambda: joined.down.get(place), SYNC_TIMEOUT_S)
    assert joined.wait_value("kept", "1")["metadata"]["uid"] != first
    assert [joined.team.ok("GET", path)["metadata"]["uid"] for path in ours] == before


def test_s80_a_pods_token_is_bound_short_and_ends_with_the_assignment(joined: Joined) -> None:
    """It is the one account's, for a day at most and for the workspace alone; then it is nobody's, and its Secret
    goes with the namespace.
    """
    joined.team.ok("POST", "/apis/apps/v1/namespaces/default/deployments", _deployment("web"))
    path = f"{_home(joined)}/secrets/kcp-token-default"
    wait_until(lambda: joined.down.get(path), SYNC_TIMEOUT_S)
    secret = joined.down.ok("GET", path)
    token = base64.b64decode(secret["data"]["token"]).decode()
    claims = jwt.decode(token, options={"verify_signature": False})
    account = joined.team.ok("GET", f"{CORE}/serviceaccounts/default")
    assert claims["kubernetes.io"]["serviceaccount"]["uid"] == account["metadata"]["uid"]
    assert claims["exp"] - claims["iat"] <= 24 * 3600
    assert claims["aud"]
    inside = Api(f"{joined.server.url}/clusters/root:team", token, joined.server.tls())
    assert inside.call("GET", f"{CORE}/configmaps")[0] == 403, "known, and without rights"
    elsewhere = Api(joined.cluster.server, token, joined.down.tls)
    assert elsewhere.call("GET", "/api/v1/namespaces")[0] == 401
    joined.assign("default", "Leaving")
    wait_until(lambda: inside.call("GET", f"{CORE}/configmaps")[0] == 401, SYNC_TIMEOUT_S)
    wait_until(lambda: f"delete namespaces/{joined.home()}" in joined.agent_writes("delete"), SYNC_TIMEOUT_S)
