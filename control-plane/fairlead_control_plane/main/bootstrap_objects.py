"""
What a new installation starts with, as objects: types, rights, exports of root and of root:compute.

Source: kcp-core 1.5, 2.8, 4.4; kcp-workload 2.12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairlead_api import JsonObject
from fairlead_control_plane.auth.bootstrap import ROOT_OBJECTS
from fairlead_control_plane.sharing.objects import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, SHARDS, WORKSPACE_TYPES
from fairlead_control_plane.sharing.policy import PREFIX

Made = tuple[tuple[str, str], JsonObject]
"""A kind as (group, plural), and an object without what the server sets."""

SYSTEM_EXPORTS = ("tenancy.kcp.io", "topology.kcp.io", "scheduling.kcp.io", "workload.kcp.io", "apiresource.kcp.io")
"""Root's exports, each of the kinds of its own group; universal workspaces bind all of them."""

COMPUTE = "compute"
COMPUTE_EXPORT = "kubernetes"
COMPUTE_SCHEMA_PREFIX = "v136"
COMPUTE_ANNOTATION = "extra.apis.kcp.io/compute.workload.kcp.io"
SKIP_DEFAULT_OBJECTS = "workload.kcp.io/skip-default-object-creation"

_AUTHENTICATED = "system:authenticated"
_RBAC = "rbac.authorization.k8s.io"


def _type(name: str, spec: JsonObject) -> Made:
    return WORKSPACE_TYPES, {"metadata": {"name": name}, "spec": spec}


def _in_root(*type_names: str) -> list[JsonObject]:
    return [{"path": "root", "name": name} for name in type_names]


def workspace_types() -> list[Made]:
    """Return the built-in WorkspaceTypes."""
    universal = {"path": "root", "name": "universal"}
    extends = {"with": [universal]}
    return [
        _type(
            "universal",
            {
                "initializer": True,
                "defaultAPIBindings": [{"path": "root", "export": export} for export in SYSTEM_EXPORTS],
                "defaultChildWorkspaceType": universal,
            },
        ),
        _type(
            "root",
            {
                "extend": extends,
                "limitAllowedParents": {"none": True},
                "defaultChildWorkspaceType": {"path": "root", "name": "organization"},
            },
        ),
        _type(
            "organization",
            {
                "extend": extends,
                "limitAllowedParents": {"types": _in_root("root")},
                "limitAllowedChildren": {"types": _in_root("universal")},
                "defaultChildWorkspaceType": universal,
            },
        ),
        _type(
            "team",
            {
                "extend": extends,
                "limitAllowedParents": {"types": _in_root("organization", "team")},
                "defaultChildWorkspaceType": universal,
            },
        ),
        _type(
            "home",
            {"extend": extends, "limitAllowedParents": {"none": True}, "defaultChildWorkspaceType": universal},
        ),
    ]


def shard(external_url: str) -> Made:
    """Return the one shard, as a Shard object of root."""
    spec = {"baseURL": external_url, "externalURL": external_url, "virtualWorkspaceURL": external_url}
    return SHARDS, {"metadata": {"name": "root"}, "spec": spec}


def _rule(
    groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str], *, only: Sequence[str] = ()
) -> JsonObject:
    rule: JsonObject = {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}
    return {**rule, "resourceNames": list(only)} if only else rule


def _role(name: str, *rules: JsonObject) -> Made:
    return CLUSTER_ROLES, {"metadata": {"name": name}, "rules": list(rules)}


def _granted(name: str, role: str, group: str) -> Made:
    subject = {"apiGroup": _RBAC, "kind": "Group", "name": group}
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
    return CLUSTER_ROLE_BINDINGS, {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}


def _role_for(role: str, group: str, *rules: JsonObject) -> list[Made]:
    """Return a ClusterRole and a binding of the same name that gives it to a group."""
    return [_role(role, *rules), _granted(role, role, group)]


def root_rights() -> list[Made]:
    """Return who may do what in root: enter, look, use types, have a home, bind root's exports and use them."""
    kinds = {"ClusterRole": CLUSTER_ROLES, "ClusterRoleBinding": CLUSTER_ROLE_BINDINGS}
    made: list[Made] = [(kinds[obj["kind"]], {**obj, "metadata": dict(obj["metadata"])}) for obj in ROOT_OBJECTS]
    for export in SYSTEM_EXPORTS:
        made += _export_rights(export)
    everything = _rule(["*"], ["*"], ["*"])
    return made + _role_for(
        "system:kcp:apiexport:admin:maximal-permission-policy", f"{PREFIX}system:kcp:admin", everything
    )


def _export_rights(export: str) -> list[Made]:
    """Return who may bind an export of root, and at most what may be done with it."""
    prefix = f"system:kcp:apiexport:{export.removesuffix('.kcp.io')}"
    policy = [_rule([export], ["*"], ["*"])]
    if export == "tenancy.kcp.io":
        # Everything but workspaces/status: whoever could write it could make a workspace look like another.
        policy = [_rule([export], ["workspaces", "workspacetypes"], ["*"])]
    if export == "scheduling.kcp.io":
        policy.append(_rule(["scheduling.fairlead.io"], ["*"], ["get", "list", "watch"]))
    bind = _rule(["apis.kcp.io"], ["apiexports"], ["bind"], only=[export])
    return [
        *_role_for(f"{prefix}:bind", _AUTHENTICATED, bind),
        *_role_for(f"{prefix}:maximal-permission-policy", f"{PREFIX}{_AUTHENTICATED}", *policy),
    ]


def export(name: str, schemas: Iterable[JsonObject], *, annotations: JsonObject | None = None) -> JsonObject:
    """Return an APIExport of these schemas with a local maximal permission policy."""
    metadata = {"name": name, "annotations": annotations or {}}
    latest = [schema["metadata"]["name"] for schema in schemas]
    return {"metadata": metadata, "spec": {"latestResourceSchemas": latest, "maximalPermissionPolicy": {"local": {}}}}


def compute_rights() -> list[Made]:
    """Return who may bind ``kubernetes`` of root:compute, and at most what may be done with it: Pods are read-only."""
    full = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    read = ["get", "list", "watch"]
    policy = [
        _rule([""], ["services", "endpoints"], full),
        _rule(["apps"], ["deployments"], full),
        _rule(["discovery.k8s.io"], ["endpointslices"], full),
        _rule(["apps"], ["deployments/scale"], ["get", "patch", "update"]),
        _rule([""], ["services/status", "pods", "pods/status"], read),
        _rule(["apps"], ["deployments/status", "replicasets", "replicasets/status"], read),
        _rule([""], ["pods/exec", "pods/attach", "pods/portforward"], ["create", "get"]),
        _rule([""], ["pods/binding"], ["create"]),
        _rule([""], ["pods/ephemeralcontainers"], ["get", "patch", "update"]),
        _rule([""], ["pods/log"], ["get"]),
        _rule([""], ["pods/proxy", "services/proxy"], ["create", "delete", "get", "patch", "update"]),
    ]
    bind = _rule(["apis.kcp.io"], ["apiexports"], ["bind"], only=[COMPUTE_EXPORT])
    return [
        *_role_for("compute:apiexport:kubernetes:bind", _AUTHENTICATED, bind),
        *_role_for("compute:apiexport:kubernetes:maximal-permission-policy", f"{PREFIX}{_AUTHENTICATED}", *policy),
        *_entry(),
    ]


def _entry() -> list[Made]:
    """Return the right of everybody to enter root:compute and look at what it exports."""
    look = _rule(["apis.kcp.io"], ["apiexports", "apiresourceschemas"], ["get", "list", "watch"])
    return _role_for(
        "compute:authenticated:reader", _AUTHENTICATED, {"nonResourceURLs": ["/"], "verbs": ["access"]}, look
    )
