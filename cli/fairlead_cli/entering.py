"""
Going from workspace to workspace: what is asked of the server, what is written, what is said.

Source: kcp HEAD, ``kubectl ws`` (kcp-core 6.2).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli import contexts, places
from fairlead_cli.failure import FORBIDDEN, Failure
from fairlead_cli.options import Server
from fairlead_cli.places import Place
from fairlead_cli.session import Session, connected, local, talk

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def print_current(server: str, *, short: bool, type_text: str = "") -> None:
    """Say where one is, in kcp's words."""
    place = places.find_place(server)
    if place is None:
        if not short:
            click.echo(f'Current workspace is the URL "{server}".')
    elif short:
        click.echo(place.path)
    else:
        click.echo(f"Current workspace is '{place.path}'" + (f" (type {type_text})" if type_text else "") + ".")


def use(server: Server, target: str, *, short: bool) -> None:
    """
    Make a workspace the current one.

    Raises:
        Failure: It is not there, may not be entered, or the word means no workspace.
    """
    said = target
    target, notes = places.spoken(target, str(Path.home()))
    if said:
        _note(notes)
    known = local(server)
    if target == ".":
        print_current(known.server, short=short)
        return
    if target == ":":
        place = places.place_of(known.server)
        _save(server, place.at(places.top(place.path)))
    elif target != "-":
        talk(_use(server, target, said, short=short))
        if not said:
            _note(notes)
        return
    else:
        edits = contexts.swap(known.config, known.context)
        contexts.save(known.config, known.context, edits)
    now = local(Server(kubeconfig=server.kubeconfig))
    talk(_warn(Server(kubeconfig=server.kubeconfig)))
    print_current(now.server, short=short)


def _note(notes: list[str]) -> None:
    for note in notes:
        click.echo(note, err=True)


def _save(server: Server, place: Place) -> None:
    known = local(server)
    contexts.save(known.config, known.context, contexts.enter(known.config, known.context, place.server))


async def _use(server: Server, target: str, said: str, *, short: bool) -> None:
    async with connected(server) as session:
        if target == "~" or target.startswith("~:"):
            target = ":" + await home_path(session.top) + target.removeprefix("~")
        path = places.absolute(session.place.path, target, said)
        type_text = await _may_enter(session.top, path)
        place = session.place.at(path)
        _save(server, place)
        await _print_warnings(session.top.at(path))
        print_current(place.server, short=short, type_text=type_text)


async def home_path(top: Client) -> str:
    """
    Return the path of the user's home workspace, made by this request if there is none.

    Raises:
        Failure: The server says none that can be understood.
    """
    from fairlead_cli.kinds import WORKSPACES  # noqa: PLC0415 - only to talk

    home = await top.at(names.ROOT).get(WORKSPACES, "~")
    url = str(home["spec"].get("URL", ""))
    place = places.find_place(url)
    if place is None:
        raise Failure(f'invalid home workspace URL "{url}"')
    return place.path


async def _may_enter(top: Client, path: str) -> str:
    """
    Check that a workspace can be entered; return its type's text, "" when that cannot be read.

    Discovery decides: a 404 or 403 of the parent alone does not keep anybody out.
    """
    from fairlead_cli.kinds import WORKSPACES  # noqa: PLC0415 - only to talk

    denied = not await _serves(top.at(path))
    not_found, type_text = False, ""
    if path == names.ROOT:
        type_text = "root"
    elif names.parent(path):
        try:
            found = await top.at(names.parent(path)).get(WORKSPACES, names.base_name(path))
            type_text = places.type_text(found["spec"].get("type"))
        except NotFound:
            not_found = True
        except Forbidden:
            pass
    if denied and not_found:
        raise Failure(f'workspace "{path}" not found')
    if denied:
        raise Failure(f'access to workspace "{path}" denied', code=FORBIDDEN)
    return type_text


async def _serves(workspace: Client) -> bool:
    """Tell whether a workspace shows any API to the user."""
    found = 0
    for path in ("/api", "/apis"):
        try:
            answer = (await workspace.request("GET", path, headers={"Accept": _AGGREGATED})).json()
        except NotFound:
            continue
        except Forbidden:
            return False
        found += sum(len(answer.get(key) or ()) for key in ("items", "groups", "versions"))
    return found > 0


async def _warn(server: Server) -> None:
    async with connected(server) as session:
        await _print_warnings(session.here)


async def _print_warnings(workspace: Client) -> None:
    """Warn of permission claims nobody has answered; whoever may not see bindings sees no warning."""
    from fairlead_cli.kinds import API_BINDINGS, API_BINDINGS_V2  # noqa: PLC0415 - only to talk

    for kind in (API_BINDINGS_V2, API_BINDINGS):
        try:
            bindings, _ = await workspace.list(kind)
        except NotFound:
            continue
        except Forbidden:
            return
        for warning in claim_warnings(bindings):
            click.echo(warning, err=True)
        return


def claim_warnings(bindings: list[JsonObject]) -> list[str]:
    """Return a warning for each exported claim that a binding leaves open."""
    warnings = []
    for binding in bindings:
        answers = {_claim(one): one for one in (binding.get("spec") or {}).get("permissionClaims") or ()}
        name = binding["metadata"]["name"]
        for exported in (binding.get("status") or {}).get("exportPermissionClaims") or ():
            text = ".".join(part for part in _claim(exported)[:2] if part)
            answer = answers.get(_claim(exported))
            if answer is None:
                warnings.append(
                    f"Warning: claim for {text} exported but not specified on APIBinding {name}\n"
                    "Add this claim to the APIBinding's Spec."
                )
            elif answer.get("state") not in {"Accepted", "Rejected"}:
                warnings.append(
                    f"Warning: claim for {text} specified on APIBinding {name} but not accepted or rejected."
                )
            elif set(answer.get("verbs") or ()) != set(exported.get("verbs") or ()):
                have, want = (",".join(sorted(one.get("verbs") or ())) for one in (answer, exported))
                warnings.append(
                    f"Warning: allowed verbs ({have}) on claim for {text} on APIBinding {name} "
                    f"do not match expected verbs ({want})."
                )
    return warnings


def _claim(claim: JsonObject) -> tuple[str, str, str]:
    return str(claim["resource"]), str(claim.get("group") or ""), str(claim.get("identityHash") or "")


async def enter(server: Server, session: Session, path: str) -> None:
    """Enter a workspace that was just made."""
    type_text = await _may_enter(session.top, path)
    place = session.place.at(path)
    _save(server, place)
    await _print_warnings(session.top.at(path))
    print_current(place.server, short=False, type_text=type_text)
