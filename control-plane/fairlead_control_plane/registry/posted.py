"""
What is posted to a subresource of an object and never stored: a binding, an eviction, a request for a token.

Source: k8s.io/kubernetes pkg/registry/core/rest (the kinds of these subresources).
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_control_plane.kinds.record import Resource, Version
from fairlead_control_plane.kinds.schemas import builtin_schema
from fairlead_control_plane.registry.call import Target


def _kind(group: str, plural: str, kind: str) -> Resource:
    package = group.partition(".")[0] or "core"
    schema = builtin_schema(f"io.k8s.api.{package}.v1.{kind}")
    return Resource(group, plural, kind, (Version("v1", schema),), namespaced=True)


_KINDS = {
    ("", "pods/binding"): _kind("", "bindings", "Binding"),
    ("", "pods/eviction"): _kind("policy", "evictions", "Eviction"),
    ("", "serviceaccounts/token"): _kind("authentication.k8s.io", "tokenrequests", "TokenRequest"),
}


def as_posted(target: Target) -> Target:
    """Return the target with the kind that bodies for its subresource are of."""
    kind = _KINDS[target.resource.group, f"{target.resource.plural}/{target.subresource}"]
    return replace(target, resource=kind, version=kind.versions[0])
