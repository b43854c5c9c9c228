"""
Drift in words, and ``kubectl fairlead drift``: what to do with what somebody in a cluster has changed of an object.

The choice is an annotation of the user's own object; agents go by it, and clusters never see it.
"""

from __future__ import annotations

import click

from fairlead_api import JsonObject
from fairlead_cli import resolving
from fairlead_cli.failure import USAGE, Failure
from fairlead_cli.options import HELP, Server, server_options
from fairlead_cli.session import connected, talk

POLICY, LEAVE = "sync.fairlead.io/drift", "sync.fairlead.io/leave"
_CHOICES = ("revert", "accept")


def lines(progress: JsonObject, meant: tuple[str, str, str] | None) -> list[str]:
    """
    Return what has drifted in one cluster, a line for each field.

    Args:
        progress: The target's entry in an Assignment's status.
        meant: Group, resource and name of the one object asked about; None for all.
    """
    found = []
    for one in progress.get("drifted") or ():
        if meant in {None, (one.get("group", ""), one["resource"], one["name"])}:
            when = f" at {one['since']}" if one.get("since") else ""
            done = "left as it is" if one.get("left") else "put back"
            found.append(
                f"    ~ {one['resource']}/{one['name']}: {one['path']} changed by {one['manager']}{when}, {done}"
            )
    return found


@click.command(context_settings=HELP)
@click.argument("what", metavar="TYPE/NAME")
@click.argument("choice", type=click.Choice(_CHOICES), required=False)
@click.option("-n", "--namespace", default="", help="Namespace; the context's by default.")
@click.option("--leave", multiple=True, metavar="MANAGER=PATH", help="Repeatable: a field that a manager may own.")
@server_options
def drift(server: Server, what: str, choice: str | None, namespace: str, leave: tuple[str, ...]) -> None:
    """Put back, accept, or leave to its manager what is changed of an object in a cluster."""
    talk(_choose(server, what, choice, namespace, leave))


async def _choose(server: Server, what: str, choice: str | None, namespace: str, leave: tuple[str, ...]) -> None:
    """
    Write the choice on the object.

    Raises:
        Failure: Nothing was chosen, or a rule names no manager or no path.
    """
    from fairlead_machinery.client import MERGE_PATCH  # noqa: PLC0415 - only to talk

    if choice is None and not leave:
        raise Failure("nothing was chosen", fix="say revert, accept or --leave MANAGER=PATH", code=USAGE)
    async with connected(server) as session:
        word, name = resolving.split(what)
        kind = await resolving.find_kind(session.here, word)
        place = namespace or session.local.config.credentials(session.local.context).namespace
        annotations = {POLICY: choice if choice == "accept" else None, LEAVE: rules(leave) or None}
        body = {"metadata": {"annotations": annotations}}
        await session.here.patch(kind.gvr, name, body, type_=MERGE_PATCH, namespace=place)
    click.echo(f"{what} drift: {choice or 'revert'}{', but leaves ' + rules(leave) if leave else ''}")


def rules(leave: tuple[str, ...]) -> str:
    """
    Return the annotation's text for rules as they are typed.

    Raises:
        Failure: A rule names no manager or no path.
    """
    found = []
    for one in leave:
        manager, _, path = one.partition("=")
        if not manager or not path or set(manager + path) & {";", " ", ","}:
            raise Failure(f'"{one}" is no rule', fix="write it as MANAGER=PATH, such as vpa=spec.replicas", code=USAGE)
        found.append(f"{manager} {path}")
    return ";".join(found)
