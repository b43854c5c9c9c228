"""
``kubectl fairlead cluster drain``: the plan, the move, and what stands in its way.

The move itself is the control plane's; this command says what will happen, marks the SyncTarget, and follows the
Assignments. It may be ended and run again at any time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from fairlead_api import JsonObject
from fairlead_cli import assignments, blocking, cordoning, registering
from fairlead_cli.assignments import Assigned
from fairlead_cli.failure import TIMED_OUT, USAGE, Failure
from fairlead_cli.options import Server
from fairlead_cli.output import Steps, document
from fairlead_cli.registering import Registration
from fairlead_cli.session import Session, connected, duration_s, until

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What to drain, and how; see the command's help.

    Attributes:
        wait: None: wait unless the drain begins later.
    """

    name: str
    dry_run: bool = False
    yes: bool = False
    at: str = ""
    wait: bool | None = None
    timeout_s: float = 600.0
    output: str = ""

    @classmethod
    def of(cls, name: str, output: str, options: Mapping[str, Any]) -> Wanted:
        """
        Read the command's flags.

        Raises:
            Failure: The time cannot be read.
        """
        at = options["at"]
        try:
            begins = datetime.fromisoformat(at) if at else None
        except ValueError as error:
            raise Failure(f'invalid time "{at}"', fix="write it as 2030-01-01T00:00:00Z", code=USAGE) from error
        if begins is not None and begins.tzinfo is None:
            raise Failure(f'the time "{at}" has no zone', fix="end it with Z for UTC", code=USAGE)
        timeout_s = duration_s(options["timeout"])
        return cls(name, options["dry_run"], options["yes"], at, options["wait"], timeout_s, output)


@dataclass(frozen=True, slots=True)
class Step:
    """
    What the plan says of one namespace.

    Attributes:
        candidates: SyncTargets that can take it; empty when none can.
        reason: Why none can.
    """

    assigned: Assigned
    candidates: tuple[str, ...]
    reason: str = ""

    def as_json(self) -> JsonObject:
        """Return it for ``-o json``."""
        body = {"workspace": self.assigned.workspace, "namespace": self.assigned.namespace}
        return {**body, "candidates": list(self.candidates), "reason": self.reason}


async def drain(server: Server, wanted: Wanted) -> None:
    """
    Drain a SyncTarget.

    Raises:
        Failure: Something keeps it from being emptied in time (exit code 3), or nobody said yes.
    """
    async with connected(server) as session:
        registration = await registering.get(session, wanted.name)
        found = await assignments.on_target(session, registration)
        steps = await plan(session, registration, found)
        _print_plan(registration, steps, wanted.output)
        if wanted.dry_run:
            return
        confirm(wanted.yes)
        await cordoning.drain(session.here, wanted.name, wanted.at)
        later = bool(wanted.at) and datetime.fromisoformat(wanted.at) > datetime.now(UTC)
        click.echo(f"{wanted.name} draining" + (f" from {wanted.at} on" if later else ""))
        if wanted.wait is False or (later and wanted.wait is None):
            _refuse_stuck(steps)
            return
        await follow(session, registration, await assignments.on_target(session, registration), wanted.timeout_s)
        click.echo(f"{wanted.name} drained")
    click.echo(f"Next: kubectl fairlead cluster remove {wanted.name}, or cluster uncordon {wanted.name}")


def confirm(yes: bool) -> None:
    """
    Ask the user to go on.

    Raises:
        Failure: Nobody can be asked, or the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure("nobody is there to confirm", fix="say --yes", code=USAGE)
    if not click.confirm("Continue?", err=True):
        raise Failure("nothing was changed")


async def plan(session: Session, registration: Registration, found: Sequence[Assigned]) -> list[Step]:
    """Say for each namespace which SyncTargets can take it now."""
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    targets, _ = await session.here.list(SYNC_TARGETS)
    known = {one["metadata"]["uid"]: one for one in targets}
    return [_step(one, registration.uid, known) for one in found]


def _step(assigned: Assigned, uid: str, known: Mapping[str, JsonObject]) -> Step:
    judged = {
        one["uid"]: one
        for placement in assigned.decision.get("placements") or ()
        for one in placement.get("candidates") or ()
    }
    taken, refused = [], []
    for other in {**dict.fromkeys(known), **dict.fromkeys(judged)}:
        if other == uid:
            continue
        name, why = _judge(judged.get(other), known.get(other))
        if why:
            refused.append(f"{name} {why}")
        else:
            taken.append(name)
    reason = "; ".join(sorted(refused)) or "there is no other cluster"
    return Step(assigned, tuple(sorted(taken)), "" if taken else reason)


def _judge(decided: JsonObject | None, target: JsonObject | None) -> tuple[str, str]:
    """
    Return a candidate's name and why it cannot take the namespace; what can be seen now counts more than what was said.

    Args:
        decided: What the scheduler said of it, when the namespace was placed.
        target: The SyncTarget as it is now; None when it lies in another workspace.
    """
    if target is not None:
        name = str(target["metadata"]["name"])
        if not registering.is_ready(target):
            return name, "is not ready"
        if cordoning.evict_after(target):
            return name, "is being drained"
        if cordoning.is_cordoned(target):
            return name, "is cordoned and takes nothing new"
        lasting = decided is not None and decided.get("filter") == "APICompatible"
        return name, str(decided["message"]) if lasting and decided is not None else ""
    decided = decided or {}
    accepted = bool(decided.get("accepted"))
    return str(decided.get("name", "")), "" if accepted else str(decided.get("message") or "was refused")


def _print_plan(registration: Registration, steps: Sequence[Step], output: str) -> None:
    if output in {"json", "yaml"}:
        body = {"kind": "DrainPlan", "cluster": registration.name, "namespaces": [one.as_json() for one in steps]}
        click.echo(document(body, output))
        return
    if output == "name":
        for step in steps:
            click.echo(f"{step.assigned.workspace}/{step.assigned.namespace}")
        return
    workspaces = len({one.assigned.workspace for one in steps})
    stuck = [one for one in steps if not one.candidates]
    counts: dict[str, int] = {}
    for step in steps:
        if step.candidates:
            counts[" or ".join(step.candidates)] = counts.get(" or ".join(step.candidates), 0) + 1
    where = ", ".join(f"{names} ({count})" for names, count in counts.items()) or "nowhere"
    click.echo(
        f"Plan: {count(len(steps), 'namespace')} in {count(workspaces, 'workspace')} "
        f"{'leaves' if len(steps) == 1 else 'leave'} {registration.name} → {where}. "
        f"{len(stuck)} blocked" + (":" if stuck else ".")
    )
    for step in stuck:
        click.echo(f"  ! {step.assigned}: nowhere to go: {step.reason}")
    if output == "wide":
        for step in steps:
            click.echo(f"    {step.assigned} → {', '.join(step.candidates) or '-'}")


def count(number: int, noun: str) -> str:
    """Return ``1 namespace``, ``2 namespaces``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _refuse_stuck(steps: Sequence[Step]) -> None:
    """Fail at once for what has nowhere to go; it stays and runs on."""
    stuck = [f"{one.assigned}: nowhere to go: {one.reason}" for one in steps if not one.candidates]
    if stuck:
        raise Failure("; ".join(stuck), fix="join or uncordon another cluster", code=TIMED_OUT)


async def _check_draining(session: Session, registration: Registration) -> None:
    """Fail where somebody else ended the drain: what is empty now would be filled again."""
    name = registration.name
    target = await registering.find(session.here, name)
    if target is not None and not cordoning.evict_after(target):
        raise Failure(
            f"{name} is not drained", "somebody uncordoned it meanwhile", f"kubectl fairlead cluster drain {name}"
        )


async def follow(session: Session, registration: Registration, found: Sequence[Assigned], timeout_s: float) -> None:
    """
    Wait until no Assignment names the SyncTarget, with progress.

    Raises:
        Failure: It takes longer (exit code 3), and the message names what is not ready; or it takes work again.
        SystemExit: Ctrl-C; the drain goes on.
    """
    steps = Steps()
    if found:
        steps.note("Ctrl-C leaves it draining; the same command comes back to it")
    seen = {(one.workspace, one.namespace) for one in found}
    left = list(found)
    paths: dict[str, str] = {}

    async def emptied() -> bool | None:
        nonlocal left
        await _check_draining(session, registration)
        left = await assignments.on_target(session, registration, paths)
        seen.update((one.workspace, one.namespace) for one in left)
        gone = len(seen) - len(left)
        ready = gone + sum(one.is_ready_elsewhere() for one in left)
        if seen:
            steps.live(
                f"moving {len(left)} · ready on new cluster {ready}/{len(seen)} · "
                f"removed from {registration.name} {gone}/{len(seen)}"
            )
        return None if left else True

    try:
        if await until(emptied, timeout_s, every_s=_LOOK_S):
            steps.done(f"nothing is left on {registration.name}")
            return
    except asyncio.CancelledError:
        steps.note(
            f"{registration.name} goes on draining. Come back with: "
            f"kubectl fairlead cluster drain {registration.name}; end it with: cluster uncordon {registration.name}"
        )
        raise
    reasons = [reason for one in left for reason in await blocking.reasons(session, one)]
    for reason in reasons:
        steps.failed(reason)
    raise Failure(
        f"{registration.name} is still draining after {timeout_s:g} s",
        reasons[0] + (f" (and {len(reasons) - 1} more, above)" if len(reasons) > 1 else ""),
        f"mend that and run the same command again, or: kubectl fairlead cluster uncordon {registration.name}",
        code=TIMED_OUT,
    )
