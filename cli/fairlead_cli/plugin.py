"""``kubectl fairlead``: clusters, and where things run and why."""

from __future__ import annotations

from typing import Any

import click

from fairlead_cli.commands import LazyGroup
from fairlead_cli.options import HELP, Server, cluster_argument, output_option, server_options, sides_options

_HERE = "fairlead_cli.plugin"
COMMANDS = {
    "adopt": "fairlead_cli.adopting:adopt",
    "bin": "fairlead_cli.restoring:list_bin",
    "drift": "fairlead_cli.drifting:drift",
    "leftovers": "fairlead_cli.leftovers:leftovers",
    "restore": "fairlead_cli.restoring:restore",
    "check": "fairlead_cli.checking.command:check",
    "cluster": f"{_HERE}:cluster",
    "ws": "fairlead_cli.workspaces:main",
    "why": f"{_HERE}:why",
    "where": f"{_HERE}:where",
}
CLUSTER_COMMANDS = {
    "join": f"{_HERE}:join",
    "list": f"{_HERE}:list_clusters",
    "describe": f"{_HERE}:describe",
    "approve": f"{_HERE}:approve",
    "cordon": f"{_HERE}:cordon",
    "uncordon": f"{_HERE}:uncordon",
    "drain": f"{_HERE}:drain",
    "rotate": f"{_HERE}:rotate",
    "remove": f"{_HERE}:remove",
}


@click.group(name="kubectl fairlead", cls=LazyGroup, table=COMMANDS, aliases={"clusters": "cluster"})
@click.version_option(package_name="fairlead")
def main() -> None:
    """Join clusters, see where workloads run and why."""


@click.group(cls=LazyGroup, table=CLUSTER_COMMANDS, aliases={"ls": "list", "get": "list"})
def cluster() -> None:
    """Manage the clusters that run workloads."""


@click.command(context_settings=HELP)
@click.argument("name")
@sides_options
@click.option("--label", "labels", multiple=True, help="Repeatable, k=v: labels of the SyncTarget.")
@click.option("--as-process", is_flag=True, help="Run the agent as a process on this machine.")
@click.option(
    "--wide", is_flag=True, help="Let the agent watch each kind once for the whole cluster, which takes rights to."
)
@click.option(
    "--allow-privileged", is_flag=True, help="Let spec.podSecurity of the SyncTarget be privileged; refused otherwise."
)
@click.option(
    "--without-policy", is_flag=True, help="Do without the admission policy, which clusters before 1.30 do not have."
)
@click.option("--print", "print_only", is_flag=True, help="Register, and print the manifest instead of applying it.")
@click.option("--dry-run", type=click.Choice(["none", "client"]), default="none", help="client: change nothing, print.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "helm"]),
    default="yaml",
    help="Form of what is printed; helm: values for the chart fairlead-syncer.",
)
@click.option("--image", default="", help="Image of the agent; the one of this version by default.")
@click.option("--timeout", default="2m", help="How long to wait for the agent.")
def join(name: str, upstream: Server, physical: Server, **options: Any) -> None:
    """Join a physical cluster: let its agent in, start it, wait until it is heard of."""
    from fairlead_cli import joining  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(joining.join(joining.Wanted.of(name, options), upstream=upstream, physical=physical))


@click.command(name="list", context_settings=HELP)
@output_option
@server_options
def list_clusters(server: Server, output: str) -> None:
    """List the SyncTargets of the workspace."""
    from fairlead_cli import listing  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(listing.list_clusters(server, output))


@click.command(context_settings=HELP)
@cluster_argument
@output_option
@server_options
def describe(server: Server, name: str, output: str) -> None:
    """Show one SyncTarget with its conditions, APIs and what runs there."""
    from fairlead_cli import listing  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(listing.describe(server, name, output))


def _say(server: Server, name: str, verb: str) -> None:
    from fairlead_cli import cordoning  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    click.echo(f"synctarget.workload.kcp.io/{talk(cordoning.said(server, name, verb))}")


@click.command(context_settings=HELP)
@cluster_argument
@server_options
def cordon(server: Server, name: str) -> None:
    """Keep what runs, take nothing new."""
    _say(server, name, "cordon")


@click.command(context_settings=HELP)
@cluster_argument
@server_options
def uncordon(server: Server, name: str) -> None:
    """Take work again; ends a drain. What has moved stays where it is."""
    _say(server, name, "uncordon")


@click.command(context_settings=HELP)
@cluster_argument
@click.option("--set", "digest", default="", help="The set to approve, as describe names it; what is held now if not.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@server_options
def approve(server: Server, name: str, digest: str, yes: bool) -> None:
    """Let deletions go that came in a burst and were held: exactly the set that is shown."""
    from fairlead_cli import approving  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(approving.approve(server, name, digest, yes=yes))


@click.command(context_settings=HELP)
@cluster_argument
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--at", default="", help="RFC 3339 time to begin at, such as 2030-01-01T00:00:00Z.")
@click.option("--wait/--no-wait", default=None, help="Wait until nothing is left there.")
@click.option("--timeout", default="10m", help="How long to wait.")
@output_option
@server_options
def drain(server: Server, name: str, output: str, **options: Any) -> None:
    """Move everything away, new copy first, and wait until nothing is left."""
    from fairlead_cli import draining  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(draining.drain(server, draining.Wanted.of(name, output, options)))


@click.command(context_settings=HELP)
@cluster_argument
@sides_options
@click.option("-n", "--namespace", default="", help="Where the agent lives in the cluster, if not where join puts it.")
@click.option("--timeout", default="2m", help="How long to wait for the agent.")
def rotate(name: str, upstream: Server, physical: Server, namespace: str, **options: Any) -> None:
    """Replace the key of a cluster's agent; the old one opens nothing any more."""
    from fairlead_cli import rotating  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(rotating.rotate(name, upstream=upstream, physical=physical, namespace=namespace, within=options["timeout"]))


@click.command(context_settings=HELP)
@cluster_argument
@sides_options
@click.option("--force", is_flag=True, help="Do not drain, and go on without the cluster.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--timeout", default="10m", help="How long to wait.")
def remove(name: str, upstream: Server, physical: Server, **options: Any) -> None:
    """Empty a cluster, take the agent out of it, and forget it."""
    from fairlead_cli import removing  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(removing.remove(removing.Wanted.of(name, options), upstream=upstream, physical=physical))


@click.command(context_settings=HELP)
@click.argument("what", metavar="TYPE/NAME")
@click.option("-n", "--namespace", default="", help="Namespace; the context's by default.")
@output_option
@server_options
def why(server: Server, what: str, namespace: str, output: str) -> None:
    """Say why something runs where it runs, and why not elsewhere."""
    from fairlead_cli import explaining  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(explaining.why(server, what, namespace, output))


@click.command(context_settings=HELP)
@click.argument("what", metavar="TYPE/NAME")
@click.option("-n", "--namespace", default="", help="Namespace; the context's by default.")
@output_option
@server_options
def where(server: Server, what: str, namespace: str, output: str) -> None:
    """Say in which cluster and under which name something runs."""
    from fairlead_cli import explaining  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(explaining.where(server, what, namespace, output))
