"""
The flags that many commands share, each written once: which server, which cluster, which form of output.

Every decorator adds its flags to a command and hands the function one value for them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

HELP = {"help_option_names": ["-h", "--help"]}
FORMATS = ("json", "yaml", "wide", "name")
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


def wants_tracebacks(context: click.Context) -> bool:
    """Tell whether the user said ``--debug``."""
    return bool(context.meta.get(_DEBUG))


def _note_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    if value:
        context.meta[_DEBUG] = True


def completed_by(what: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return how a parameter is completed: by a function of :mod:`fairlead_cli.completing`, loaded when it is asked."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        completing = import_module("fairlead_cli.completing")
        found: list[str] = getattr(completing, what)(context, parameter, begun)
        return found

    return complete


_WORKSPACES = completed_by("workspaces")
_TRACEBACKS = click.option("--debug", is_flag=True, expose_value=False, callback=_note_debug, help="Show tracebacks.")
_SERVER = (
    click.option("--kubeconfig", default="", help="Kubeconfig file; by default as kubectl finds it."),
    click.option("--context", default="", help="Context of the kubeconfig; the current one by default."),
    click.option(
        "-w",
        "--workspace",
        default="",
        shell_complete=_WORKSPACES,
        help="Workspace to act in; the current one by default.",
    ),
    _TRACEBACKS,
)
_SIDES = (
    click.option("--context", default="", help="The cluster's context; the current one by default."),
    click.option("--kubeconfig", default="", help="Kubeconfig with that context; by default as kubectl."),
    click.option("--state-directory", default="", help="Where the agent's state is kept; ~/.fairlead/clusters/NAME."),
    click.option("--from-context", default="", help="Fairlead's context; the current one by default."),
    click.option("--from-kubeconfig", default="", help="Kubeconfig with Fairlead's context; by default as kubectl."),
    click.option(
        "-w",
        "--workspace",
        "--location-workspace",
        "workspace",
        default="",
        shell_complete=_WORKSPACES,
        help="Where SyncTargets are.",
    ),
    _TRACEBACKS,
)


def cluster_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument NAME, of a SyncTarget that is there."""
    return click.argument("name", shell_complete=completed_by("clusters"))(function)


def _with(function: Callable[..., Any], options: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def server_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--kubeconfig``, ``--context``, ``--workspace`` and ``--debug``; the function gets ``server``."""

    @functools.wraps(function)
    def called(**options: Any) -> Any:
        server = Server(options.pop("kubeconfig"), options.pop("context"), options.pop("workspace"))
        return function(server=server, **options)

    return _with(called, _SERVER)


def sides_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Add the flags of commands that talk to both sides; the function gets ``upstream`` and ``physical``.

    ``--context`` is the physical cluster's, because that one is named each time.
    """

    @functools.wraps(function)
    def called(**options: Any) -> Any:
        upstream = Server(options.pop("from_kubeconfig"), options.pop("from_context"), options.pop("workspace"))
        physical = Server(options.pop("kubeconfig"), options.pop("context"))
        return function(upstream=upstream, physical=physical, **options)

    return _with(called, _SIDES)


def output_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``-o``; the function gets it as ``output``, "" for a table."""
    text = "Output format: " + "|".join(FORMATS) + "."
    option = click.option("-o", "--output", type=click.Choice(FORMATS), default=None, help=text)

    @functools.wraps(function)
    def called(*, output: str | None, **options: Any) -> Any:
        return function(output=output or "", **options)

    return option(called)
