"""
Makes the history of a soak: from the store's own history, the request log, audit logs, and dumps at the end.

Each side is told to one recorder in its own order; then all records are put in the order of time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.encoding import decode
from fairlead_control_plane.kinds.keys import parse_key
from fairlead_control_plane.store.contract import Row
from fairlead_machinery.client import Client, Gvr
from tests.simulation.users import GVRS
from tests.soak.evidence import Dump, Evidence, Revisions
from tests.soak.tap import Seen
from tests.support.checking import essence
from tests.support.checking.audit import AuditLog
from tests.support.checking.history import Asked, Counted, Ended, Found, Record, Target
from tests.support.checking.recorder import ASSIGNMENTS, LOCATOR, Recorder, row_place

LOOKED_AT = (Gvr("", "v1", "namespaces"), *GVRS.values())
"""What is told of a cluster; namespaces first, as the recorder wants them."""
_NO_OBJECTS = frozenset({"views", "owners", "paths", "meta", "bin", "adoptions", "accepted"})
_TOLD = tuple(f'"objectRef":{{"resource":"{gvr.resource}"'.encode() for gvr in LOOKED_AT)
_HEAD_BYTES = 4000
"""Within which an audit event says what it is about."""
_READS = frozenset({"get", "list", "watch"})
_AGENT = "system:fairlead:syncer:"


@dataclass(frozen=True, slots=True)
class Asking:
    """One line of the control plane's request log."""

    at_s: float
    user: str
    method: str
    target: str
    code: int

    @property
    def agent(self) -> str:
        """Return the uid of the SyncTarget whose agent asked; "" for anybody else."""
        return self.user.removeprefix(_AGENT) if self.user.startswith(_AGENT) else ""


async def dump(client: Client) -> Revisions:
    """Return what there is in a cluster: resource, objects and revision of each kind that is looked at."""
    found = []
    for gvr in LOOKED_AT:
        items, revision = await client.list(gvr)
        found.append((_name(gvr), items, int(revision)))
    return found


def snapshot(targets: Mapping[str, Target], rows: Iterable[Row], clusters: Mapping[str, Dump]) -> list[Record]:
    """Return a history in which all was always as it is now: judging it says whether both sides agree."""
    recorder = Recorder(list(targets.values()))
    for row in rows:
        if _is_object(row.key):
            if _resource(row.key) == ASSIGNMENTS:
                recorder.wrote(0.0, "", "system", ASSIGNMENTS, None, decode(row))
            else:
                recorder.found("first", "", _resource(row.key), decode(row))
    _last(recorder, {host: target.uid for host, target in targets.items()}, rows, clusters)
    return recorder.records


def history_of(evidence: Evidence) -> list[Record]:
    """Return the whole history."""
    recorder = Recorder()
    for host in evidence.agents:
        _tell_cluster(recorder, evidence, host)
    _tell_plane(recorder, evidence.seen)
    for asking in askings(evidence):
        if asking.agent and asking.method == "DELETE" and "dryRun=All" in asking.target and asking.code == 200:
            recorder.add(_asked(asking))
    _last(recorder, {host: one.uid for host, one in evidence.agents.items()}, evidence.rows, evidence.last)
    told = [*evidence.notes, *recorder.records, *_counts(evidence)]
    first = [one for one in told if isinstance(one, Found) and one.phase == "first"]
    last = [one for one in told if isinstance(one, Found) and one.phase == "last"]
    moved = sorted((one for one in told if not isinstance(one, Found)), key=lambda one: one.at_s)
    return [*first, *moved, *last, Ended(evidence.ended_s)]


def askings(evidence: Evidence) -> Iterator[Asking]:
    """Yield the lines of the control plane's request log."""
    for line in evidence.requests.read_bytes().splitlines():
        one = orjson.loads(line)
        yield Asking(one["at"], one["user"], one["method"], one["target"], one["code"])


def audit_events(log: Path) -> Iterator[JsonObject]:
    """Yield what a cluster's audit log says of what is looked at, in the order of time; a big log has several files."""
    found = []
    for file in _parts(log):
        with file.open("rb") as lines:
            for line in lines:
                if b'"ResponseComplete"' in line and any(part in line[:_HEAD_BYTES] for part in _TOLD):
                    event = orjson.loads(line)
                    if event["verb"] not in _READS:
                        found.append(_slim(event))
    yield from sorted(found, key=lambda event: event["stageTimestamp"])


def _parts(log: Path) -> list[Path]:
    return sorted(log.parent.glob(f"{log.stem}*{log.suffix}"))


def _slim(event: JsonObject) -> JsonObject:
    event.pop("requestObject", None)
    answer = event.get("responseObject")
    if isinstance(answer, dict):
        (answer.get("metadata") or {}).pop("managedFields", None)
    else:
        event["responseObject"] = {}
    return event


def _tell_cluster(recorder: Recorder, evidence: Evidence, host: str) -> None:
    agent = evidence.agents[host]
    log = AuditLog(recorder, agent.uid, {agent.user: f"agent:{agent.uid}"})
    for resource, objects in evidence.first[host].items():
        log.begin(resource, objects)
    events = list(audit_events(evidence.audit_logs[host]))
    _learn_homes(recorder, agent.uid, [*evidence.last[host]["namespaces"], *(one["responseObject"] for one in events)])
    crashes = list(evidence.after_crashes.get(host, ()))
    for event in events:
        while crashes and crashes[0][0] < _moment(event):
            _catch_up(log, *crashes.pop(0))
        log.take(event)
    for crash in crashes:
        _catch_up(log, *crash)
    log.end()


def _catch_up(log: AuditLog, at_s: float, found: Revisions) -> None:
    for resource, objects, revision in found:
        log.catch_up(at_s, resource, objects, revision)


def _learn_homes(recorder: Recorder, where: str, objects: Iterable[JsonObject]) -> None:
    """Learn which namespaces are whose beforehand: the line that says so may have been lost in a crash."""
    for obj in objects:
        if LOCATOR in ((obj.get("metadata") or {}).get("annotations") or {}):
            recorder.owner(where, "namespaces", obj)


def _tell_plane(recorder: Recorder, seen: Iterable[Seen]) -> None:
    objects: dict[str, JsonObject] = {}
    for _, group in groupby(seen, key=lambda one: one.revision):
        together = list(group)
        reporting = {row_place(one.key)[0] for one in together if one.key.startswith("/views/") and one.row}
        for one in together:
            if one.key.startswith("/views/"):
                if one.row is not None:
                    recorder.row(one.at_s, one.key, orjson.loads(one.row.value))
            elif _is_object(one.key):
                old, new = objects.pop(one.key, None), None if one.row is None else decode(one.row)
                if new is not None:
                    objects[one.key] = new
                recorder.wrote(one.at_s, "", _who(old, new, reporting), _resource(one.key), old, new)


def _who(old: JsonObject | None, new: JsonObject | None, reporting: set[str]) -> str:
    """Return the actor: a status that changes together with one target's row is what its agent reported."""
    if old is not None and new is not None and len(reporting) == 1 and essence.changed_parts(old, new) == ("status",):
        return f"agent:{next(iter(reporting))}"
    return "user"


def _last(recorder: Recorder, uids: Mapping[str, str], rows: Iterable[Row], clusters: Mapping[str, Dump]) -> None:
    for row in rows:
        if row.key.startswith("/views/"):
            recorder.found_row(row.key, orjson.loads(row.value))
        elif _is_object(row.key):
            recorder.found("last", "", _resource(row.key), decode(row))
    for host, found in clusters.items():
        for resource, objects in found.items():
            for obj in objects:
                recorder.found("last", uids[host], resource, obj)


def _asked(asking: Asking) -> Asked:
    """Take note of ``/services/syncer/.../clusters/<cluster>/<API>/namespaces/<namespace>[/<plural>/<name>]``."""
    _, _, below = asking.target.partition("?")[0].partition("/clusters/")
    cluster, _, rest = below.partition("/")
    namespace, *inside = rest.partition("/namespaces/")[2].split("/")
    place = (namespace, inside[-1]) if inside else ("", namespace)
    return Asked(asking.at_s, asking.agent, cluster, *place)


def _counts(evidence: Evidence) -> Iterator[Counted]:
    rates = Counter((one.agent, int(one.at_s // 60)) for one in askings(evidence) if one.agent)
    for (agent, minute), count in rates.items():
        yield Counted(minute * 60.0, agent, "requests_per_minute", count)
    for one in evidence.samples:
        role, _, host = one.role.partition(" ")
        where = evidence.agents[host].uid if host else ""
        yield Counted(one.at_s, where, f"{role}_rss_mib", one.rss_mib)
        yield Counted(one.at_s, where, f"{role}_fds", one.fds)


def _moment(event: JsonObject) -> float:
    return datetime.fromisoformat(event["stageTimestamp"]).timestamp()


def _name(gvr: Gvr) -> str:
    return f"{gvr.resource}.{gvr.group}" if gvr.group else gvr.resource


def _is_object(key: str) -> bool:
    return key.count("/") == 6 and key.split("/", 2)[1] not in _NO_OBJECTS


def _resource(key: str) -> str:
    found = parse_key(key)
    return f"{found.plural}.{found.group}" if found.group else found.plural
