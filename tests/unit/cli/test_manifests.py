"""What is made in a cluster for its agent, against a golden file and by its rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fairlead_api import JsonObject
from fairlead_cli import manifests, registering
from fairlead_cli.failure import Failure
from fairlead_cli.manifests import Agent

GOLDEN = Path(__file__).parent / "testdata" / "manifest.yaml"
"""Written anew, after a look at the difference, with: python -m tests.unit.cli.test_manifests"""
AGENT = Agent(
    name="east",
    uid="11111111-2222-3333-4444-555555555555",
    cluster="1abc",
    server="https://fairlead.example:443",
    ca="PEM",
    resources=(("", "pods"), ("", "services"), ("apps", "deployments"), ("discovery.k8s.io", "endpointslices")),
    bootstrap_token="once",
    key="KEY",
    image="fairlead:v1",
)


def test_golden() -> None:
    """The manifest is this one, to the byte; a change restarts or re-authorizes agents and is looked at."""
    assert manifests.as_text(manifests.kcp_manifest(AGENT)) == GOLDEN.read_text()


def _of_kind(kind: str, objects: list[JsonObject] | None = None) -> JsonObject:
    return next(one for one in objects or manifests.manifest(AGENT) if one["kind"] == kind)


def _rights(role: JsonObject) -> set[tuple[str, str, str, str]]:
    """Return (verb, group, resource, name) of a role."""
    return {
        (verb, group, resource, name)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def test_across_the_cluster_it_sees_and_makes_namespaces() -> None:
    """And binds its one role, whose bindings it can neither read nor change; no kind of a tenant's is in there."""
    own = f"{AGENT.id}-namespace"
    rbac = "rbac.authorization.k8s.io"
    assert _rights(manifests.cluster_role(AGENT)) == {
        *((verb, "", "namespaces", "") for verb in ("get", "list", "watch", "create")),
        ("create", rbac, "rolebindings", ""),
        *((verb, rbac, "clusterroles", own) for verb in ("get", "bind")),
        ("create", "authorization.k8s.io", "selfsubjectaccessreviews", ""),
    }


def test_whoever_syncs_ingresses_sees_those_of_the_whole_cluster() -> None:
    """And no more of them: a host belongs to whoever had it first, and that may be the cluster's owner."""
    ingresses = ("networking.k8s.io", "ingresses")
    given = replace(AGENT, resources=(*AGENT.resources, ingresses))
    more = _rights(manifests.cluster_role(given)) - _rights(manifests.cluster_role(AGENT))
    assert more == {(verb, *ingresses, "") for verb in ("list", "watch")}


def test_rights_in_a_namespace_are_exact() -> None:
    """The agent writes what it syncs and nothing a cluster derives; what else there is it may list, by name of kind."""
    known = replace(AGENT, listed=(("", "configmaps"), ("", "pods"), ("", "limitranges"), ("example.com", "widgets")))
    rights = _rights(manifests.namespace_role(known))
    every = {"get", "list", "watch", "create", "patch", "delete"}
    synced = {("", "configmaps"), ("", "secrets"), ("", "services"), ("apps", "deployments")}
    rules = {("", "limitranges"), ("", "resourcequotas"), ("networking.k8s.io", "networkpolicies")}
    assert rights == {
        *((verb, group, plural, "") for verb in every for group, plural in synced),
        *(
            (verb, group, plural, "")
            for verb in ("get", "create", "patch", "delete", "list")
            for group, plural in rules
        ),
        *((verb, "", "namespaces", "") for verb in ("patch", "delete")),
        *((verb, "", "pods", "") for verb in ("get", "list", "watch")),
        ("list", "example.com", "widgets", ""),
    }


def test_what_is_not_known_may_be_listed_in_its_namespaces_only() -> None:
    """Where nobody asked the cluster for its kinds, as kcp's command cannot, it lists all of what is its own."""
    assert ("list", "*", "*", "") in _rights(manifests.namespace_role(AGENT))
    assert "ClusterRoleBinding" not in [
        one["kind"] for one in manifests.rights(AGENT) if one["metadata"]["name"] == f"{AGENT.id}-namespace"
    ]


def test_wide_is_the_same_role_bound_once() -> None:
    """And the right to bind it is not needed then; narrow again, that binding has to go."""
    wide = replace(AGENT, wide=True)
    names = [(one["kind"], one["metadata"]["name"]) for one in manifests.rights(wide)]
    everywhere = ("ClusterRoleBinding", f"{AGENT.id}-namespace")
    assert everywhere in names
    assert not any(resource == "rolebindings" for _, _, resource, _ in _rights(manifests.cluster_role(wide)))
    assert manifests.namespace_role(wide) == manifests.namespace_role(AGENT)
    assert (manifests.obsolete(AGENT), manifests.obsolete(wide)) == ([everywhere], [])


def test_what_holds_comes_first() -> None:
    """No right is granted before the policy; kcp's manifest has kcp's objects first, and it is the last."""
    kinds = [one["kind"] for one in manifests.rights(AGENT)]
    assert kinds.index("ValidatingAdmissionPolicyBinding") < kinds.index("ClusterRole")
    assert [one["kind"] for one in manifests.kcp_manifest(AGENT)][-3:] == [
        "ClusterRole",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]
    assert not manifests.policy(replace(AGENT, policy=False))


def test_no_credential_of_a_user_reaches_the_agent() -> None:
    """The agent's kubeconfig has an empty user."""
    data = _of_kind("Secret")["stringData"]
    assert json.loads(data["kubeconfig"])["users"] == [{"name": "default-user", "user": {}}]
    assert set(data) == {"kubeconfig", "agent.key", "bootstrap-token"}


def test_the_pod_may_run_in_its_own_namespace() -> None:
    """The namespace enforces restricted, and the pod keeps to it; no secret stands among its arguments."""
    pod = _of_kind("Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert _of_kind("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not any(secret in " ".join(container["args"]) for secret in ("once", "KEY"))


def test_the_order_of_resources_does_not_matter() -> None:
    """The same exports give the same role, however they were read."""
    turned = replace(AGENT, resources=AGENT.resources[::-1])
    assert manifests.namespace_role(turned) == manifests.namespace_role(AGENT)


@pytest.mark.parametrize(
    ("server", "loopback"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://localhost", True),
        ("https://[::1]:6443", True),
        ("https://127.9.9.9", True),
        ("https://10.0.0.1:6443", False),
        ("https://fairlead.example", False),
    ],
)
def test_loopback(server: str, loopback: bool) -> None:
    """Addresses that mean the machine itself are told from others."""
    assert registering.is_loopback(server) is loopback


def test_ports_are_written() -> None:
    """The agent's server always has a port, as kcp writes it."""
    assert registering.with_port("https://h/clusters/root") == "https://h:443"
    assert registering.with_port("https://[::1]:6443/x") == "https://[::1]:6443"


def test_another_cluster_under_a_used_name_is_refused() -> None:
    """The uid of kube-system tells clusters apart."""
    target = {"metadata": {"name": "east", "annotations": {registering.CLUSTER_UID: "a"}}}
    registering.check_same_cluster(target, "a")
    registering.check_same_cluster(target, "")
    with pytest.raises(Failure, match='SyncTarget "east" is another cluster'):
        registering.check_same_cluster(target, "b")


@pytest.mark.parametrize("label", ["a", "a=b=c", "=b"])
def test_bad_labels(label: str) -> None:
    """A label has exactly one equals sign."""
    with pytest.raises(Failure, match="invalid label"):
        registering.parse_labels([label])


def test_manifest_is_yaml_without_anchors() -> None:
    """Every document stands by itself."""
    text = manifests.as_text(manifests.manifest(AGENT))
    assert "&id" not in text
    assert [one["kind"] for one in yaml.safe_load_all(text)] == [one["kind"] for one in manifests.manifest(AGENT)]


if __name__ == "__main__":
    GOLDEN.write_text(manifests.as_text(manifests.kcp_manifest(AGENT)))
