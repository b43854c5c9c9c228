"""
``kubectl fairlead cluster remove``: empty it, take the agent out, forget it; nothing of ours is left there.

The SyncTarget goes last: until then a second run can finish what the first could not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from fairlead_api.errors import ApiError, NotFound
from fairlead_api.names import Locator, downstream_namespace, syncer_id
from fairlead_cli import assignments, cordoning, downstream, draining, forcing, registering
from fairlead_cli.assignments import Assigned, cluster_of
from fairlead_cli.downstream import Left
from fairlead_cli.failure import Failure
from fairlead_cli.forcing import Deadlines
from fairlead_cli.options import Server
from fairlead_cli.output import Steps
from fairlead_cli.process import AgentFolder, host_of
from fairlead_cli.registering import Registration
from fairlead_cli.session import Session, connected, duration_s

if TYPE_CHECKING:
    from fairlead_machinery.client import Client


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to remove, and how; see the command's help."""

    name: str
    force: bool
    yes: bool
    timeout_s: float
    state_directory: str

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any]) -> Wanted:
        """Read the command's flags."""
        timeout_s = duration_s(options["timeout"])
        return cls(name, options["force"], options["yes"], timeout_s, options["state_directory"])


async def remove(wanted: Wanted, *, upstream: Server, physical: Server) -> None:
    """
    Remove a cluster.

    Raises:
        Failure: It cannot be emptied or reached; what is left is named.
    """
    async with connected(upstream) as session:
        if wanted.force:
            await _force(session, wanted, physical)
            return
        registration = await registering.get(session, wanted.name)
        found = await assignments.on_target(session, registration)
        removal = Removal(registration, found, *_agents_place(registration, wanted))
        _confirm(wanted, found)
        async with AsyncExitStack() as stack:
            cluster, why = await _reach(stack, registration, removal.folder, physical)
            if cluster is None:
                raise _unreachable(registration, found, why)
            try:
                await _remove(session, removal, cluster, wanted)
            except asyncio.CancelledError:
                click.echo(f"{wanted.name} is not removed yet: run the same command again to finish", err=True)
                raise
    click.echo(f'cluster "{wanted.name}" removed')


def _confirm(wanted: Wanted, found: Sequence[Assigned]) -> None:
    moved = "to give up" if wanted.force else "to move"
    click.echo(
        f"Remove {wanted.name}: {draining.count(len(found), 'namespace')} {moved}, then its agent goes.", err=True
    )
    draining.confirm(wanted.yes)


def _agents_place(registration: Registration, wanted: Wanted) -> tuple[AgentFolder, str]:
    """Return the agent's folder, whether it is on this machine or not, and where its SyncTarget says the agent is."""
    where = str((registration.target["metadata"].get("annotations") or {}).get(registering.AGENT, ""))
    return AgentFolder.of(wanted.name, registration.uid, where, wanted.state_directory), where


async def _force(session: Session, wanted: Wanted, physical: Server) -> None:
    """Give a cluster up: every step has a deadline, and what is left is said."""
    deadlines = Deadlines(Steps(), wanted.timeout_s)
    try:
        registration = await registering.get(session, wanted.name)
    except (Failure, ApiError):
        uid, computed = forcing.remembered(wanted.name)
        if not uid:
            raise
        await _say_again(wanted, physical, uid, computed)
        return
    uid = registration.uid
    found = await forcing.assigned(session, registration, deadlines)
    folder, where = _agents_place(registration, wanted)
    _confirm(wanted, found)
    computed = [Left(name, why) for name, why in _computed(registration, found)]
    async with AsyncExitStack() as stack:
        cluster, why = await _reach(stack, registration, folder, physical)
        stopped = await forcing.stop_process(folder, uid)
        if cluster is not None:
            await forcing.take_out(cluster, wanted.name, uid, deadlines)
        if not stopped and (host := host_of(where)) and folder.record().get("uid") != uid:
            deadlines.steps.failed(f"its agent may still run as a process on {host}: it ends by itself")
        if not await forcing.forget(session, registration, folder, deadlines):
            why = f"SyncTarget {wanted.name} could not be removed"
        left = await forcing.look(cluster, wanted.name, uid, computed, deadlines)
    forcing.report(wanted.name, uid, left, why)


async def _say_again(wanted: Wanted, physical: Server, uid: str, computed: Sequence[Left]) -> None:
    """Go on with a cluster that was given up before: its SyncTarget, or the whole workspace, is gone."""
    deadlines = Deadlines(Steps(), wanted.timeout_s)
    if not physical.context:
        forcing.report(wanted.name, uid, computed, "which context is its is not known here: name it with --context")
        return
    async with downstream.reached(physical) as (cluster, local):
        why = ""
        try:
            await downstream.cluster_uid(cluster, local.context)
        except Failure as failure:
            why = failure.message
        else:
            await forcing.take_out(cluster, wanted.name, uid, deadlines)
        left = await forcing.look(None if why else cluster, wanted.name, uid, computed, deadlines)
    forcing.report(wanted.name, uid, left, why)


@dataclass(frozen=True, slots=True)
class Removal:
    """
    What is removed.

    Attributes:
        found: What ran there at the beginning.
        folder: Of its agent, if that is on this machine.
        where: Where its agent is, as its SyncTarget says.
    """

    registration: Registration
    found: Sequence[Assigned]
    folder: AgentFolder
    where: str


async def _remove(session: Session, removal: Removal, cluster: Client, wanted: Wanted) -> None:
    steps, registration, folder = Steps(), removal.registration, removal.folder
    agent_id = syncer_id(registration.name, registration.uid)
    await cordoning.drain(session.here, wanted.name)
    await draining.follow(session, registration, removal.found, wanted.timeout_s)
    stopped = await forcing.stop_process(folder, registration.uid)
    if stopped:
        steps.done("the agent's process has ended")
    stopped = await downstream.stop_deployment(cluster, agent_id, agent_id) or stopped
    is_here = folder.record().get("uid") == registration.uid
    if not stopped and not is_here and registering.is_ready(registration.target):
        host = host_of(removal.where)
        steps.failed(f"its agent still runs as a process{host and ' on ' + host}: end it there")
    await downstream.take_out(cluster, agent_id, agent_id)
    steps.done("the agent and its rights are gone from the cluster")
    await _forget(session, registration, folder)
    steps.done(f"SyncTarget {wanted.name} is gone from {session.place.path}")


async def _forget(session: Session, registration: Registration, folder: AgentFolder) -> None:
    """
    Delete the SyncTarget and the agent's folder; Ctrl-C comes too late for this last step, which takes a moment.

    Whoever said the same at the same time may have been faster.
    """
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    last = asyncio.ensure_future(session.here.delete(SYNC_TARGETS, registration.name, uid=registration.uid))
    with contextlib.suppress(NotFound):
        try:
            await asyncio.shield(last)
        except asyncio.CancelledError:
            await last
    if folder.record().get("uid") == registration.uid:
        folder.forget()


async def _reach(
    stack: AsyncExitStack, registration: Registration, folder: AgentFolder, physical: Server
) -> tuple[Client | None, str]:
    """
    Connect to the cluster; without it return None and why.

    Raises:
        Failure: The context is another cluster than the one joined.
    """
    record = folder.record()
    if not physical.context and record.get("uid") == registration.uid:
        if record.get("kubeconfig") and not physical.kubeconfig:
            os.environ["KUBECONFIG"] = str(record["kubeconfig"])  # several files: as they were when it was joined
        physical = Server(physical.kubeconfig, str(record.get("context", "")))
    if not physical.context:
        return None, "which context is its is not known here: name it with --context"
    cluster, local = await stack.enter_async_context(downstream.reached(physical))
    try:
        uid = await downstream.cluster_uid(cluster, local.context)
    except Failure as failure:
        return None, failure.message
    registering.check_context(registration.target, uid, local.context)
    return cluster, ""


def _unreachable(registration: Registration, found: Sequence[Assigned], why: str) -> Failure:
    fix = (
        f"when it is back run this again; or give it up with --force, which leaves {_what_is_left(registration, found)}"
    )
    return Failure(f"{registration.name} is not removed", why, fix)


def _computed(registration: Registration, found: Sequence[Assigned]) -> list[tuple[str, str]]:
    """Name what stays in a cluster nobody can reach, and what for."""
    agent_id = syncer_id(registration.name, registration.uid)
    ours = [
        *(f"{kind}/{agent_id}" for kind in ("namespace", "clusterrole", "clusterrolebinding")),
        f"clusterrole/{agent_id}-namespace",
        *(f"validatingadmissionpolicy{kind}/{agent_id}" for kind in ("binding", "")),
    ]
    left = [(one, "") for one in ours]
    for one in found:
        locator = Locator(
            registration.cluster, registration.name, registration.uid, cluster_of(one.body), one.namespace
        )
        left.append((f"namespace/{downstream_namespace(locator)}", f"of {one}"))
    return left


def _what_is_left(registration: Registration, found: Sequence[Assigned]) -> str:
    """Say it in one line."""
    return ", ".join(f"{name} ({why})" if why else name for name, why in _computed(registration, found))
