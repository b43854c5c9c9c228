"""
Which hosts an Ingress claims. A host belongs to one tenant with all its paths: cookies, certificates and a controller's
merging of rules are by host, so whoever has ``/login`` of it has its users.

Source: https://kubernetes.io/docs/concepts/services-networking/ingress; OpenShift's route admission ("host claimed").
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead_api import JsonObject

REST = ""
"""Claimed by a rule without a host, and by a default backend: whatever nobody has named."""


def claimed(ingress: JsonObject) -> frozenset[str]:
    """Return the hosts of an Ingress in lower case: names, ``*.domain``, or :data:`REST`."""
    return frozenset(host.lower().rstrip(".") for host in _hosts(ingress.get("spec") or {}))


def meet(one: str, other: str) -> bool:
    """
    Tell whether two claims cannot both be had, by two tenants.

    A wildcard meets all names below it, at any depth: controllers differ in that. What is named counts more than the
    rest everywhere, so the rest meets itself alone.
    """
    return one == other or _covers(one, other) or _covers(other, one)


def _hosts(spec: JsonObject) -> Iterator[str]:
    if spec.get("defaultBackend"):
        yield REST
    for rule in spec.get("rules") or ():
        yield rule.get("host") or REST
    for certificate in spec.get("tls") or ():
        yield from certificate.get("hosts") or ()


def _covers(wildcard: str, host: str) -> bool:
    return wildcard.startswith("*.") and host.endswith(wildcard[1:])
