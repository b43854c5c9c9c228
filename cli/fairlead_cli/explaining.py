"""
``kubectl fairlead why`` and ``where``: the scheduler's own record, in words.

Nothing is decided anew here: what is printed is what the Assignment says, and how its SyncTargets stand now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, NotFound
from fairlead_api.names import Locator, downstream_namespace
from fairlead_cli import drifting, resolving, standing
from fairlead_cli.assignments import Assigned, cluster_of
from fairlead_cli.failure import USAGE, Failure
from fairlead_cli.options import Server
from fairlead_cli.output import document, table
from fairlead_cli.resolving import Kind
from fairlead_cli.session import Session, connected

_NAMESPACE_WORDS = frozenset({"namespace", "namespaces", "ns"})
_RENAMED = {("", "configmaps", "kube-root-ca.crt"): "kcp-root-ca.crt"}
"""Downstream names other than upstream ones (kcp-workload 3.8)."""


def downstream_name(group: str, resource: str, name: str) -> str:
    """Return what an object is called in clusters."""
    return _RENAMED.get((group, resource, name), name)


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What is asked about.

    Attributes:
        said: ``TYPE/NAME``.
        namespace: Where it is; its own name for a namespace.
        body: The object.
        assigned: Its namespace's Assignment; None when nobody placed it.
        cluster: Logical cluster of the workspace.
    """

    said: str
    kind: Kind
    namespace: str
    body: JsonObject
    assigned: Assigned | None
    cluster: str

    @property
    def meant(self) -> tuple[str, str, str] | None:
        """Group, resource and name of the object; None when the question is about a namespace."""
        gvr = self.kind.gvr
        return None if self.is_namespace else (gvr.group, gvr.resource, str(self.body["metadata"]["name"]))

    @property
    def is_namespace(self) -> bool:
        """True when the question is about a namespace itself."""
        return (self.kind.gvr.group, self.kind.gvr.resource) == ("", "namespaces")

    def place(self, target: JsonObject) -> JsonObject:
        """Return where it is on a SyncTarget, for machines."""
        locator = Locator(target["cluster"], target["name"], target["uid"], self.cluster, self.namespace)
        name = str(self.body["metadata"]["name"])
        gvr = self.kind.gvr
        place = {"syncTarget": target["name"], "cluster": target["cluster"], "uid": target["uid"]}
        place |= {"state": target.get("state", "Sync"), "namespace": self._home(locator)}
        if not self.is_namespace:
            place |= {"resource": gvr.resource, "name": downstream_name(gvr.group, gvr.resource, name)}
        return place

    def _home(self, locator: Locator) -> str:
        """Return the downstream namespace: the one that was handed over, or the one that follows from names."""
        given = self.assigned.progress(locator.target_uid).get("namespace") if self.assigned else ""
        return str(given or downstream_namespace(locator))


async def _subject(session: Session, what: str, namespace: str) -> Subject:
    """
    Read what a question needs.

    Raises:
        Failure: The type is unknown, or of no namespace.
        NotFound: The object is not there.
    """
    from fairlead_cli.kinds import ASSIGNMENTS  # noqa: PLC0415 - only to talk

    word, name = resolving.split(what)
    kind = await resolving.find_kind(session.here, word)
    if not kind.namespaced and word.lower() not in _NAMESPACE_WORDS:
        raise Failure(f"{kind.gvr.resource} are of no namespace", "only what is in a namespace is placed", code=USAGE)
    where = namespace or session.local.config.credentials(session.local.context).namespace
    if not kind.namespaced:
        where = name
    body = await session.here.get(kind.gvr, name, namespace=where if kind.namespaced else "")
    try:
        found = await session.here.get(ASSIGNMENTS, where)
    except (NotFound, Forbidden):
        return Subject(what, kind, where, body, None, cluster_of(body))
    assigned = Assigned(session.place.path, where, "", found)
    return Subject(what, kind, where, body, assigned, cluster_of(body))


async def where(server: Server, what: str, namespace: str, output: str) -> None:
    """
    Print where something runs.

    Raises:
        Failure: It runs nowhere; the reason is told.
    """
    async with connected(server) as session:
        subject = await _subject(session, what, namespace)
        targets = subject.assigned.targets() if subject.assigned else []
        is_sent = standing.is_sent(subject.kind.gvr, await standing.read(session, targets))
        places = [subject.place(one) for one in targets] if is_sent else []
    if output in {"json", "yaml"}:
        click.echo(document({"object": what, "places": places}, output))
        return
    if not places:
        if not is_sent:
            raise Failure(f"{what} is in no cluster", standing.stays(subject.kind.gvr))
        raise Failure(
            f"{what} runs nowhere", _no_placement(subject), f"kubectl fairlead why {what} -n {subject.namespace}"
        )
    if output == "name":
        for place in places:
            click.echo(f"synctarget.workload.kcp.io/{place['syncTarget']}")
        return
    header: tuple[str, ...] = ("CLUSTER", "STATE", "NAMESPACE", "NAME")
    rows: list[tuple[str, ...]] = [
        (one["syncTarget"], one["state"], one["namespace"], one.get("name", "-")) for one in places
    ]
    if output == "wide":
        header = (*header, "LOGICAL-CLUSTER", "UID")
        rows = [(*row, one["cluster"], one["uid"]) for row, one in zip(rows, places, strict=True)]
    click.echo(table(header, rows))


def _no_placement(subject: Subject) -> str:
    if subject.assigned is None:
        return f"no Placement selects namespace {subject.namespace} (to see them: kubectl get placements)"
    return str(subject.assigned.decision.get("message") or "no target was found yet")


async def why(server: Server, what: str, namespace: str, output: str) -> None:
    """Print why something runs where it runs."""
    async with connected(server) as session:
        subject = await _subject(session, what, namespace)
        locations = await _location_labels(session, subject)
        stand = await standing.read(session, subject.assigned.targets() if subject.assigned else [])
    if output in {"json", "yaml"}:
        assigned = subject.assigned
        body = {"object": what, "namespace": subject.namespace}
        found = {"targets": assigned.targets(), "decision": assigned.decision} if assigned else {}
        click.echo(document({**body, **found}, output))
        return
    if output == "name":
        for one in subject.assigned.targets() if subject.assigned else ():
            click.echo(f"synctarget.workload.kcp.io/{one['name']}")
        return
    if not standing.is_sent(subject.kind.gvr, stand):
        click.echo(f"{what} → no cluster\n  {standing.stays(subject.kind.gvr)}")
        return
    told = lines(subject, locations, wide=output == "wide")
    for one in stand.values():
        told += [f"  ! {trouble}" for trouble in standing.troubles(one, cluster_of(one))]
    click.echo("\n".join(told))


async def _location_labels(session: Session, subject: Subject) -> dict[tuple[str, str], str]:
    """Return the labels of the chosen Locations as text; of those the user may read."""
    from fairlead_cli.kinds import LOCATIONS  # noqa: PLC0415 - only to talk

    found: dict[tuple[str, str], str] = {}
    for placement in _placements(subject):
        location = placement.get("location") or {}
        if not location:
            continue
        try:
            one = await session.top.at(location["path"]).get(LOCATIONS, location["name"])
        except (NotFound, Forbidden):
            continue
        labels = one["metadata"].get("labels") or {}
        found[location["path"], location["name"]] = ", ".join(f"{key}={labels[key]}" for key in sorted(labels))
    return found


def _placements(subject: Subject) -> list[JsonObject]:
    return list(subject.assigned.decision.get("placements") or ()) if subject.assigned else []


def lines(subject: Subject, locations: dict[tuple[str, str], str], *, wide: bool = False) -> list[str]:
    """Return the answer to ``why``, line by line."""
    targets = subject.assigned.targets() if subject.assigned else []
    running = [one for one in targets if one.get("state", "Sync") != "Leaving"]
    names = ", ".join(one["name"] for one in running) or "nowhere"
    state = state_text(subject.kind, subject.body)
    found = [f"{subject.said} → {names}" + (f" ({state})" if state else "")]
    if not running:
        found.append(f"  {_no_placement(subject)}")
    for placement in _placements(subject):
        found += _placement_lines(subject, placement, running, locations, wide=wide)
        found += _stays(placement, running)
    for one in targets:
        place = subject.place(one)
        moving = f"  {one['state']}: {one.get('reason', '')}" if one.get("state", "Sync") != "Sync" else ""
        name = f", name {place['name']}" if wide and "name" in place else ""
        found.append(f"  Downstream: {one['name']}, namespace {place['namespace']}{name}{moving}")
        found += [
            f"    ! {blocked['resource']}/{blocked['name']}: {blocked.get('message') or blocked.get('reason', '')}"
            for blocked in (subject.assigned.progress(one["uid"]).get("blocked") or () if subject.assigned else ())
        ]
        found += drifting.lines(subject.assigned.progress(one["uid"]) if subject.assigned else {}, subject.meant)
    return found


def _placement_lines(
    subject: Subject,
    placement: JsonObject,
    running: list[JsonObject],
    locations: dict[tuple[str, str], str],
    *,
    wide: bool,
) -> list[str]:
    location = placement.get("location") or {}
    text = f'  Placement "{placement["name"]}" selects namespace {subject.namespace}'
    if location:
        labels = locations.get((location["path"], location["name"]), "")
        text += f" and chose Location {location['name']}" + (f" (labels: {labels})" if labels else "")
    candidates = [candidate_text(one, running, wide=wide) for one in placement.get("candidates") or ()]
    return [text, "  Candidates: " + (" · ".join(candidates) or placement.get("message", "none"))]


def _stays(placement: JsonObject, running: list[JsonObject]) -> list[str]:
    """Say of what runs where nothing accepts it any more that it is not lost."""
    accepted = {one["uid"] for one in placement.get("candidates") or () if one.get("accepted")}
    here = [one["name"] for one in running if one.get("placement", placement["name"]) == placement["name"]]
    if accepted or not here:
        return []
    return [f"  No cluster can take it, so it stays in {', '.join(here)} and runs on"]


def candidate_text(candidate: JsonObject, running: list[JsonObject], *, wide: bool = False) -> str:
    """Return what became of a candidate: chosen, accepted with its score, or rejected with the reason."""
    if not candidate.get("accepted"):
        by = f" (filter {candidate.get('filter', '')})" if wide else ""
        return f"{candidate['name']} rejected: {candidate.get('message', '')}{by}"
    chosen = any(one["uid"] == candidate["uid"] for one in running)
    return f"{candidate['name']} {'chosen' if chosen else 'accepted'} (score {candidate.get('score', 0)})"


def state_text(kind: Kind, body: JsonObject) -> str:
    """Return in a few words how an object is: replicas ready, generation observed, or the reason it is not placed."""
    status: dict[str, Any] = body.get("status") or {}
    parts = []
    if "replicas" in (body.get("spec") or {}):
        parts.append(f"Ready {status.get('readyReplicas', 0)}/{body['spec']['replicas']}")
    if "observedGeneration" in status:
        generation, observed = body["metadata"].get("generation", 0), status["observedGeneration"]
        parts.append(f"generation {generation} {'=' if generation == observed else '≠'} observed {observed}")
    if kind.gvr.resource in {"pods", "namespaces"} and status.get("phase"):
        parts.append(str(status["phase"]))
    return ", ".join(parts)
