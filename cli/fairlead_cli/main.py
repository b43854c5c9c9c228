"""
The ``fairlead`` command.

Sub-commands are loaded when used: a table maps names to ``module:attribute``, so that one command's libraries are no
other command's start-up time.
"""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS: dict[str, str] = {
    "start": "fairlead_control_plane.main.start:start",
}


class LazyGroup(click.Group):
    """A group whose sub-commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fairlead")
def main() -> None:
    """One Kubernetes-compatible endpoint in front of many clusters."""
