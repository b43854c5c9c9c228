"""
What a hostile user writes: refused with the reason on their own object, or harmless (S60 to S70).

A real API server, a real control plane and a real agent between them.
"""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_transforms.pod_standards import LATEST, faults
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined, config_map
from tests.support.clusters import run_kubectl
from tests.support.hostile import HOSTILE, secured
from tests.support.servers import PROGRAMS
from tests.support.waiting import wait_until

CORE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
_LEVEL = "pod-security.kubernetes.io/enforce"


def _event(joined: Joined, name: str) -> JsonObject:
    """Wait for the one Warning about an object."""

    def found() -> list[JsonObject]:
        events = joined.team.ok("GET", f"{CORE}/events")["items"]
        return [each for each in events if each["involvedObject"]["name"] == name and each["type"] == "Warning"]

    [event] = wait_until(found, SYNC_TIMEOUT_S)
    return event


def _refused(joined: Joined, path: str, name: str, words: str) -> None:
    """Check that an object is not in the cluster, and that its user and the namespace's status say why."""
    event = _event(joined, name)
    assert event["reason"] == "PolicyDenied"
    assert words in event["message"]
    wait_until(lambda: ("PolicyDenied", name) in _blocked(joined), SYNC_TIMEOUT_S)
    assert joined.down.get(path.replace("/default", f"/{joined.home()}") + f"/{name}") is None


def _blocked(joined: Joined) -> set[tuple[str, str]]:
    return {(each["reason"], each["name"]) for each in joined.progress().get("blocked", [])}


def _settle(joined: Joined, name: str) -> None:
    """Wait until what was written before has been looked at: this came after it."""
    joined.write(name)
    joined.wait_value(name, "1")


def _workload(kind: str, name: str, pod: JsonObject) -> JsonObject:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(("kind", "plural"), [("Deployment", "deployments"), ("ReplicaSet", "replicasets")])
def test_s60_a_privileged_workload_does_not_reach_the_cluster(tenant: Joined, kind: str, plural: str) -> None:
    """Each kind says it on the object; the namespace enforces the level for what is not judged here."""
    name = f"privileged-{plural}"
    tenant.team.ok("POST", f"{APPS}/{plural}", _workload(kind, name, secured(privileged=True)))
    _refused(tenant, f"{APPS}/{plural}", name, 'violates PodSecurity "baseline:latest": privileged (container "c"')
    home = tenant.down.ok("GET", f"/api/v1/namespaces/{tenant.home()}")
    assert home["metadata"]["labels"][_LEVEL] == "baseline"
    tenant.team.ok("DELETE", f"{APPS}/{plural}/{name}")


@pytest.mark.parametrize("level", ["baseline", "restricted"])
def test_s60_pods_are_judged_as_the_cluster_judges_them(tenant: Joined, level: str) -> None:
    """For every trick and its absence, a namespace that enforces the level answers as the agent would."""
    down, namespace = tenant.down, f"judge-{tenant.number}-{level}"
    metadata = {"name": namespace, "labels": {_LEVEL: level}}
    down.ok("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    down.ok("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    good = secured(allowPrivilegeEscalation=False, capabilities={"drop": ["ALL"]}, runAsNonRoot=True)
    good["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}}
    specs = {trick: spec for trick, (spec, _) in HOSTILE.items() if trick != "privileged ephemeral"}  # set later only
    specs |= {"plain": secured(), "good": good, "root": {**good, "securityContext": {"runAsUser": 0}}}
    specs["image"] = {**good, "volumes": [{"name": "v", "image": {"reference": "i"}}]}
    specs["nfs"] = {**good, "volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]}
    different, senseless = {}, set()
    for trick, spec in specs.items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
        code, answer = down.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
        violates = code == 403 and "violates PodSecurity" in answer["message"]
        if code == 422:
            senseless.add(trick)
            continue
        assert code == 201 or violates, (trick, code, answer)
        if violates != bool(faults(level, LATEST, {}, spec)):
            different[trick] = answer.get("message")
    assert different == {}
    assert senseless == {"proc mount", "host process"}, "no cluster would take these as they are, at any level"


def test_s61_no_token_of_the_cluster_comes_by_a_secret(tenant: Joined) -> None:
    """A service account token Secret stays upstream; a Pod runs as nobody of the cluster."""
    metadata = {"name": "steal", "annotations": {"kubernetes.io/service-account.name": "default"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/service-account-token"}
    tenant.team.ok("POST", f"{CORE}/secrets", secret)
    pod: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": "default"}
    tenant.team.ok("POST", f"{APPS}/deployments", _workload("Deployment", "runs", pod))
    place = f"/apis/apps/v1/namespaces/{tenant.home()}/deployments/runs"
    wait_until(lambda: tenant.down.get(place), SYNC_TIMEOUT_S)
    template = tenant.down.ok("GET", place)["spec"]["template"]["spec"]
    assert "serviceAccountName" not in template
    assert template["automountServiceAccountToken"] is False
    _settle(tenant, "after-s61")
    secrets = tenant.down.ok("GET", f"/api/v1/namespaces/{tenant.home()}/secrets")["items"]
    assert {each["type"] for each in secrets} <= {"Opaque"}
    assert "steal" not in {each["metadata"]["name"] for each in secrets}


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("critical", {"priorityClassName": "system-cluster-critical"}, "for the cluster's own pods"),
        ("pinned", {"nodeName": "control-plane"}, "nodeName is not allowed"),
        ("climber", {"tolerations": [{"key": "node-role.kubernetes.io/control-plane"}]}, "own pods"),
        ("kata", {"runtimeClassName": "kata"}, "spec.tenantPolicy.allowedRuntimeClasses"),
    ],
)
def test_s62_no_rank_and_no_node_of_the_cluster(tenant: Joined, name: str, fields: JsonObject, words: str) -> None:
    """Refused with a word on who could allow it."""
    pod = {"containers": [{"name": "c", "image": "i"}], **fields}
    tenant.team.ok("POST", f"{APPS}/deployments", _workload("Deployment", name, pod))
    _refused(tenant, f"{APPS}/deployments", name, words)
    tenant.team.ok("DELETE", f"{APPS}/deployments/{name}")


@pytest.mark.parametrize("kind", ["NodePort", "ExternalName"])
def test_s63_services_that_open_the_cluster_are_refused(tenant: Joined, kind: str) -> None:
    """By type, where the cluster's owner has not allowed it."""
    name = f"open-{kind.lower()}"
    spec = {"externalName": "example.com"} if kind == "ExternalName" else {"ports": [{"port": 80}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"type": kind, **spec}}
    tenant.team.ok("POST", f"{CORE}/services", service)
    _refused(tenant, f"{CORE}/services", name, "spec.tenantPolicy.allowedServiceTypes")
    tenant.team.ok("DELETE", f"{CORE}/services/{name}")


def test_s63_a_load_balancer_reaches_the_cluster_without_a_port_of_ones_own(tenant: Joined) -> None:
    """The Service is had; with a port of the nodes chosen by its user it is refused, and the first stays as it is."""
    service: JsonObject = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
    ports: list[JsonObject] = [{"port": 80}]
    tenant.team.ok("POST", f"{CORE}/services", {**service, "spec": {"type": "LoadBalancer", "ports": ports}})
    place = f"/api/v1/namespaces/{tenant.home()}/services/shop"
    wait_until(lambda: tenant.down.get(place), SYNC_TIMEOUT_S)
    before = tenant.down.ok("GET", place)["spec"]
    assert before["type"] == "LoadBalancer"
    tenant.team.merge(f"{CORE}/services/shop", {"spec": {"ports": [{"port": 80, "nodePort": 30080}]}})
    assert "spec.ports[0].nodePort 30080 is not allowed" in _event(tenant, "shop")["message"]
    assert tenant.down.ok("GET", place)["spec"] == before
    tenant.team.ok("DELETE", f"{CORE}/services/shop")


def test_s60_a_user_sees_with_kubectl_why_a_workload_is_refused(tenant: Joined) -> None:
    """In its description, with the policy and the field; among its conditions; and ``why`` says the same."""
    name, words = "seen", "spec.template.spec.priorityClassName 'gold' is not allowed"
    pod: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}], "priorityClassName": "gold"}
    tenant.team.ok("POST", f"{APPS}/deployments", _workload("Deployment", name, pod))
    _refused(tenant, f"{APPS}/deployments", name, words)
    where = ("--context=base", f"--server={tenant.server.url}/clusters/root:team")
    described = run_kubectl(tenant.server.kubeconfig, *where, "describe", f"deployment/{name}")
    for said in ("PolicyDenied", f"SyncTarget {tenant.name}", words, "spec.tenantPolicy.allowedPriorityClasses"):
        assert said in described
    wait = ("wait", "--for=condition=Synced=False", "--timeout=20s", f"deployment/{name}")
    assert "condition met" in run_kubectl(tenant.server.kubeconfig, *where, *wait)
    program, kubeconfig = str(PROGRAMS / "kubectl-fairlead"), f"--kubeconfig={tenant.server.kubeconfig}"
    why = [program, "why", f"deployment/{name}", kubeconfig, "--context=root", "--workspace=root:team"]
    done = subprocess.run(why, capture_output=True, text=True, check=False, timeout=60)
    assert words in done.stdout, done.stderr
    tenant.team.merge(f"{APPS}/deployments/{name}", {"spec": {"template": {"spec": {"priorityClassName": None}}}})
    place = f"/apis/apps/v1/namespaces/{tenant.home()}/deployments/{name}"
    wait_until(lambda: tenant.down.get(place), SYNC_TIMEOUT_S)
    tenant.team.ok("DELETE", f"{APPS}/deployments/{name}")


def test_s70_what_the_cluster_itself_refuses_is_said_alike(tenant: Joined) -> None:
    """An admission policy of its owner, and a quota of theirs: with the words of the API server."""
    group = "/apis/admissionregistration.k8s.io/v1"
    policy, home = f"no-gold-{tenant.number}", tenant.home()
    expression = f"object.metadata.namespace != '{home}' || !('gold' in object.data)"
    maps = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    spec = {
        "matchConstraints": {"resourceRules": [maps]},
        "validations": [{"expression": expression, "message": "gold is not for tenants"}],
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": policy}}
    place, bindings = f"{group}/validatingadmissionpolicies", f"{group}/validatingadmissionpolicybindings"
    tenant.down.ok("POST", place, {**head, "kind": "ValidatingAdmissionPolicy", "spec": spec})
    bound = {"policyName": policy, "validationActions": ["Deny"]}
    tenant.down.ok("POST", bindings, {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": bound})
    try:
        probe = {**config_map("probe", "1"), "data": {"gold": "1"}}
        in_force = f"/api/v1/namespaces/{home}/configmaps?dryRun=All"
        wait_until(lambda: tenant.down.call("POST", in_force, probe)[0] == 422, SYNC_TIMEOUT_S)
        tenant.team.ok("POST", f"{CORE}/configmaps", {**config_map("rich", "1"), "data": {"gold": "1"}})
        event = _event(tenant, "rich")
        assert (event["reason"], event["type"]) == ("Refused", "Warning")
        assert "gold is not for tenants" in event["message"]
        assert policy in event["message"]
    finally:
        tenant.down.ok("DELETE", f"{place}/{policy}")
        tenant.down.ok("DELETE", f"{bindings}/{policy}")
        tenant.team.ok("DELETE", f"{CORE}/configmaps/rich")


def test_s63_endpoints_stay_in_their_workspace(tenant: Joined) -> None:
    """Addresses written by a user never become those of a Service in the cluster (CVE-2021-25740)."""
    subsets = [{"addresses": [{"ip": "10.0.0.9"}], "ports": [{"port": 443}]}]
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "lead"}, "subsets": subsets}
    tenant.team.ok("POST", f"{CORE}/endpoints", endpoints)
    part: JsonObject = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "lead"}}
    part |= {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.9"]}], "ports": []}
    tenant.team.ok("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", part)
    _settle(tenant, "after-s63")
    for path in ("/api/v1/namespaces/{}/endpoints", "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"):
        assert tenant.down.ok("GET", path.format(tenant.home()))["items"] == []


def test_s64_nothing_without_a_namespace_reaches_the_cluster(tenant: Joined) -> None:
    """Roles, CRDs and namespaces of a workspace are its own; nothing of the kind is asked for by the agent."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    tenant.team.ok("POST", roles, {**role, "metadata": {"name": f"mine-{tenant.number}"}})
    namespaces = "/api/v1/namespaces"
    tenant.team.ok("POST", namespaces, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-public-2"}})
    _settle(tenant, "after-s64")
    assert tenant.down.get(f"{roles}/mine-{tenant.number}") is None
    assert tenant.down.get(f"{namespaces}/kube-public-2") is None
    asked = [path for method, path in tenant.proxy.seen if method == "GET" and "/clusters/*/" in path]
    assert {path.partition("?")[0].rpartition("/")[2] for path in asked} <= {
        "namespaces", "configmaps", "secrets", "deployments", "replicasets", "services",
    }  # fmt: skip


def test_s65_a_refused_object_takes_no_other_with_it(tenant: Joined) -> None:
    """What has its name in the cluster is somebody's, also when the upstream object is deleted."""
    maps = f"/api/v1/namespaces/{tenant.home()}/configmaps"
    before = tenant.down.ok("POST", maps, config_map("theirs", "foreign"))
    own = tenant.down.get(f"{maps}/kube-root-ca.crt")
    if own is None:  # a cluster without controllers does not make it
        own = tenant.down.ok("POST", maps, config_map("kube-root-ca.crt", "the cluster's"))
    tenant.write("theirs")
    wait_until(lambda: "theirs" in {each["name"] for each in tenant.progress().get("blocked", [])}, SYNC_TIMEOUT_S)
    tenant.team.ok("DELETE", f"{CORE}/configmaps/theirs")
    wait_until(lambda: "theirs" not in {each["name"] for each in tenant.progress()["blocked"]}, SYNC_TIMEOUT_S)
    _settle(tenant, "after-s65")
    assert tenant.down.get(f"{maps}/theirs") == before
    assert tenant.down.get(f"{maps}/kube-root-ca.crt") == own


def test_s69_a_name_that_another_takes_downstream_is_refused(tenant: Joined) -> None:
    """The root CA keeps its content, and the user of the other name hears why."""
    maps = f"/api/v1/namespaces/{tenant.home()}/configmaps"
    before = tenant.down.get(f"{maps}/kcp-root-ca.crt")
    tenant.write("kcp-root-ca.crt", "forged")
    event = _event(tenant, "kcp-root-ca.crt")
    assert event["reason"] == "NameReserved"
    assert tenant.down.get(f"{maps}/kcp-root-ca.crt") == before
    tenant.team.ok("DELETE", f"{CORE}/configmaps/kcp-root-ca.crt")
