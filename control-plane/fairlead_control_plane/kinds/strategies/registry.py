"""Which strategy each built-in kind has."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.strategies import (
    access,
    configuration,
    definitions,
    events,
    leases,
    namespaces,
    nodes,
    pods,
    services,
    workloads,
)
from fairlead_control_plane.kinds.strategies.generic import generic_strategy

_RBAC = "rbac.authorization.k8s.io"
_STRATEGIES: Mapping[tuple[str, str], Strategy] = {
    ("", "configmaps"): configuration.CONFIG_MAP,
    ("", "endpoints"): services.ENDPOINTS,
    ("", "events"): events.EVENT,
    ("", "namespaces"): namespaces.NAMESPACE,
    ("", "nodes"): nodes.NODE,
    ("", "pods"): pods.POD,
    ("", "podtemplates"): pods.POD_TEMPLATE,
    ("", "replicationcontrollers"): workloads.REPLICATION_CONTROLLER,
    ("", "secrets"): configuration.SECRET,
    ("", "serviceaccounts"): namespaces.SERVICE_ACCOUNT,
    ("", "services"): services.SERVICE,
    ("apiextensions.k8s.io", "customresourcedefinitions"): definitions.CUSTOM_RESOURCE_DEFINITION,
    ("apps", "daemonsets"): workloads.DAEMON_SET,
    ("apps", "deployments"): workloads.DEPLOYMENT,
    ("apps", "replicasets"): workloads.REPLICA_SET,
    ("apps", "statefulsets"): workloads.STATEFUL_SET,
    ("coordination.k8s.io", "leases"): leases.LEASE,
    ("events.k8s.io", "events"): events.EVENT,
    (_RBAC, "clusterrolebindings"): access.CLUSTER_ROLE_BINDING,
    (_RBAC, "clusterroles"): access.CLUSTER_ROLE,
    (_RBAC, "rolebindings"): access.ROLE_BINDING,
    (_RBAC, "roles"): access.ROLE,
}


def strategy_of(group: str, plural: str, *, has_status: bool) -> Strategy:
    """Return the strategy of a built-in resource; the generic one for those without their own."""
    return _STRATEGIES.get((group, plural)) or generic_strategy(group, plural, has_status)
