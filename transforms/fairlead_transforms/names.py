"""
Names that change on the way down, because the cluster has objects of its own under them.

Source: kcp TMC, name transformation of the spec syncer.
"""

from __future__ import annotations

from fairlead_transforms.policy import QUOTA_NAME, RULES

ROOT_CA = "kube-root-ca.crt"
_DOWN = {("", "configmaps", ROOT_CA): "kcp-root-ca.crt"}
_UP = {(group, resource, down): up for (group, resource, up), down in _DOWN.items()}

_TOKEN_SECRET = "kcp-token-"


class ReservedName(ValueError):
    """A user's object has the name that another of their objects takes downstream; it cannot be synced."""


def downstream_name(group: str, resource: str, name: str) -> str:
    """
    Return the name an upstream object gets in the cluster.

    Raises:
        ReservedName: Two upstream names would meet downstream (attack S69: ``kcp-root-ca.crt``), or one would be
            that of a pod's token, or of the namespace's quota (S70).
    """
    if (group, resource, name) in _UP:
        raise ReservedName(f"the name {name!r} is taken in the cluster by {_UP[group, resource, name]!r}; rename it")
    if (group, resource) in RULES and name == QUOTA_NAME:
        raise ReservedName(
            f"the name {name!r} is taken in the cluster by what holds its tenants to a policy; rename it"
        )
    if (group, resource) == ("", "secrets") and is_token_secret(name):
        raise ReservedName(
            f"names that begin with {_TOKEN_SECRET!r} are taken in the cluster by pods' tokens; rename it"
        )
    return _DOWN.get((group, resource, name), name)


def upstream_name(group: str, resource: str, name: str) -> str:
    """Return the upstream name of an object found in a namespace of ours."""
    return _UP.get((group, resource, name), name)


def token_secret(service_account: str) -> str:
    """Return the downstream Secret that holds a service account's workspace token; stable over rotation."""
    return _TOKEN_SECRET + service_account


def is_token_secret(name: str) -> bool:
    """Tell whether a downstream Secret of that name would hold a token."""
    return name.startswith(_TOKEN_SECRET)
