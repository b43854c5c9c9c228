"""The tree of workspaces: looking at it, cutting a branch off. Source: kcp HEAD, ``kubectl ws tree`` (kcp-core 6.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli import places
from fairlead_cli.options import Server
from fairlead_cli.session import connected, timed_out, until

if TYPE_CHECKING:
    from fairlead_machinery.client import Client


@dataclass(slots=True)
class Branch:
    """A node of the tree as it is printed."""

    label: str
    below: list[Branch] = field(default_factory=list)


def drawn(branches: Sequence[Branch], indent: str = "") -> list[str]:
    """Return the lines of a tree."""
    lines = []
    for place, branch in enumerate(branches, 1):
        last = place == len(branches)
        lines.append(indent + ("└── " if last else "├── ") + branch.label)
        lines += drawn(branch.below, indent + ("    " if last else "│   "))
    return lines


async def tree(server: Server, *, full: bool, wide: bool) -> None:
    """Print the workspaces below the current one; ``wide`` adds the phases of Workspace and LogicalCluster."""
    async with connected(server) as session:
        path = session.place.path
        root = Branch(path if full else names.base_name(path))
        if wide:
            root.label += f" lc={await _phase(session.top, path)}"
        await _grow(session.top, path, path, root, full=full, wide=wide)
        click.echo("\n".join([".", *drawn([root])]))


async def below(top: Client, where: str) -> list[JsonObject]:
    """Return the Workspaces in one that are not being deleted; none where there are no workspaces, or none to see."""
    from fairlead_cli.kinds import WORKSPACES  # noqa: PLC0415 - only to talk

    try:
        found, _ = await top.at(where).list(WORKSPACES)
    except (NotFound, Forbidden):
        return []
    return [one for one in found if not one["metadata"].get("deletionTimestamp")]


async def _grow(top: Client, where: str, shown: str, branch: Branch, *, full: bool, wide: bool) -> None:
    """Add what is below one workspace; what may not be seen, or has no workspaces, is a leaf."""
    for workspace in await below(top, where):
        name = workspace["metadata"]["name"]
        child = Branch(names.join(shown, name) if full else name)
        branch.below.append(child)
        place = places.find_place(str(workspace["spec"].get("URL") or ""))
        if wide:
            phase = await _phase(top, place.path) if place else "unknown"
            child.label += f" ws={(workspace.get('status') or {}).get('phase', 'unknown')} lc={phase}"
        if place is not None:
            await _grow(top, place.path, names.join(shown, name), child, full=full, wide=wide)


async def _phase(top: Client, path: str) -> str:
    """Return the phase of a LogicalCluster; "unknown" when it cannot be read."""
    from fairlead_cli.kinds import LOGICAL_CLUSTERS  # noqa: PLC0415 - only to talk

    try:
        found = await top.at(path).get(LOGICAL_CLUSTERS, "cluster")
    except (NotFound, Forbidden):
        return "unknown"
    return str((found.get("status") or {}).get("phase", "unknown"))


async def delete(server: Server, name: str, *, wait_s: float) -> None:
    """
    Delete a workspace of the current one and wait until it is gone.

    Raises:
        NotFound: There is none.
        Failure: It is not gone in time.
    """
    from fairlead_cli.kinds import WORKSPACES  # noqa: PLC0415 - only to talk

    async with connected(server) as session:
        await session.here.delete(WORKSPACES, name)
        click.echo(f'workspace.tenancy.kcp.io "{name}" deleted')
        if not wait_s:
            return
        saw = ""

        async def gone() -> bool | None:
            nonlocal saw
            try:
                left = await session.here.get(WORKSPACES, name)
            except NotFound:
                return True
            conditions = (left.get("status") or {}).get("conditions") or ()
            saw = next((one["message"] for one in conditions if one.get("message")), "still being emptied")
            return None

        if await until(gone, wait_s) is None:
            raise timed_out(f'workspace "{name}" is not gone yet', saw, "it goes on by itself; look again later")
