"""The resources commands talk about. Imported by commands that talk only."""

from __future__ import annotations

from fairlead_machinery.client import Gvr

WORKSPACES = Gvr("tenancy.kcp.io", "v1alpha1", "workspaces")
LOGICAL_CLUSTERS = Gvr("core.kcp.io", "v1alpha1", "logicalclusters")
API_BINDINGS = Gvr("apis.kcp.io", "v1alpha1", "apibindings")
API_BINDINGS_V2 = Gvr("apis.kcp.io", "v1alpha2", "apibindings")
API_EXPORTS = Gvr("apis.kcp.io", "v1alpha1", "apiexports")
PLACEMENTS = Gvr("scheduling.kcp.io", "v1alpha1", "placements")
LOCATIONS = Gvr("scheduling.kcp.io", "v1alpha1", "locations")
SYNC_TARGETS = Gvr("workload.kcp.io", "v1alpha1", "synctargets")
ASSIGNMENTS = Gvr("scheduling.fairlead.io", "v1alpha1", "assignments")
NAMESPACES = Gvr("", "v1", "namespaces")
SERVICE_ACCOUNTS = Gvr("", "v1", "serviceaccounts")
SECRETS = Gvr("", "v1", "secrets")
PODS = Gvr("", "v1", "pods")
EVENTS = Gvr("", "v1", "events")
DEPLOYMENTS = Gvr("apps", "v1", "deployments")
CLUSTER_ROLES = Gvr("rbac.authorization.k8s.io", "v1", "clusterroles")
CLUSTER_ROLE_BINDINGS = Gvr("rbac.authorization.k8s.io", "v1", "clusterrolebindings")
ROLES = Gvr("rbac.authorization.k8s.io", "v1", "roles")
ROLE_BINDINGS = Gvr("rbac.authorization.k8s.io", "v1", "rolebindings")
POLICIES = Gvr("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies")
POLICY_BINDINGS = Gvr("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings")
