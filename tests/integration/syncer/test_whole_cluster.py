"""
One workspace on whole clusters: what users see of what runs, and what runs sees of its workspace.

Aspects: rollout status, Pods, what a cluster refuses in the user's words; a pod's in-cluster view; a move to another
cluster, whose generations begin again; Pods that vanish while the agent is away.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Api, Joined
from tests.support.clusters import Cluster, run_kubectl
from tests.support.waiting import wait_until

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
ROBOTS = "/api/v1/namespaces/default/serviceaccounts"


def _deployment(name: str, **pod: object) -> JsonObject:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i"}], **pod}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def _pods(joined: Joined, name: str) -> set[str]:
    items = joined.team.ok("GET", f"{PODS}?labelSelector=app%3D{name}")["items"]
    return {pod["metadata"]["name"] for pod in items}


def _rollout(joined: Joined, name: str) -> str:
    url = f"{joined.server.url}/clusters/root:team"
    arguments = ("rollout", "status", f"deployment/{name}", "--timeout=60s")
    return run_kubectl(joined.server.kubeconfig, "--context=base", f"--server={url}", *arguments, timeout_s=90)


def _in_cluster(joined: Joined, pod: JsonObject) -> tuple[Api, str]:
    """Read what a pod's in-cluster client would: address from its environment, token and CA from its mounts."""
    container = pod["spec"]["containers"][0]
    env = {each["name"]: each.get("value", "") for each in container["env"]}
    [mount] = [
        m for m in container["volumeMounts"] if m["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    ]
    [volume] = [volume for volume in pod["spec"]["volumes"] if volume["name"] == mount["name"]]
    files: dict[str, str] = {}
    for source in volume["projected"]["sources"]:
        kind, field = ("secrets", "secret") if "secret" in source else ("configmaps", "configMap")
        held = joined.down.ok("GET", f"/api/v1/namespaces/{joined.home()}/{kind}/{source[field]['name']}")["data"]
        for item in source[field]["items"]:
            value = held[item["key"]]
            files[item["path"]] = base64.b64decode(value).decode() if kind == "secrets" else value
    url = f"https://{env['KUBERNETES_SERVICE_HOST']}:{env['KUBERNETES_SERVICE_PORT']}"
    return Api(url, files["token"], ssl.create_default_context(cadata=files["ca.crt"])), files["namespace"]


def test_users_and_pods_see_one_cluster(joined_whole: Joined) -> None:
    """Rollout ends, Pods are listed; a pod is its workspace's service account there, and nobody anywhere else."""
    joined = joined_whole
    joined.agent_arguments = (f"--api-url={joined.server.url}",)
    joined.stop_agent()
    joined.start_agent()
    joined.team.ok("POST", ROBOTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}})
    joined.team.ok("POST", DEPLOYMENTS, _deployment("web", serviceAccountName="robot"))
    assert "successfully rolled out" in _rollout(joined, "web")
    wait_until(lambda: len(_pods(joined, "web")) == 2, SYNC_TIMEOUT_S)

    pod = joined.down.ok("GET", f"/api/v1/namespaces/{joined.home()}/pods?labelSelector=app%3Dweb")["items"][0]
    inside, namespace = _in_cluster(joined, pod)
    assert namespace == "default"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    who = inside.ok("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)["status"]["userInfo"]
    assert who["username"] == "system:serviceaccount:default:robot"
    assert inside.call("GET", DEPLOYMENTS)[0] == 403
    role: JsonObject = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    role["metadata"] = {"name": "robot"}
    role["subjects"] = [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}]
    role["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    joined.team.ok("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", role)
    wait_until(lambda: inside.call("GET", DEPLOYMENTS)[0] == 200, SYNC_TIMEOUT_S)
    found = inside.ok("GET", DEPLOYMENTS)["items"]
    assert [each["metadata"]["name"] for each in found] == ["web"]
    assert inside.call("GET", f"/clusters/root{DEPLOYMENTS}")[0] in {401, 403}
    assert inside.call("GET", "/api/v1/namespaces/kube-system/secrets")[0] == 403
    cluster = Api(joined.cluster.server, inside.token, joined.down.tls)
    assert cluster.call("GET", "/api/v1/namespaces")[0] == 401


def test_what_the_cluster_refuses_is_told(joined_whole: Joined) -> None:
    """A pod beyond the namespace's quota shows as a condition; a policy and a missing service account as Events."""
    joined = joined_whole
    joined.allow(quota={"pods": "1"}, containerLimits={"default": {"cpu": "1"}})
    joined.team.ok("POST", DEPLOYMENTS, _deployment("bad"))

    def refusal() -> str:
        status = (joined.team.get(f"{DEPLOYMENTS}/bad") or {}).get("status") or {}
        conditions = {each["type"]: each for each in status.get("conditions") or ()}
        return str((conditions.get("ReplicaFailure") or {}).get("message", ""))

    assert "exceeded quota: fairlead-tenant" in wait_until(refusal, SYNC_TIMEOUT_S)
    joined.team.ok("POST", DEPLOYMENTS, _deployment("nobody", serviceAccountName="nobody"))
    joined.team.ok("POST", DEPLOYMENTS, _deployment("host", hostNetwork=True))

    def events(name: str) -> list[JsonObject]:
        found = joined.team.ok("GET", "/api/v1/namespaces/default/events")["items"]
        return [event for event in found if event["involvedObject"]["name"] == name]

    [event] = wait_until(lambda: events("nobody"), SYNC_TIMEOUT_S)
    assert event["reason"] == "ServiceAccountNotFound"
    assert "'nobody'" in event["message"]
    [event] = wait_until(lambda: events("host"), SYNC_TIMEOUT_S)
    assert event["reason"] == "PolicyDenied"
    assert 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)' in event["message"]
    target = f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}"
    joined.root.merge(target, {"spec": {"podSecurity": "restricted"}})
    level = "pod-security.kubernetes.io/enforce"
    home = f"/api/v1/namespaces/{joined.home()}"
    wait_until(lambda: (joined.down.get(home) or {})["metadata"]["labels"][level] == "restricted", SYNC_TIMEOUT_S)


def test_a_level_the_clusters_owner_did_not_allow(joined_whole: Joined) -> None:
    """Whoever may change the SyncTarget cannot open the nodes by it; users are told whom to ask; the level stays."""
    joined = joined_whole
    target = f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}"
    joined.root.merge(target, {"spec": {"podSecurity": "privileged"}})
    joined.stop_agent()
    joined.start_agent()  # it knows by now
    joined.team.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "near"}})
    joined.assign("near")
    joined.team.ok("POST", DEPLOYMENTS.replace("default", "near"), _deployment("host", hostNetwork=True))

    def told() -> str:
        events = joined.team.ok("GET", "/api/v1/namespaces/near/events")["items"]
        return next((str(one["message"]) for one in events if one["reason"] == "PolicyNotEnforced"), "")

    said = wait_until(told, SYNC_TIMEOUT_S)
    assert "pod security level baseline or restricted" in said
    assert "--allow-privileged" in said
    assert joined.down.get(f"/api/v1/namespaces/{joined.home('near')}") is None
    assert (joined.down.get(f"/api/v1/namespaces/{joined.home()}") or {}).get("metadata", {}).get("labels", {}).get(
        "pod-security.kubernetes.io/enforce"
    ) in {None, "baseline"}


def test_pods_that_vanish_while_nobody_looks(joined_whole: Joined) -> None:
    """What was shown and is gone when the agent is back is shown no more."""
    joined = joined_whole
    joined.team.ok("POST", DEPLOYMENTS, _deployment("web"))
    wait_until(lambda: len(_pods(joined, "web")) == 2, SYNC_TIMEOUT_S)
    before = _pods(joined, "web")
    joined.kill_agent()
    path = f"/api/v1/namespaces/{joined.home()}/pods"
    down = joined.down
    down.ok(
        "DELETE",
        f"{path}?labelSelector=app%3Dweb",
        {"gracePeriodSeconds": 0, "kind": "DeleteOptions", "apiVersion": "v1"},
    )
    wait_until(lambda: not {pod["metadata"]["name"] for pod in down.ok("GET", path)["items"]} & before, SYNC_TIMEOUT_S)
    joined.start_agent()
    wait_until(lambda: len(_pods(joined, "web")) == 2 and not _pods(joined, "web") & before, SYNC_TIMEOUT_S)
    joined.assign("default", "Leaving")
    wait_until(lambda: joined.progress().get("remaining") == 0, SYNC_TIMEOUT_S)
    assert _pods(joined, "web") == set()
    assert (joined.team.get(f"{DEPLOYMENTS}/web") or {})["status"] == {
        "observedGeneration": 1,
        "unavailableReplicas": 2,
    }


def test_generations_hold_over_a_move(
    joined_whole: Joined, start_clusters: Callable[[list[str]], list[Cluster]]
) -> None:
    """A second cluster counts from 1 again; upstream, what was observed is observed once the new one has looked."""
    joined = joined_whole
    joined.team.ok("POST", DEPLOYMENTS, _deployment("web"))
    for number in range(3):
        change = {"spec": {"template": {"metadata": {"annotations": {"round": str(number)}}}}}
        joined.team.merge(f"{DEPLOYMENTS}/web", change)
        assert "successfully rolled out" in _rollout(joined, "web")
    assert (joined.team.get(f"{DEPLOYMENTS}/web") or {})["status"]["observedGeneration"] == 4
    joined.assign("default", "Leaving")
    wait_until(lambda: joined.progress().get("remaining") == 0, SYNC_TIMEOUT_S)
    joined.stop_agent()
    [joined.cluster] = start_clusters(["west"])
    joined.number += 1000
    joined.make_target()
    joined.write_cluster_kubeconfig()
    joined.start_agent()
    joined.assign("default")
    assert "successfully rolled out" in _rollout(joined, "web")
    status = (joined.team.get(f"{DEPLOYMENTS}/web") or {})["status"]
    assert (status["observedGeneration"], status["readyReplicas"]) == (4, 2)
