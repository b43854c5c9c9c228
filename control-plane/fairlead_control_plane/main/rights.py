"""What expressions of admission policies ask about rights, and about time zones: the answers of this program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.admission.contract import Plugin
from fairlead_control_plane.auth.authorize import CLUSTER_NAME, Authorizer
from fairlead_schema.cel.libraries.authz import Decision, Question

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rights:
    """Answers through the authorizer, which is there once the plugins are."""

    def __init__(self) -> None:
        self._authorizer: Authorizer | None = None

    def use(self, authorizer: Authorizer) -> Sequence[Plugin]:
        """Ask this authorizer from now on; adds no plugin."""
        self._authorizer = authorizer
        return ()

    async def __call__(self, user: User, cluster: str, question: Question) -> Decision:
        """Tell whether a user, or the account that the question is about, may do something in a logical cluster."""
        assert self._authorizer is not None
        if question.service_account is not None:
            user = _account(*question.service_account, cluster if self._authorizer.has_workspaces else "")
        if question.path:
            info = RequestInfo(cluster, question.path, question.verb)
        else:
            info = RequestInfo(
                cluster,
                "",
                question.verb,
                is_resource=True,
                group=question.group,
                version="*",
                namespace=question.namespace,
                resource=question.resource,
                subresource=question.subresource,
                name=question.name,
            )
        allowed, reason = await self._authorizer.authorize(user, info)
        return Decision(allowed, reason)


def _account(namespace: str, name: str, home: str) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    extra = {CLUSTER_NAME: (home,)} if home else {}
    return User(f"system:serviceaccount:{namespace}:{name}", groups, extra=extra)


def zone_offset(name: str, seconds: int) -> int | None:
    """Return the seconds east of UTC of a named time zone at a moment (seconds since 1970); None of an unknown one."""
    zone = _zone(name)
    if zone is None:
        return None
    try:
        offset = (_EPOCH + timedelta(seconds=seconds)).astimezone(zone).utcoffset()
    except OverflowError:  # at the ends of the calendar: zones had no rules then, nor will have
        offset = None
    return 0 if offset is None else int(offset.total_seconds())


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
