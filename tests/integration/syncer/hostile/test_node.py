"""What whoever reads the agent's token in its cluster, such as a compromised node, can do with it there (S79)."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable, Iterator

import pytest

from fairlead_api import JsonObject
from fairlead_api.names import LOCATOR_ANNOTATION, Locator, sync_target_key
from fairlead_cli import guarding, manifests
from tests.integration.syncer.joined import Api
from tests.support.clusters import Cluster
from tests.support.waiting import wait_until

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
_NAMESPACES = ("default", "kube-system")
_SYNCED = (("apps", "deployments"), ("apps", "replicasets"), ("", "services"))
_PLACES = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "Role": f"{RBAC}/namespaces/{{}}/roles",
    "RoleBinding": f"{RBAC}/namespaces/{{}}/rolebindings",
}
_OWN = manifests.Agent("node-thief", "uid", "root", "https://127.0.0.1", "", _SYNCED)
Try = tuple[str, str, JsonObject | None]


@pytest.fixture(scope="module")
def stolen(kube_cluster: Cluster) -> Api:
    """The cluster as the agent's ServiceAccount, whose rights are those that ``cluster join`` installs."""
    tls = ssl.create_default_context(cafile=str(kube_cluster.certificate_authority))
    admin = Api(kube_cluster.server, "administrator", tls)
    agent = _OWN
    for obj in manifests.rights(agent):
        place = _PLACES.get(obj["kind"])
        if place is None:  # policies of the cluster that hold the agent further
            group, _, version = obj["apiVersion"].partition("/")
            place = f"/apis/{group}/{version}/{obj['kind'].lower().removesuffix('y')}ies".replace(
                "bindingies", "bindings"
            )
        admin.ok("POST", place.format(agent.home), obj)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    accounts = f"/api/v1/namespaces/{agent.home}/serviceaccounts/{agent.id}/token"
    stolen = Api(kube_cluster.server, admin.ok("POST", accounts, request)["status"]["token"], tls)
    wait_until(lambda: stolen.call("GET", "/api/v1/namespaces")[0] == 200, 10)
    # A policy is in force some moments after it was made; ``cluster join`` waits for that before it grants anything.
    anything = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "not-of-node-thief"}}
    wait_until(lambda: stolen.call("POST", "/api/v1/namespaces?dryRun=All", anything)[0] == 403, 30)
    return stolen


def _pods_and_tokens() -> Iterator[Try]:
    """Yield ways to run something, and to become somebody else."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    pod["spec"] = {"containers": [{"name": "c", "image": "i"}]}
    for namespace in _NAMESPACES:
        place = f"/api/v1/namespaces/{namespace}"
        yield "POST", f"{place}/pods", pod
        yield "POST", f"{place}/pods/x/exec?command=sh&stdout=true", None
        yield "POST", f"{place}/pods/x/ephemeralcontainers", pod
        yield "POST", f"{place}/pods/x/binding", {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "x"}}
        yield "POST", f"{place}/serviceaccounts/default/token", {"spec": {}}
        yield "POST", f"{place}/serviceaccounts", {"metadata": {"name": "x"}}
    yield "DELETE", "/api/v1/namespaces/kube-system/pods", None
    yield "PATCH", "/api/v1/nodes/x", {}
    yield "GET", "/api/v1/nodes/x/proxy/", None
    csr = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    yield "POST", csr, {"spec": {}}
    yield "PUT", f"{csr}/x/approval", {}


def _rights() -> Iterator[Try]:
    """Yield ways to have more rights."""
    subjects = [{"kind": "ServiceAccount", "name": "x", "namespace": "default"}]
    every = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    for place in (RBAC, *(f"{RBAC}/namespaces/{namespace}" for namespace in _NAMESPACES)):
        role, binding = ("clusterroles", "clusterrolebindings") if place == RBAC else ("roles", "rolebindings")
        yield "POST", f"{place}/{role}", {"metadata": {"name": "x"}, "rules": every}
        yield "POST", f"{place}/{binding}", {"metadata": {"name": "x"}, "subjects": subjects, "roleRef": ADMIN}
        yield "DELETE", f"{place}/{role}", None
    for name in ("cluster-admin", _OWN.id):
        yield "PATCH", f"{RBAC}/clusterroles/{name}", {"rules": every}
        yield "PATCH", f"{RBAC}/clusterrolebindings/{name}", {"subjects": subjects}
    extensions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    yield "POST", extensions, {"metadata": {"name": "x.y"}, "spec": {}}
    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations", "validatingadmissionpolicies"):
        yield "POST", f"/apis/admissionregistration.k8s.io/v1/{kind}", {"metadata": {"name": "x"}}
        yield "DELETE", f"/apis/admissionregistration.k8s.io/v1/{kind}/x", None
    yield "POST", "/apis/apiregistration.k8s.io/v1/apiservices", {"metadata": {"name": "v1.x"}}
    yield "POST", "/api/v1/persistentvolumes", {"metadata": {"name": "x"}}
    yield "POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "x"}, "value": 1}


@pytest.mark.parametrize("tries", [_pods_and_tokens, _rights], ids=["pods and tokens", "rights"])
def test_s79_the_agents_token_leads_no_further(stolen: Api, tries: Callable[[], Iterator[Try]]) -> None:
    """No Pod, no shell, no other identity, no further right: 403 by RBAC before anything else is looked at."""
    opened = []
    for method, path, body in tries():
        kind = "application/merge-patch+json" if method == "PATCH" else ""
        code, answer = stolen.call(method, path, body, kind)
        if code != 403:
            opened.append((method, path, code, answer.get("message")))
    assert opened == []


def test_s79_the_agent_acts_as_nobody_else(stolen: Api) -> None:
    """Neither as another user, nor in a group that may do everything."""
    rules = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    for verb, resource in itertools.product(("impersonate", "escalate", "bind"), ("users", "groups", "clusterroles")):
        group = "rbac.authorization.k8s.io" if resource == "clusterroles" else ""
        attributes = {"group": group, "verb": verb, "resource": resource, "name": "cluster-admin"}
        review = {**rules, "spec": {"resourceAttributes": attributes}}
        answer = stolen.ok("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        assert answer["status"].get("allowed") is False, (verb, resource)


def _own_namespace(**labels: str) -> JsonObject:
    """Return a namespace as the agent makes them, but for its level."""
    locator = Locator(_OWN.cluster, _OWN.name, _OWN.uid, "workspace", "shop").to_json()
    marks = {"internal.workload.kcp.io/cluster": sync_target_key(_OWN.cluster, _OWN.name), **labels}
    metadata = {"name": "kcp-3w0rkl0ad5", "labels": marks, "annotations": {LOCATOR_ANNOTATION: locator}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def test_s79_the_agent_lets_no_pod_near_the_node(stolen: Api) -> None:
    """The owner of the cluster said at the join which levels there may be; no thief of its token says another."""
    place, level = "/api/v1/namespaces", "pod-security.kubernetes.io/enforce"
    for labels in ({}, {level: "privileged"}, {level: "baseline", f"{level}-version": "v1.0"}):
        code, answer = stolen.call("POST", place, _own_namespace(**labels))
        assert (code, "pod security level" in answer["message"]) == (403, True), labels
    made = _own_namespace(**{level: "baseline"})
    wait_until(lambda: stolen.call("POST", place, made)[0] in {201, 409}, 10)
    path = f"{place}/{made['metadata']['name']}"
    subject = {"kind": "ServiceAccount", "name": _OWN.id, "namespace": _OWN.home}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{_OWN.id}-namespace"}
    binding = {"metadata": {"name": _OWN.id}, "subjects": [subject], "roleRef": role}
    stolen.ok("POST", f"{RBAC}/namespaces/{made['metadata']['name']}/rolebindings", binding)
    wait_until(lambda: stolen.call("PATCH", path, {}, "application/merge-patch+json")[0] == 200, 10)
    for changes in ({level: "privileged"}, {level: None}, {f"{level}-version": "v1.0"}):
        body = {"metadata": {"labels": changes}}
        code, answer = stolen.call("PATCH", path, body, "application/merge-patch+json")
        assert (code, "pod security level" in answer["message"]) == (403, True), changes
    stolen.ok("PATCH", path, {"metadata": {"labels": {level: "restricted"}}}, "application/merge-patch+json")
    stolen.ok("DELETE", path)


def test_s79_no_token_for_ever(stolen: Api) -> None:
    """What is stolen today ends: nobody can have a token of the agent's that outlasts what its owner gave it."""
    path = f"/api/v1/namespaces/{_OWN.home}/serviceaccounts/{_OWN.id}/token"
    body: JsonObject = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    code, answer = stolen.call("POST", path, {**body, "spec": {"expirationSeconds": 10 * guarding.LONGEST_TOKEN_S}})
    assert (code, "longer than a year" in answer["message"]) == (403, True)
    stolen.ok("POST", path, {**body, "spec": {"expirationSeconds": guarding.LONGEST_TOKEN_S}})
    stolen.ok("POST", path, {**body, "spec": {}})
