"""
``kubectl fairlead adopt``: hand what runs in a cluster already over to its agent, so that nothing restarts.

A namespace that an agent of a lost SyncTarget or control plane has made, with what it made in it; or exactly one object
that somebody else made under the name of one of the workspace's. What is handed over is named by uid, shown before,
and recorded at the control plane; the agent takes each object over only if its pod template stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli import downstream, draining, explaining, inventory, leftovers, registering, resolving
from fairlead_cli.assignments import Assigned, cluster_of
from fairlead_cli.failure import USAGE, Failure
from fairlead_cli.inventory import Found
from fairlead_cli.options import HELP, Server, sides_options
from fairlead_cli.session import Session, connected, talk

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

_SPACES = frozenset({"namespace", "namespaces", "ns"})
_MANAGER = {"fieldManager": "kubectl-fairlead"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What the user asked for.

    Attributes:
        what: ``TYPE/NAME``.
        namespace: Upstream namespace; "" for the context's.
        target: Name of the SyncTarget; "" for the one the namespace is assigned to.
        source: Downstream namespace; "" to look for it.
        digest: The set that was looked at; "" for the one that is shown.
        restart: Whether pods may restart.
        yes: Do not ask.
    """

    what: str
    namespace: str
    target: str
    source: str
    digest: str
    restart: bool
    yes: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where it goes: the SyncTarget, and the upstream namespace with the logical cluster of its workspace."""

    target: JsonObject
    cluster: str
    namespace: str

    @property
    def locator(self) -> names.Locator:
        """What the downstream namespace stands for from now on."""
        metadata = self.target["metadata"]
        return names.Locator(cluster_of(self.target), metadata["name"], metadata["uid"], self.cluster, self.namespace)


@click.command(context_settings=HELP)
@click.argument("what", metavar="TYPE/NAME")
@sides_options
@click.option("-n", "--namespace", default="", help="Namespace in the workspace; the context's by default.")
@click.option("--cluster", "target", default="", help="The SyncTarget; the one the namespace is assigned to if not.")
@click.option("--from", "source", default="", help="With namespace/NAME: the cluster's namespace that becomes it.")
@click.option("--set", "digest", default="", help="The set that was looked at; what is there now if not.")
@click.option("--allow-restart", "restart", is_flag=True, help="Also where pod templates change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def adopt(what: str, upstream: Server, physical: Server, **options: Any) -> None:
    """Hand what runs in a cluster already over to its agent."""
    fields = ("namespace", "target", "source", "digest", "restart", "yes")
    talk(_adopt(Wanted(what, **{field: options[field] for field in fields}), upstream, physical))


async def _adopt(wanted: Wanted, upstream: Server, physical: Server) -> None:
    async with connected(upstream) as session, downstream.reached(physical) as (cluster, local):
        word, name = resolving.split(wanted.what)
        is_whole = word.lower() in _SPACES
        namespace = wanted.namespace or session.local.config.credentials(session.local.context).namespace
        place = await _place(session, wanted, name if is_whole else namespace)
        registering.check_context(place.target, await downstream.cluster_uid(cluster, local.context), local.context)
        await (_adopt_namespace if is_whole else _adopt_object)(session, cluster, wanted, place)


async def _place(session: Session, wanted: Wanted, namespace: str) -> Place:
    """
    Return where things go.

    Raises:
        Failure: It is not clear which SyncTarget is meant.
    """
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk
    from fairlead_cli.checking.spaces import everywhere  # noqa: PLC0415

    body = await session.here.get(kinds.NAMESPACES, namespace)
    uids: set[str] = set()
    if not wanted.target:
        try:
            found = await session.here.get(kinds.ASSIGNMENTS, namespace)
            assigned = Assigned(session.place.path, namespace, "", found)
            uids = {one["uid"] for one in assigned.targets() if one.get("state", "Sync") == "Sync"}
        except (NotFound, Forbidden):
            pass
    targets = [one for part in (await everywhere(session, kinds.SYNC_TARGETS)).objects.values() for one in part]
    meant = [one for one in targets if one["metadata"]["uid"] in uids or one["metadata"]["name"] == wanted.target]
    if wanted.target and not meant:
        raise Failure(f'SyncTarget "{wanted.target}" not found', fix="kubectl fairlead cluster list")
    if len(meant) != 1:
        saw = f"namespace {namespace} is assigned to {len(meant)} clusters" if not wanted.target else ""
        raise Failure("it is not clear which cluster is meant", saw, "name a SyncTarget: --cluster NAME", code=USAGE)
    return Place(meant[0], cluster_of(body), namespace)


async def _adopt_namespace(session: Session, cluster: Client, wanted: Wanted, place: Place) -> None:
    """
    Hand over a downstream namespace with what bears our marks in it; of a living one, to its own agent alone.

    That is for objects which a restored control plane, or a restored cluster, has made somebody's to the agent.

    Raises:
        Failure: There is none, several could be meant, or it is another living one's.
    """
    audit = leftovers.Wanted("", "", "", "", remove=False, yes=True, everything=True)
    judged = await leftovers.audit(session, cluster, audit)
    spaces = [one for one in judged if one.found.kind == ("", "namespaces") and one.found.locator is not None]
    chosen = _chosen([one for one in spaces if one.state != inventory.LIVE or _is_its_own(one, place)], wanted, place)
    home = chosen.found.body["metadata"]
    inside = [one.found for one in judged if one.found.body["metadata"].get("namespace") == home["name"]]
    _confirm([chosen.found, *inside], wanted)
    await _record(session, place, home, inside, restart=wanted.restart)
    await _mark(cluster, home, place.locator)
    click.echo(f"namespace/{home['name']} with {len(inside)} objects handed over to {place.target['metadata']['name']}")


def _chosen(spaces: Sequence[inventory.Judged], wanted: Wanted, place: Place) -> inventory.Judged:
    if wanted.source:
        found = [one for one in spaces if one.found.body["metadata"]["name"] == wanted.source]
    else:
        name = place.target["metadata"]["name"]
        found = [one for one in spaces if _stands_for(one.found.locator, name, place.namespace)]
    going = [one for one in found if one.found.body["metadata"].get("deletionTimestamp")]
    if len(found) == 1 and not going:
        return found[0]
    saw = ", ".join(one.found.body["metadata"]["name"] for one in found) or "none that is nobody's"
    raise Failure(
        f"no one namespace of the cluster stood for {place.namespace}",
        saw,
        "look: kubectl fairlead leftovers; then name it: --from NAMESPACE",
    )


def _is_its_own(one: inventory.Judged, place: Place) -> bool:
    return one.found.locator == place.locator


def _stands_for(locator: names.Locator | None, target: str, namespace: str) -> bool:
    return locator is not None and (locator.target_name, locator.namespace) == (target, namespace)


async def _adopt_object(session: Session, cluster: Client, wanted: Wanted, place: Place) -> None:
    """
    Hand over the one object that stands in the way of one of the workspace's.

    Raises:
        NotFound: There is none, above or below.
        Failure: The namespace does not run there.
    """
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk

    word, name = resolving.split(wanted.what)
    kind = await resolving.find_kind(session.here, word)
    await session.here.get(kind.gvr, name, namespace=place.namespace)
    home = names.downstream_namespace(place.locator)
    space = await cluster.get(kinds.NAMESPACES, home)
    if inventory.locator_of(space) != place.locator:
        raise Failure(f"namespace {home} of the cluster is not the one of {place.namespace}")
    below = explaining.downstream_name(kind.gvr.group, kind.gvr.resource, name)
    found = Found((kind.gvr.group, kind.gvr.resource), await cluster.get(kind.gvr, below, namespace=home))
    _confirm([found], wanted)
    await _record(session, place, space["metadata"], [found], restart=wanted.restart)
    click.echo(f"{found.said} handed over to {place.target['metadata']['name']}")


def digest(found: Sequence[Found]) -> str:
    """Return the name of exactly these objects."""
    uids = sorted(f"{one.said} {one.body['metadata']['uid']}" for one in found)
    return hashlib.sha256("\n".join(uids).encode()).hexdigest()[:16]


def _confirm(found: Sequence[Found], wanted: Wanted) -> None:
    """
    Show what would be handed over and who made it, and ask.

    Raises:
        Failure: It is not the set that was named, or the user said no.
    """
    for one in found:
        entries = one.body["metadata"].get("managedFields") or ()
        managers = ", ".join(sorted({str(entry.get("manager")) for entry in entries})) or "unknown"
        click.echo(f"{one.said}  uid {one.body['metadata']['uid']}, written by {managers}", err=True)
    shown = digest(found)
    click.echo(f"{len(found)} objects (set {shown})", err=True)
    if wanted.digest and wanted.digest != shown:
        raise Failure(
            f"set {wanted.digest} is not what is there now ({shown})", fix="look at it again: leave out --set"
        )
    draining.confirm(wanted.yes)


async def _record(session: Session, place: Place, home: JsonObject, found: Sequence[Found], *, restart: bool) -> None:
    import orjson  # noqa: PLC0415 - only to talk

    metadata = place.target["metadata"]
    path = f"/services/syncer/{cluster_of(place.target)}/{metadata['name']}/{metadata['uid']}/adopt"
    objects = [one.body["metadata"]["uid"] for one in found]
    body = {"cluster": place.cluster, "namespace": place.namespace, "home": home["name"], "uid": home["uid"]}
    await session.top.request("POST", path, body=orjson.dumps({**body, "objects": objects, "restart": restart}))


async def _mark(cluster: Client, home: JsonObject, locator: names.Locator) -> None:
    """Write on a downstream namespace for whom it stands now; the agent itself may not touch another's."""
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk
    from fairlead_machinery.client import MERGE_PATCH  # noqa: PLC0415

    key = names.sync_target_key(locator.target_cluster, locator.target_name)
    labels = {names.DOWNSTREAM_CLUSTER_LABEL: key, names.TENANT_LABEL: names.tenant_id(locator)}
    annotations = {names.LOCATOR_ANNOTATION: locator.to_json()}
    body = {"metadata": {"uid": home["uid"], "labels": labels, "annotations": annotations}}
    await cluster.patch(kinds.NAMESPACES, home["name"], body, type_=MERGE_PATCH, query=_MANAGER)
