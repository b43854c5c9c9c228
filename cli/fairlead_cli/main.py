"""The ``fairlead`` command: the control plane, the agent and the lab as processes."""

from __future__ import annotations

import click

from fairlead_cli.commands import LazyGroup
from fairlead_cli.options import HELP

COMMANDS: dict[str, str] = {
    "check": "fairlead_cli.checking.command:check",
    "demo": "fairlead_cli.demo:demo",
    "lab": "fairlead_cli.lab:lab",
    "start": "fairlead_control_plane.main.start:start",
    "syncer": "fairlead_cli.agent:syncer",
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings=HELP)
@click.version_option(package_name="fairlead")
def main() -> None:
    """One Kubernetes-compatible endpoint in front of many clusters."""
