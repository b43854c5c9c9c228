"""``kubectl fairlead check`` and ``fairlead check``: the flags."""

from __future__ import annotations

from typing import Any

import click

from fairlead_cli.options import HELP, Server, sides_options

_FORMATS = ("table", "short", "json")


@click.command(context_settings=HELP)
@click.option("--pre", is_flag=True, help="Check a cluster that is to be joined: --context names it.")
@click.option("--name", default="", help="With --pre: the SyncTarget's name to be; the context's by default.")
@click.option("--as-process", is_flag=True, help="With --pre: the agent will run on this machine.")
@click.option("--image", default="", help="With --pre: image of the agent and of the Pod that asks from inside.")
@click.option("--probe-namespace", default="default", show_default=True, help="With --pre: where that Pod is made.")
@click.option("--probe-timeout", default="60s", show_default=True, help="With --pre: how long that Pod may take.")
@click.option("--cluster", "only", multiple=True, metavar="NAME", help="Repeatable: only these SyncTargets.")
@click.option("--wait", default="0s", show_default=True, help="How long to try again what fails, such as 5m.")
@click.option("-o", "--output", type=click.Choice(_FORMATS), default="table", show_default=True, help="Output format.")
@sides_options
def check(upstream: Server, physical: Server, **options: Any) -> None:
    """
    Say what is wrong, and how to mend it: control plane, scheduler, clusters and agents.

    Ends with code 5 when a check found an error; warnings leave it at 0.
    """
    from fairlead_cli.checking import planning  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    code = talk(planning.check(planning.Wanted.of(options), upstream, physical))
    click.get_current_context().exit(code)
