"""From a request to its target: which resource, version and subresource, and whether it has the verb."""

from __future__ import annotations

from dataclasses import replace

from fairlead_api.errors import BadRequest, NoSuchPath, NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.record import Resource, Version
from fairlead_control_plane.registry import messages
from fairlead_control_plane.registry.call import Parts, Target

_WILDCARD_VERBS = frozenset({"list", "watch"})
_SUBRESOURCE_VERBS = {
    "status": frozenset({"get", "update", "patch"}),
    "scale": frozenset({"get", "update", "patch"}),
    "approval": frozenset({"get", "update", "patch"}),
    "finalize": frozenset({"update"}),
    "ephemeralcontainers": frozenset({"get", "update", "patch"}),
    "resize": frozenset({"get", "update", "patch"}),
}
_OTHER_SUBRESOURCE = frozenset({"create"})


async def find_target(parts: Parts, info: RequestInfo, user: User) -> Target:
    """
    Look up what a request is about.

    Raises:
        NotFound: There is no such resource, version or subresource in the logical cluster.
        MethodNotAllowed: It does not have the verb.
        BadRequest: A namespaced object is named without its namespace, or a name cannot be one.
    """
    resource = await parts.catalog.lookup(info.cluster, info.group, info.resource, info.identity)
    version = resource.version(info.version) if resource is not None else None
    if resource is None or version is None:
        raise await _nothing(parts, info)
    if info.subresource and info.subresource not in version.subresources:
        raise _no_subresource(resource, version, info)
    allowed = resource.strategy.verbs
    if info.subresource:
        allowed = _SUBRESOURCE_VERBS.get(info.subresource, _OTHER_SUBRESOURCE)
    if info.cluster == "*":
        allowed &= _WILDCARD_VERBS
    if info.verb not in allowed:
        raise messages.method_not_allowed()
    namespace = info.namespace if resource.namespaced else ""
    is_namespace = resource.plural == "namespaces" and info.namespace == info.name
    if not resource.namespaced and info.namespace and not is_namespace:
        raise messages.no_such_resource()
    _check_segments(namespace, info.name)
    if not info.name and info.verb in {"update", "patch"}:
        raise messages.method_not_allowed()
    if resource.namespaced and not namespace and info.verb not in {"list", "watch"}:
        raise messages.method_not_allowed() if not info.name else messages.no_such_resource()
    target = Target(
        resource,
        version,
        info.cluster,
        namespace,
        info.name,
        info.subresource,
        user,
        is_confined=parts.marks_cluster,  # where there are workspaces users are tenants
    )
    if version.deprecated:
        target.warnings.append(version.deprecation_warning or f"{target.api_version} {resource.kind} is deprecated")
    return target


def _no_subresource(resource: Resource, version: Version, info: RequestInfo) -> NotFound:
    """Return the 404 for a subresource; of custom kinds Kubernetes finds the path, and then nothing there."""
    if version.open_api and info.name:
        return messages.not_found(resource, info.name)
    return messages.no_such_resource()


async def _nothing(parts: Parts, info: RequestInfo) -> NotFound:
    """Return the 404 for a resource that is not there: of a group that is, or of one that nobody serves."""
    groups = {resource.group for resource in await parts.catalog.resources(info.cluster)}
    if info.group and info.group not in groups:
        return NoSuchPath("the server could not find the requested resource")
    return messages.no_such_resource()


def _check_segments(namespace: str, name: str) -> None:
    for segment in (namespace, name):
        if "/" in segment or "\0" in segment:
            raise BadRequest(f"invalid name {segment!r} in the path")


def target_of(collection: Target, key: str) -> Target:
    """Return the target of one object of a collection, by its store key."""
    parsed = keys.parse_key(key)
    return replace(
        collection, cluster=parsed.cluster, namespace=parsed.namespace, name=parsed.name, is_one_of_many=True
    )
