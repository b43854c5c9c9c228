"""
What is made in a physical cluster for its agent, as objects. Pure: same input, same bytes.

Rights are exactly what the agent uses: it writes the kinds it syncs, reads Pods, makes and removes namespaces, and
lists everything else to see whether a namespace still holds something of somebody else.

Source: kcp v0.11, ``workload sync`` (kcp-workload 3.1): names, order and the shape of the kubeconfig.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.names import dns_id, syncer_id

CONTAINER = "kcp-syncer"
KUBECONFIG_KEY, BOOTSTRAP_KEY, IDENTITY_KEY = "kubeconfig", "bootstrap-token", "agent.key"
_FOLDER, _STATE = "/kcp", "/var/lib/fairlead-syncer"
_USER = 65532
_RBAC = "rbac.authorization.k8s.io"
_RECORDED = {"app.kubernetes.io/part-of": "fairlead"}
_READ = ["get", "list", "watch"]
_WRITE = ["get", "list", "watch", "create", "patch", "delete"]
_ALWAYS = (("", "configmaps"), ("", "secrets"))
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

    @property
    def id(self) -> str:
        """What everything of the agent is called in the cluster."""
        return syncer_id(self.name, self.uid)

    @property
    def home(self) -> str:
        """The namespace it lives in."""
        return self.namespace or self.id


def rights(agent: Agent) -> list[JsonObject]:
    """Return who the agent is in the cluster and what it may do there, in the order of creation."""
    return [
        _object("v1", "Namespace", {"name": agent.home, "labels": {**_RECORDED, **_RESTRICTED}}),
        _object("v1", "ServiceAccount", _in_home(agent, agent.id)),
        cluster_role(agent),
        _object(
            f"{_RBAC}/v1",
            "ClusterRoleBinding",
            {"name": agent.id, "labels": _RECORDED},
            roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": agent.id},
            subjects=[_subject(agent)],
        ),
        *_own_token(agent),
    ]


_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def manifest(agent: Agent, *, name_servers: bool = False) -> list[JsonObject]:
    """Return all of an agent that runs in the cluster; ``name_servers`` adds kcp's rights for tenants' DNS."""
    return [*rights(agent), *(_name_servers(agent) if name_servers else ()), _secret(agent), _deployment(agent)]


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
    """Return the agent's ClusterRole: rules by group, sorted, so that the same resources give the same object."""
    groups: dict[str, set[str]] = {}
    for group, plural in (*_ALWAYS, *agent.resources):
        if (group, plural) not in _NEVER:
            groups.setdefault(group, set()).add(plural)
    rules = [
        _rule("", ["namespaces"], ["get", "list", "watch", "create", "delete"]),
        _rule("", ["pods"], _READ),
        *(_rule(group, sorted(groups[group]), _WRITE) for group in sorted(groups)),
        _rule("authorization.k8s.io", ["selfsubjectaccessreviews"], ["create"]),
        # Whether a namespace can go depends on what others put into it, of whatever kind.
        _rule("*", ["*"], ["list"]),
    ]
    return _object(f"{_RBAC}/v1", "ClusterRole", {"name": agent.id, "labels": _RECORDED}, rules=rules)


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
        "strategy": {"type": "Recreate"},
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
        *agent.arguments,
    ]
    return {
        "name": CONTAINER,
        "image": agent.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["fairlead", "syncer"],
        "args": arguments,
        "env": [{"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
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
