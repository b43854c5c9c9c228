"""How SyncTargets stand now, as far as a user may see them: what ``why`` and ``where`` add to the recorded decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli import approving, registering
from fairlead_cli.session import Session

if TYPE_CHECKING:
    from fairlead_machinery.client import Gvr

_ALWAYS = frozenset({("", "namespaces"), ("", "configmaps"), ("", "secrets")})
"""Sent to every cluster, beside what compute binds."""


async def read(session: Session, entries: Sequence[JsonObject]) -> dict[str, JsonObject]:
    """Return by uid the SyncTargets of some entries of an Assignment; those the user may not see are left out."""
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    found: dict[str, JsonObject] = {}
    for one in entries:
        try:
            target = await session.top.at(one["cluster"]).get(SYNC_TARGETS, one["name"])
        except (Forbidden, NotFound):
            continue
        if target["metadata"]["uid"] == one["uid"]:
            found[one["uid"]] = target
    return found


def is_sent(gvr: Gvr, targets: Mapping[str, JsonObject]) -> bool:
    """Tell whether objects of a resource are sent to clusters; True where nobody knows better."""
    if not targets or (gvr.group, gvr.resource) in _ALWAYS:
        return True
    synced = {
        (one.get("group", ""), one["resource"])
        for target in targets.values()
        for one in (target.get("status") or {}).get("syncedResources") or ()
    }
    return not synced or (gvr.group, gvr.resource) in synced


def stays(gvr: Gvr) -> str:
    """Return why objects of a resource are in no cluster."""
    return f"{gvr.resource} stay in the workspace; what compute binds, ConfigMaps and Secrets are sent to clusters"


def troubles(target: JsonObject, workspace: str) -> list[str]:
    """
    Return what is wrong with a SyncTarget, each with what to do.

    Args:
        target: The SyncTarget.
        workspace: Where it is.
    """
    name, found = target["metadata"]["name"], []
    if not registering.is_ready(target):
        conditions = (target.get("status") or {}).get("conditions") or ()
        said = next((one.get("message", "") for one in conditions if one["type"] == "Ready"), "") or "no heartbeat yet"
        found.append(f"{name} is not ready ({said}): it runs on there, but what is shown may be old")
    if held := approving.held_by(target):
        found.append(
            f"{name} holds {held['count']} deletions that came at once, until somebody looks at them: "
            f"kubectl fairlead cluster approve {name} -w {workspace}"
        )
    return found
