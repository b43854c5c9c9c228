"""``fairlead start``: the control plane in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from fairlead_control_plane.main.settings import Settings

_FAILED, _USAGE = 1, 2


@click.command(name="start", context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option(
    "--root-directory",
    type=click.Path(path_type=Path),
    default=Path(".fairlead"),
    help="Keys, certificates, the embedded store and admin.kubeconfig.",
)
@click.option("--profile", type=click.Choice(["workspaces", "cluster"]), default="workspaces", help="What to serve.")
@click.option("--bind-address", default="127.0.0.1", help="IP address to listen on; 0.0.0.0 for all.")
@click.option("--secure-port", type=int, default=6443, help="Port to listen on; 0 picks a free one.")
@click.option("--external-url", default="", help="https://HOST[:PORT] under which others reach this server.")
@click.option("--store", type=click.Choice(["sqlite", "etcd"]), default="sqlite", help="Where objects are kept.")
@click.option("--etcd-servers", default="", help="Comma-separated URLs, with --store etcd.")
@click.option("--token-auth-file", type=click.Path(path_type=Path), help="CSV: token,user,uid[,groups].")
@click.option("--client-ca-file", type=click.Path(path_type=Path), help="PEM of CAs for client certificates.")
@click.option(
    "--max-unauthenticated-connections",
    type=int,
    default=1024,
    help="Most connections whose clients have not proved who they are; then the oldest is closed.",
)
@click.option("--service-account-issuer", default="https://kubernetes.default.svc", help="Issuer of account tokens.")
@click.option("--grace", "grace_s", type=float, default=10.0, help="Seconds for requests under way at shutdown.")
@click.option(
    "--bin-retention",
    "bin_retention_hours",
    type=float,
    default=72.0,
    help="Hours for which what is deleted can be restored; 0 keeps nothing.",
)
@click.option("--scheduler/--no-scheduler", "with_scheduler", default=True, help="Run the scheduler as a child.")
def start(**options: Any) -> None:
    """Start a control plane and run it until SIGTERM or Ctrl-C."""
    import asyncio  # noqa: PLC0415 - `fairlead --help` must not load the server

    import pydantic  # noqa: PLC0415
    import uvloop  # noqa: PLC0415

    from fairlead_control_plane.main.logs import configure  # noqa: PLC0415
    from fairlead_control_plane.main.running import StartFailed, run  # noqa: PLC0415
    from fairlead_control_plane.main.settings import Settings  # noqa: PLC0415

    servers = tuple(url.strip() for url in options.pop("etcd_servers").split(",") if url.strip())
    try:
        settings: Settings = Settings(**options, etcd_servers=servers)
    except pydantic.ValidationError as error:
        _end(_first_problem(error), _USAGE)
    configure()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(run(settings, announce=lambda text: click.echo(text, err=True)))
    except StartFailed as error:
        _end(str(error), _FAILED)
    raise SystemExit(code)


def _first_problem(error: Any) -> str:
    problem = error.errors()[0]
    field = "-".join(str(part) for part in problem["loc"]).replace("_", "-")
    message = problem["msg"].removeprefix("Value error, ")
    return f"--{field}: {message}" if field else message


def _end(message: str, code: int) -> NoReturn:
    click.echo(f"fairlead start: {' '.join(message.split())}", err=True)
    raise SystemExit(code)
