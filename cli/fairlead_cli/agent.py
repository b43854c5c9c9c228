"""``fairlead syncer``: the agent of one physical cluster, as a process."""

from __future__ import annotations

import asyncio
import faulthandler
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from fairlead_cli.failure import USAGE, Failure, explain

_TOKEN_VARIABLE = "FAIRLEAD_BOOTSTRAP_TOKEN"


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--from-kubeconfig", type=click.Path(path_type=Path), required=True, help="How to reach Fairlead.")
@click.option("--from-context", default="", help="Context in it; the current one by default.")
@click.option("--from-cluster", required=True, help="Logical cluster the SyncTarget is in.")
@click.option("--to-kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default the one this runs in.")
@click.option("--to-context", default="", help="Context in it; the current one by default.")
@click.option("--sync-target-name", required=True, help="Name of the SyncTarget.")
@click.option("--sync-target-uid", required=True, help="uid of the SyncTarget.")
@click.option(
    "--state-directory",
    type=click.Path(path_type=Path),
    default=Path("fairlead-syncer"),
    help="Where key and token are kept; must outlive a restart.",
)
@click.option(
    "--bootstrap-token-file",
    type=click.Path(path_type=Path),
    help=f"Holds the single-use token of the first start; {_TOKEN_VARIABLE} serves too.",
)
@click.option("--pod-security", default="baseline", help="Pod security level of namespaces in the cluster.")
@click.option(
    "--deletion-share",
    type=click.FloatRange(0, 1),
    default=0.3,
    help="Part of all objects that may be deleted within the window before deletions wait for approval; 1: never wait.",
)
@click.option(
    "--deletion-floor", type=click.IntRange(0), default=20, help="Number of objects that may be deleted anyway."
)
@click.option("--deletion-window", default="10m", help="Length of that window.")
@click.option("--key-lifetime", default="2160h", help="After which the agent replaces its own key; 0s: never.")
@click.option("--wide", is_flag=True, help="One watch a kind for the whole cluster; takes the rights to.")
@click.option("--api-url", default="", help="URL by which pods reach their workspace, if not the agent's.")
@click.option("--health-address", default="", help="HOST:PORT of /livez and /readyz, :PORT for all addresses; none.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", help="Verbosity."
)
def syncer(**options: Any) -> None:
    """Run the agent of one physical cluster until SIGTERM or Ctrl-C."""
    import uvloop  # noqa: PLC0415 - `fairlead --help` must not load it

    from fairlead_cli.session import duration_s  # noqa: PLC0415 - nor this
    from fairlead_machinery import kubeconfig, log  # noqa: PLC0415 - nor this

    log.configure(options["log_level"], as_json=True)
    faulthandler.enable()  # what ends a process from below says where
    path = options["from_kubeconfig"]

    def upstream() -> Any:
        return kubeconfig.load([path], explicit=True).credentials(options["from_context"])

    def cluster() -> Any:
        return _cluster(options["to_kubeconfig"], options["to_context"])

    program = import_module("fairlead_syncer.main")
    settings = program.AgentSettings(
        upstream=upstream(),
        cluster=cluster(),
        sync_target_cluster=options["from_cluster"],
        sync_target_name=options["sync_target_name"],
        sync_target_uid=options["sync_target_uid"],
        state_directory=options["state_directory"],
        bootstrap_token=_bootstrap_token(options["bootstrap_token_file"]),
        pod_security=options["pod_security"],
        api_url=options["api_url"],
        deletion_share=options["deletion_share"],
        deletion_floor=options["deletion_floor"],
        deletion_window_s=duration_s(options["deletion_window"]),
        given=path.parent if (path.parent / "agent.key").exists() else None,
        key_lifetime_s=duration_s(options["key_lifetime"]),
        reload_upstream=upstream,
        reload_cluster=cluster,
        reload_bootstrap=lambda: _bootstrap_token(options["bootstrap_token_file"]),
        wide=options["wide"],
        health=_address(options["health_address"]),
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(program.run(settings))
    except KeyboardInterrupt:
        raise SystemExit(0) from None
    except (Exception, asyncio.CancelledError, BaseExceptionGroup) as error:
        # What went wrong inside is in the log; the last line is for people.
        known = explain(error) if isinstance(error, Exception) else None
        failure = known or Failure("the agent ended", str(error) or type(error).__name__)
        raise failure from error


def _cluster(path: Path | None, context: str) -> Any:
    """Return the credentials for the physical cluster."""
    from fairlead_machinery import kubeconfig  # noqa: PLC0415 - see syncer

    if path is None:
        return kubeconfig.in_cluster(os.environ)
    return kubeconfig.load([path], explicit=True).credentials(context)


def _address(text: str) -> tuple[str, int] | None:
    """
    Return host and port; None for "".

    Raises:
        Failure: It is no address.
    """
    host, _, port = text.rpartition(":")
    if text and not (port.isdecimal() and int(port) < 65536):
        raise Failure(f'--health-address: "{text}" is no HOST:PORT', code=USAGE)
    return (host.strip("[]"), int(port)) if text else None


def _bootstrap_token(path: Path | None) -> str:
    """Return the token of the first start; a file that is gone again was used up, as it should be."""
    if path is not None:
        return path.read_text().strip() if path.exists() else ""
    return os.environ.get(_TOKEN_VARIABLE, "").strip()
