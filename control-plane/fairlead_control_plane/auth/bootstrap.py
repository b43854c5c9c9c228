"""
Roles and bindings that hold in every logical cluster: Kubernetes' defaults and kcp's.

``bootstrap_rbac.json`` holds what kube-apiserver v1.36.3 creates at its first start (``kubectl get
clusterroles,clusterrolebindings,roles,rolebindings -A -o json``, server-set fields dropped). kcp's are below.
They are read-only and resolved after a cluster's own objects, as kcp does with its ``system:admin``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.auth.rbac import Binding, Policy, parse_binding, parse_cluster_role, parse_rules

ADMIN_GROUP = "system:kcp:admin"
BOOTSTRAPPER_GROUP = "system:kcp:tenancy:workspace-bootstrapper"
LOGICAL_CLUSTER_ADMIN_GROUP = "system:kcp:logical-cluster-admin"

_ALL: JsonObject = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_ALL_URLS: JsonObject = {"nonResourceURLs": ["*"], "verbs": ["*"]}

_KCP_ROLES: dict[str, list[JsonObject]] = {
    "system:kcp:workspace:access": [{"nonResourceURLs": ["/"], "verbs": ["access"]}],
    "system:kcp:tenancy:reader": [
        {
            "apiGroups": ["tenancy.kcp.io"],
            "resources": ["workspaces", "workspacetypes"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": ["core.kcp.io"], "resources": ["logicalclusters"], "verbs": ["get", "list", "watch"]},
    ],
    "system:kcp:tenancy:workspace-bootstrapper": [_ALL, _ALL_URLS],
    "system:kcp:logical-cluster-admin": [
        {"apiGroups": ["core.kcp.io"], "resources": ["logicalclusters", "logicalclusters/status"], "verbs": ["*"]},
        {"apiGroups": ["tenancy.kcp.io"], "resources": ["workspaces"], "verbs": ["get", "update", "delete"]},
        {"nonResourceURLs": ["/"], "verbs": ["access"]},
    ],
}

_KCP_BINDINGS = {
    "system:kcp:admin:cluster-admin": ("cluster-admin", ADMIN_GROUP),
    "system:kcp:tenancy:workspace-bootstrapper": (BOOTSTRAPPER_GROUP, BOOTSTRAPPER_GROUP),
    "system:kcp:logical-cluster-admin": (LOGICAL_CLUSTER_ADMIN_GROUP, LOGICAL_CLUSTER_ADMIN_GROUP),
}

ROOT_OBJECTS: tuple[JsonObject, ...] = (
    {
        "kind": "ClusterRole",
        "metadata": {"name": "system:kcp:universal-workspacetype-use"},
        "rules": [
            {
                "apiGroups": ["tenancy.kcp.io"],
                "resources": ["workspacetypes"],
                "resourceNames": ["universal", "organization", "team"],
                "verbs": ["use"],
            }
        ],
    },
    {
        "kind": "ClusterRole",
        "metadata": {"name": "system:kcp:home-clusterworkspace-create"},
        "rules": [
            {
                "apiGroups": ["tenancy.kcp.io"],
                "resources": ["workspaces"],
                "resourceNames": ["~"],
                "verbs": ["create", "get"],
            }
        ],
    },
    *(
        {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}],
        }
        for name, role in (
            ("system:kcp:tenancy:authenticated:access", "system:kcp:workspace:access"),
            ("system:kcp:authenticated:tenancy:reader", "system:kcp:tenancy:reader"),
            ("system:kcp:authenticated:universal-workspacetype-use", "system:kcp:universal-workspacetype-use"),
            (
                "system:kcp:configured-group:home-clusterworkspace-create",
                "system:kcp:home-clusterworkspace-create",
            ),
        )
    ),
)
"""What kcp puts into the ``root`` workspace itself: everybody who is authenticated may enter it and look around."""


@cache
def kubernetes_objects() -> dict[str, list[JsonObject]]:
    """Return Kubernetes' default objects by plural: ``clusterRoles``, ``clusterRoleBindings`` and so on."""
    found: dict[str, list[JsonObject]] = orjson.loads(files(__package__).joinpath("bootstrap_rbac.json").read_bytes())
    return found


def shared_policy(*, workspaces: bool) -> Policy:
    """Return the policy common to all logical clusters; kcp's part only where there are workspaces."""
    objects = kubernetes_objects()
    roles = {each["metadata"]["name"]: parse_cluster_role(each) for each in objects["clusterRoles"]}
    bindings = [parse_binding(each) for key in ("clusterRoleBindings", "roleBindings") for each in objects[key]]
    if workspaces:
        for name, rules in _KCP_ROLES.items():
            roles[name] = parse_cluster_role({"metadata": {"name": name}, "rules": rules})
        bindings += [
            Binding("", name, "ClusterRole", role, (("Group", "", group),))
            for name, (role, group) in _KCP_BINDINGS.items()
        ]
    namespaced = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): parse_rules(each.get("rules"))
        for each in objects["roles"]
    }
    return Policy(roles, namespaced, tuple(bindings))
