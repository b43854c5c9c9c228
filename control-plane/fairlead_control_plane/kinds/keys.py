"""
Where objects lie in the store.

``/<group or core>/<resource>/<identity or ->/<logical cluster>/<namespace or ->/<name>``: a wildcard list and a
workspace list are one range each, and an API rebound to another provider never shows the first one's data. No
segment may hold ``/``; names are validated before a key is made, so a neighbour like ``a-b`` never falls into the
range of ``a`` (ranges end at the separator).

Keys that hold no API objects start with another first segment: ``/views/``, ``/owners/``, ``/paths/``, ``/meta/``,
``/bin/``, ``/adoptions/``, ``/accepted/``. Those names cannot be API groups, which contain a dot or are Kubernetes'
own.
"""

from __future__ import annotations

from typing import NamedTuple

from fairlead_control_plane.kinds.record import Resource

NONE = "-"
"""Stands for "no identity" and "no namespace"; neither can be called that."""


class ObjectKey(NamedTuple):
    """A parsed object key."""

    group: str
    plural: str
    identity: str
    cluster: str
    namespace: str
    name: str


def object_key(resource: Resource, cluster: str, namespace: str, name: str) -> str:
    """
    Return the key of one object.

    Raises:
        ValueError: A segment is empty where it must not be, or contains ``/`` or NUL: a defect of the caller, which
            must have validated names; raised so that nothing is ever written to another workspace's range.
    """
    prefix = range_prefix(resource, cluster, namespace if resource.namespaced else NONE)
    return prefix + _segment(name)


def range_prefix(resource: Resource, cluster: str = "", namespace: str = "") -> str:
    """
    Return the prefix of a resource's objects: everywhere, in one cluster, or in one namespace of it.

    Args:
        resource: Whose objects.
        cluster: Logical cluster name; ``""`` for all.
        namespace: ``""`` for all of the cluster.
    """
    prefix = f"/{resource.stored_as or resource.group or 'core'}/{resource.plural}/{resource.identity or NONE}/"
    if cluster:
        prefix += _segment(cluster) + "/"
        if namespace:
            prefix += _segment(namespace) + "/"
    return prefix


def namespace_key(cluster: str, name: str) -> str:
    """Return the key of a Namespace, a kind that is the same in every workspace; to look it up, whatever its name."""
    return f"/core/namespaces/{NONE}/{cluster}/{NONE}/{name}"


def parse_key(key: str) -> ObjectKey:
    """Return the parts of an object key, with ``""`` for core, no identity and no namespace."""
    _, group, plural, identity, cluster, namespace, name = key.split("/")
    return ObjectKey(
        "" if group == "core" else group,
        plural,
        "" if identity == NONE else identity,
        cluster,
        "" if namespace == NONE else namespace,
        name,
    )


def _segment(text: str) -> str:
    if not text or "/" in text or "\0" in text:
        raise ValueError(f"{text!r} cannot be part of a store key")
    return text
