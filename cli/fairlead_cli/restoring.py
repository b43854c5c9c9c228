"""
``kubectl fairlead bin`` and ``restore``: what was deleted, and how to have it again.

To restore is to create: it goes through the workspace's API with the user's own rights, so what may not be created may
not be restored either. What comes back is a new object with a new uid, synced like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError
from fairlead_cli import output as printing
from fairlead_cli import resolving
from fairlead_cli.failure import Failure
from fairlead_cli.options import HELP, Server, output_option, server_options
from fairlead_cli.session import Session, connected, talk

_FIRST = ("serviceaccounts", "secrets", "configmaps", "persistentvolumeclaims", "roles", "rolebindings", "services")
"""What others need comes first."""
_LAST = ("cronjobs", "horizontalpodautoscalers", "ingresses")
_MANAGER = {"fieldManager": "kubectl-fairlead-restore"}


@click.command(name="bin", context_settings=HELP)
@click.option("-n", "--namespace", default="", help="Of one namespace; of all by default.")
@output_option
@server_options
def list_bin(server: Server, namespace: str, output: str) -> None:
    """List what was deleted and can be restored: what, when, by whom, why, and until when."""
    talk(_list(server, namespace, output))


@click.command(context_settings=HELP)
@click.argument("what", metavar="TYPE/NAME")
@click.option("-n", "--namespace", default="", help="Namespace; the context's by default.")
@click.option("--uid", default="", help="Which one, when several of that name were deleted; the last by default.")
@click.option("--dry-run", is_flag=True, help="Print what would be created and change nothing.")
@server_options
def restore(server: Server, what: str, namespace: str, uid: str, dry_run: bool) -> None:
    """Bring back what was deleted; a namespace with all that went with it."""
    talk(_restore(server, what, namespace, uid, dry_run=dry_run))


async def _list(server: Server, namespace: str, output: str) -> None:
    async with connected(server) as session:
        items = of_namespace(await _items(session, namespace), namespace)
    if output in {"json", "yaml"}:
        click.echo(printing.document(printing.list_object(items), output))
    elif output == "name":
        for item in items:
            click.echo(said(item))
    elif not items:
        click.echo("the bin is empty", err=True)
    else:
        click.echo(table(items, wide=output == "wide"))


def table(items: Sequence[JsonObject], *, wide: bool = False, now: datetime | None = None) -> str:
    """Return what was deleted as a table, newest first."""
    header: tuple[str, ...] = ("NAMESPACE", "WHAT", "DELETED", "BY", "CAUSE", "KEPT FOR")
    if wide:
        header = (*header, "UID", "CLUSTERS")
    lines = []
    for item in items:
        line: tuple[str, ...] = (
            item["namespace"] or "-",
            said(item),
            f"{printing.age(item['deletedAt'], now)} ago",
            item["deletedBy"],
            item["cause"] if item["restorable"] else f"{item['cause']} (still in the workspace)",
            _left(item["until"], now or datetime.now(UTC)),
        )
        if wide:
            names = ",".join(one["name"] or one["uid"] for one in item["clusters"])
            line = (*line, item["uid"], names or "-")
        lines.append(line)
    return printing.table(header, lines)


def said(item: JsonObject) -> str:
    """Return what ``restore`` takes for an entry."""
    resource = ".".join(part for part in (item["resource"], item["group"]) if part)
    return f"{resource}/{item['name']}"


def _left(until: str, now: datetime) -> str:
    seconds = max(int((datetime.fromisoformat(until) - now).total_seconds()), 0)
    return f"{seconds // 3600}h" if seconds >= 3600 else f"{seconds // 60}m"


def of_namespace(items: Sequence[JsonObject], namespace: str) -> list[JsonObject]:
    """Return what is of a namespace, itself included; the server names the other namespaces, too."""
    return [one for one in items if not namespace or (one["namespace"] or one["name"]) == namespace]


async def _items(session: Session, namespace: str = "") -> list[JsonObject]:
    query = {"namespace": namespace} if namespace else {}
    answer = await session.top.request("GET", f"/services/bin/{session.place.path}", query)
    items: list[JsonObject] = answer.json()["items"]
    return items


async def _entry(session: Session, item: JsonObject) -> JsonObject:
    """Return one entry with what to create."""
    query = {"namespace": item["namespace"]} if item["namespace"] else {}
    answer = await session.top.request("GET", f"/services/bin/{session.place.path}/{item['uid']}", query)
    entry: JsonObject = answer.json()
    return entry


async def _restore(server: Server, what: str, namespace: str, uid: str, *, dry_run: bool) -> None:
    """
    Restore one object, or a namespace with its content.

    Raises:
        Failure: It is not in the bin, is still there, or some of a namespace's content could not be brought back.
    """
    async with connected(server) as session:
        word, name = resolving.split(what)
        kind = await resolving.find_kind(session.here, word)
        place = namespace or session.local.config.credentials(session.local.context).namespace
        items = await _items(session, place if kind.namespaced else "")
        item = chosen(items, (kind.gvr.group, kind.gvr.resource, name), uid)
        if item is None:
            raise Failure(f"{what} is not in the bin", fix=f"see what is: kubectl fairlead bin -n {place}")
        todo = [item, *content(items, item)]
        if dry_run:
            manifests = [(await _entry(session, one))["manifest"] for one in todo]
            click.echo(printing.document(printing.list_object(manifests), "yaml"))
            return
        failed = [one for one in todo if not await _create(session, one, is_asked=one is item)]
    if failed:
        raise Failure(f"{len(failed)} of {len(todo)} objects were not restored", fix="run it again when mended")


def chosen(items: Sequence[JsonObject], kind: tuple[str, str, str], uid: str) -> JsonObject | None:
    """
    Return the entry that is meant.

    Args:
        items: The bin, newest first.
        kind: Group, resource and name.
        uid: "" for the newest.

    Raises:
        Failure: It is still in the workspace: a cluster alone has deleted it.
    """
    found = [one for one in items if (one["group"], one["resource"], one["name"]) == kind and uid in {"", one["uid"]}]
    restorable = [one for one in found if one["restorable"]]
    if found and not restorable:
        where = ", ".join(one["name"] or one["uid"] for one in found[0]["clusters"])
        raise Failure(
            f"{said(found[0])} was deleted in {where} only ({found[0]['cause']})",
            "it is still in the workspace",
            f"why it runs where it runs: kubectl fairlead why {said(found[0])}",
        )
    return restorable[0] if restorable else None


def content(items: Sequence[JsonObject], item: JsonObject) -> list[JsonObject]:
    """Return what a namespace took with it, in the order in which to create it; nothing for other kinds."""
    if (item["group"], item["resource"]) != ("", "namespaces"):
        return []
    inside = [one for one in items if one["namespaceUID"] == item["uid"] and one["restorable"]]
    return sorted(inside, key=lambda one: (_rank(str(one["resource"])), one["resource"], one["name"]))


def _rank(resource: str) -> int:
    if resource in _FIRST:
        return _FIRST.index(resource)
    return len(_FIRST) + (resource in _LAST)


async def _create(session: Session, item: JsonObject, *, is_asked: bool) -> bool:
    """
    Create what an entry holds; tell whether it is there now.

    Raises:
        Failure: The one that was asked for is there already.
    """
    from fairlead_machinery.client import Gvr  # noqa: PLC0415 - only to talk

    manifest: dict[str, Any] = (await _entry(session, item))["manifest"]
    group, _, version = manifest["apiVersion"].rpartition("/")
    gvr = Gvr(group, version, item["resource"])
    name = f"{item['namespace']}/{said(item)}" if item["namespace"] and not is_asked else said(item)
    try:
        made = await session.here.create(gvr, manifest, namespace=item["namespace"], query=_MANAGER)
    except AlreadyExists as error:
        if is_asked and item["resource"] != "namespaces":
            raise Failure(f"{name} is there", "one of that name exists", "delete or rename it first") from error
        click.echo(f"{name} is there already", err=True)
        return True
    except ApiError as error:
        if is_asked:
            raise
        click.echo(f"{name} was not restored: {error.message}", err=True)
        return False
    click.echo(f"{name} restored (uid {made['metadata']['uid']})")
    return True
