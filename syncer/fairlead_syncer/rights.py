"""
What the agent may do in the cluster, and how it comes by that in a namespace it made.

Across the cluster it may only see and make namespaces. What it may do in one stands in one ClusterRole, which it binds
to itself there, before anything else is done in it; a binding that a crash left out, or that somebody removed, is made
when it is missed. An agent in wide mode has the role everywhere already, and never binds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, Forbidden, NotFound
from fairlead_api.names import syncer_id
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.renewal import claims_of
from fairlead_syncer.target import SyncTarget

ROLE_BINDINGS = Gvr("rbac.authorization.k8s.io", "v1", "rolebindings")
_ROLES = Gvr("rbac.authorization.k8s.io", "v1", "clusterroles")
_REVIEWS = Gvr("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
_GROUP = "rbac.authorization.k8s.io"
_VERBS = ("get", "list", "watch", "create", "patch", "delete")
_FIRST_LOOK_S, _LOOKS = 0.005, 11
"""A binding is in force within milliseconds; it is waited for up to ten seconds, with twice the pause each time."""
_log = structlog.get_logger(__name__)


class Rights:
    """
    Holds rights namespace by namespace.

    Args:
        cluster: As the agent's own user there.
        target: Whose agent this is: the role is named after it.
        sleep: Waits; for tests.
    """

    def __init__(
        self, cluster: Client, target: SyncTarget, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._cluster = cluster
        self._role = f"{syncer_id(target.name, target.uid)}-namespace"
        self._sleep = sleep
        self._held: set[str] = set()
        self.unseen: dict[str, list[str]] = {}
        """Kinds that could not be listed, by namespace that must go and may not before they were."""

    async def hold(self, namespace: str) -> None:
        """
        Have our rights in a namespace of ours, in force; at no cost when that is known.

        Raises:
            Conflict: They are not in force, though nothing refused us; try again.
            ApiError, Unreachable: The cluster did not take the binding.
        """
        if namespace in self._held:
            return
        if not await self._rules(namespace):
            await self._bind(namespace)
            await self._until_in_force(namespace)
        self._held.add(namespace)

    def forget(self, namespace: str) -> None:
        """Take note that a namespace is gone or going, and what was bound in it."""
        self._held.discard(namespace)

    async def regain(self, namespace: str) -> bool:
        """Have our rights again where we were refused; return whether they had been lost."""
        self.forget(namespace)
        if await self._rules(namespace):
            self._held.add(namespace)
            return False
        await self.hold(namespace)
        return True

    def made(self, gvr: Gvr, item: JsonObject) -> bool:
        """Tell whether an object is our binding: named like our role, and to it."""
        is_named = gvr.group == _GROUP and gvr.resource == "rolebindings" and item["metadata"]["name"] == self._role
        return is_named and (item.get("roleRef") or {}).get("name") == self._role

    async def review(self, gvrs: Sequence[Gvr]) -> tuple[list[Gvr], list[Gvr]]:
        """
        Divide resources into those we may sync and others.

        What is not ours everywhere must be in our role. An error counts as yes, so that a hiccup stops nothing.
        """
        allowed: list[Gvr] = []
        rest: list[Gvr] = []
        for gvr in gvrs:
            (allowed if await self._everywhere(gvr) else rest).append(gvr)
        if not rest:
            return allowed, []
        try:
            rules = (await self._cluster.get(_ROLES, self._role)).get("rules") or ()
        except (Forbidden, NotFound):
            return allowed, rest
        except (ApiError, Unreachable):
            return list(gvrs), []
        refused = [gvr for gvr in rest if not _grants(rules, gvr)]
        return [gvr for gvr in gvrs if gvr not in refused], refused

    async def _everywhere(self, gvr: Gvr) -> bool:
        for verb in _VERBS:
            if not await self._may({"group": gvr.group, "resource": gvr.resource, "verb": verb}, otherwise=True):
                return False
        return True

    async def _rules(self, namespace: str) -> bool:
        """Tell whether our role is in force in a namespace, by a right that we have by it alone."""
        asked = {"resource": "namespaces", "namespace": namespace, "name": namespace, "verb": "delete"}
        return await self._may(asked, otherwise=None)

    async def _may(self, attributes: JsonObject, *, otherwise: bool | None) -> bool:
        """Ask the cluster what we may; an error is raised unless there is an answer to give ``otherwise``."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = await self._cluster.create(_REVIEWS, review)
        except (ApiError, Unreachable):
            if otherwise is None:
                raise
            return otherwise
        return bool(answer["status"].get("allowed"))

    async def _bind(self, namespace: str) -> None:
        subject = await self._subject()
        binding = {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": self._role, "labels": {"app.kubernetes.io/part-of": "fairlead"}},
            "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": self._role},
            "subjects": [subject],
        }
        try:
            await self._cluster.create(ROLE_BINDINGS, binding, namespace=namespace)
        except AlreadyExists:
            return  # from before a crash, or not in force yet; if it is not ours we shall never rule
        _log.info("took rights", namespace=namespace, role=self._role)

    async def _until_in_force(self, namespace: str) -> None:
        """Wait until the cluster has heard of a binding: its authorizer learns of it a little later than its store."""
        wait_s = _FIRST_LOOK_S
        for _ in range(_LOOKS):
            if await self._rules(namespace):
                return
            await self._sleep(wait_s)
            wait_s *= 2
        raise Conflict(f"the agent has no rights in namespace {namespace}, though rolebinding/{self._role} is there")

    async def _subject(self) -> JsonObject:
        claims = claims_of((await self._cluster.transport.authorization()).removeprefix("Bearer "))
        if claims is None:
            raise Forbidden("the agent is no service account of the cluster, and may not write in its namespaces")
        return {"kind": "ServiceAccount", "name": claims.account, "namespace": claims.namespace}


def _grants(rules: Iterable[JsonObject], gvr: Gvr) -> bool:
    """Tell whether a role's rules allow all that syncing a resource takes."""
    granted: set[str] = set()
    for rule in rules:
        of_group = {gvr.group, "*"} & set(rule.get("apiGroups") or ())
        of_resource = {gvr.resource, "*"} & set(rule.get("resources") or ())
        if of_group and of_resource and not rule.get("resourceNames"):
            granted.update(rule.get("verbs") or ())
    return "*" in granted or granted.issuperset(_VERBS)
