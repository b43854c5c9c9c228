"""
May this user do that: the chain of decisions, and the words of a refusal.

Source: kcp's authorizer chain; k8s.io/apiserver responsewriters for the texts.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from fairlead_api.errors import Forbidden
from fairlead_api.kinds.registry import OWN_KINDS
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.bootstrap import ADMIN_GROUP, BOOTSTRAPPER_GROUP, LOGICAL_CLUSTER_ADMIN_GROUP
from fairlead_control_plane.auth.policies import Policies

CLUSTER_NAME = "authentication.kubernetes.io/cluster-name"
"""Extra key that says to which logical cluster a service account belongs."""

SCOPES = "authentication.kcp.io/scopes"
"""Extra key that says where an impersonated user counts: ``cluster:<name>``; set by us alone."""

_NOBODY_ELSEWHERE = ("system:authenticated",)
ALWAYS_ALLOWED = frozenset({"/healthz", "/livez", "/readyz"})
_WITH_STATUS = frozenset((kind.group, kind.plural) for kind in OWN_KINDS if "status" in kind.subresources)
"""Our kinds whose status says what the control plane found and decided; it must never be told so by others."""
_READING = frozenset({"get", "list", "watch"})
_OPEN_PHASES = frozenset({"Initializing", "Ready"})


class Decision(NamedTuple):
    """The outcome; ``reason`` may be shown to the caller."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Workspace:
    """
    What authorization must know of a logical cluster.

    ``required_groups`` is the annotation's text: clauses joined by ``;`` of groups joined by ``,``.
    """

    phase: str = "Ready"
    required_groups: str = ""


Workspaces = Callable[[str], Awaitable[Workspace | None]]
"""Looks a logical cluster up by name; None when there is none."""

Guard = Callable[[User, RequestInfo], Awaitable[Decision | None]]
"""A further check that may decide (refuse, as a rule) before RBAC is asked; None leaves it open."""

_MASTER = Decision(True)
_DENIED = Decision(False, "access denied")
_NOT_THEIRS = Decision(False, "status is written by the control plane alone")
_NO_OPINION = Decision(False)


class Authorizer:
    """
    Decides. Without ``workspaces`` (``cluster`` profile) only RBAC is asked.

    Args:
        policies: RBAC by logical cluster.
        workspaces: Looks logical clusters up; None when there are none.
        guards: Asked in order after the workspace's own gate and before RBAC.
    """

    def __init__(
        self, policies: Policies, *, workspaces: Workspaces | None = None, guards: Sequence[Guard] = ()
    ) -> None:
        self.policies = policies
        self._workspaces = workspaces
        self._guards = tuple(guards)

    @property
    def has_workspaces(self) -> bool:
        """Tell whether there is more than one logical cluster."""
        return self._workspaces is not None

    async def authorize(self, user: User, info: RequestInfo) -> Decision:
        """Decide about one request."""
        if "system:masters" in user.groups:
            return _MASTER
        if self._workspaces is not None:
            if not info.is_resource and info.path in ALWAYS_ALLOWED:
                return _MASTER
            refused = await self._enter(user, info)
            if refused is not None:
                return refused
        for guard in self._guards:
            decision = await guard(user, info)
            if decision is not None:
                return decision
        reason = (await self.policies.index(info.cluster)).user(user).allows(info)
        return _NO_OPINION if reason is None else Decision(True, reason)

    async def require(self, user: User, info: RequestInfo) -> None:
        """
        Pass or refuse.

        Raises:
            Forbidden: Not allowed; worded as Kubernetes does.
        """
        decision = await self.authorize(user, info)
        if not decision.allowed:
            raise forbidden(user, info, decision.reason)

    async def may_enter(self, user: User, cluster: str) -> bool:
        """Tell whether a user may enter a workspace at all: to anybody else it is as if it did not exist."""
        if self._workspaces is None or "system:masters" in user.groups:
            return True
        return await self._enter(user, RequestInfo(cluster, "/", "access", False)) is None

    async def _enter(self, user: User, info: RequestInfo) -> Decision | None:
        """Decide whether the user may enter the workspace at all; None lets the next steps decide."""
        cluster = info.cluster
        if not cluster or cluster == "*" or cluster.startswith("system:"):
            return _DENIED
        home = user.extra.get(CLUSTER_NAME)
        if not counts_in(user, cluster):
            return _DENIED
        workspace = await self._workspace(cluster)
        if workspace is None or workspace.phase not in _OPEN_PHASES:
            return _DENIED
        passes = home is not None or LOGICAL_CLUSTER_ADMIN_GROUP in user.groups
        if not passes and not await self._has_access(user, cluster, workspace.required_groups):
            return _DENIED
        if info.subresource == "status" and (info.group, info.resource) in _WITH_STATUS and info.verb not in _READING:
            return _NOT_THEIRS
        return None

    async def _has_access(self, user: User, cluster: str, required_groups: str) -> bool:
        if not _in_required_groups(user, required_groups):
            return False
        return (await self.policies.index(cluster)).user(user).allows_url("access", "/") is not None

    async def _workspace(self, cluster: str) -> Workspace | None:
        return None if self._workspaces is None else await self._workspaces(cluster)


def counts_in(user: User, cluster: str) -> bool:
    """Tell whether a user is who they are in a logical cluster: accounts and impersonated users are so in one alone."""
    if user.extra.get(CLUSTER_NAME, (cluster,)) != (cluster,):
        return False
    return user.extra.get(SCOPES, (f"cluster:{cluster}",)) == (f"cluster:{cluster}",)


def seen_from(user: User, cluster: str) -> User:
    """
    Return a user as the RBAC of another logical cluster may know them.

    Whoever counts in their own alone is no more elsewhere than anybody who is authenticated: an account of the same
    name, or the person that somebody acted as, must lend them no rights.
    """
    if counts_in(user, cluster):
        return user
    groups = tuple(group for group in user.groups if group in _NOBODY_ELSEWHERE)
    return replace(user, name="system:anonymous", groups=groups, uid="")


def forbidden(user: User, info: RequestInfo, reason: str = "") -> Forbidden:
    """Return the refusal, worded as kube-apiserver does."""
    who = _quote(user.name)
    if not info.is_resource:
        text = f"User {who} cannot {info.verb} path {_quote(info.path)}"
        return Forbidden(_ending(f"forbidden: {_sanitized(text)}", reason))
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    where = f"in the namespace {_quote(info.namespace)}" if info.namespace else "at the cluster scope"
    text = f"User {who} cannot {info.verb} resource {_quote(resource)} in API group {_quote(info.group)} {where}"
    name = f"{info.resource}.{info.group}" if info.group else info.resource
    if info.name:
        name += f" {_quote(info.name)}"
    return Forbidden(
        _ending(f"{name} is forbidden: {_sanitized(text)}", reason),
        group=info.group,
        kind=info.resource,
        name=info.name,
    )


def _ending(message: str, reason: str) -> str:
    return f"{message}: {reason}" if reason else message


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _sanitized(text: str) -> str:
    """A refusal must never look like HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _in_required_groups(user: User, text: str) -> bool:
    """Tell whether the user is in all groups of one of the clauses; administrators always are."""
    if not text or ADMIN_GROUP in user.groups or BOOTSTRAPPER_GROUP in user.groups:
        return True
    groups = set(user.groups)
    return any(groups.issuperset(part.strip() for part in clause.split(",")) for clause in text.split(";"))
