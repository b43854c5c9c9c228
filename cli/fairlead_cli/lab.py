"""``fairlead lab``: simulated physical clusters to try things on, without containers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fairlead_cli.commands import LazyGroup
from fairlead_cli.failure import USAGE, Failure
from fairlead_cli.options import HELP

_HERE = "fairlead_cli.lab"
COMMANDS = {
    "up": f"{_HERE}:up",
    "down": f"{_HERE}:down",
    "list": f"{_HERE}:list_labs",
    "kubeconfig": f"{_HERE}:kubeconfig",
    "fail-node": f"{_HERE}:fail_node",
    "heal-node": f"{_HERE}:heal_node",
    "run": f"{_HERE}:run",
}
_directory: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".fairlead-lab"),
    show_default=True,
    help="Where the clusters are kept.",
)


@click.group(cls=LazyGroup, table=COMMANDS)
def lab() -> None:
    """Simulated clusters: a real API, with nodes and pods that are only played."""


@click.command(context_settings={**HELP, "show_default": True})
@click.option("--clusters", type=click.IntRange(1, 60), default=2, help="How many.")
@click.option("--nodes", type=click.IntRange(1, 250), default=2, help="Nodes in each.")
@click.option("--ready-after", default="1s", help="From a pod's start to its readiness.")
@click.option("--timeout", default="60s", help="How long to wait for them.")
@_directory
def up(clusters: int, nodes: int, ready_after: str, timeout: str, directory: Path) -> None:
    """Start simulated clusters, and wait until they are ready. Those that run stay as they are."""
    from fairlead_cli import labs  # noqa: PLC0415 - help is fast

    after_s, timeout_s = _seconds(ready_after), _seconds(timeout)
    specs = [labs.LabSpec(name, region, nodes, after_s) for name, region in labs.names(clusters)]
    for cluster in labs.up(directory, specs, timeout_s):
        spec = cluster.spec()
        click.echo(f"{cluster.name} is ready: simulated, {spec.nodes} nodes in region {spec.region}")
    path = directory.absolute() / labs.KUBECONFIG
    click.echo(f"Next: export KUBECONFIG={path}; kubectl --context {specs[0].name} get nodes", err=True)


@click.command(context_settings=HELP)
@click.option("--keep", is_flag=True, help="Keep what is in them for the next up.")
@_directory
def down(keep: bool, directory: Path) -> None:
    """Stop all simulated clusters, and forget what was in them."""
    from fairlead_cli import labs  # noqa: PLC0415 - help is fast

    for name in labs.down(directory, keep=keep):
        click.echo(f"{name} stopped" + ("" if keep else " and removed"))


@click.command(name="list", context_settings=HELP)
@_directory
def list_labs(directory: Path) -> None:
    """List the simulated clusters and whether they run."""
    from fairlead_cli import labs  # noqa: PLC0415 - help is fast
    from fairlead_cli.output import table  # noqa: PLC0415

    found = [(one, one.spec()) for one in labs.found_in(directory.absolute())]
    rows = [
        (one.name, "Ready" if one.is_ready else "Stopped", spec.region, str(spec.nodes), f"{spec.ready_after_s:g}s")
        for one, spec in found
    ]
    click.echo(table(("NAME", "STATUS", "REGION", "NODES", "READY-AFTER"), rows))


@click.command(context_settings=HELP)
@click.argument("name")
@_directory
def kubeconfig(name: str, directory: Path) -> None:
    """Print a simulated cluster's kubeconfig."""
    from fairlead_cli import labs  # noqa: PLC0415 - help is fast
    from fairlead_cli.output import document  # noqa: PLC0415

    click.echo(document(labs.kubeconfig_of([_running(directory, name)]), "yaml"))


@click.command(name="fail-node", context_settings=HELP)
@click.argument("node", metavar="CLUSTER/NODE")
@_directory
def fail_node(node: str, directory: Path) -> None:
    """Let a node play dead: not ready at once, its pods replaced elsewhere a little later."""
    _mark(node, directory, failed=True)
    click.echo(f"node/{node.partition('/')[2]} plays dead")
    click.echo(f"Next: fairlead lab heal-node {node} --directory {directory}", err=True)


@click.command(name="heal-node", context_settings=HELP)
@click.argument("node", metavar="CLUSTER/NODE")
@_directory
def heal_node(node: str, directory: Path) -> None:
    """Let a node that plays dead come back."""
    _mark(node, directory, failed=False)
    click.echo(f"node/{node.partition('/')[2]} is back")


@click.command(context_settings=HELP, hidden=True)
@click.argument("name")
@_directory
def run(name: str, directory: Path) -> None:
    """Run one simulated cluster in the foreground; ``up`` starts this."""
    import asyncio  # noqa: PLC0415 - help is fast

    import uvloop  # noqa: PLC0415

    from fairlead_cli import labs  # noqa: PLC0415
    from fairlead_cli.lab_process import play  # noqa: PLC0415

    cluster = labs.Lab(directory.absolute() / name)
    spec = cluster.spec()
    with cluster.owned(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play(spec, cluster))


def _seconds(text: str) -> float:
    from fairlead_cli.session import duration_s  # noqa: PLC0415 - help is fast

    try:
        return duration_s(text)
    except ValueError as error:
        raise Failure(str(error), code=USAGE) from error


def _running(directory: Path, name: str) -> Any:
    """Return a cluster that runs."""
    from fairlead_cli import labs  # noqa: PLC0415 - help is fast

    cluster = labs.Lab(directory.absolute() / name)
    cluster.spec()
    if not cluster.is_ready:
        raise Failure(f"{name} does not run", fix="start it with: fairlead lab up")
    return cluster


def _mark(text: str, directory: Path, *, failed: bool) -> None:
    from fairlead_cli.lab_process import mark_node  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    name, slash, node = text.partition("/")
    if not slash or not node:
        raise Failure(f'"{text}" names no node', fix="write it as CLUSTER/NODE", code=USAGE)
    talk(mark_node(_running(directory, name), node, failed=failed))
