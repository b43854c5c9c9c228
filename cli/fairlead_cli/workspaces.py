"""``kubectl ws`` and ``kubectl create workspace``."""

from __future__ import annotations

from typing import Any

import click

from fairlead_api import names
from fairlead_cli.commands import Command, LazyGroup
from fairlead_cli.options import HELP, Server, completed_by, server_options

_HERE = "fairlead_cli.workspaces"
COMMANDS = {
    "use": f"{_HERE}:use",
    "current": f"{_HERE}:current",
    "create": f"{_HERE}:create",
    "create-context": f"{_HERE}:create_context",
    "tree": f"{_HERE}:tree",
    "delete": f"{_HERE}:delete",
}


_HELP_TEXT = """Go to a workspace, see where you are, make new ones.

\b
kubectl ws              home             kubectl ws ..          up
kubectl ws a:b          below            kubectl ws :root:a     absolute
kubectl ws -            back             kubectl ws .           where am I
"""


@click.group(name="kubectl ws", cls=LazyGroup, table=COMMANDS, aliases={"cd": "use"}, fallback="use", help=_HELP_TEXT)
@click.version_option(package_name="fairlead")
def main() -> None:
    """Run ``kubectl ws``."""


@click.command(context_settings=HELP)
@click.argument("target", default="", shell_complete=completed_by("workspaces"))
@click.option("--short", is_flag=True, help="Print only the name of the workspace, e.g. for a shell prompt.")
@server_options
def use(server: Server, target: str, short: bool) -> None:
    """Go to a workspace: NAME, a:b, .., -, ~, ., :root:a:b."""
    from fairlead_cli import entering  # noqa: PLC0415 - help is fast

    entering.use(server, target, short=short)


@click.command(context_settings=HELP)
@click.option("--short", is_flag=True, help="Print only the name of the workspace, e.g. for a shell prompt.")
@server_options
def current(server: Server, short: bool) -> None:
    """Print the current workspace."""
    from fairlead_cli import entering  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import local  # noqa: PLC0415

    entering.print_current(local(server).server, short=short)


@click.command(name="kubectl create workspace", cls=Command, context_settings=HELP)
@click.argument("name")
@click.option("--type", default="", help="A workspace type. The default depends on where the workspace is created.")
@click.option("--enter", is_flag=True, help="Immediately enter the created workspace.")
@click.option("--ignore-existing", is_flag=True, help="Ignore if the workspace already exists.")
@click.option("--location-selector", default="", help="A label selector for the shard of the workspace.")
@click.option("--create-context", default="", help="Create a kubeconfig context of that name for the workspace.")
@click.option("--compute", is_flag=True, help="Bind the compute API, so that workloads run in clusters.")
@click.option("--location-workspace", default="", help="With --compute: where Locations are; the nearest above.")
@server_options
def create(server: Server, **options: Any) -> None:
    """Create a workspace and wait until it is ready."""
    from fairlead_cli import making  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(making.create(server, making.Wanted(**options)))


@click.command(context_settings=HELP)
@click.argument("name", default="")
@click.option("--overwrite", is_flag=True, help="Overwrite the context if it already exists.")
@server_options
def create_context(server: Server, name: str, overwrite: bool) -> None:
    """Create a context for the current workspace and switch to it; named like the workspace by default."""
    from fairlead_cli import contexts, making, places  # noqa: PLC0415 - help is fast
    from fairlead_cli.failure import Failure  # noqa: PLC0415
    from fairlead_cli.session import local  # noqa: PLC0415

    known = local(server)
    place = places.place_of(known.server)
    name = name or place.path
    existed = known.config.find("contexts", name) is not None
    if existed and not overwrite:
        raise Failure(f'context "{name}" already exists in kubeconfig, use --overwrite to update it')
    contexts.save(known.config, known.context, contexts.new_context(known.config, known.context, name, known.server))
    making.print_context(name, existed=existed, switched=known.context != name)


@click.command(context_settings=HELP)
@click.option("-f", "--full", is_flag=True, help="Show full workspace names.")
@click.option("-i", "--interactive", is_flag=True, help="Walk through the tree with the keyboard.")
@click.option("--wide", is_flag=True, help="Show the phases of Workspace and LogicalCluster.")
@server_options
def tree(server: Server, full: bool, interactive: bool, wide: bool) -> None:
    """Show the workspaces below the current one."""
    from fairlead_cli import growing  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    if not interactive:
        talk(growing.tree(server, full=full, wide=wide))
        return
    from fairlead_cli import browser, entering  # noqa: PLC0415 - not everywhere is a terminal

    if chosen := talk(browser.browse(server, full=full)):
        entering.use(server, f":{chosen}", short=False)


@click.command(context_settings=HELP)
@click.argument("name", shell_complete=completed_by("workspaces"))
@click.option("--wait/--no-wait", default=True, help="Wait until it is gone.")
@click.option("--timeout", default="2m", help="How long to wait.")
@server_options
def delete(server: Server, name: str, wait: bool, timeout: str) -> None:
    """Delete a workspace with everything in it and below it."""
    from fairlead_cli import growing  # noqa: PLC0415 - help is fast
    from fairlead_cli.failure import Failure  # noqa: PLC0415
    from fairlead_cli.session import duration_s, talk  # noqa: PLC0415

    if names.split(name)[1:]:
        raise Failure(f'"{name}" is a path', fix=f"kubectl ws delete {names.base_name(name)} -w {names.parent(name)}")
    talk(growing.delete(server, name, wait_s=duration_s(timeout) if wait else 0.0))
