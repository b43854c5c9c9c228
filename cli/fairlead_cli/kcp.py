"""``kubectl kcp``: kcp's own commands, with its flags and outputs."""

from __future__ import annotations

from typing import Any

import click

from fairlead_cli.commands import LazyGroup
from fairlead_cli.options import HELP, Server, cluster_argument, server_options

_HERE = "fairlead_cli.kcp"
COMMANDS = {
    "workspace": "fairlead_cli.workspaces:main",
    "bind": f"{_HERE}:bind",
    "crd": f"{_HERE}:crd",
    "workload": f"{_HERE}:workload",
}
BIND_COMMANDS = {"compute": f"{_HERE}:bind_compute", "apiexport": f"{_HERE}:bind_apiexport"}
CRD_COMMANDS = {"snapshot": f"{_HERE}:snapshot"}
WORKLOAD_COMMANDS = {
    "sync": f"{_HERE}:sync",
    "cordon": f"{_HERE}:cordon",
    "uncordon": f"{_HERE}:uncordon",
    "drain": f"{_HERE}:drain",
}
_ALIASES = {"ws": "workspace", "workspaces": "workspace", "workloads": "workload"}


@click.group(name="kubectl kcp", cls=LazyGroup, table=COMMANDS, aliases=_ALIASES)
@click.version_option(package_name="fairlead")
def main() -> None:
    """Use kcp's commands: workspaces, bindings, workload clusters."""


@click.group(cls=LazyGroup, table=BIND_COMMANDS)
def bind() -> None:
    """Bind APIs into the current workspace."""


@click.group(cls=LazyGroup, table=CRD_COMMANDS)
def crd() -> None:
    """Turn CRDs into what an APIExport offers."""


@click.command(context_settings=HELP)
@click.option("-f", "--filename", required=True, help="File with the CRDs; - for standard input.")
@click.option("--prefix", required=True, help="Prefix of the APIResourceSchema's name, before RESOURCE.GROUP.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", help="Output format.")
def snapshot(filename: str, prefix: str, output: str) -> None:
    """Print the APIResourceSchemas of CRDs, to be applied where the APIExport is."""
    from fairlead_cli import snapshotting  # noqa: PLC0415 - help is fast

    for text in list(snapshotting.snapshot(filename, prefix, output)):
        click.echo(f"{text}\n\n---")


@click.group(cls=LazyGroup, table=WORKLOAD_COMMANDS)
def workload() -> None:
    """Manage the clusters that run workloads (SyncTargets of the current workspace)."""


@click.command(context_settings=HELP)
@click.argument("location_workspace")
@click.option("--apiexports", multiple=True, default=["root:compute:kubernetes"], help="APIExports to bind, path:name.")
@click.option("--namespace-selector", default="", help="Which namespaces are placed; all by default.")
@click.option("--location-selectors", multiple=True, default=[""], help="Repeatable: one that matches is enough.")
@click.option("--name", default="", help="Name of the Placement.")
@click.option("--timeout", default="30s", help="How long to wait until bindings and Placement are ready.")
@server_options
def bind_compute(server: Server, location_workspace: str, timeout: str, **options: Any) -> None:
    """Bind the compute API and place the workspace's namespaces in Locations of LOCATION_WORKSPACE."""
    from fairlead_cli import computing, places  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import connected, duration_s, talk  # noqa: PLC0415

    exports = [one for listed in options["apiexports"] for one in listed.split(",") if one]

    async def run() -> None:
        async with connected(server) as session:
            target, _ = places.spoken(location_workspace, "")
            request = computing.ComputeRequest(
                places.absolute(session.place.path, target, location_workspace),
                tuple(exports),
                options["namespace_selector"],
                tuple(options["location_selectors"]),
                options["name"],
            )
            await computing.bind_and_wait(session.here, request, duration_s(timeout))

    talk(run())


@click.command(context_settings=HELP)
@click.argument("export")
@click.option("--name", default="", help="Name of the APIBinding; the export's by default.")
@click.option("--timeout", default="30s", help="How long to wait until it is bound.")
@click.option("--accept-permission-claim", multiple=True, help="Repeatable: resource.group; the core group is core.")
@click.option("--reject-permission-claim", multiple=True, help="Repeatable: resource.group; the core group is core.")
@click.option("--accept-all-permission-claims", is_flag=True, help="Accept what the export asks for.")
@click.option("--reject-all-permission-claims", is_flag=True, help="Reject what the export asks for.")
@server_options
def bind_apiexport(server: Server, export: str, timeout: str, **options: Any) -> None:
    """Bind an APIExport, given as path:name."""
    from fairlead_cli import claiming  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import duration_s, talk  # noqa: PLC0415

    talk(claiming.bind_apiexport(server, claiming.Answers(export=export, **options), duration_s(timeout)))


@click.command(context_settings=HELP)
@click.argument("name")
@click.option("--syncer-image", default="", help="Image of the agent; the one of this version by default.")
@click.option("-o", "--output-file", default="-", help="Where the manifest goes; - for standard output.")
@click.option("--resources", multiple=True, help="Further resources to sync, such as routes.route.openshift.io.")
@click.option("--apiexports", multiple=True, default=["root:compute:kubernetes"], help="APIExports to run, path:name.")
@click.option("--replicas", type=click.IntRange(min=0), default=1, help="Replicas of the agent; 0 to start it later.")
@click.option("--kcp-namespace", default="default", help="Namespace of the agent's kubeconfig.")
@click.option("-n", "--namespace", default="", help="Namespace in the cluster; the agent's id by default.")
@click.option("--qps", type=float, default=20.0, help="Accepted for kcp's scripts; the agent paces itself.")
@click.option("--burst", type=int, default=30, help="Accepted for kcp's scripts; the agent paces itself.")
@click.option("--feature-gates", default="", help="Accepted for kcp's scripts; the agent has none.")
@click.option("--api-import-poll-interval", default="1m", help="Accepted for kcp's scripts; each heartbeat looks.")
@click.option("--downstream-namespace-clean-delay", default="30s", help="Accepted for kcp's scripts; none is needed.")
@click.option("--labels", multiple=True, help="Repeatable, k=v: labels of the SyncTarget.")
@server_options
def sync(server: Server, name: str, **options: Any) -> None:
    """Create a SyncTarget and print the manifest of its agent, for kubectl apply in the cluster."""
    from fairlead_cli import syncing  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    talk(syncing.sync(server, syncing.Wanted.of(name, options)))


def _say(server: Server, name: str, verb: str) -> None:
    from fairlead_cli import cordoning  # noqa: PLC0415 - help is fast
    from fairlead_cli.session import talk  # noqa: PLC0415

    click.echo(talk(cordoning.said(server, name, verb)))


@click.command(context_settings=HELP)
@cluster_argument
@server_options
def cordon(server: Server, name: str) -> None:
    """Keep what runs on a SyncTarget, take nothing new."""
    _say(server, name, "cordon")


@click.command(context_settings=HELP)
@cluster_argument
@server_options
def uncordon(server: Server, name: str) -> None:
    """Let a SyncTarget take work again."""
    _say(server, name, "uncordon")


@click.command(context_settings=HELP)
@cluster_argument
@server_options
def drain(server: Server, name: str) -> None:
    """Begin to move everything away from a SyncTarget; kubectl fairlead cluster drain waits for it."""
    _say(server, name, "drain")
