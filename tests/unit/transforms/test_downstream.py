"""What travels to a cluster: the user's part of an object, and nothing that belongs to a server."""

from typing import Any

import pytest

from fairlead_transforms.downstream import UPSTREAM_UID, DownstreamContext, to_downstream
from fairlead_transforms.names import ReservedName, downstream_name
from fairlead_transforms.podtemplate import TARGET_LABEL, PodContext
from fairlead_transforms.strip import is_internal, travelling_body

CONTEXT = DownstreamContext("kcp-abc", PodContext("cp.example", "6443", "shop", "KEY"))


def deployment(**pod_spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u1",
            "resourceVersion": "5",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{}],
            "ownerReferences": [{"uid": "x"}],
            "finalizers": ["example.com/f"],
            "labels": {"app": "web", "state.workload.kcp.io/KEY": "Sync", "example.com/kcp.io": "mine"},
            "annotations": {
                "kcp.io/cluster": "abc",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "deployment.kubernetes.io/revision": "7",
                "team": "a",
            },
        },
        "spec": {
            "replicas": 2,
            "template": {
                "metadata": {"labels": {"app": "web"}, "creationTimestamp": None},
                "spec": {"containers": [{"name": "c", "image": "i"}], **pod_spec},
            },
        },
        "status": {"replicas": 2},
    }


def pod_spec(obj: dict[str, Any]) -> Any:
    return to_downstream("apps", "deployments", obj, CONTEXT)["spec"]["template"]["spec"]


def test_only_what_the_user_wrote_travels() -> None:
    """Server-set metadata, internal keys, owners, finalizers and status stay upstream; our marks are added."""
    down = to_downstream("apps", "deployments", deployment(), CONTEXT)
    assert down["metadata"] == {
        "name": "web",
        "namespace": "kcp-abc",
        "labels": {"app": "web", "example.com/kcp.io": "mine", TARGET_LABEL: "KEY"},
        "annotations": {"team": "a", UPSTREAM_UID: "u1"},
    }
    assert "status" not in down


def test_view_is_not_changed() -> None:
    """The transform shares nothing that it changes."""
    view = deployment(volumes=[{"name": "v", "configMap": {"name": "kube-root-ca.crt"}}])
    before = repr(view)
    to_downstream("apps", "deployments", view, CONTEXT)
    assert repr(view) == before


def test_pods_get_the_workspaces_credentials() -> None:
    """Token, CA and API address are the workspace's, and the cluster's own token is not mounted."""
    spec = pod_spec(deployment(serviceAccountName="bot"))
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    sources = spec["volumes"][-1]["projected"]["sources"]
    assert [source.get("secret", source.get("configMap"))["name"] for source in sources] == [
        "kcp-token-bot",
        "kcp-root-ca.crt",
    ]
    container = spec["containers"][0]
    assert {v["name"]: v["value"] for v in container["env"]} == {
        "KUBERNETES_SERVICE_HOST": "cp.example",
        "KUBERNETES_SERVICE_PORT": "6443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "6443",
    }
    assert container["volumeMounts"][-1]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"


def test_a_pod_that_wants_no_token_gets_none() -> None:
    """AutomountServiceAccountToken false is the user's word."""
    spec = pod_spec(deployment(automountServiceAccountToken=False))
    assert "volumes" not in spec
    assert "volumeMounts" not in spec["containers"][0]


@pytest.mark.parametrize("field", ["serviceAccount", "serviceAccountName"])
def test_neither_service_account_field_reaches_the_cluster(field: str) -> None:
    """The deprecated alias is cleared like the field itself (S61)."""
    spec = pod_spec(deployment(**{field: "admin"}))
    assert "serviceAccount" not in spec
    assert "serviceAccountName" not in spec


def test_projected_cluster_tokens_become_workspace_tokens() -> None:
    """A projected serviceAccountToken would be the cluster's; it is replaced (S61)."""
    volume = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "tok", "audience": "x"}}]}}
    source = pod_spec(deployment(volumes=[volume]))["volumes"][0]["projected"]["sources"][0]
    assert source == {"secret": {"name": "kcp-token-default", "items": [{"key": "token", "path": "tok"}]}}


def test_references_to_renamed_objects_follow() -> None:
    """The root CA's ConfigMap has another name downstream; whoever mounts it by name still finds it."""
    spec = pod_spec(deployment(volumes=[{"name": "v", "configMap": {"name": "kube-root-ca.crt"}}]))
    assert spec["volumes"][0]["configMap"]["name"] == "kcp-root-ca.crt"


def test_namespace_from_the_downward_api_is_the_users() -> None:
    """A fieldRef to metadata.namespace would tell the mapped name."""
    env = [{"name": "NS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]
    spec = pod_spec(deployment(containers=[{"name": "c", "env": env}]))
    assert spec["containers"][0]["env"][0] == {"name": "NS", "value": "shop"}


def test_service_addresses_are_not_carried() -> None:
    """What the workspace or another cluster allocated is not asked for again; headless is a choice and is."""
    ports = [{"port": 80}]
    service = {"metadata": {"name": "s", "uid": "u"}, "spec": {"clusterIP": "10.0.0.1", "ports": ports}}
    assert to_downstream("", "services", service, CONTEXT)["spec"] == {"ports": [{"port": 80}]}
    service["spec"] = {"clusterIP": "None", "clusterIPs": ["None"], "ports": ports}
    assert to_downstream("", "services", service, CONTEXT)["spec"]["clusterIP"] == "None"


def test_s69_two_names_cannot_meet_downstream() -> None:
    """A user's kcp-root-ca.crt is refused, since kube-root-ca.crt takes that name."""
    with pytest.raises(ReservedName):
        to_downstream("", "configmaps", {"metadata": {"name": "kcp-root-ca.crt", "uid": "u"}}, CONTEXT)


@pytest.mark.parametrize(
    ("key", "internal"),
    [
        ("kcp.io/cluster", True),
        ("state.workload.kcp.io/K", True),
        ("a.fairlead.io/x", True),
        ("notkcp.io/x", False),
        ("kcp.io", False),
        ("app", False),
    ],
)
def test_internal_keys_are_told_by_domain(key: str, internal: bool) -> None:
    """The domain before the slash decides, label by label."""
    assert is_internal(key) is internal


@pytest.mark.parametrize("ports", [[], [{"port": 80}]])
def test_headless_stays_headless(ports: list[dict[str, int]]) -> None:
    """``clusterIP: None`` is the user's choice, with ports and without; an allocated address is not."""
    for address, expected in (("None", "None"), ("10.0.0.1", None)):
        service = {"kind": "Service", "metadata": {"name": "s"}, "spec": {"clusterIP": address, "ports": ports}}
        assert travelling_body("", "services", service)["spec"].get("clusterIP") == expected


@pytest.mark.parametrize("name", ["kcp-token-default", "kcp-token-"])
def test_names_of_token_secrets_are_reserved(name: str) -> None:
    """A user's Secret would stand in the place of their pods' token."""
    with pytest.raises(ReservedName):
        downstream_name("", "secrets", name)
    assert downstream_name("", "configmaps", name) == name
