"""
Making workspaces, with kcp's words.

Source: kcp HEAD, ``kubectl create workspace`` (kcp-core 6.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from fairlead_api import JsonObject, names
from fairlead_api.errors import AlreadyExists, Forbidden, NotFound
from fairlead_cli import computing, contexts, entering, places
from fairlead_cli.failure import Failure
from fairlead_cli.options import Server
from fairlead_cli.session import Session, connected, local, timed_out, until

_APPEAR_S, _READY_S = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A workspace to make.

    Attributes:
        name, type: As the user wrote them; ``[path:]name``, "" lets the server decide.
        location_selector: Which shards may hold it.
        compute: Bind the compute API into it.
        location_workspace: Where its Placement looks for Locations; "" for the nearest workspace above that has any.
    """

    name: str
    type: str = ""
    enter: bool = False
    ignore_existing: bool = False
    location_selector: str = ""
    create_context: str = ""
    compute: bool = False
    location_workspace: str = ""

    def body(self) -> JsonObject:
        """Return the Workspace to create."""
        spec: JsonObject = {}
        if self.type:
            spec["type"] = type_reference(self.type)
        if self.location_selector:
            spec["location"] = {"selector": computing.selector_object(self.location_selector)}
        metadata = {"name": self.name}
        return {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": metadata, "spec": spec}


def type_reference(text: str) -> JsonObject:
    """Return a WorkspaceTypeReference of ``[path:]name``; names are lower case."""
    path, _, name = text.rpartition(":")
    return {"name": name.lower(), "path": path} if path else {"name": name.lower()}


async def create(server: Server, wanted: Wanted) -> None:
    """
    Create a workspace, wait until it is ready, and do what else was asked.

    Raises:
        Failure: It exists already with another type, or does not become ready.
        ApiError: The server refused.
    """
    absolute = names.split(wanted.type)[:1] == (names.ROOT,)
    if wanted.ignore_existing and wanted.type and not absolute:
        raise Failure("--ignore-existing must not be used with non-absolute type path")
    async with connected(server) as session:
        ready = await _ready(session, wanted)
        path = places.place_of(str(ready["spec"].get("URL", ""))).path
        if wanted.compute:
            await _bind_compute(session, path, wanted.location_workspace)
        if wanted.create_context:
            _create_context(server, wanted, str(ready["spec"]["URL"]))
        elif wanted.enter:
            await entering.enter(server, session, names.join(session.place.path, wanted.name))


async def _ready(session: Session, wanted: Wanted) -> JsonObject:
    """Create or find the workspace and return it once it is ready."""
    from fairlead_cli.kinds import WORKSPACES  # noqa: PLC0415 - only to talk

    existed = False
    try:
        made = await session.here.create(WORKSPACES, wanted.body())
    except AlreadyExists:
        if not wanted.ignore_existing:
            raise
        existed, made = True, await session.here.get(WORKSPACES, wanted.name)
    text = f'Workspace "{wanted.name}" (type {places.type_text(made["spec"].get("type"))})'
    if existed:
        _same_type(wanted, made)
    waiting = not _is_ready(made)
    if existed:
        click.echo(f"{text} already exists." + (" Waiting for it to be ready..." if waiting else ""))
    elif waiting:
        click.echo(f"{text} created. Waiting for it to be ready...")
    seen = made

    async def look() -> JsonObject | None:
        nonlocal seen
        try:
            seen = await session.here.get(WORKSPACES, wanted.name)
        except NotFound:
            return None
        return seen if _is_ready(seen) else None

    found = await until(look, _READY_S)
    if found is None:
        phase = (seen.get("status") or {}).get("phase", "unknown")
        raise timed_out(f'workspace "{wanted.name}" is not ready', f"phase {phase} after {_READY_S:g} s")
    click.echo(f"{text} is ready to use.")
    return found


def _is_ready(workspace: JsonObject) -> bool:
    return bool((workspace.get("status") or {}).get("phase") == "Ready")


def _same_type(wanted: Wanted, found: JsonObject) -> None:
    if not wanted.type:
        return
    want, have = type_reference(wanted.type), found["spec"].get("type") or {}
    if (want["name"], want.get("path", "")) != (have.get("name", ""), have.get("path", "")):
        raise Failure(
            f'workspace "{wanted.name}" cannot be created with type {places.type_text(want)}, '
            f"it already exists with different type {places.type_text(have)}"
        )


def _create_context(server: Server, wanted: Wanted, url: str) -> None:
    known = local(server)
    existed = known.config.find("contexts", wanted.create_context) is not None
    if existed and not wanted.ignore_existing:
        raise Failure(f'context "{wanted.create_context}" already exists in kubeconfig, use --overwrite to update it')
    edits = contexts.new_context(known.config, known.context, wanted.create_context, url)
    if not wanted.enter:
        edits.current = ""
    contexts.save(known.config, known.context, edits)
    print_context(wanted.create_context, existed=existed, switched=wanted.enter)


def print_context(name: str, *, existed: bool, switched: bool) -> None:
    """Say what became of a context, in kcp's words."""
    verb = "Updated" if existed else "Created"
    click.echo(f'{verb} context "{name}"' + (" and switched to it." if switched else "."))


async def _bind_compute(session: Session, path: str, location_workspace: str) -> None:
    where = location_workspace and places.absolute(path, *[places.spoken(location_workspace, "")[0]] * 2)
    request = computing.ComputeRequest(where or await _nearest_locations(session))
    try:
        placement = await computing.bind(session.top.at(path), request)
        click.echo(f"placement {placement} created.")
    except AlreadyExists:  # with --ignore-existing
        click.echo(f"placement {request.placement()['metadata']['name']} already exists.")


async def _nearest_locations(session: Session) -> str:
    """Return the nearest workspace, from the parent of the new one up, that has a Location; else root."""
    from fairlead_cli.kinds import LOCATIONS  # noqa: PLC0415 - only to talk

    for path in places.ancestors(session.place.path):
        try:
            found, _ = await session.top.at(path).list(LOCATIONS)
        except (Forbidden, NotFound):
            continue
        if found:
            return path
    return names.ROOT
