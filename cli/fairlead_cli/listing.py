"""``kubectl fairlead cluster list`` and ``describe``."""

from __future__ import annotations

from collections import Counter

import click

from fairlead_api import JsonObject
from fairlead_cli import approving, assignments, cordoning, places, registering
from fairlead_cli.options import Server
from fairlead_cli.output import age, document, list_object, table
from fairlead_cli.process import IN_CLUSTER, AgentFolder, host_of
from fairlead_cli.registering import Registration
from fairlead_cli.session import Session, connected

_HEADER = ("NAME", "READY", "SCHEDULING", "VERSION", "SYNCER", "HEARTBEAT", "AGENT", "AGE")
_WIDE = (*_HEADER[:-1], "LABELS", "AGE")


async def list_clusters(server: Server, output: str) -> None:
    """Print the SyncTargets of a workspace."""
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    async with connected(server) as session:
        found, _ = await session.here.list(SYNC_TARGETS)
        if output in {"json", "yaml"}:
            click.echo(document(list_object(found), output))
            return
        if output == "name":
            for one in found:
                click.echo(_name(one))
            return
        if not found:
            await _say_none(session)
            return
        header = _WIDE if output == "wide" else _HEADER
        click.echo(table(header, [_row(one, wide=output == "wide") for one in found]))


async def _say_none(session: Session) -> None:
    """Say that there are none here, and where there are; clusters are seldom joined where people work."""
    click.echo(f"No clusters in {session.place.path}.", err=True)
    for path in places.ancestors(session.place.path)[1:]:
        if found := await registering.targets_of(session, path):
            click.echo(f"There are {len(found)} in {path}: kubectl fairlead cluster list -w {path}", err=True)
            return
    click.echo("Next: kubectl fairlead cluster join NAME --context CONTEXT", err=True)


def _name(target: JsonObject) -> str:
    return f"synctarget.workload.kcp.io/{target['metadata']['name']}"


def _row(target: JsonObject, *, wide: bool) -> tuple[str, ...]:
    status, name = target.get("status") or {}, str(target["metadata"]["name"])
    beat = str(status.get("lastSyncerHeartbeatTime") or "")
    version = str((status.get("properties") or {}).get("kubernetesVersion", "<unknown>"))
    first = (
        name,
        "True" if registering.is_ready(target) else "False",
        scheduling(target) + (",DeletionsHeld" if approving.held_by(target) else ""),
        version,
        syncer_version(target),
        age(beat) if beat else "<never>",
        _agent(target),
    )
    born = age(str(target["metadata"].get("creationTimestamp", "")))
    return (*first, _labels(target), born) if wide else (*first, born)


def syncer_version(target: JsonObject) -> str:
    """Return the version of a SyncTarget's agent, and whether that is one to be replaced."""
    status = target.get("status") or {}
    words = {"AgentOlder": "older", "AgentTooOld": "too old", "AgentTooNew": "too new"}
    marks = [words[one["reason"]] for one in status.get("conditions") or () if one.get("reason") in words]
    return str(status.get("syncerVersion") or "<unknown>") + "".join(f" ({mark})" for mark in marks)


def scheduling(target: JsonObject) -> str:
    """Return in one word whether a SyncTarget takes work."""
    if cordoning.evict_after(target):
        return "Draining"
    return "Cordoned" if cordoning.is_cordoned(target) else "Enabled"


def _labels(target: JsonObject) -> str:
    labels = target["metadata"].get("labels") or {}
    shown = [f"{key}={value}" for key, value in sorted(labels.items()) if not key.startswith("internal.")]
    return ",".join(shown) or "<none>"


def _agent(target: JsonObject) -> str:
    """Return where the agent is, and of one on this machine whether it runs and until when its token is good."""
    metadata = target["metadata"]
    where = str((metadata.get("annotations") or {}).get(registering.AGENT, ""))
    folder = AgentFolder.of(metadata["name"], metadata["uid"], where)
    record = folder.record()
    if record.get("uid") != metadata["uid"] or not record.get("process"):
        return "in-cluster" if where == IN_CLUSTER else host_of(where) or "<unknown>"
    pid = folder.pid(metadata["uid"])
    # Its token for the cluster is renewed by running join again (it says until when it is good).
    return (f"pid:{pid}" if pid else "ended") + f",until:{str(record.get('tokenExpires', '?')).partition('T')[0]}"


async def describe(server: Server, name: str, output: str) -> None:
    """
    Print one SyncTarget and what runs there.

    Raises:
        Failure: There is none of that name.
    """
    async with connected(server) as session:
        registration = await registering.get(session, name)
        if output in {"json", "yaml"}:
            click.echo(document(registration.target, output))
        elif output == "name":
            click.echo(_name(registration.target))
        else:
            await _describe(session, registration.target)


async def _describe(session: Session, target: JsonObject) -> None:
    metadata, status = target["metadata"], target.get("status") or {}
    found = await assignments.on_target(session, Registration(target, created=False))
    lines = [
        ("Name", metadata["name"]),
        ("Workspace", session.place.path),
        ("UID", metadata["uid"]),
        ("Labels", _labels(target)),
        ("Scheduling", scheduling(target) + (f" (from {at} on)" if (at := cordoning.evict_after(target)) else "")),
        ("Kubernetes", (status.get("properties") or {}).get("kubernetesVersion", "<unknown>")),
        ("Agent", f"{syncer_version(target)} {_agent(target)}"),
        ("Heartbeat", status.get("lastSyncerHeartbeatTime") or "<never>"),
    ]
    width = max(len(label) for label, _ in lines) + 2
    click.echo("\n".join(f"{label + ':':<{width}}{value}" for label, value in lines))
    click.echo("Conditions:")
    for one in status.get("conditions") or ():
        words = [one["type"], one["status"], one.get("reason", ""), one.get("message", "")]
        click.echo("  " + "  ".join(word for word in words if word))
    if held := approving.held_by(target):
        click.echo(approving.shown(held))
        click.echo(f"  to let them go: kubectl fairlead cluster approve {metadata['name']} --set {held['digest']}")
    click.echo("APIs:")
    for one in status.get("syncedResources") or ():
        name = ".".join(part for part in (one["resource"], one.get("group", "")) if part)
        click.echo(f"  {name}  {one.get('state', '')}")
    states = Counter(str(one.entry().get("state", "Sync")) for one in found)
    summary = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    click.echo(f"Namespaces: {summary}")
    for one in found[:50]:
        click.echo(f"  {one}  {one.entry().get('state', 'Sync')}")
