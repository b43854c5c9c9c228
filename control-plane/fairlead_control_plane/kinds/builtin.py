"""
The kinds that are there without anyone defining them, as records.

``workspaces`` is what every workspace serves by itself: configuration, access and extension, without nodes, pods and
workloads, which come in through a binding. ``cluster`` is all of Kubernetes.

Source: kcp "minimal API server"; Kubernetes serves GA versions unless told otherwise, and so do we.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Literal

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.autoscaler_conversion import AUTOSCALERS_V1
from fairlead_control_plane.kinds.event_conversion import EVENTS_CONVERSION
from fairlead_control_plane.kinds.printers.registry import columns_of
from fairlead_control_plane.kinds.record import Conversion, Resource, ScalePaths, Version
from fairlead_control_plane.kinds.schemas import builtin_schema, self_contained
from fairlead_control_plane.kinds.strategies.registry import strategy_of

Profile = Literal["workspaces", "cluster"]

_GA = re.compile(r"v\d+")
_COMPUTE = (
    ("apps", "deployments"), ("apps", "replicasets"), ("", "endpoints"), ("", "pods"), ("", "services"),
    ("discovery.k8s.io", "endpointslices"),
)  # fmt: skip
_WORKSPACE_CORE = frozenset(
    {"namespaces", "configmaps", "secrets", "serviceaccounts", "events", "resourcequotas", "limitranges"}
)
_WORKSPACE_GROUPS = frozenset(
    {
        "apiextensions.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
        "coordination.k8s.io", "events.k8s.io", "rbac.authorization.k8s.io",
    }
)  # fmt: skip
_WORKSPACE_POLICIES = frozenset(
    {
        "mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
        "validatingadmissionpolicies", "validatingadmissionpolicybindings",
    }
)  # fmt: skip
_CONVERSIONS: Mapping[tuple[str, str, str], Conversion] = {
    ("events.k8s.io", "v1", "events"): EVENTS_CONVERSION,
    ("autoscaling", "v1", "horizontalpodautoscalers"): AUTOSCALERS_V1,
}
_SELECTABLE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        ".spec.nodeName", ".spec.restartPolicy", ".spec.schedulerName", ".spec.serviceAccountName",
        ".spec.hostNetwork", ".status.phase", ".status.podIP", ".status.podIPs",
        ".status.nominatedNodeName",
    ),
    ("", "events"): (
        ".involvedObject.kind", ".involvedObject.namespace", ".involvedObject.name", ".involvedObject.uid",
        ".involvedObject.apiVersion", ".involvedObject.resourceVersion", ".involvedObject.fieldPath", ".reason",
        ".reportingComponent", ".source", ".type",
    ),
    ("events.k8s.io", "events"): (
        ".reason", ".regarding.kind", ".regarding.namespace", ".regarding.name", ".regarding.uid",
        ".regarding.apiVersion", ".regarding.resourceVersion", ".regarding.fieldPath", ".reportingController", ".type",
    ),
    ("", "secrets"): (".type",),
    ("", "namespaces"): (".status.phase",),
    ("", "nodes"): (".spec.unschedulable",),
    ("", "services"): (".spec.clusterIP", ".spec.type"),
    ("", "replicationcontrollers"): (".status.replicas",),
    ("batch", "jobs"): (".status.successful",),
    ("certificates.k8s.io", "certificatesigningrequests"): (".spec.signerName",),
    ("resource.k8s.io", "resourceslices"): (".spec.nodeName", ".spec.driver"),
}  # fmt: skip
_SCALE: Mapping[tuple[str, str], ScalePaths] = {
    ("apps", "deployments"): ScalePaths(label_selector=".spec.selector"),
    ("apps", "replicasets"): ScalePaths(label_selector=".spec.selector"),
    ("apps", "statefulsets"): ScalePaths(label_selector=".spec.selector"),
    ("", "replicationcontrollers"): ScalePaths(label_selector=".spec.selector"),
}
"""The selector is an object here, not a text: the registry prints it for ``status.selector`` of a Scale."""
_DEPRECATED: Mapping[tuple[str, str, str], str] = {
    ("", "v1", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
    ("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}


def builtin_resources(profile: Profile) -> tuple[Resource, ...]:
    """Return the resources of a profile in Kubernetes' discovery order."""
    found = _all().values()
    if profile == "cluster":
        return tuple(found)
    return tuple(resource for resource in found if _in_workspace(resource))


def _in_workspace(resource: Resource) -> bool:
    if not resource.group:
        return resource.plural in _WORKSPACE_CORE
    if resource.group == "admissionregistration.k8s.io":
        return resource.plural in _WORKSPACE_POLICIES
    return resource.group in _WORKSPACE_GROUPS


def compute_resources() -> tuple[Resource, ...]:
    """Return what ``root:compute`` exports: deployments, services, pods and what kubectl shows with them."""
    return tuple(_all()[name] for name in _COMPUTE)


def builtin_resource(group: str, plural: str) -> Resource | None:
    """Return a built-in resource of any profile."""
    return _all().get((group, plural))


def discovery_entry(group: str, version: str, plural: str) -> JsonObject | None:
    """Return what Kubernetes' discovery says of a resource (verbs, storageVersionHash, subresources)."""
    return _entries().get((group, version, plural))


@cache
def _entries() -> Mapping[tuple[str, str, str], JsonObject]:
    return {
        (listed["group"], listed["version"], entry["plural"]): entry
        for listed in facts.served()
        for entry in listed["resources"]
    }


@cache
def _all() -> Mapping[tuple[str, str], Resource]:
    found: dict[tuple[str, str], Resource] = {}
    for listed in facts.served():
        group, version = listed["group"], listed["version"]
        if not _GA.fullmatch(version):
            continue
        for entry in listed["resources"]:
            first = found.get((group, entry["plural"]))
            if first is None:
                found[group, entry["plural"]] = _resource(group, version, entry)
            else:
                other = replace(_version(group, version, entry), storage=False)
                found[group, entry["plural"]] = replace(first, versions=(*first.versions, other))
    return found


def _resource(group: str, version: str, entry: JsonObject) -> Resource:
    plural = entry["plural"]
    is_alias = (group, plural) == ("events.k8s.io", "events")
    strategy = strategy_of(group, plural, has_status=_has_status(entry))
    verbs = frozenset(entry["verbs"])
    if verbs != strategy.verbs:
        strategy = replace(strategy, verbs=verbs, virtual="get" not in verbs)
    return Resource(
        group=group,
        plural=plural,
        kind=entry["kind"],
        versions=(_version(group, version, entry),),
        namespaced=entry["namespaced"],
        singular=entry["singular"],
        list_kind=f"{entry['kind']}List" if "list" in verbs else "",
        short_names=tuple(entry.get("shortNames", ())),
        categories=tuple(entry.get("categories", ())),
        strategy=strategy,
        stored_as="core" if is_alias else "",
    )


def _has_status(entry: JsonObject) -> bool:
    return any(item["name"] == "status" for item in entry.get("subresources", ()))


def _version(group: str, version: str, entry: JsonObject) -> Version:
    plural = entry["plural"]
    subresources = frozenset(item["name"] for item in entry.get("subresources", ()))
    key = ("", "events") if plural == "events" else (group, plural)
    warning = _DEPRECATED.get((group, version, plural), "")
    return Version(
        name=version,
        schema=builtin_schema(facts.definition_name(group, version, entry["kind"])),
        subresources=subresources,
        scale=_SCALE.get(key) if "scale" in subresources else None,
        columns=columns_of(group, version, plural),
        selectable=_SELECTABLE.get((group, plural), ()),
        deprecated=bool(warning),
        deprecation_warning=warning,
        conversion=_CONVERSIONS.get((group, version, plural)),
    )


def as_api_resource_schema(resource: Resource, prefix: str) -> JsonObject:
    """
    Return the APIResourceSchema (apis.kcp.io/v1alpha1) that exports a built-in resource.

    Args:
        resource: Built in; its storage version is exported.
        prefix: Of the name, ``rev-1`` gives ``rev-1.deployments.apps``; the group of core is ``core`` there.

    Bound again, ``custom.resource_from_schema`` finds the built-in record by group, plural and kind: strategy,
    columns and compiled schema are the built-in ones.
    """
    version = resource.storage_version
    group = resource.group
    subresources: JsonObject = {}
    if "status" in version.subresources:
        subresources["status"] = {}
    if version.scale is not None:
        subresources["scale"] = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    names: JsonObject = {
        "plural": resource.plural,
        "singular": resource.singular,
        "kind": resource.kind,
        "listKind": resource.list_kind,
    }
    if resource.short_names:
        names["shortNames"] = list(resource.short_names)
    if resource.categories:
        names["categories"] = list(resource.categories)
    return {
        "apiVersion": "apis.kcp.io/v1alpha1",
        "kind": "APIResourceSchema",
        "metadata": {"name": f"{prefix}.{resource.plural}.{group or 'core'}"},
        "spec": {
            "group": group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [
                {
                    "name": version.name,
                    "served": True,
                    "storage": True,
                    "schema": self_contained(facts.definition_name(group, version.name, resource.kind)),
                    "subresources": subresources,
                }
            ],
        },
    }
