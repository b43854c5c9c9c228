"""A refusal is seen on the user's object as long as it lasts: by Events that are renewed, and a condition."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.http.syncer_status import StatusWriter
from fairlead_control_plane.main.announcing import RENEW_S, Announcer
from fairlead_control_plane.store.contract import Put, Row
from fairlead_control_plane.views import progress, reports, rows
from fairlead_control_plane.views.assignment import Assignment
from tests.unit.control_plane.in_process import NAMESPACES, known
from tests.unit.control_plane.views.plane import API, CLUSTER, NAMESPACE, Plane, plane

REFUSED = {"synced": False, "reason": "PolicyDenied", "message": "spec.externalIPs is not allowed"}


@dataclass(slots=True)
class Told:
    """A writer of reports whose Events are kept as (kind, name, type, reason, message)."""

    plane: Plane
    statuses: StatusWriter
    events: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    async def announce(self, obj: JsonObject, kind: str, reason: str, message: str) -> None:
        self.events.append((obj["kind"], obj["metadata"]["name"], kind, reason, message))

    async def report(self, key: str, **said: Any) -> None:
        row = await self.plane.store.get(key)
        assert row is not None
        uid = rows.decode(row).uid
        await self.statuses.report({}, row, {"metadata": {"uid": uid}, "status": None, "report": said})


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    async with plane() as made:
        await made.accept("one")
        await made.assign()
        await made.create("a")
        await made.settle()
        found = Told(made, made.statuses)
        found.statuses = replace(made.statuses, announce=found.announce)
        yield found


def key_of(told: Told) -> str:
    return rows.namespace_prefix(told.plane.uid, *API, CLUSTER, NAMESPACE) + "a"


async def test_the_same_refusal_again_is_announced_again(told: Told) -> None:
    """An agent that still refuses says so again; that it does is news for whoever counts, and no write of the row."""
    await told.report(key_of(told), **REFUSED)
    before = await told.plane.store.get(key_of(told))
    await told.report(key_of(told), **REFUSED)
    assert await told.plane.store.get(key_of(told)) == before
    event = ("ServiceAccount", "a", "Warning", "PolicyDenied", REFUSED["message"])
    assert told.events == [event, event]


async def test_what_is_well_is_not_announced_again(told: Told) -> None:
    """Once when it is synced after all."""
    await told.report(key_of(told), **REFUSED)
    for _ in range(2):
        await told.report(key_of(told), synced=True, reason="", message="")
    assert [event[3] for event in told.events] == ["PolicyDenied", "Synced"]


async def test_a_namespace_hears_too(told: Told) -> None:
    """Of what was put back in it, and what keeps it; in the Assignment as well."""
    key = rows.namespace_row_key(told.plane.uid, CLUSTER, NAMESPACE)
    row = await told.plane.store.get(key)
    assert row is not None
    uid = (await told.plane.registry.get(NAMESPACES, CLUSTER, "", NAMESPACE))["metadata"]["uid"]
    await told.plane.store.commit([Put(key, replace(rows.decode(row), uid=uid).encode())], [])
    drift = {"path": "resourcequotas/fairlead-tenant: spec.hard", "manager": "kubectl", "since": "", "left": False}
    await told.report(key, drift=[drift])
    await told.report(key, synced=False, reason="NamespaceTaken", message="it is another's")
    assert [event[:4] for event in told.events] == [
        ("Namespace", NAMESPACE, "Warning", "Drifted"),
        ("Namespace", NAMESPACE, "Warning", "NamespaceTaken"),
    ]
    row = await told.plane.store.get(key)
    [one] = progress.count(told.plane.uid, progress.NamespaceRows([], row), ())["drifted"]
    assert (one["resource"], one["name"], one["path"]) == ("namespaces", NAMESPACE, drift["path"])


@dataclass(slots=True)
class Clock:
    now_s: float = 1e9

    def __call__(self) -> float:
        return self.now_s


async def test_an_event_counts_how_long_it_is_so(told: Told) -> None:
    """Count and time of the same words go on, seldom; other words are another Event."""
    events, clock = known("", "events"), Clock()
    told.plane.bound.others = (events,)
    announce = Announcer(told.plane.registry, events, clock)
    obj = await told.plane.create("b")
    for _ in range(3):
        await announce(obj, "Warning", "PolicyDenied", "no")
        clock.now_s += RENEW_S / 2
    await announce(obj, "Warning", "PolicyDenied", "not that either")
    found, _ = await told.plane.registry.list(events, CLUSTER, namespace=NAMESPACE)
    [again, other] = sorted(found, key=lambda event: str(event["message"]))
    assert (again["count"], other["count"]) == (2, 1)
    assert again["firstTimestamp"] < again["lastTimestamp"] <= other["firstTimestamp"]
    assert again["involvedObject"]["uid"] == obj["metadata"]["uid"]


def status_of(plural: str, **views: rows.View) -> JsonObject | None:
    assignment: Any = Assignment.__new__(Assignment)
    for name, value in (("states", dict.fromkeys(views, "Sync")), ("keys", {uid: uid for uid in views})):
        object.__setattr__(assignment, name, value)
    return reports.upstream_status(f"/apps/{plural}/-/c/ns/web", views, assignment, 1)


def view(**said: Any) -> rows.View:
    return rows.View("u", "apps/v1", "Deployment", generation=1, **said)


def test_a_workload_that_is_refused_says_so_in_its_conditions() -> None:
    """Beside what runs, from whichever cluster; and not any more once it is synced."""
    status = {"replicas": 1, "conditions": [{"type": "Available", "status": "True"}]}
    told = {"type": "Synced", "status": "False", "reason": "PolicyDenied", "message": REFUSED["message"]}
    assert status_of("deployments", a=view(report=REFUSED)) == {"conditions": [told]}
    both = status_of("deployments", a=view(status=status), b=view(report=REFUSED))
    assert both is not None
    assert both["conditions"] == [*status["conditions"], told]  # type: ignore[misc]  # a list
    assert both["replicas"] == 1
    assert status_of("deployments", a=view(status=status, report={"synced": True})) == status
    assert status_of("controllerrevisions", a=view(report=REFUSED)) is None, "a kind without conditions"


def row_of(target: str, name: str, **fields: Any) -> Row:
    key = rows.view_key(target, f"/core/secrets/-/{CLUSTER}/{NAMESPACE}/{name}")
    return Row(key, rows.View(f"u-{name}", "v1", "Secret", **fields).encode(), 1, 1)


def test_what_no_target_takes_is_waived() -> None:
    """Refused here and where it is left; what that has made once, or has not judged yet, is waited for."""
    made = {**REFUSED, "downstreamUID": "d1"}
    reports = {"never": REFUSED, "made": made, "unheard": {}, "fine": {"synced": True}}
    here = progress.NamespaceRows([row_of("new", name, report=REFUSED) for name in reports], None)
    left = progress.NamespaceRows([row_of("old", name, report=said) for name, said in reports.items()], None)
    assert progress.waived(here, [left]) == 1
    assert progress.waived(here, []) == 0, "there is nothing to come from"
    assert progress.waived(here, [left, progress.NamespaceRows([], None)]) == 0
    gone = [row_of("old", "never", report=REFUSED, state=rows.REMOVED)]
    assert progress.waived(here, [progress.NamespaceRows(gone, None)]) == 0
