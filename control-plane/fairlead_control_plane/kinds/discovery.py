"""
What a server says it serves: plain and aggregated discovery.

Source: k8s.io/apiserver/pkg/endpoints/discovery, KEP-3352 (aggregated discovery), k8s.io/apimachinery/pkg/version.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.builtin import discovery_entry
from fairlead_control_plane.kinds.record import Resource, Version

CRD_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}


def version_priority(name: str) -> tuple[int, int, int, str]:
    """Return a key that sorts versions best first: ``v2 v1 v1beta2 v1beta1 v1alpha1`` and others after, by name."""
    match = _VERSION.fullmatch(name)
    if match is None:
        return (1, 0, 0, name)
    # Stability weighs most, then the major number, then the number after alpha or beta.
    return (0, -_STABILITY[match[2]], -int(match[1]) * 1000 - int(match[3] or 0), "")


def group_versions(resources: Sequence[Resource]) -> dict[str, list[str]]:
    """Return the served versions of each group, groups in order of appearance, the preferred version first."""
    found: dict[str, list[str]] = {}
    for resource in resources:
        versions = found.setdefault(resource.group, [])
        versions += [one.name for one in resource.versions if one.served and one.name not in versions]
    return {group: sorted(versions, key=version_priority) for group, versions in found.items() if versions}


def etag(body: bytes) -> str:
    """Return the ETag of a document, in quotes: upper-case hexadecimal SHA-512."""
    return f'"{hashlib.sha512(body).hexdigest().upper()}"'


def api_versions(server_address: str) -> JsonObject:
    """Return ``/api``."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def api_group_list(resources: Sequence[Resource]) -> JsonObject:
    """Return ``/apis``."""
    named = ((group, versions) for group, versions in group_versions(resources).items() if group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*pair) for pair in named]}


def api_group(resources: Sequence[Resource], group: str) -> JsonObject | None:
    """Return ``/apis/<group>``; None when it is not served."""
    versions = group_versions(resources).get(group)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)} if versions and group else None


def _group(group: str, versions: Sequence[str]) -> JsonObject:
    listed = [{"groupVersion": f"{group}/{name}", "version": name} for name in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def api_resource_list(resources: Sequence[Resource], group: str, version: str) -> JsonObject | None:
    """Return ``/apis/<group>/<version>`` (``/api/v1`` for core); None when it is not served."""
    found = list(_of_version(resources, group, version))
    if not found:
        return None
    listed = [entry for resource, one in found for entry in _plain_entries(resource, one)]
    head: JsonObject = {"kind": "APIResourceList"}
    if group:
        head["apiVersion"] = "v1"
    return {**head, "groupVersion": f"{group}/{version}" if group else version, "resources": listed}


def _of_version(resources: Sequence[Resource], group: str, version: str) -> Iterator[tuple[Resource, Version]]:
    matching = (one for one in resources if one.group == group)
    for resource in sorted(matching, key=lambda one: one.plural):
        found = resource.version(version)
        if found is not None:
            yield resource, found


def has_group(resources: Sequence[Resource], path: str) -> bool:
    """Tell whether the group that a discovery path is about is served, in any version."""
    parts = path.split("/")[1:]
    return parts[:1] == ["api"] or any(resource.group == parts[1] for resource in resources if len(parts) > 1)


def verbs_of(resource: Resource) -> list[str]:
    """Return a resource's verbs in the order in which clients are told of them."""
    if not resource.storage_version.open_api:
        return sorted(resource.strategy.verbs)
    return [verb for verb in CRD_VERBS if verb in resource.strategy.verbs]


def storage_hash(resource: Resource) -> str:
    """Return the hash that tells clients when the storage version changed; empty for what is not stored."""
    if "get" not in resource.strategy.verbs:
        return ""
    entry = discovery_entry(resource.group, resource.storage_version.name, resource.plural)
    if entry is not None and entry["kind"] == resource.kind:
        return str(entry.get("storageVersionHash", ""))
    text = f"{resource.group}/{resource.storage_version.name}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _plain_entries(resource: Resource, version: Version) -> Iterator[JsonObject]:
    entry: JsonObject = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs_of(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if hash_ := storage_hash(resource):
        entry["storageVersionHash"] = hash_
    yield entry
    for sub in subresources_of(resource, version):
        plain: JsonObject = {
            "name": f"{resource.plural}/{sub['name']}",
            "singularName": "",
            "namespaced": resource.namespaced,
        }
        if (sub["group"], sub["version"]) != (resource.group, version.name):
            plain.update(group=sub["group"], version=sub["version"])
        yield {**plain, "kind": sub["kind"], "verbs": sub["verbs"]}


def subresources_of(resource: Resource, version: Version) -> list[JsonObject]:
    """Return ``{name, group, version, kind, verbs}`` of each subresource, by name."""
    entry = discovery_entry(resource.group, version.name, resource.plural) or {}
    known = {item["name"]: item for item in entry.get("subresources", ())} if resource.kind == entry.get("kind") else {}
    found = []
    # Kubernetes lists those of its own kinds by name, and of custom ones the status first.
    order = sorted(version.subresources, reverse=bool(version.open_api))
    for name in order:
        if name in known:
            found.append(known[name])
        elif name == "scale":
            kind = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            found.append({"name": name, **kind, "verbs": ["get", "patch", "update"]})
        else:
            kind = {"group": resource.group, "version": version.name, "kind": resource.kind}
            found.append({"name": name, **kind, "verbs": ["get", "patch", "update"]})
    return found


def aggregated(resources: Sequence[Resource], *, core: bool, version: str = "v2") -> JsonObject:
    """
    Return aggregated discovery of ``/api`` (``core``) or ``/apis``.

    Args:
        version: ``v2`` or ``v2beta1`` of apidiscovery.k8s.io, as the client asked.
    """
    items = [
        _aggregated_group(resources, group, versions)
        for group, versions in group_versions(resources).items()
        if (not group) == core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _aggregated_group(resources: Sequence[Resource], group: str, versions: Sequence[str]) -> JsonObject:
    listed = [
        {
            "version": name,
            "resources": [_aggregated_entry(*pair) for pair in _of_version(resources, group, name)],
            "freshness": "Current",
        }
        for name in versions
    ]
    return {"metadata": {"name": group} if group else {}, "versions": listed}


def _aggregated_entry(resource: Resource, version: Version) -> JsonObject:
    own = _kind_reference(resource, version, resource.group, version.name, resource.kind)
    entry: JsonObject = {
        "resource": resource.plural,
        "responseKind": own,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": verbs_of(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources: list[JsonObject] = [
        {
            "subresource": sub["name"],
            "responseKind": _kind_reference(resource, version, sub["group"], sub["version"], sub["kind"]),
            "verbs": sub["verbs"],
        }
        for sub in subresources_of(resource, version)
    ]
    if subresources:
        entry["subresources"] = subresources
    return entry


def _kind_reference(resource: Resource, version: Version, group: str, version_name: str, kind: str) -> dict[str, Any]:
    """Return a kind; Kubernetes leaves its own group and version out for built-in kinds and names them for CRDs."""
    is_own = (group, version_name) == (resource.group, version.name)
    if is_own and resource.origin == "builtin":
        return {"group": "", "version": "", "kind": kind}
    return {"group": group, "version": version_name, "kind": kind}
