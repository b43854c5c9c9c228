"""
``kubectl fairlead cluster approve``: let a set of held deletions go, and no other.

What is approved is the set that was shown: its digest is written on the SyncTarget, and the agent compares.
"""

from __future__ import annotations

import click

from fairlead_api import JsonObject
from fairlead_cli import draining, registering
from fairlead_cli.failure import Failure
from fairlead_cli.options import Server
from fairlead_cli.session import connected


def held_by(target: JsonObject) -> JsonObject:
    """Return the deletions a SyncTarget's agent holds: ``digest``, ``count``, ``examples``; ``{}`` for none."""
    return (target.get("status") or {}).get("heldDeletions") or {}


def shown(held: JsonObject) -> str:
    """Return for people what is held, a line for each example."""
    examples = held.get("examples") or []
    lines = [f"Held deletions: {held['count']} (set {held['digest']})", *(f"  {one}" for one in examples)]
    if held["count"] > len(examples):
        lines.append(f"  and {held['count'] - len(examples)} more")
    return "\n".join(lines)


async def approve(server: Server, name: str, digest: str, *, yes: bool) -> None:
    """
    Show what is held, ask, and approve exactly that.

    Args:
        server: Where the SyncTarget is.
        name: Its name.
        digest: The set the user has looked at; "" for the one that is held now.
        yes: Do not ask.

    Raises:
        Failure: Nothing is held, another set than ``digest`` is, or the user said no.
    """
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    async with connected(server) as session:
        held = held_by((await registering.get(session, name)).target)
        if not held:
            raise Failure(f"{name} holds no deletions")
        click.echo(shown(held), err=True)
        if digest and digest != held["digest"]:
            raise Failure(f"set {digest} is not what is held now", fix="look at it again: leave out --set")
        draining.confirm(yes)
        await session.here.patch(SYNC_TARGETS, name, {"spec": {"approvedDeletions": held["digest"]}})
    click.echo(f"synctarget.workload.kcp.io/{name} {held['count']} deletions approved")
