"""Which strategy each built-in kind has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.strategies import (
    access,
    addresses,
    admission_policies,
    autoscalers,
    certificates,
    claims,
    configuration,
    cron_jobs,
    definitions,
    device_claims,
    device_slices,
    disruption,
    endpoints,
    events,
    flow_control,
    ingresses,
    jobs,
    leases,
    namespaces,
    network_policies,
    nodes,
    persistent_volumes,
    pods,
    priorities,
    quotas,
    replication_controllers,
    revisions,
    runtime_classes,
    services,
    stateful_sets,
    storage,
    volume_attachments,
    webhooks,
    workloads,
)
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import validate_again, validate_builtin_finalizers

_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_STRATEGIES: Mapping[tuple[str, str], Strategy] = {
    ("", "configmaps"): configuration.CONFIG_MAP,
    ("", "endpoints"): endpoints.ENDPOINTS,
    ("", "events"): events.CORE_EVENT,
    ("", "limitranges"): quotas.LIMIT_RANGE,
    ("", "namespaces"): namespaces.NAMESPACE,
    ("", "nodes"): nodes.NODE,
    ("", "persistentvolumeclaims"): claims.CLAIM,
    ("", "persistentvolumes"): persistent_volumes.PERSISTENT_VOLUME,
    ("", "pods"): pods.POD,
    ("", "podtemplates"): pods.POD_TEMPLATE,
    ("", "replicationcontrollers"): replication_controllers.REPLICATION_CONTROLLER,
    ("", "resourcequotas"): quotas.RESOURCE_QUOTA,
    ("", "secrets"): configuration.SECRET,
    ("", "serviceaccounts"): namespaces.SERVICE_ACCOUNT,
    ("", "services"): services.SERVICE,
    (_ADMISSION, "mutatingadmissionpolicies"): admission_policies.MUTATING_POLICY,
    (_ADMISSION, "mutatingadmissionpolicybindings"): admission_policies.MUTATING_BINDING,
    (_ADMISSION, "validatingadmissionpolicies"): admission_policies.VALIDATING_POLICY,
    (_ADMISSION, "validatingadmissionpolicybindings"): admission_policies.VALIDATING_BINDING,
    (_ADMISSION, "mutatingwebhookconfigurations"): webhooks.MUTATING,
    (_ADMISSION, "validatingwebhookconfigurations"): webhooks.VALIDATING,
    ("apiextensions.k8s.io", "customresourcedefinitions"): definitions.CUSTOM_RESOURCE_DEFINITION,
    ("apps", "controllerrevisions"): revisions.CONTROLLER_REVISION,
    ("apps", "daemonsets"): workloads.DAEMON_SET,
    ("apps", "deployments"): workloads.DEPLOYMENT,
    ("apps", "replicasets"): workloads.REPLICA_SET,
    ("apps", "statefulsets"): stateful_sets.STATEFUL_SET,
    ("autoscaling", "horizontalpodautoscalers"): autoscalers.AUTOSCALER,
    ("batch", "cronjobs"): cron_jobs.CRON_JOB,
    ("batch", "jobs"): jobs.JOB,
    ("certificates.k8s.io", "certificatesigningrequests"): certificates.SIGNING_REQUEST,
    ("coordination.k8s.io", "leases"): leases.LEASE,
    ("discovery.k8s.io", "endpointslices"): endpoints.ENDPOINT_SLICE,
    ("events.k8s.io", "events"): events.EVENT,
    ("networking.k8s.io", "ingressclasses"): ingresses.INGRESS_CLASS,
    ("networking.k8s.io", "ingresses"): ingresses.INGRESS,
    (flow_control.GROUP, "flowschemas"): flow_control.FLOW_SCHEMA,
    (flow_control.GROUP, "prioritylevelconfigurations"): flow_control.PRIORITY_LEVEL,
    ("networking.k8s.io", "ipaddresses"): addresses.IP_ADDRESS,
    ("networking.k8s.io", "networkpolicies"): network_policies.NETWORK_POLICY,
    ("networking.k8s.io", "servicecidrs"): addresses.SERVICE_CIDR,
    ("node.k8s.io", "runtimeclasses"): runtime_classes.RUNTIME_CLASS,
    ("policy", "poddisruptionbudgets"): disruption.DISRUPTION_BUDGET,
    (device_claims.GROUP, "deviceclasses"): device_claims.DEVICE_CLASS,
    (device_claims.GROUP, "resourceclaims"): device_claims.RESOURCE_CLAIM,
    (device_claims.GROUP, "resourceclaimtemplates"): device_claims.CLAIM_TEMPLATE,
    (device_claims.GROUP, "resourceslices"): device_slices.RESOURCE_SLICE,
    ("scheduling.k8s.io", "priorityclasses"): priorities.PRIORITY_CLASS,
    (storage.GROUP, "csidrivers"): storage.CSI_DRIVER,
    (storage.GROUP, "csinodes"): storage.CSI_NODE,
    (storage.GROUP, "csistoragecapacities"): storage.CSI_CAPACITY,
    (storage.GROUP, "storageclasses"): storage.STORAGE_CLASS,
    (storage.GROUP, "volumeattachments"): volume_attachments.VOLUME_ATTACHMENT,
    (storage.GROUP, "volumeattributesclasses"): storage.ATTRIBUTES_CLASS,
    (_RBAC, "clusterrolebindings"): access.CLUSTER_ROLE_BINDING,
    (_RBAC, "clusterroles"): access.CLUSTER_ROLE,
    (_RBAC, "rolebindings"): access.ROLE_BINDING,
    (_RBAC, "roles"): access.ROLE,
}

_ANY_FINALIZER = frozenset(
    {_ADMISSION, "apiextensions.k8s.io", "apiregistration.k8s.io", "coordination.k8s.io", "node.k8s.io"}
)
_CONDITIONAL = frozenset(
    {
        "apiservices.apiregistration.k8s.io", "csidrivers.storage.k8s.io", "csinodes.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io", "customresourcedefinitions.apiextensions.k8s.io",
        "leases.coordination.k8s.io", "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io", "poddisruptionbudgets.policy",
        "runtimeclasses.node.k8s.io", "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io", "volumeattachments.storage.k8s.io",
    }
)  # fmt: skip
"""Kinds that Kubernetes updates only with a resourceVersion."""
_WITH_EXPRESSIONS = frozenset(
    {
        "customresourcedefinitions.apiextensions.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "deviceclasses.resource.k8s.io",
        "resourceclaims.resource.k8s.io",
        "resourceclaimtemplates.resource.k8s.io",
    }
)


def strategy_of(group: str, plural: str, *, has_status: bool) -> Strategy:
    """Return the strategy of a built-in resource; the generic one for those without their own."""
    name = f"{plural}.{group}"
    strategy = replace(
        _STRATEGIES.get((group, plural)) or generic_strategy(group, plural, has_status=has_status),
        demands_version=name in _CONDITIONAL,
        has_expressions=name in _WITH_EXPRESSIONS,
    )
    if group in _ANY_FINALIZER or (group, plural) == ("", "events"):
        return strategy
    validate = strategy.validate
    check_change = strategy.validate_change
    if check_change is None and (group, plural) in _STRATEGIES:
        check_change = _all_again(strategy)
    return replace(
        strategy,
        validate=lambda obj: [*(validate(obj) if validate else ()), *validate_builtin_finalizers(obj)],
        validate_change=None if check_change is None else _with_finalizers(check_change),
        subresources={
            name: part if part.validate is None else replace(part, validate=_with_finalizers(part.validate))
            for name, part in strategy.subresources.items()
        },
    )


_Change = Callable[[JsonObject, JsonObject], Sequence[Cause]]


def _all_again(strategy: Strategy) -> _Change:
    """Return what is checked of an update of kinds that have all of the new object checked once more."""
    validate, compare, check_name = strategy.validate, strategy.validate_update, strategy.validate_name

    def check(new: JsonObject, old: JsonObject) -> list[Cause]:
        causes = [*validate_again(new, check_name), *(validate(new) if validate else ())]
        return causes if compare is None else [*causes, *compare(new, old)]

    return check


def _with_finalizers(check: _Change) -> _Change:
    return lambda new, old: [*check(new, old), *validate_builtin_finalizers(new)]
