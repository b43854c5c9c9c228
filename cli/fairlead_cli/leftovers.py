"""
``kubectl fairlead leftovers``: everything in a physical cluster that bears our marks, and what it is by now.

The cluster is read first and the views after it, so that what was made meanwhile is never called an orphan. What is
removed is exactly the set that was shown: it is read and judged again before, and each delete names uid and version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from fairlead_api import JsonObject, names
from fairlead_api.errors import Conflict, NotFound
from fairlead_cli import downstream, draining, inventory, resolving
from fairlead_cli import output as printing
from fairlead_cli.failure import USAGE, Failure
from fairlead_cli.inventory import Found, Judged, Known
from fairlead_cli.options import HELP, Server, output_option, sides_options
from fairlead_cli.session import Session, connected, talk

if TYPE_CHECKING:
    from fairlead_machinery.client import Client, Gvr

_OURS = {"labelSelector": "app.kubernetes.io/part-of=fairlead"}
_MARKED = {"labelSelector": names.DOWNSTREAM_CLUSTER_LABEL}
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What the user asked for.

    Attributes:
        name: The SyncTarget to look at; "" for all.
        forsaken: Uid of a SyncTarget that is gone for good.
        digest: The set to remove; "" for the one that is shown.
        everything: Show also what is as it must be.
    """

    name: str
    output: str
    forsaken: str
    digest: str
    remove: bool
    yes: bool
    everything: bool


@click.command(context_settings=HELP)
@click.argument("name", required=False, default="", metavar="[CLUSTER]")
@sides_options
@click.option("--all", "everything", is_flag=True, help="Show also what is as it must be.")
@click.option("--remove", is_flag=True, help="Delete the orphans that are shown, and nothing else.")
@click.option("--set", "digest", default="", help="With --remove: the set that was looked at.")
@click.option(
    "--gone", "forsaken", default="", help="Uid of a SyncTarget that is gone for good: what is its is orphaned."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def leftovers(name: str, upstream: Server, physical: Server, output: str, **options: Any) -> None:
    """Compare what bears Fairlead's marks in a cluster with what the control plane knows of."""
    fields = ("forsaken", "digest", "remove", "yes", "everything")
    talk(_leftovers(Wanted(name, output, **{field: options[field] for field in fields}), upstream, physical))


async def _leftovers(wanted: Wanted, upstream: Server, physical: Server) -> None:
    """
    Audit, show, and remove orphans when asked to.

    Raises:
        Failure: The views could not be read completely, the set is not the one that was named, or some stay.
    """
    async with connected(upstream) as session, downstream.reached(physical) as (cluster, _):
        judged = await audit(session, cluster, wanted)
        orphans = [one for one in judged if one.state == inventory.ORPHAN]
        _show(judged, orphans, wanted)
        if not wanted.remove:
            return
        if not orphans:
            raise Failure("there are no orphans")
        shown = inventory.digest(orphans)
        if wanted.digest and wanted.digest != shown:
            raise Failure(f"set {wanted.digest} is not what is there now ({shown})", fix="look at it again")
        draining.confirm(wanted.yes)
        again = [one for one in await audit(session, cluster, wanted) if one.state == inventory.ORPHAN]
        if inventory.digest(again) != shown:
            raise Failure("the orphans are others by now; nothing was removed", fix="look at them again")
        await _remove(cluster, again)


async def audit(session: Session, cluster: Client, wanted: Wanted) -> list[Judged]:
    """Read both sides and judge everything that bears our marks."""
    found = await collect(cluster)
    targets = await _targets(session)
    if wanted.forsaken in targets:
        raise Failure(f"SyncTarget {wanted.forsaken} is not gone", fix="leave out --gone", code=USAGE)
    if wanted.name:
        uids = {uid for uid, one in targets.items() if one["metadata"]["name"] == wanted.name}
        if not uids:
            raise Failure(f"there is no SyncTarget {wanted.name}")
        found = [one for one in found if one.locator is not None and one.locator.target_uid in uids]
    concerned = {one.locator.target_uid for one in found if one.locator is not None} & targets.keys()
    kinds = {one.kind for one in found if one.locator is not None}
    views = {uid: await _views(session, targets[uid], kinds, found) for uid in concerned}
    known = Known(targets, views, wanted.forsaken)
    return [inventory.judge(one, known) for one in found]


async def collect(cluster: Client) -> list[Found]:
    """Return everything in the cluster that bears a mark of ours, less what comes and goes with its owner."""
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk

    spaces, _ = await cluster.list(kinds.NAMESPACES)
    homes = {one["metadata"]["name"]: one for one in spaces if names.LOCATOR_ANNOTATION in _annotations(one)}
    found = [Found(("", "namespaces"), one, inventory.locator_of(one)) for one in homes.values()]
    agents = [one for one in spaces if one["metadata"]["name"].startswith(inventory.AGENT_PREFIX)]
    found += [Found(("", "namespaces"), one) for one in agents if one["metadata"]["name"] not in homes]
    for gvr in (*_cluster_wide(), *await listable(cluster)):
        query = _OURS if gvr in _cluster_wide() else _MARKED
        try:
            items, _ = await cluster.list(gvr, query=query)
        except NotFound:
            continue  # an older cluster has no such policies
        for item in items:
            if inventory.has_controller(item):
                continue
            home = homes.get(item["metadata"].get("namespace", ""))
            locator = None if home is None else inventory.locator_of(home)
            found.append(Found((gvr.group, gvr.resource), _typed(item, gvr), locator))
    return found


def _cluster_wide() -> tuple[Gvr, ...]:
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk
    from fairlead_machinery.client import Gvr  # noqa: PLC0415

    group = "admissionregistration.k8s.io"
    policies = [Gvr(group, "v1", f"validatingadmissionpolic{end}") for end in ("ies", "ybindings")]
    return (kinds.CLUSTER_ROLES, kinds.CLUSTER_ROLE_BINDINGS, *policies)


async def listable(cluster: Client) -> list[Gvr]:
    """Return every namespaced resource that can be listed and deleted, once each; Pods and Events come and go."""
    from fairlead_machinery.client import Gvr  # noqa: PLC0415 - only to talk

    found: dict[tuple[str, str], Gvr] = {}
    for path in ("/api", "/apis"):
        document = (await cluster.request("GET", path, headers={"Accept": resolving.AGGREGATED})).json()
        for item in document.get("items") or ():
            group = str(item["metadata"].get("name", ""))
            for version in item.get("versions") or ():
                for one in version.get("resources") or ():
                    is_fit = one.get("scope") == "Namespaced" and {"list", "delete"} <= set(one.get("verbs") or ())
                    if is_fit and one["resource"] != "events":
                        found.setdefault((group, one["resource"]), Gvr(group, version["version"], one["resource"]))
    if not found:
        raise Failure("the cluster names no resources")
    return list(found.values())


def _typed(item: JsonObject, gvr: Gvr) -> JsonObject:
    version = f"{gvr.group}/{gvr.version}" if gvr.group else gvr.version
    return {**item, "apiVersion": version}


async def _targets(session: Session) -> Mapping[str, JsonObject]:
    """
    Return all SyncTargets by uid.

    Raises:
        Failure: The user does not see all workspaces: what is another's could not be told from what is nobody's.
    """
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk
    from fairlead_cli.checking.spaces import everywhere  # noqa: PLC0415

    here = await everywhere(session, kinds.SYNC_TARGETS)
    if here.unseen:
        raise Failure(
            f"{here.unseen} workspaces may not be looked into",
            "what belongs to their SyncTargets would seem to be nobody's",
            "use the administrator's context: --from-context",
        )
    return {one["metadata"]["uid"]: one for part in here.objects.values() for one in part}


async def _views(
    session: Session, target: JsonObject, kinds: set[inventory.Kind], found: Sequence[Found]
) -> dict[inventory.ViewKey, JsonObject]:
    """Return every view of a SyncTarget of some kinds, tombstones included; all or an error."""
    from fairlead_machinery.client import Gvr  # noqa: PLC0415 - only to talk

    metadata = target["metadata"]
    place = f"{metadata['annotations'][names.CLUSTER_ANNOTATION]}/{metadata['name']}/{metadata['uid']}"
    shown = session.top.below(f"/services/syncer/{place}/clusters/*")
    versions = {one.kind: one.body.get("apiVersion", "v1").rpartition("/")[2] for one in found}
    slots, views = asyncio.Semaphore(_AT_ONCE), dict[inventory.ViewKey, JsonObject]()

    async def read(kind: inventory.Kind) -> None:
        async with slots:
            items, _ = await shown.list(Gvr(kind[0], versions.get(kind, "v1"), kind[1]))
        for item in items:
            cluster = _annotations(item).get(names.CLUSTER_ANNOTATION, "")
            key = (*kind, cluster, item["metadata"].get("namespace", ""), item["metadata"]["name"])
            views[key] = item

    await asyncio.gather(*(read(kind) for kind in kinds | {("", "namespaces")}))
    return views


def _annotations(obj: JsonObject) -> Mapping[str, str]:
    found: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return found


def _show(judged: Sequence[Judged], orphans: Sequence[Judged], wanted: Wanted) -> None:
    ordered = sorted(judged, key=lambda one: (one.state, one.found.said))
    if wanted.output in {"json", "yaml"}:
        items = [_for_machines(one) for one in ordered]
        body = {"kind": "LeftoverList", "set": inventory.digest(orphans), "items": items}
        click.echo(printing.document(body, wanted.output))
        return
    shown = [one for one in ordered if wanted.everything or one.state != inventory.LIVE]
    if wanted.output == "name":
        for one in shown:
            click.echo(one.found.said)
        return
    if shown:
        rows = [(one.state, one.found.said, _of(one.found), one.why) for one in shown]
        click.echo(printing.table(("STATE", "WHAT", "OF", "WHY"), rows))
    click.echo(f"{len(judged)} objects bear marks of Fairlead, {len(orphans)} of them orphans", err=True)
    if orphans:
        click.echo(f"to remove exactly these orphans: --remove --set {inventory.digest(orphans)}", err=True)


def _of(found: Found) -> str:
    locator = found.locator
    return "-" if locator is None else f"{locator.target_name} {locator.cluster}/{locator.namespace}"


def _for_machines(one: Judged) -> JsonObject:
    metadata, locator = one.found.body["metadata"], one.found.locator
    item: JsonObject = {"state": one.state, "group": one.found.kind[0], "resource": one.found.kind[1]}
    item |= {"namespace": metadata.get("namespace", ""), "name": metadata["name"], "uid": metadata["uid"]}
    if locator is not None:
        item["syncTarget"] = {"name": locator.target_name, "uid": locator.target_uid}
        item["upstream"] = {"cluster": locator.cluster, "namespace": locator.namespace}
    return {**item, "why": one.why}


async def _remove(cluster: Client, orphans: Sequence[Judged]) -> None:
    """
    Delete orphans: whole namespaces where nothing else is in them, one by one elsewhere.

    Raises:
        Failure: Something stays: it changed, or a namespace holds what is not ours.
    """
    from fairlead_machinery.client import Gvr  # noqa: PLC0415 - only to talk

    spaces = {one.found.body["metadata"]["name"]: one for one in orphans if one.found.kind == ("", "namespaces")}
    held = {name: others for name in spaces if (others := await _strangers(cluster, name))}
    whole = spaces.keys() - held.keys()
    failed = 0
    for one in orphans:
        metadata = one.found.body["metadata"]
        is_held = one.found.kind == ("", "namespaces") and metadata["name"] in held
        if is_held or metadata.get("namespace") in whole:
            continue
        version = str(one.found.body.get("apiVersion", "v1")).rpartition("/")[2]
        gvr = Gvr(one.found.kind[0], version, one.found.kind[1])
        try:
            await cluster.delete(
                gvr,
                metadata["name"],
                namespace=metadata.get("namespace", ""),
                uid=metadata["uid"],
                resource_version=metadata["resourceVersion"],
                propagation="Background",
            )
        except NotFound:
            continue
        except Conflict:
            failed += 1
            click.echo(f"{one.found.said} stays: it changed meanwhile", err=True)
        else:
            click.echo(f"{one.found.said} deleted")
    for name, others in held.items():
        failed += 1
        click.echo(f"namespaces/{name} stays: it holds what is not ours: {', '.join(others[:5])}", err=True)
    if failed:
        raise Failure(f"{failed} orphans stay", fix="look again: kubectl fairlead leftovers")


async def _strangers(cluster: Client, namespace: str) -> list[str]:
    contents: list[tuple[inventory.Kind, JsonObject]] = []
    for gvr in await listable(cluster):
        items, _ = await cluster.list(gvr, namespace=namespace)
        contents += [((gvr.group, gvr.resource), item) for item in items]
    return inventory.strangers(contents)
