"""
``kubectl fairlead cluster remove --force``: give a cluster up. It always ends, and says what is left.

Every step has a deadline, and one that fails stops no other: the cluster may be away, its agent dead, a namespace stuck
on somebody's finalizer, the workspace gone. What is left is looked for in the cluster itself, or, when that cannot be
asked, computed and kept in the agent's folder, so that the same command says the same until nothing is left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from fairlead_api.errors import ApiError
from fairlead_api.names import syncer_id
from fairlead_cli import assignments, downstream
from fairlead_cli.assignments import Assigned
from fairlead_cli.downstream import Left
from fairlead_cli.failure import Failure
from fairlead_cli.output import Steps
from fairlead_cli.process import AgentFolder, default_folder
from fairlead_cli.session import Session, until

if TYPE_CHECKING:
    from fairlead_cli.registering import Registration
    from fairlead_machinery.client import Client

LEFTOVERS = "leftovers.json"
_STEP_S = 30.0
_STOP_S = 15.0
_SETTLE_S = 8.0
"""How long a namespace may take to say what keeps it."""


@dataclass(slots=True)
class Deadlines:
    """Runs steps, each under a deadline; what fails is said and passed over."""

    steps: Steps
    timeout_s: float
    failed: bool = field(default=False)

    async def run(self, what: str, work: Awaitable[object], done: str = "") -> bool:
        """Run one step; return whether it was done."""
        from fairlead_machinery.transport import Unreachable  # noqa: PLC0415 - only to talk

        try:
            async with asyncio.timeout(max(min(self.timeout_s, _STEP_S), _SETTLE_S + 1)):
                await work
        except TimeoutError:
            self.steps.failed(f"{what}: not done in time")
        except (ApiError, Failure, Unreachable, OSError) as error:
            self.steps.failed(f"{what}: {error}")
        else:
            if done:
                self.steps.done(done)
            return True
        self.failed = True
        return False


async def assigned(session: Session, registration: Registration, deadlines: Deadlines) -> list[Assigned]:
    """Return what runs there, as far as it can be known."""
    found: list[Assigned] = []

    async def ask() -> None:
        found.extend(await assignments.on_target(session, registration))

    await deadlines.run("what runs there cannot be seen", ask())
    return found


async def stop_process(folder: AgentFolder, uid: str) -> bool:
    """End the agent's process, if it runs on this machine; return whether it did."""
    if not folder.stop(uid):
        return False

    async def ended() -> bool | None:
        return None if folder.pid(uid) else True

    if await until(ended, _STOP_S) is None:
        folder.kill(uid)
    return True


async def take_out(cluster: Client, name: str, uid: str, deadlines: Deadlines) -> None:
    """Take the agent out of a cluster, with a deadline for each thing."""
    agent_id = syncer_id(name, uid)
    await deadlines.run("the agent's Deployment", downstream.stop_deployment(cluster, agent_id, agent_id))
    out = downstream.take_out(cluster, agent_id, agent_id, timeout_s=min(deadlines.timeout_s, _STEP_S) / 2)
    await deadlines.run("the agent's objects", out, "the agent and its rights are gone from the cluster")


async def forget(session: Session, registration: Registration, folder: AgentFolder, deadlines: Deadlines) -> bool:
    """Delete the SyncTarget; the folder goes with it."""
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    gone = session.here.delete(SYNC_TARGETS, registration.name, uid=registration.uid)
    done = f"SyncTarget {registration.name} is gone from {session.place.path}"
    if not await deadlines.run(f"SyncTarget {registration.name}", gone, done):
        return False
    if folder.record().get("uid") == registration.uid:
        folder.forget()
    return True


async def look(
    cluster: Client | None, name: str, uid: str, computed: Sequence[Left], deadlines: Deadlines
) -> list[Left]:
    """Return what is left in a cluster; what was computed when it cannot be asked."""
    found = list(computed)

    async def ask(there: Client) -> bool | None:
        found[:] = await downstream.left(there, name, uid)
        return None if any(one.why == downstream.GOING for one in found) else True  # what keeps it is not known yet

    if cluster is not None:
        there = cluster
        await deadlines.run("what is left cannot be seen", until(lambda: ask(there), _SETTLE_S))
    return found


def remembered(name: str) -> tuple[str, list[Left]]:
    """Return uid and leftovers of a cluster that was given up; "" and nothing when it was not."""
    try:
        kept = json.loads((default_folder(name) / LEFTOVERS).read_text())
        return str(kept["uid"]), [Left(*one) for one in kept["left"]]
    except (OSError, ValueError, KeyError, TypeError):
        return "", []


def report(name: str, uid: str, found: Sequence[Left], why: str) -> None:
    """
    Say what is left, and remember it for the next time.

    Args:
        why: What could not be looked at; "" when the cluster itself was asked.

    Raises:
        Failure: Something is left, or was not done.
    """
    folder = AgentFolder(default_folder(name))
    if not found:
        (folder.path / LEFTOVERS).unlink(missing_ok=True)
        folder.forget_if_empty()
        if why:
            raise Failure(f"{name} is given up", why)
        click.echo(f'cluster "{name}" removed; nothing is left')
        return
    folder.make()
    folder.write(LEFTOVERS, json.dumps({"uid": uid, "left": [[one.name, one.why] for one in found]}, indent=1))
    click.echo(f"Left in the cluster of {name}" + (f" (not looked at: {why}):" if why else ":"), err=True)
    for one in found:
        click.echo(f"  {one.name}" + (f"  {one.why}" if one.why else ""), err=True)
    fix = "look at each and delete it, then run this again"
    raise Failure(f"{name} is given up, but not emptied", f"{len(found)} left", fix)
