"""
Completion of our plugins: what ``kubectl completion`` asks the executables ``kubectl_complete-NAME``.

Protocol: the words typed so far are the arguments, the last one unfinished. A line each is a candidate, with a tab
before its description; the last line is a colon and a number that says what the shell is to add by itself.
Source: kubectl's plugin completion, cobra's directives (users-and-clients 2.1, 16).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

import click
from click.shell_completion import ShellComplete

from fairlead_cli.commands import LazyGroup
from fairlead_cli.failure import Failure
from fairlead_cli.options import Server
from fairlead_cli.session import Session, connected

_NO_FILES, _NO_SPACE_NO_FILES, _DEFAULT = 4, 6, 0
_WAIT_S = 2.0
Names = Callable[[Session], Awaitable[list[str]]]


def ws() -> None:
    """Complete ``kubectl ws``."""
    from fairlead_cli.workspaces import main  # noqa: PLC0415 - one plugin's start-up is no other's

    click.echo(answer(main, sys.argv[1:]))


def fairlead() -> None:
    """Complete ``kubectl fairlead``."""
    from fairlead_cli.plugin import main  # noqa: PLC0415 - see ws

    click.echo(answer(main, sys.argv[1:]))


def kcp() -> None:
    """Complete ``kubectl kcp``."""
    from fairlead_cli.kcp import main  # noqa: PLC0415 - see ws

    click.echo(answer(main, sys.argv[1:]))


def answer(group: LazyGroup, words: Sequence[str]) -> str:
    """Return what to print for the words typed so far, the last one unfinished."""
    *args, begun = words or [""]
    # What stands for a file is completed by the shell.
    found = [one for one in ShellComplete(group, {}, "", "").get_completions(args, begun) if one.type == "plain"]
    lines = dict.fromkeys(str(one.value) + (f"\t{one.help}" if one.help else "") for one in found)
    if not found:
        return f":{_NO_FILES if not begun.startswith('-') and not _wants_file(args) else _DEFAULT}"
    goes_on = all(str(one.value).endswith(":") for one in found)
    return "\n".join([*lines, f":{_NO_SPACE_NO_FILES if goes_on else _NO_FILES}"])


def _wants_file(args: list[str]) -> bool:
    return bool(args) and args[-1] in {"--kubeconfig", "--from-kubeconfig", "--state-directory", "-f", "--filename"}


def clusters(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Return the names of SyncTargets that begin so."""
    del parameter
    return [name for name in _asked(context, _cluster_names) if name.startswith(begun)]


def workspaces(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Return the paths of workspaces that begin so, as far as they are written."""
    del parameter
    above, colon, _ = begun.rpartition(":")

    async def names(session: Session) -> list[str]:
        from fairlead_cli import growing, places  # noqa: PLC0415 - only to talk

        path = places.absolute(session.place.path, above, above) if above else session.place.path
        if begun == ":" or (colon and not above):
            return [f":{places.top(session.place.path)}"]
        return [above + colon + one["metadata"]["name"] for one in await growing.below(session.top, path)]

    return [name for name in _asked(context, names) if name.startswith(begun)]


async def _cluster_names(session: Session) -> list[str]:
    from fairlead_cli import registering  # noqa: PLC0415 - only to talk

    return [one["metadata"]["name"] for one in await registering.targets_of(session, session.place.path)]


def _asked(context: click.Context, names: Names) -> list[str]:
    """Return what the server says; nothing when it does not answer soon, since nobody reads errors while typing."""
    from fairlead_api.errors import ApiError  # noqa: PLC0415 - only to talk
    from fairlead_machinery.kubeconfig import KubeconfigError  # noqa: PLC0415
    from fairlead_machinery.transport import Unreachable  # noqa: PLC0415

    given = context.params
    upstream = "from_" if "from_kubeconfig" in given else ""
    parts = (given.get(upstream + "kubeconfig"), given.get(upstream + "context"), given.get("workspace"))
    server = Server(*(str(part or "") for part in parts))

    async def ask() -> list[str]:
        async with asyncio.timeout(_WAIT_S), connected(server) as session:
            return await names(session)

    try:
        return asyncio.run(ask())
    except (ApiError, Failure, KubeconfigError, Unreachable, OSError):
        return []
