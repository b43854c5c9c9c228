"""
One target's credential reaches that target's views and nothing else (invariant 7).

Every other route, verb and target is tried with the agent's own token; the answers are 401, 403 and 404.
"""

from __future__ import annotations

import itertools
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from fairlead_api import JsonObject
from tests.integration.syncer.joined import BOTH_MODES, SYNC_TIMEOUT_S, Api, Joined, config_map
from tests.support.waiting import wait_until

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REFUSED = {401, 403, 404}
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}}


def _agent(joined: Joined) -> Api:
    token = (joined.folder / f"agent-{joined.uid}" / "token").read_text()
    return Api(joined.server.url, token, joined.server.tls())


def _other_target(joined: Joined) -> JsonObject:
    body = {"apiVersion": "workload.kcp.io/v1alpha1", "kind": "SyncTarget", "metadata": {"name": "other"}}
    return joined.root.ok("POST", "/apis/workload.kcp.io/v1alpha1/synctargets", body)


def _paths(joined: Joined, other: JsonObject) -> list[str]:
    workspaces = ["/clusters/root", "/clusters/root:team", f"/clusters/{joined.workspace_cluster}", "/clusters/*", ""]
    resources = [
        "/api/v1/namespaces/default/secrets",
        "/api/v1/namespaces/default/configmaps/kube-root-ca.crt",
        "/api/v1/namespaces/default/serviceaccounts/default/token",
        "/api/v1/namespaces/default/pods",
        "/apis/apps/v1/namespaces/default/deployments",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "/apis/workload.kcp.io/v1alpha1/synctargets",
        f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}",
        "/apis/scheduling.fairlead.io/v1alpha1/assignments/default",
        "/apis/tenancy.kcp.io/v1alpha1/workspaces",
    ]
    plain = [workspace + resource for workspace, resource in itertools.product(workspaces, resources)]
    own, cluster = f"{joined.name}/{joined.uid}", joined.workspace_cluster
    uid = other["metadata"]["uid"]
    doors = [
        f"/services/{service}/root/{target}/{rest}"
        for service in ("syncer", "upsyncer")
        for target in (f"other/{uid}", f"other/{joined.uid}", f"{joined.name}/{uid}")
        for rest in ("heartbeat", "resources", "bootstrap", "clusters/*/api/v1/configmaps",
                     f"clusters/{cluster}/api/v1/namespaces/default/pods/x")
    ]  # fmt: skip
    doors += [
        f"/services/syncer/root/{own}/bootstrap",
        f"/services/syncer/root/{own}/clusters/{cluster}/api/v1/namespaces/kube-system/serviceaccounts/default/token",
        f"/services/syncer/root/{own}/clusters/root/api/v1/namespaces/default/serviceaccounts/default/token",
        f"/services/syncer/root/{own}/clusters/root:team/api/v1/namespaces/default/configmaps/x",
        f"/services/upsyncer/root/{own}/clusters/{cluster}/api/v1/namespaces/kube-system/pods/x",
        f"/services/upsyncer/root/{own}/clusters/root/api/v1/namespaces/default/pods/x",
        "/services/apiexport/root/compute/clusters/*/api/v1/configmaps",
        "/services/initializingworkspaces/root:universal/clusters/*/api/v1/namespaces",
    ]
    return [*plain, *doors]


def test_s75_the_token_opens_no_other_door(joined: Joined) -> None:
    """No verb on any other route or target is answered with anything but 401, 403 or 404."""
    agent, other = _agent(joined), _other_target(joined)
    assert agent.call("GET", f"/services/syncer/root/{joined.name}/{joined.uid}/resources")[0] == 200
    opened = []
    for path, verb in itertools.product(_paths(joined, other), VERBS):
        code, _ = agent.call(verb, path, None if verb == "GET" else BODY)
        # Across all workspaces most verbs are refused to everybody, before anybody is asked for.
        if code not in REFUSED and not (code == 405 and "/*/" in path):
            opened.append(f"{verb} {path}: {code}")
    assert opened == []


def test_s72_what_an_agent_says_is_checked(joined: Joined) -> None:
    """Oversized, mistyped, unassigned and forged reports and Pods are refused and change nothing."""
    agent, cluster = _agent(joined), joined.workspace_cluster
    joined.write("c")
    joined.wait_value("c", "1")
    place = f"/services/syncer/root/{joined.name}/{joined.uid}"
    inside = f"{place}/clusters/{cluster}/api/v1/namespaces/default"
    path = f"{inside}/configmaps/c"
    uid = agent.ok("GET", path)["metadata"]["uid"]
    report = {"metadata": {"uid": uid}, "status": None, "report": {}}
    maps = f"{place}/clusters/*/api/v1/configmaps"
    bad: list[tuple[int, str, str, object]] = [
        (413, "PUT", f"{path}/status", {**report, "status": {"x": "y" * 2 * 1024 * 1024}}),
        (400, "PUT", f"{path}/status", {**report, "status": "ready"}),
        (400, "PUT", f"{path}/status", {**report, "report": {"synced": "yes"}}),
        (200, "PUT", f"{path}/status", {**report, "report": {"fromTheFuture": {}}}),
        (409, "PUT", f"{path}/status", {**report, "metadata": {"uid": "another"}}),
        (404, "PUT", f"{inside}/configmaps/unknown/status", report),
        (400, "PUT", f"{path}/status", b'{"a": '),
        (409, "DELETE", f"{path}?uid={uid}", None),
        (400, "GET", f"{place}/clusters/*/api/v1/configmaps?limit=-1", None),
        (400, "GET", f"{place}/clusters/*/api/v1/configmaps?limit=1e9", None),
        (400, "GET", f"{maps}?continue=5:/views/other/", None),
        (400, "GET", f"{maps}?continue=999999999999:/views/{joined.uid}/core/configmaps/x", None),
        (410, "GET", f"{place}/clusters/*/api/v1/configmaps?watch=true&resourceVersion=99999999", None),
        (400, "POST", f"{place}/heartbeat", {"apis": [{"resource": "x", "versions": [{}]}]}),
        (400, "POST", f"{place}/heartbeat", {"authorized": {"status": "Sure"}}),
    ]  # fmt: skip
    pods = inside.replace("/syncer/", "/upsyncer/") + "/pods"
    mistyped: list[JsonObject] = [
        {"uid": "u", "labels": {"a": 1}}, {"uid": "u", "labels": {"a": "not a value!"}}, {"uid": "u", "labels": []},
        {"uid": "u", "annotations": {"a b": "x"}}, {"uid": 5}, {},
    ]  # fmt: skip
    bad += [(400, "PUT", f"{pods}/p", {"pod": {"metadata": metadata}}) for metadata in mistyped]
    bad.append((400, "PUT", f"{pods}/p", {"pod": {"metadata": {"uid": "u"}, "spec": []}}))
    wrong = [(code, verb, p[-90:], got) for code, verb, p, body in bad if (got := agent.call(verb, p, body))[0] != code]
    assert wrong == []
    assert (joined.team.get("/api/v1/namespaces/default/configmaps/c") or {}).get("data") == {"k": "1"}


@BOTH_MODES
def test_s73_a_pod_that_comes_up_brings_only_what_is_its_own(joined: Joined) -> None:
    """No label of ours, owner or finalizer comes with it, and it takes nobody's place."""
    agent, cluster = _agent(joined), joined.workspace_cluster
    pods = f"/services/upsyncer/root/{joined.name}/{joined.uid}/clusters/{cluster}/api/v1/namespaces/default/pods"
    spec = {"containers": [{"name": "c", "image": "i"}]}
    mine = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    joined.team.ok("POST", "/api/v1/namespaces/default/pods", mine)
    before = joined.team.get("/api/v1/namespaces/default/pods/p")
    metadata = {
        "uid": "downstream",
        "labels": {"app": "web", "state.workload.kcp.io/other": "Sync", "internal.workload.kcp.io/origin": "other"},
        "finalizers": ["x/y"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "n"}],
    }
    agent.ok("PUT", f"{pods}/p", {"pod": {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}}})
    assert joined.team.get("/api/v1/namespaces/default/pods/p") == before
    shown = joined.team.get(f"/api/v1/namespaces/default/pods/p-{joined.uid[:8]}")
    assert shown is not None
    assert shown["status"]["phase"] == "Running"
    assert "finalizers" not in shown["metadata"]
    assert "ownerReferences" not in shown["metadata"]
    assert "state.workload.kcp.io/other" not in shown["metadata"]["labels"]
    assert shown["metadata"]["labels"]["internal.workload.kcp.io/origin"] == joined.uid
    assert agent.ok("GET", pods) == {"pods": ["p"]}
    agent.ok("DELETE", f"{pods}/p")
    assert joined.team.get("/api/v1/namespaces/default/pods/p") == before


def _pin_another_key(joined: Joined, target: str) -> None:
    """Let another agent enroll for the SyncTarget, as `cluster join` on another machine would."""
    key = ec.generate_private_key(ec.SECP256R1())
    door = f"/services/syncer/root/{joined.name}/{joined.uid}"
    bootstrap = joined.base.ok("POST", f"{door}/bootstrap")["token"]
    claims = {"aud": f"{door}/enroll", "iat": time.time(), "jti": "one"}
    proof = jwt.encode(claims, key, algorithm="ES256")
    body = {"publicKey": json.loads(ECAlgorithm.to_jwk(key.public_key())), "proof": proof}
    Api(joined.server.url, bootstrap, joined.server.tls()).ok("POST", f"{door}/enroll", body)
    assert joined.root.get(target) is not None


def test_a_watch_ends_with_its_target(joined: Joined) -> None:
    """Also an idle one: what was opened with a credential does not outlive it."""
    agent = _agent(joined)
    joined.stop_agent()
    place = f"/services/syncer/root/{joined.name}/{joined.uid}"
    with agent.stream(f"{place}/clusters/*/api/v1/secrets?watch=true&timeoutSeconds=120") as idle:
        target = f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}"
        joined.root.merge(target, {"metadata": {"labels": {"colour": "green"}}})
        began_s = time.monotonic()
        _pin_another_key(joined, target)
        idle.read()
        assert time.monotonic() - began_s < 10
    target = f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}"
    joined.root.ok("DELETE", target)
    path = f"/services/syncer/root/{joined.name}/{joined.uid}/resources"
    wait_until(lambda: agent.call("GET", path)[0] in REFUSED, SYNC_TIMEOUT_S)
    joined.make_target()
    assert agent.call("GET", f"/services/syncer/root/{joined.name}/{joined.uid}/resources")[0] in REFUSED
    assert joined.team.ok("POST", "/api/v1/namespaces/default/configmaps", config_map("free", "1"))
