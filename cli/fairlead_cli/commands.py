"""
Groups of commands: loaded when used, kubectl's flags wherever they stand, failures in one line.

A table maps names to ``module:attribute``, so that one command's libraries are no other command's start-up time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from fairlead_cli.failure import Failure, explain

HELP = {"help_option_names": ["-h", "--help"]}
_LEADING = frozenset({"--kubeconfig", "--context", "-w", "--workspace"})
_LEADING_FLAGS = frozenset({"--debug"})
_DEBUG = "fairlead_cli.debug"


@dataclass(frozen=True, slots=True)
class Server:
    """
    Which server a command talks to.

    Attributes:
        kubeconfig: A file named by the user; "" for KUBECONFIG or ``~/.kube/config``.
        context: "" for the current one.
        workspace: Path, relative to the current workspace unless it begins with ``:`` or ``root``; "" to stay there.
    """

    kubeconfig: str = ""
    context: str = ""
    workspace: str = ""


def server_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--kubeconfig``, ``--context``, ``--workspace`` and ``--debug``; the function gets them as ``server``."""

    @functools.wraps(function)
    def called(**options: Any) -> Any:
        names = ("kubeconfig", "context", "workspace")
        server = Server(**{name: options.pop(name) for name in names})
        return function(server=server, **options)

    for option in (
        click.option("--debug", is_flag=True, expose_value=False, callback=_note_debug, help="Show tracebacks."),
        click.option("-w", "--workspace", default="", help="Workspace to act in; the current one by default."),
        click.option("--context", default="", help="Context of the kubeconfig; the current one by default."),
        click.option("--kubeconfig", default="", help="Kubeconfig file; by default as kubectl finds it."),
    ):
        called = option(called)
    return called


def _note_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    if value:
        context.meta[_DEBUG] = True


def note_debug() -> None:
    """Show errors in full from now on."""
    click.get_current_context().meta[_DEBUG] = True


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
        if self._fallback and (not args or args[0] not in known):
            args = [self._fallback, *args]
        return super().parse_args(ctx, args)

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
    if ctx.meta.get(_DEBUG):
        return error
    failure = explain(error)
    if failure is None:
        failure = Failure(f"unexpected {type(error).__name__}", str(error), "run it again with --debug and report this")
    return failure
