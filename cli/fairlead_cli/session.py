"""What a command needs to talk: the kubeconfig, the current workspace, a client; loaded only when asked for."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fairlead_cli import places
from fairlead_cli.failure import TIMED_OUT, USAGE, Failure
from fairlead_cli.options import Server
from fairlead_cli.places import Place
from fairlead_machinery import kubeconfig
from fairlead_machinery.kubeconfig import Kubeconfig

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

T = TypeVar("T")
_INTERRUPTED = 130
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = r"(?:\d+(?:\.\d+)?)(?:ms|[smh])"


@dataclass(frozen=True, slots=True)
class Local:
    """
    What is known without talking.

    Attributes:
        config: The kubeconfig, all files.
        context: The context in use.
        server: Its URL.
    """

    config: Kubeconfig
    context: str
    server: str


def local(server: Server) -> Local:
    """
    Read the kubeconfig.

    Raises:
        Failure: There is none.
        KubeconfigError: It is broken, or has no such context.
    """
    if server.kubeconfig:
        config = kubeconfig.load([Path(server.kubeconfig)], explicit=True)
    else:
        config = kubeconfig.load(kubeconfig.default_paths(os.environ))
    if not config.files:
        fix = "export KUBECONFIG=DIR/admin.kubeconfig, with the directory of fairlead start, or say --kubeconfig"
        raise Failure("there is no kubeconfig", ", ".join(map(str, kubeconfig.default_paths(os.environ))), fix)
    context = server.context or config.current_context
    return Local(config, context, config.credentials(context).server)


@dataclass(frozen=True, slots=True)
class Session:
    """
    A connection.

    Attributes:
        place: The workspace acted in.
        top: The server, above all workspaces.
        here: The workspace.
    """

    local: Local
    place: Place
    top: Client
    here: Client


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Session]:
    """
    Connect to the workspace a command acts in.

    Raises:
        Failure: The context points to no workspace.
        KubeconfigError: See :func:`local`.
    """
    from fairlead_machinery.client import Client  # noqa: PLC0415 - offline commands do not pay for it

    known = local(server)
    place = places.place_of(known.server)
    if server.workspace:
        target, _ = places.spoken(server.workspace, "")
        place = place.at(places.absolute(place.path, target, server.workspace))
    credentials = known.config.credentials(known.context)
    # Of the URL only scheme, host and port take part in API calls (kcp-core 6.1).
    async with Client(credentials, user_agent="kubectl-fairlead", base="") as top:
        yield Session(known, place, top, top.at(place.path))


def talk(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; Ctrl-C ends it as shells expect."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None


async def until(read: Callable[[], Awaitable[T | None]], timeout_s: float, *, every_s: float = 0.2) -> T | None:
    """Ask until the answer is not None; None when the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while (found := await read()) is None and loop.time() < deadline:  # noqa: ASYNC110 - the event is in a server
        await asyncio.sleep(every_s)
    return found


def timed_out(what: str, saw: str = "", fix: str = "") -> Failure:
    """Return the failure of a wait that was too long."""
    return Failure(what, saw, fix, code=TIMED_OUT)


def duration_s(text: str) -> float:
    """
    Read a duration as Go writes it (``30s``, ``1m30s``, ``500ms``), or bare seconds.

    Raises:
        Failure: It is none.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(rf"({_DURATION})+", text):
        raise Failure(f'"{text}" is no duration', fix="write it as 30s or 2m", code=USAGE)
    parts = re.findall(r"([\d.]+)(ms|[smh])", text)
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
