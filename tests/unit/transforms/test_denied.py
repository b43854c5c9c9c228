"""What a hostile object asks for is refused, or does not reach the cluster (S60 to S64, S68 to S70)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fairlead_transforms import policy as policies
from fairlead_transforms.denied import PolicyDenied
from fairlead_transforms.downstream import DownstreamContext, to_downstream
from fairlead_transforms.names import ReservedName, downstream_name
from fairlead_transforms.podtemplate import TARGET_LABEL, PodContext
from fairlead_transforms.policy import TenantPolicy
from tests.support.hostile import HOSTILE, PLAIN, Json, secured

PODS = PodContext("cp.example", "6443", "shop", "KEY")
KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "Pod": ("", "pods", ()),
    "PodTemplate": ("", "podtemplates", ("template",)),
    "ReplicationController": ("", "replicationcontrollers", ("spec", "template")),
    "Deployment": ("apps", "deployments", ("spec", "template")),
    "ReplicaSet": ("apps", "replicasets", ("spec", "template")),
    "StatefulSet": ("apps", "statefulsets", ("spec", "template")),
    "DaemonSet": ("apps", "daemonsets", ("spec", "template")),
    "Job": ("batch", "jobs", ("spec", "template")),
    "CronJob": ("batch", "cronjobs", ("spec", "jobTemplate", "spec", "template")),
}


def built(kind: str, spec: Json, *, annotations: Json | None = None) -> tuple[str, str, Json]:
    """Return an object of a kind around a pod's spec, with its group and plural."""
    group, plural, path = KINDS[kind]
    template: Json = {"metadata": {"annotations": annotations or {}}, "spec": spec}
    for key in reversed(path):
        template = {key: template}
    metadata = {**template.get("metadata", {}), "name": "x", "namespace": "shop", "uid": "u"}
    return group, plural, {**template, "metadata": metadata}


def down(group: str, plural: str, obj: Json, policy: TenantPolicy | None = None) -> Json:
    return to_downstream(group, plural, obj, DownstreamContext("kcp-abc", PODS, policy or TenantPolicy()))


def template_of(kind: str, obj: Json) -> Json:
    for key in KINDS[kind][2]:
        obj = obj[key]
    return obj


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trick", HOSTILE)
def test_s60_nothing_of_the_host_in_any_pod_template(kind: str, trick: str) -> None:
    """Refused in every kind that makes pods, in the words of pod security; with ``privileged`` it is let through."""
    spec, words = HOSTILE[trick]
    with pytest.raises(PolicyDenied, match='violates PodSecurity "baseline:latest"') as denied:
        down(*built(kind, spec))
    assert words in str(denied.value)
    assert down(*built(kind, spec), TenantPolicy(pod_security="privileged"))


@pytest.mark.parametrize("kind", KINDS)
def test_s60_unconfined_by_annotation(kind: str) -> None:
    """AppArmor's old annotation counts like the field."""
    key = "container.apparmor.security.beta.kubernetes.io/c"
    with pytest.raises(PolicyDenied, match="AppArmor"):
        down(*built(kind, PLAIN, annotations={key: "unconfined"}))
    assert down(*built(kind, PLAIN, annotations={key: "runtime/default"}))


@pytest.mark.parametrize("kind", KINDS)
def test_s60_restricted_asks_for_more(kind: str) -> None:
    """What baseline lets through is refused at ``restricted`` until it is all said; then it is let through."""
    restricted = TenantPolicy(pod_security="restricted")
    assert down(*built(kind, PLAIN))
    with pytest.raises(PolicyDenied, match=r"allowPrivilegeEscalation.*capabilities.*seccompProfile"):
        down(*built(kind, PLAIN), restricted)
    good = secured(allowPrivilegeEscalation=False, capabilities={"drop": ["ALL"]})
    good["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert down(*built(kind, good), restricted)


@pytest.mark.parametrize("kind", KINDS)
def test_s61_no_service_account_of_the_cluster_in_any_pod_template(kind: str) -> None:
    """Neither field, nor mount, nor projected token; tokens come from the workspace."""
    sources: list[Json] = [{"serviceAccountToken": {"path": "t", "audience": "x"}}]
    spec = {
        **PLAIN,
        "serviceAccountName": "admin",
        "serviceAccount": "admin",
        "automountServiceAccountToken": True,
        "volumes": [{"name": "v", "projected": {"sources": sources}}],
    }
    made = template_of(kind, down(*built(kind, spec)))["spec"]
    assert not {"serviceAccountName", "serviceAccount"} & set(made)
    assert made["automountServiceAccountToken"] is False
    assert "serviceAccountToken" not in json.dumps(made).replace("automountServiceAccountToken", "")
    assert made["volumes"][0]["projected"]["sources"][0]["secret"]["name"] == "kcp-token-admin"
    spec["volumes"] = [{"name": "v", "projected": {"sources": [{"podCertificate": {"signerName": "a/b"}}]}}]
    with pytest.raises(PolicyDenied, match="certificate of the cluster"):
        down(*built(kind, spec))


@pytest.mark.parametrize("annotated", [True, False])
@pytest.mark.parametrize("kind", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"])
def test_s61_no_secret_into_which_the_cluster_puts_a_token(kind: str, annotated: bool) -> None:
    """Its token controller would fill it for whoever mounts it."""
    annotations = {"kubernetes.io/service-account.name": "default"} if annotated else {}
    secret = {"metadata": {"name": "s", "uid": "u", "annotations": annotations}, "type": kind}
    with pytest.raises(PolicyDenied, match="a token of its own"):
        down("", "secrets", secret)


REACHING: dict[str, tuple[Json, str]] = {
    "system-node-critical": ({"priorityClassName": "system-node-critical"}, "for the cluster's own pods"),
    "system-anything": ({"priorityClassName": "system-x"}, "for the cluster's own pods"),
    "priority class": ({"priorityClassName": "gold"}, "allowedPriorityClasses"),
    "runtime class": ({"runtimeClassName": "kata"}, "allowedRuntimeClasses"),
    "control plane": ({"tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}, "own"),
    "master": ({"tolerations": [{"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}]}, "own pods"),
    "addons": ({"tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}]}, "own pods"),
    "all taints": ({"tolerations": [{"operator": "Exists"}]}, "without a key"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trick", REACHING)
def test_s62_no_place_or_rank_of_the_cluster_in_any_pod_template(kind: str, trick: str) -> None:
    """Classes only as the owner allows, the reserved ones and nodes of the control plane never."""
    fields, words = REACHING[trick]
    with pytest.raises(PolicyDenied, match=words):
        down(*built(kind, {**PLAIN, **fields}))
    everything = TenantPolicy(priority_classes=frozenset({"*"}), runtime_classes=frozenset({"*"}))
    if trick in {"priority class", "runtime class"}:
        assert down(*built(kind, {**PLAIN, **fields}), everything)
    else:
        with pytest.raises(PolicyDenied, match=words):
            down(*built(kind, {**PLAIN, **fields}), everything)
    plain = {"tolerations": [{"key": "gpu", "operator": "Exists"}, {"key": "x", "value": "y"}], "priorityClassName": ""}
    assert down(*built(kind, {**PLAIN, **plain}))


@pytest.mark.parametrize("kind", KINDS)
def test_s62_a_node_is_the_clusters_choice(kind: str) -> None:
    """A template that names one is refused; a Pod's own, which a scheduler wrote, stays behind."""
    obj = built(kind, {**PLAIN, "nodeName": "control-plane-1"})
    if kind == "Pod":
        assert "nodeName" not in down(*obj)["spec"]
    else:
        with pytest.raises(PolicyDenied, match="nodeName"):
            down(*obj)


def of(spec: Json, **metadata: Any) -> Json:
    return {"metadata": {"name": "x", "namespace": "shop", "uid": "u", **metadata}, "spec": spec}


SNIPPET = {"nginx.ingress.kubernetes.io/configuration-snippet": "load_module x;"}
OUTSIDE: dict[str, tuple[str, str, Json, TenantPolicy | None]] = {
    "external IPs": ("", "services", of({"externalIPs": ["1.1.1.1"]}), TenantPolicy(external_ips=True)),
    "load balancer IP": ("", "services", of({"loadBalancerIP": "1.1.1.1"}), TenantPolicy(external_ips=True)),
    **{
        kind: ("", "services", of({"type": kind, "externalName": "x"}), TenantPolicy(service_types=frozenset({kind})))
        for kind in ("NodePort", "ExternalName")
    },
    "load balancer class": (
        "", "services", of({"type": "LoadBalancer", "loadBalancerClass": "a/b"}),
        TenantPolicy(load_balancer_classes=frozenset({"a/b"})),
    ),
    "fixed node port": (
        "", "services", of({"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2, "nodePort": 30080}]}),
        TenantPolicy(fixed_node_ports=True),
    ),
    "endpoints": ("", "endpoints", {"metadata": of({})["metadata"], "subsets": []}, None),
    "slices": ("discovery.k8s.io", "endpointslices", {"metadata": of({})["metadata"], "endpoints": []}, None),
    "ingress class": (
        "networking.k8s.io", "ingresses", of({"ingressClassName": "nginx"}),
        TenantPolicy(ingress_classes=frozenset({"nginx"})),
    ),
    "old ingress class": (
        "networking.k8s.io", "ingresses", of({}, annotations={"kubernetes.io/ingress.class": "nginx"}),
        TenantPolicy(ingress_classes=frozenset({"*"})),
    ),
    "snippet": (
        "networking.k8s.io", "ingresses", of({}, annotations=SNIPPET), TenantPolicy(annotations=frozenset({"*"}))
    ),
    "volume by name": ("", "persistentvolumeclaims", of({"volumeName": "pv-of-others"}), None),
    "volume by label": ("", "persistentvolumeclaims", of({"selector": {"matchLabels": {"a": "b"}}}), None),
    "volume without a class": ("", "persistentvolumeclaims", of({"storageClassName": ""}), None),
    "data of another namespace": (
        "", "persistentvolumeclaims", of({"dataSourceRef": {"kind": "VolumeSnapshot", "name": "x", "namespace": "o"}}),
        None,
    ),
    "volume attributes": (
        "", "persistentvolumeclaims", of({"volumeAttributesClassName": "gold"}),
        TenantPolicy(storage_classes=frozenset({"*"})),
    ),
    "old storage class": (
        "", "persistentvolumeclaims", of({}, annotations={"volume.beta.kubernetes.io/storage-class": "fast"}),
        TenantPolicy(storage_classes=frozenset({"fast"})),
    ),
    "claim template by name": (
        "apps", "statefulsets", of({"template": {}, "volumeClaimTemplates": [{"spec": {"volumeName": "theirs"}}]}), None
    ),
    "bound already": (
        "", "persistentvolumeclaims", of({}, annotations={"pv.kubernetes.io/bind-completed": "yes"}),
        TenantPolicy(annotations=frozenset({"pv.kubernetes.io/*"})),
    ),
    "storage class": (
        "", "persistentvolumeclaims", of({"storageClassName": "fast"}),
        TenantPolicy(storage_classes=frozenset({"fast"})),
    ),
    "claim template": (
        "apps", "statefulsets", of({"template": {}, "volumeClaimTemplates": [{"spec": {"storageClassName": "fast"}}]}),
        TenantPolicy(storage_classes=frozenset({"*"})),
    ),
}  # fmt: skip


@pytest.mark.parametrize("trick", OUTSIDE)
def test_s63_no_way_to_what_is_others(trick: str) -> None:
    """Refused by default; let through where the cluster's owner says so, and endpoints and snippets never."""
    group, plural, obj, allowing = OUTSIDE[trick]
    with pytest.raises(PolicyDenied):
        down(group, plural, obj)
    if allowing is None:
        everything = frozenset({"*"})
        allowing = TenantPolicy("privileged", everything, everything, everything, everything, everything, True)
        with pytest.raises(PolicyDenied):
            down(group, plural, obj, allowing)
    else:
        assert down(group, plural, obj, allowing)


def test_s63_a_load_balancer_is_had_as_usual() -> None:
    """By default; a port of the nodes that its owner allowed to fix is carried down, and none else."""
    ports: list[Json] = [{"port": 80, "protocol": "TCP"}]
    made = down("", "services", of({"type": "LoadBalancer", "ports": ports}))
    assert made["spec"] == {"type": "LoadBalancer", "ports": ports}
    ports = [{"port": 80, "nodePort": 30080}]
    made = down("", "services", of({"type": "LoadBalancer", "ports": ports}), TenantPolicy(fixed_node_ports=True))
    assert made["spec"]["ports"] == ports


STEERING = {
    "metallb.io/loadBalancerIPs": "192.0.2.1",
    "external-dns.alpha.kubernetes.io/hostname": "bank.example.com",
    "service.beta.kubernetes.io/aws-load-balancer-name": "theirs",
    "reflector.v1.k8s.emberstack.com/reflects": "kube-system/secret",
    "nginx.ingress.kubernetes.io/server-alias": "bank.example.com",
    "nginx.ingress.kubernetes.io/auth-secret": "kube-system/secret",
    "iam.amazonaws.com/role": "admin",
    "k8s.v1.cni.cncf.io/networks": "storage",
    "addonmanager.kubernetes.io/mode": "Reconcile",
}
HARMLESS = {
    "app.kubernetes.io/name": "shop", "kubernetes.io/change-cause": "x", "topology.kubernetes.io/zone": "a",
    "nginx.ingress.kubernetes.io/rewrite-target": "/", "nginx.ingress.kubernetes.io/auth-secret": "mine",
    "notmetallb.io/loadBalancerIPs": "x", "cert-manager.io/cluster-issuer": "letsencrypt", "metallb.io": "x",
}  # fmt: skip


@pytest.mark.parametrize("field", ["labels", "annotations"])
@pytest.mark.parametrize("key", STEERING)
def test_s63_what_steers_the_clusters_controllers_is_refused(key: str, field: str) -> None:
    """On an object or the pods of one, as label or annotation; by name, or by its domain, its owner can allow it."""
    kind, plural = ("", "services") if field == "annotations" else ("", "configmaps")
    marked = of({}, **{field: {key: STEERING[key]}})
    with pytest.raises(PolicyDenied, match=re.escape(f"metadata.{field}[{key}] is not allowed")):
        down(kind, plural, marked)
    for allowed in (key, f"{key.partition('/')[0]}/*", "*"):
        assert down(kind, plural, marked, TenantPolicy(annotations=frozenset({allowed})))
    template = {"metadata": {field: {key: STEERING[key]}}, "spec": PLAIN}
    with pytest.raises(PolicyDenied, match=re.escape(f"spec.template.metadata.{field}[{key}] is not allowed")):
        down("apps", "deployments", of({"template": template}))


def test_s63_usual_labels_and_annotations_go_down() -> None:
    """What names an application or a cause steers nothing; its owner may refuse more."""
    made = down("", "services", of({}, labels=HARMLESS, annotations=HARMLESS))
    assert HARMLESS.items() <= made["metadata"]["annotations"].items()
    refusing = TenantPolicy(refused_annotations=frozenset({"kubernetes.io/*", "cert-manager.io/cluster-issuer"}))
    with pytest.raises(PolicyDenied, match=r"kubernetes.io/change-cause\]") as denied:
        down("", "services", of({}, annotations=HARMLESS), refusing)
    assert "app.kubernetes.io" not in str(denied.value)
    assert "cert-manager.io/cluster-issuer" in str(denied.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["awsElasticBlockStore", "gcePersistentDisk", "azureDisk", "fc", "flexVolume"])
def test_s63_no_disk_of_the_clusters_account_in_any_pod_template(kind: str, source: str) -> None:
    """Attached by the cluster's own account, to whoever knows its id; pod security lets that through at baseline."""
    with pytest.raises(PolicyDenied, match=rf"volumes\[v\].{source} is not allowed"):
        down(*built(kind, {**PLAIN, "volumes": [{"name": "v", source: {"volumeID": "vol-1"}}]}))


def test_s63_a_refusal_names_the_field() -> None:
    """By its path in the user's object, and with what its owner would have to write."""
    pods = {**PLAIN, "priorityClassName": "gold", "tolerations": [{"operator": "Exists"}]}
    with pytest.raises(PolicyDenied) as denied:
        down("batch", "cronjobs", of({"jobTemplate": {"spec": {"template": {"spec": pods}}}}))
    path = "spec.jobTemplate.spec.template.spec"
    assert f"{path}.priorityClassName 'gold' is not allowed" in str(denied.value)
    assert "spec.tenantPolicy.allowedPriorityClasses" in str(denied.value)
    assert f"{path}.tolerations[0]: a toleration without a key" in str(denied.value)


@pytest.mark.parametrize("plural", ["namespaces", "persistentvolumes", "clusterroles", "priorityclasses"])
def test_s64_nothing_without_a_namespace_goes_down(plural: str) -> None:
    """Whatever a provider exports: an object of the cluster would be everybody's."""
    context = DownstreamContext("kcp-abc", PodContext("h", "1", "", "KEY"))
    with pytest.raises(PolicyDenied, match="without a namespace"):
        to_downstream("example.com", plural, {"metadata": {"name": "x", "uid": "u"}}, context)


OURS = {
    TARGET_LABEL: "OTHER",
    "kcp.io/tenant-id": "other",
    "kcp.io/namespace-locator": "{}",
    "internal.workload.kcp.io/proof": "forged",
    "internal.workload.kcp.io/upstream-uid": "forged",
    "state.workload.kcp.io/OTHER": "Sync",
    "scheduling.fairlead.io/x": "y",
}


@pytest.mark.parametrize("kind", KINDS)
def test_s68_marks_of_ours_in_a_tenants_object_are_stripped(kind: str) -> None:
    """In the object and its pod template, in labels and annotations; finalizers and owners stay behind too."""
    group, plural, obj = built(kind, PLAIN, annotations={**OURS, "mine": "yes"})
    template_of(kind, obj)["metadata"]["labels"] = {**OURS, "mine": "yes"}
    forged = {"labels": dict(OURS), "annotations": dict(OURS)} if kind != "Pod" else {}
    obj["metadata"] |= {**forged, "finalizers": ["a/b"], "ownerReferences": [{"uid": "x"}]}
    made = down(group, plural, obj)
    assert not {"finalizers", "ownerReferences"} & set(made["metadata"])
    template = template_of(kind, made)["metadata"]
    for metadata in (made["metadata"], template):
        assert not (set(OURS) - {TARGET_LABEL}) & set(metadata["labels"])
        assert metadata["labels"][TARGET_LABEL] == "KEY"
        kept = {key for key in metadata.get("annotations", {}) if key in OURS}
        assert kept <= {"internal.workload.kcp.io/upstream-uid"}
    assert made["metadata"]["annotations"]["internal.workload.kcp.io/upstream-uid"] == "u"
    assert (template["labels"]["mine"], template["annotations"]["mine"]) == ("yes", "yes")


@pytest.mark.parametrize(
    ("group", "plural"),
    [("", "resourcequotas"), ("", "limitranges"), ("networking.k8s.io", "networkpolicies")],
)
def test_s70_a_tenant_cannot_name_what_holds_them(group: str, plural: str) -> None:
    """The quota's name is taken, for kinds a provider might export."""
    with pytest.raises(ReservedName):
        downstream_name(group, plural, policies.QUOTA_NAME)
    assert downstream_name(group, plural, "mine") == "mine"


def test_what_has_another_shape_is_refused() -> None:
    """An API of that name from another provider cannot be judged, so it is not let through."""
    with pytest.raises(PolicyDenied, match="shape of services"):
        down("", "services", of({}) | {"spec": ["x"]})


def test_a_policy_is_read_as_its_owner_wrote_it() -> None:
    """All fields; nothing said is the default, and nonsense is an error, never a permission."""
    assert policies.parse("baseline", {}) == TenantPolicy()
    written = {
        "allowedPriorityClasses": ["a"], "allowedRuntimeClasses": ["b"], "allowedStorageClasses": ["c"],
        "allowedIngressClasses": ["d"], "allowedServiceTypes": ["NodePort"], "allowExternalIPs": True,
        "quota": {"pods": "5"}, "containerLimits": {"max": {"cpu": "1"}}, "allowedLoadBalancerClasses": ["e"],
        "allowFixedNodePorts": True, "allowedAnnotations": ["f"], "refusedAnnotations": ["g"],
        "networkIsolation": {"podNetworks": ["10.0.0.0/8"]},
    }  # fmt: skip
    found = policies.parse("restricted", written)
    assert found == TenantPolicy(
        "restricted", frozenset({"a"}), frozenset({"b"}), frozenset({"c"}), frozenset({"d"}), frozenset({"NodePort"}),
        True, {"pods": "5"}, {"max": {"cpu": "1"}}, frozenset({"e"}), True, frozenset({"f"}), frozenset({"g"}),
        policies.Isolation(("10.0.0.0/8",)),
    )  # fmt: skip
    plurals = [plural for _, plural, _ in policies.namespace_objects(found, "tenant")]
    assert plurals == ["resourcequotas", "limitranges", "networkpolicies"]
    assert policies.namespace_objects(TenantPolicy(), "tenant") == []
    nonsense: list[Json] = [
        {"allowExternalIPs": "yes"}, {"allowedServiceTypes": "*"}, {"quota": []}, {"networkIsolation": True},
        {"networkIsolation": {"podNetworks": "10.0.0.0/8"}}, {"allowFixedNodePorts": 1}, {"allowedAnnotations": {}},
    ]  # fmt: skip
    for wrong in nonsense:
        with pytest.raises(TypeError):
            policies.parse("baseline", wrong)
    with pytest.raises(ValueError, match="unknown pod security level"):
        policies.parse("none", {})


def test_s70_other_tenants_are_kept_out() -> None:
    """In come the workspace itself, from all its namespaces, what is no tenant's, and from outside all but pods."""
    [(group, plural, body)] = policies.namespace_objects(
        TenantPolicy(isolation=policies.Isolation(("10.0.0.0/8", "fd00::/8"))), "tenant-a"
    )
    assert (group, plural, body["apiVersion"]) == ("networking.k8s.io", "networkpolicies", "networking.k8s.io/v1")
    assert (body["spec"]["podSelector"], body["spec"]["policyTypes"]) == ({}, ["Ingress"])
    [rule] = body["spec"]["ingress"]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kcp.io/tenant-id": "tenant-a"}}},
        {"namespaceSelector": {"matchExpressions": [{"key": "kcp.io/tenant-id", "operator": "DoesNotExist"}]}},
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}},
        {"ipBlock": {"cidr": "::/0", "except": ["fd00::/8"]}},
    ]
    [(_, _, closed)] = policies.namespace_objects(TenantPolicy(isolation=policies.Isolation()), "tenant-a")
    assert len(closed["spec"]["ingress"][0]["from"]) == 2, "which addresses are pods' is not known: none from outside"
