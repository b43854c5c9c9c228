"""
The maximal permission policy: what a provider lets anybody do with its API, whatever a workspace's own RBAC says.

Source: kcp-core 2.2, 2.8, 4.3 step 5.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.authorize import CLUSTER_NAME, seen_from
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.sharing.exports import Exports

PREFIX = "apis.kcp.io:binding:"
"""Stands before names of users and groups in the provider's RBAC when it speaks of those who bind its API."""

RbacAllows = Callable[[User, RequestInfo], Awaitable[bool]]
"""RBAC alone, in the logical cluster that the request info names."""


class MaximalPermissionPolicy:
    """
    Asks the provider's RBAC about requests on bound resources.

    Args:
        exports: Where policies are.
        allows: The provider's RBAC.
    """

    def __init__(self, exports: Exports, allows: RbacAllows) -> None:
        self._exports = exports
        self._allows = allows

    async def refusal(self, user: User, info: RequestInfo, resource: Resource | None) -> str:
        """
        Return why the policy refuses, ``""`` when it does not.

        Args:
            user: Who asks; ``system:masters`` are never refused.
            info: What for, in the consumer's cluster.
            resource: As the catalog has it for that cluster; None when there is no such resource.
        """
        provider, _, name = resource.owner.partition("/") if resource is not None else ("", "", "")
        if not name or resource is None or resource.origin == "crd" or user.is_master:
            return ""
        offer = await self._exports.offer(provider, name)
        if offer is None or not offer.local_policy:
            # A removed export no longer limits anybody (kcp at HEAD); what it offered is still served.
            return ""
        # Accounts are the consumer's; whom somebody acts as in the consumer's workspace is not that person here.
        known = user if CLUSTER_NAME in user.extra else seen_from(user, provider)
        if await self._allows(as_consumer(known), replace(info, cluster=provider)):
            return ""
        return f"access denied by the maximal permission policy of APIExport {provider}:{name}"


def as_consumer(user: User) -> User:
    """Return the user as a provider's RBAC knows it: name and every group prefixed, so it is nobody of its own."""
    groups = tuple(PREFIX + group for group in user.groups)
    return replace(user, name=PREFIX + user.name, groups=groups, extra={})
