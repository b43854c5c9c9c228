"""
What is made in a physical cluster for its agent, as objects. Pure: same input, same bytes.

Rights are exactly what the agent uses, and where: across the cluster it sees and makes namespaces, no more; the kinds
it syncs it may write in the namespaces it made, where it binds ``<id>-namespace`` to itself. In wide mode that role is
bound for the whole cluster instead. An admission policy holds it to its own namespaces (:mod:`fairlead_cli.guarding`).

Source: kcp v0.11, ``workload sync`` (kcp-workload 3.1): names, order and the shape of the kubeconfig.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.names import dns_id, syncer_id
from fairlead_cli import guarding

CONTAINER = "kcp-syncer"
KUBECONFIG_KEY, BOOTSTRAP_KEY, IDENTITY_KEY = "kubeconfig", "bootstrap-token", "agent.key"
_FOLDER, _STATE = "/kcp", "/var/lib/fairlead-syncer"
_USER = 65532
_HEALTH = 8081
_GRACE_S = 30
"""The agent stops within 20 s, and gives its turn back in the first of them."""
_RBAC = "rbac.authorization.k8s.io"
_RECORDED = {"app.kubernetes.io/part-of": "fairlead"}
_READ = ["get", "list", "watch"]
_WRITE = ["get", "list", "watch", "create", "patch", "delete"]
_ALWAYS = (("", "configmaps"), ("", "secrets"))
_RULES = (("", "limitranges"), ("", "resourcequotas"), ("networking.k8s.io", "networkpolicies"))
_INGRESSES = ("networking.k8s.io", "ingresses")
_RULE_VERBS = ["get", "create", "patch", "delete"]
"""Of the agent's own rules for tenants: read by name and written, not watched."""
_NEVER = frozenset({("", "pods"), ("", "events"), ("", "endpoints"), ("discovery.k8s.io", "endpointslices")})
"""Comes from the cluster itself and is never written there."""


@dataclass(frozen=True, slots=True)
class Agent:
    """
    One agent.

    Attributes:
        name, uid: Of the SyncTarget.
        cluster: Logical cluster it is in.
        server, ca: URL of the control plane without path, and the PEM text of its CA ("" for the system's).
        resources: (group, plural) of what the SyncTarget's exports hold.
        namespace: Where it lives in the cluster; "" for the one kcp computes.
        bootstrap_token, key: Credentials of the first start: single use token, and the PEM text of the agent's key.
        image, replicas, arguments: Of its Deployment; ``arguments`` come last.
        upstream_namespace: Default namespace of its kubeconfig.
        listed: (group, plural) of the namespaced kinds the cluster has: before a namespace goes it is looked at for
            objects of each. Empty when nobody has asked the cluster: then the agent may list whatever there is, in its
            own namespaces.
        wide: Whether it watches each kind once for the whole cluster, and may therefore read it everywhere.
        policy: Whether an admission policy holds it to its own namespaces; only clusters before 1.30 do without.
        privileged: Whether tenants' namespaces may be of pod security level ``privileged``.
    """

    name: str
    uid: str
    cluster: str
    server: str
    ca: str
    resources: tuple[tuple[str, str], ...]
    namespace: str = ""
    bootstrap_token: str = ""
    key: str = ""
    image: str = ""
    replicas: int = 1
    arguments: tuple[str, ...] = ()
    upstream_namespace: str = "default"
    listed: tuple[tuple[str, str], ...] = ()
    wide: bool = False
    policy: bool = True
    privileged: bool = False

    @property
    def id(self) -> str:
        """What everything of the agent is called in the cluster."""
        return syncer_id(self.name, self.uid)

    @property
    def home(self) -> str:
        """The namespace it lives in."""
        return self.namespace or self.id


def rights(agent: Agent) -> list[JsonObject]:
    """
    Return who the agent is in the cluster and what it may do there, in the order of creation.

    What holds it comes before what it may: there is no moment without.
    """
    return [*_account(agent), *policy(agent), *_granted(agent), *_beyond_kcp(agent), *_own_token(agent)]


def policy(agent: Agent) -> list[JsonObject]:
    """Return what holds the agent to its own namespaces; nothing where the cluster cannot."""
    return guarding.policy(agent, _RECORDED) if agent.policy else []


def obsolete(agent: Agent) -> list[tuple[str, str]]:
    """Return (kind, name) of what an agent of the other mode has in the cluster and this one must not."""
    return [] if agent.wide else [("ClusterRoleBinding", namespace_role_name(agent))]


def namespace_role_name(agent: Agent) -> str:
    """Return the name of the role for namespaces, and of its bindings."""
    return f"{agent.id}-namespace"


def _account(agent: Agent) -> list[JsonObject]:
    return [
        _object("v1", "Namespace", {"name": agent.home, "labels": {**_RECORDED, **_RESTRICTED}}),
        _object("v1", "ServiceAccount", _in_home(agent, agent.id)),
    ]


def _granted(agent: Agent) -> list[JsonObject]:
    return [cluster_role(agent), _cluster_wide(agent, agent.id)]


def _beyond_kcp(agent: Agent) -> list[JsonObject]:
    everywhere = [_cluster_wide(agent, namespace_role_name(agent))] if agent.wide else []
    return [namespace_role(agent), *everywhere]


def _cluster_wide(agent: Agent, role: str) -> JsonObject:
    return _object(
        f"{_RBAC}/v1",
        "ClusterRoleBinding",
        {"name": role, "labels": _RECORDED},
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        subjects=[_subject(agent)],
    )


_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def manifest(agent: Agent) -> list[JsonObject]:
    """Return all of an agent that runs in the cluster."""
    return [*rights(agent), _secret(agent), _deployment(agent)]


def kcp_manifest(agent: Agent) -> list[JsonObject]:
    """Return the same with kcp's objects first, in kcp's order, its rights for tenants' DNS among them."""
    kcp = [*_account(agent), *_granted(agent), *_own_token(agent), *_name_servers(agent), _secret(agent)]
    return [*kcp, _deployment(agent), *_beyond_kcp(agent), *policy(agent)]


def as_text(objects: Iterable[JsonObject]) -> str:
    """Return YAML documents."""
    import yaml  # noqa: PLC0415 - 20 ms that other commands need not pay

    return "".join("---\n" + yaml.safe_dump(one, sort_keys=False, allow_unicode=True) for one in objects)


def upstream_kubeconfig(agent: Agent) -> JsonObject:
    """Return how the agent finds the control plane; it holds no credential, the agent has its own."""
    cluster: JsonObject = {"server": agent.server}
    if agent.ca:
        cluster["certificate-authority-data"] = base64.b64encode(agent.ca.encode()).decode()
    context = {"cluster": "default-cluster", "namespace": agent.upstream_namespace, "user": "default-user"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default-cluster", "cluster": cluster}],
        "contexts": [{"name": "default-context", "context": context}],
        "current-context": "default-context",
        "users": [{"name": "default-user", "user": {}}],
    }


def cluster_role(agent: Agent) -> JsonObject:
    """Return what the agent may do across the cluster."""
    rules = [_rule("", ["namespaces"], ["get", "list", "watch", "create"])]
    if _INGRESSES in agent.resources:  # whose a host is can be seen only where all of them are
        rules.append(_rule(_INGRESSES[0], [_INGRESSES[1]], ["list", "watch"]))
    if not agent.wide:
        own = {"resourceNames": [namespace_role_name(agent)]}
        rules += [
            _rule(_RBAC, ["rolebindings"], ["create"]),
            {**_rule(_RBAC, ["clusterroles"], ["get", "bind"]), **own},
        ]
    rules.append(_rule("authorization.k8s.io", ["selfsubjectaccessreviews"], ["create"]))
    return _object(f"{_RBAC}/v1", "ClusterRole", {"name": agent.id, "labels": _RECORDED}, rules=rules)


def namespace_role(agent: Agent) -> JsonObject:
    """
    Return what the agent may do in a namespace it made.

    A request for a Namespace by name is judged by the bindings inside it, so that changing and removing it is granted
    here. Rules are by group, sorted: the same resources give the same object.
    """
    synced = _by_group([*_ALWAYS, *agent.resources])
    rules = [
        _rule("", ["namespaces"], ["patch", "delete"]),
        _rule("", ["pods"], _READ),
        *(_rule(group, [plural], _RULE_VERBS) for group, plural in _RULES if plural not in synced.get(group, ())),
        *(_rule(group, synced[group], _WRITE) for group in sorted(synced)),
        # Whether a namespace can go depends on what others put into it, of whatever kind.
        *_looking(agent, synced),
    ]
    return _object(f"{_RBAC}/v1", "ClusterRole", {"name": namespace_role_name(agent), "labels": _RECORDED}, rules=rules)


def _looking(agent: Agent, synced: Mapping[str, list[str]]) -> list[JsonObject]:
    """Return the right to list what the other rules do not."""
    if not agent.listed:
        return [_rule("*", ["*"], ["list"])]
    groups: dict[str, set[str]] = {}
    for group, plural in (*agent.listed, *_RULES):
        if (group, plural) != ("", "pods") and plural not in synced.get(group, ()):
            groups.setdefault(group, set()).add(plural)
    return [_rule(group, sorted(groups[group]), ["list"]) for group in sorted(groups)]


def _by_group(resources: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what is written, by group."""
    groups: dict[str, set[str]] = {}
    for group, plural in resources:
        if (group, plural) not in _NEVER:
            groups.setdefault(group, set()).add(plural)
    return {group: sorted(plurals) for group, plurals in groups.items()}


def _own_token(agent: Agent) -> list[JsonObject]:
    """Return the right to renew its own token, for an agent that runs outside the cluster."""
    rule = {**_rule("", ["serviceaccounts/token"], ["create"]), "resourceNames": [agent.id]}
    return _role(agent, f"{agent.id}-token", [rule])


def _name_servers(agent: Agent) -> list[JsonObject]:
    """Return the right to run name servers for tenants in its own namespace, as kcp grants it."""
    verbs = ["create", "get", "list", "update", "delete", "watch"]
    rules = [
        _rule("", ["serviceaccounts", "services"], verbs),
        _rule("", ["endpoints"], _READ),
        _rule("apps", ["deployments"], verbs),
        _rule(_RBAC, ["roles", "rolebindings"], verbs),
    ]
    return _role(agent, dns_id(agent.name, agent.uid, "").rpartition("-")[0], rules)


def _role(agent: Agent, name: str, rules: list[JsonObject]) -> list[JsonObject]:
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": name}
    return [
        _object(f"{_RBAC}/v1", "Role", _in_home(agent, name), rules=rules),
        _object(f"{_RBAC}/v1", "RoleBinding", _in_home(agent, name), roleRef=reference, subjects=[_subject(agent)]),
    ]


def _rule(group: str, resources: list[str], verbs: list[str]) -> JsonObject:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


def _subject(agent: Agent) -> JsonObject:
    return {"kind": "ServiceAccount", "name": agent.id, "namespace": agent.home}


def _in_home(agent: Agent, name: str) -> JsonObject:
    return {"name": name, "namespace": agent.home, "labels": dict(_RECORDED)}


def _object(api_version: str, kind: str, metadata: JsonObject, **rest: object) -> JsonObject:
    labels = metadata.get("labels")
    copied = {**metadata, "labels": dict(labels)} if labels else metadata  # YAML must not show shared parts as anchors
    return {"apiVersion": api_version, "kind": kind, "metadata": copied, **rest}


def _secret(agent: Agent) -> JsonObject:
    # JSON is YAML; no library is needed, and the bytes are the same everywhere.
    data = {KUBECONFIG_KEY: json.dumps(upstream_kubeconfig(agent), indent=1), IDENTITY_KEY: agent.key}
    if agent.bootstrap_token:
        data[BOOTSTRAP_KEY] = agent.bootstrap_token
    return _object("v1", "Secret", _in_home(agent, agent.id), type="Opaque", stringData=data)


def _deployment(agent: Agent) -> JsonObject:
    labels = {"app": agent.id}
    pod_security = {"runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER}
    secret = {"secretName": agent.id, "defaultMode": 0o440}
    pod = {
        "serviceAccountName": agent.id,
        "terminationGracePeriodSeconds": _GRACE_S,
        "securityContext": {**pod_security, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(agent)],
        "volumes": [
            {"name": "settings", "secret": secret},
            {"name": "state", "emptyDir": {"medium": "Memory"}},
            {"name": "temporary", "emptyDir": {}},
        ],
    }
    spec = {
        "replicas": agent.replicas,
        # The next agent waits for its turn, so two at a time are well, and none at a time never is.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": dict(labels)},
        "template": {"metadata": {"labels": dict(labels)}, "spec": pod},
    }
    metadata = _in_home(agent, agent.id)
    metadata["labels"] = {**metadata["labels"], **labels}
    return _object("apps/v1", "Deployment", metadata, spec=spec)


def _container(agent: Agent) -> JsonObject:
    arguments = [
        f"--from-kubeconfig={_FOLDER}/{KUBECONFIG_KEY}",
        f"--from-cluster={agent.cluster}",
        f"--sync-target-name={agent.name}",
        f"--sync-target-uid={agent.uid}",
        f"--state-directory={_STATE}",
        f"--bootstrap-token-file={_FOLDER}/{BOOTSTRAP_KEY}",
        f"--health-address=:{_HEALTH}",
        *(["--wide"] if agent.wide else []),
        *agent.arguments,
    ]
    return {
        "name": CONTAINER,
        "image": agent.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["fairlead", "syncer"],
        "args": arguments,
        "env": [{"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "ports": [{"name": "health", "containerPort": _HEALTH, "protocol": "TCP"}],
        "livenessProbe": _probe("/livez", period_s=10, failures=6),
        "readinessProbe": _probe("/readyz", period_s=2, failures=3),
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "settings", "mountPath": _FOLDER, "readOnly": True},
            {"name": "state", "mountPath": _STATE},
            # The key outlives the pod: a new pod is the same agent.
            {"name": "settings", "mountPath": f"{_STATE}/{IDENTITY_KEY}", "subPath": IDENTITY_KEY, "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},
        ],
    }


def _probe(path: str, *, period_s: int, failures: int) -> JsonObject:
    asked = {"path": path, "port": "health", "scheme": "HTTP"}
    return {"httpGet": asked, "periodSeconds": period_s, "failureThreshold": failures, "timeoutSeconds": 5}
