"""The scheduler as a program: ``python -m fairlead_scheduler --kubeconfig FILE``."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from fairlead_api.errors import ApiError
from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client, Unreachable
from fairlead_machinery.component import Program
from fairlead_machinery.log import configure
from fairlead_scheduler.controllers import GRACE_S, Scheduler
from fairlead_scheduler.living import Living
from fairlead_scheduler.plane import identities

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
log = structlog.get_logger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="fairlead-scheduler", description="Decide which cluster runs which namespace")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="credentials of a system user")
    parser.add_argument("--context", default="", help="context in it; the current one by default")
    parser.add_argument(
        "--grace-seconds", type=float, default=GRACE_S, help="how long a lost cluster keeps what runs there"
    )
    parser.add_argument("--log-level", default="info", help="debug, info, warning or error")
    settings = parser.parse_args(arguments)
    try:
        configure(settings.log_level)
        credentials = kubeconfig.load([settings.kubeconfig], explicit=True).credentials(settings.context)
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    asyncio.run(run(credentials, settings.grace_seconds))
    return 0


async def run(credentials: kubeconfig.Credentials, grace_s: float) -> None:
    """
    Schedule until SIGTERM.

    Raises:
        TaskEnded: A part ended that must not.
    """
    async with Program() as program:
        client = await program.enter(Client(credentials, user_agent="fairlead-scheduler", base=""))
        program.spawn("schedule", _schedule(program, client, grace_s))
        await program.run()


async def _schedule(program: Program, client: Client, grace_s: float) -> None:
    """Wait for the control plane as long as it takes, then start the parts."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            found = await identities(client)
        except (ApiError, Unreachable) as error:
            log.info("the control plane is not ready", error=str(error))
        else:
            if all(found.values()):
                break
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
    scheduler = Scheduler(client, found, time.time, grace_s=grace_s)
    scheduler.start(program)
    identity = f"{socket.gethostname()}_{os.getpid()}"
    program.spawn("living", Living(client, identity, scheduler.ready.is_set, time.time).run())
    await asyncio.Event().wait()
