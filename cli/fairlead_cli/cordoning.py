"""
Cordon, uncordon and drain: what is written on a SyncTarget. Every verb may be said twice.

Source: kcp v0.11, ``kubectl kcp workload`` (kcp-workload 3.2); merge patches, because ``replace`` of a member that is
not there fails with strict JSON Patch.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fairlead_api import JsonObject
from fairlead_cli.options import Server

if TYPE_CHECKING:
    from fairlead_machinery.client import Client


def is_cordoned(target: JsonObject) -> bool:
    """Tell whether a SyncTarget takes nothing new."""
    return bool((target.get("spec") or {}).get("unschedulable"))


def evict_after(target: JsonObject) -> str:
    """Return when a SyncTarget begins to be emptied; "" for never."""
    return str((target.get("spec") or {}).get("evictAfter") or "")


async def _patch(workspace: Client, name: str, spec: JsonObject) -> None:
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    await workspace.patch(SYNC_TARGETS, name, {"spec": spec})


async def _get(workspace: Client, name: str) -> JsonObject:
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    return await workspace.get(SYNC_TARGETS, name)


async def cordon(workspace: Client, name: str) -> bool:
    """Keep what runs, take nothing new; return whether that is news."""
    if is_cordoned(await _get(workspace, name)):
        return False
    await _patch(workspace, name, {"unschedulable": True})
    return True


async def uncordon(workspace: Client, name: str) -> bool:
    """Take work again and stop emptying; return whether that is news."""
    target = await _get(workspace, name)
    if not is_cordoned(target) and not evict_after(target):
        return False
    await _patch(workspace, name, {"unschedulable": False, "evictAfter": None})
    return True


async def drain(workspace: Client, name: str, at: str = "") -> bool:
    """
    Begin to empty a SyncTarget; return whether that is news.

    Args:
        workspace: Where the SyncTarget is.
        name: Its name.
        at: RFC 3339 time to begin at; now when empty, or an earlier time that was set before.
    """
    target = await _get(workspace, name)
    before = evict_after(target)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    after = at or (before if before and before <= now else now)
    if is_cordoned(target) and before == after:
        return False
    await _patch(workspace, name, {"unschedulable": True, "evictAfter": after})
    return True


_SAID = {"cordon": (cordon, "cordoned"), "uncordon": (uncordon, "uncordoned"), "drain": (drain, "draining")}


async def said(server: Server, name: str, verb: str) -> str:
    """
    Carry out a verb and return what kcp says of it: ``east cordoned``, ``east already cordoned``.

    Raises:
        Failure: There is no such SyncTarget; the message names where one is.
    """
    from fairlead_cli import registering  # noqa: PLC0415 - only to talk
    from fairlead_cli.session import connected  # noqa: PLC0415

    carry_out, past = _SAID[verb]
    async with connected(server) as session:
        await registering.get(session, name)
        news = await carry_out(session.here, name)
    return f"{name} {past if news else 'already ' + past}"
