"""
Groups of commands: loaded when used, kubectl's flags wherever they stand, failures in one line.

A table maps names to ``module:attribute``, so that one command's libraries are no other command's start-up time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from fairlead_cli.failure import Failure, explain
from fairlead_cli.options import HELP, wants_tracebacks

_LEADING = frozenset({"--kubeconfig", "--context", "-w", "--workspace"})
_LEADING_FLAGS = frozenset({"--debug"})


def leading_last(arguments: Sequence[str]) -> list[str]:
    """Move kubectl's flags that stand before a sub-command behind it, where the sub-command knows them."""
    rest, moved = list(arguments), []
    while rest:
        name, equals, _ = rest[0].partition("=")
        if name in _LEADING:
            count = 1 if equals else 2
        elif name in _LEADING_FLAGS:
            count = 1
        else:
            break
        moved += rest[:count]
        del rest[:count]
    return rest[:1] + moved + rest[1:] if rest else moved


class LazyGroup(click.Group):
    """
    A group whose sub-commands are imported on use.

    Args:
        table: ``module:attribute`` by name.
        aliases: Further names, not listed.
        fallback: The command meant when the first word is none; "" for none.
    """

    def __init__(
        self,
        *arguments: Any,
        table: Mapping[str, str],
        aliases: Mapping[str, str] | None = None,
        fallback: str = "",
        **options: Any,
    ) -> None:
        options.setdefault("context_settings", HELP)
        super().__init__(*arguments, **options)
        self._table = table
        self._aliases = aliases or {}
        self._fallback = fallback

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table."""
        del ctx
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        target = self._table.get(self._aliases.get(cmd_name, cmd_name))
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put flags behind the sub-command, and the fallback before words that name none."""
        args = leading_last(args)
        known = {*self._table, *self._aliases, "-h", "--help", "--version"}
        if self._fallback and (args[0] not in known if args else not ctx.resilient_parsing):
            args = [self._fallback, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what may be typed: sub-commands, and what the fallback takes."""
        found = super().shell_complete(ctx, incomplete)
        fallback = self.get_command(ctx, self._fallback)
        if fallback is None or incomplete.startswith("-"):
            return found
        meant = fallback.make_context(self._fallback, [], parent=ctx, resilient_parsing=True)
        arguments = [one for one in fallback.params if isinstance(one, click.Argument)]
        return [item for one in arguments[:1] for item in one.shell_complete(meant, incomplete)] + found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn every error into one line and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            raise _told(ctx, error) from error


class Command(click.Command):
    """A command that is a program of its own: errors are told as in a group."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; turn every error into one line and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            raise _told(ctx, error) from error


def _told(ctx: click.Context, error: Exception) -> Exception:
    """Return what to raise instead; the error itself when the user wants to see all of it."""
    if wants_tracebacks(ctx):
        return error
    failure = explain(error)
    if failure is None:
        failure = Failure(f"unexpected {type(error).__name__}", str(error), "run it again with --debug and report this")
    return failure
