"""
Who asks for what: the caller and the parsed Kubernetes request.

Source: k8s.io/apiserver/pkg/endpoints/request (RequestInfo), k8s.io/apiserver/pkg/authentication/user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, MethodNotAllowed

_VERBS = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "GET": "get",
    "DELETE": "delete",
}
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class User:
    """
    An authenticated caller.

    ``extra`` maps lower-case keys to lists of values, as in ``authentication.k8s.io/v1 UserInfo``.
    """

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_master(self) -> bool:
        """True for members of ``system:masters``, whom no authorizer refuses."""
        return "system:masters" in self.groups

    def as_json(self) -> JsonObject:
        """Return the user as ``authentication.k8s.io/v1 UserInfo``: what is empty is left out."""
        info: JsonObject = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return info


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
SYSTEM = User("system:fairlead", ("system:masters", "system:authenticated"))
"""The control plane acting for itself (controllers, bootstrap)."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """
    What a request is about, once its path and query are parsed.

    Attributes:
        cluster: Logical cluster NAME (resolved, never a path), ``*`` for all, ``""`` for no workspace at all.
        path: The rest of the path, starting with ``/api``, ``/apis`` or something else.
        is_resource: False for discovery, health, ``/version`` and so on; then only ``verb`` (lower-case HTTP
            method) and ``path`` mean anything.
        verb: ``get list watch create update patch delete deletecollection`` (``proxy`` is not used).
        namespace: ``""`` for cluster-scoped requests. For the resource ``namespaces`` itself it equals ``name``.
        identity: API identity hash from ``resource:identity`` in wildcard requests, else ``""``.
    """

    cluster: str
    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    identity: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()


def parse_request(method: str, cluster: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """
    Parse a path below ``/clusters/<cluster>`` (or a bare one).

    Args:
        method: HTTP method, upper case.
        cluster: Resolved logical cluster name, ``*`` or ``""``.
        path: Decoded path without the cluster prefix.
        query: Decoded query, first value of each key; ``watch`` and ``fieldSelector`` are looked at.

    Raises:
        MethodNotAllowed: The method is none that resources have (HEAD and OPTIONS are not, as in Kubernetes).
        BadRequest: The path names an empty segment.

    Source: RequestInfoFactory.NewRequestInfo.
    """
    bare = RequestInfo(cluster, path, method.lower())
    segments = path.strip("/").split("/")
    if segments[0] == "api":
        group, rest = "", segments[1:]
    elif segments[0] == "apis" and len(segments) > 1:
        group, rest = segments[1], segments[2:]
    else:
        return bare
    if len(rest) < 2:
        return bare
    if "" in rest:
        raise BadRequest(f"the path {path!r} has an empty segment")
    version, rest = rest[0], rest[1:]
    verb = _VERBS.get(method)
    if verb is None:
        raise MethodNotAllowed("the server does not allow this method on the requested resource")
    if rest[0] == "watch" and len(rest) > 1:  # the deprecated /watch/ prefix, which old clients still send
        verb, rest = "watch", rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource, _, identity = rest[0].partition(":")
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    verb = _collection_verb(verb, name, query)
    return RequestInfo(
        cluster,
        path,
        verb,
        True,
        group,
        version,
        namespace,
        resource,
        identity,
        subresource,
        name,
        tuple(rest),
    )


def _collection_verb(verb: str, name: str, query: Mapping[str, str]) -> str:
    """Tell list, watch and deletecollection from get and delete."""
    watching = query.get("watch", "false").lower() not in {"0", "f", "false"}
    if verb == "get" and not name:
        return "watch" if watching else "list"
    if verb == "delete" and not name:
        return "deletecollection"
    return verb
