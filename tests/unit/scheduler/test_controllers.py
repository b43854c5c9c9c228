"""
The scheduler over a fake control plane, in virtual time.

Aspects: statuses as kcp shows them; moves, held namespaces, timers that act without an event; rights; nothing is
written when nothing changed, also after a restart; namespaces of others are not kept; any history comes to rest and
never takes a namespace from its last complete target while there is a choice.
"""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_api.errors import Conflict, ServiceUnavailable
from fairlead_machinery.component import Program
from fairlead_scheduler.asking import REQUESTED_BY
from tests.unit.scheduler.cluster_room import GRACE_S, INFRA, SHOP, Room

SOON_S = 5.0


def placed_room(*targets: str) -> Room:
    made = Room()

    async def begin() -> None:
        for name in targets:
            made.add_target(name)
        made.add_placement()
        made.add_namespace("web")
        await asyncio.sleep(SOON_S)

    made.play(begin)
    return made


def test_statuses_as_kcp_shows_them() -> None:
    """Location default with its counts, Placement Bound, namespace labelled, and an Event for the user."""
    room = placed_room("a", "b")
    location = room.plane.objects["locations", INFRA, "", "default"]
    assert location["status"] == {"instances": 2, "availableInstances": 2}
    placement = room.plane.objects["placements", SHOP, "", "p"]
    assert placement["status"]["phase"] == "Bound"
    assert placement["status"]["selectedLocation"] == {"path": INFRA, "locationName": "default"}
    assert [(one["type"], one["status"]) for one in placement["status"]["conditions"]] == [
        ("Ready", "True"),
        ("Scheduled", "True"),
    ]
    assert placement["metadata"]["annotations"]["internal.workload.kcp.io/synctarget"] == "k-a"
    namespace = room.plane.objects["namespaces", SHOP, "", "web"]
    assert namespace["metadata"]["labels"] == {"state.workload.kcp.io/k-a": "Sync"}
    assert namespace["metadata"]["annotations"]["scheduling.kcp.io/placement"] == ""
    assert namespace["status"]["conditions"][0]["reason"] == "Scheduled"
    events = [obj for key, obj in room.plane.objects.items() if key[0] == "events"]
    assert [(one["reason"], one["message"]) for one in events] == [("Scheduled", "Runs in a")]


def test_nothing_changed_nothing_written() -> None:
    """Heartbeats, time, and a restart of the scheduler cause no write at all."""
    room = placed_room("a", "b")
    before = list(room.plane.writes)

    async def quiet() -> None:
        for _ in range(20):
            room.beat("a", ready=True)
            await asyncio.sleep(20)

    room.play(quiet)
    assert room.plane.writes == before


def test_a_drain_moves_without_a_gap() -> None:
    """The new target is complete before the old one leaves; the Location counts follow."""
    room = placed_room("a", "b")

    async def drain() -> None:
        room.change_target("a", unschedulable=True, evictAfter=room.now())
        await asyncio.sleep(SOON_S)

    room.play(drain)
    assert room.states() == {"b": "Sync"}
    assert room.broken == []
    assert room.plane.objects["locations", INFRA, "", "default"]["status"]["availableInstances"] == 1


def test_a_drain_announced_begins_by_itself() -> None:
    """A future evictAfter acts when its time comes, with no event to wake anybody."""
    room = placed_room("a", "b")

    async def story() -> None:
        room.change_target("a", evictAfter="2027-01-15T08:10:00Z")  # ten minutes after the start of time here
        await asyncio.sleep(590 - SOON_S)
        assert room.states() == {"a": "Sync"}
        await asyncio.sleep(2 * SOON_S + 10)

    room.play(story)
    assert room.states() == {"b": "Sync"}


def test_a_lost_cluster_is_left_after_its_grace() -> None:
    """Not at once and not by an event: when the grace ends the namespace moves on."""
    room = placed_room("a", "b")

    async def story() -> None:
        room.beat("a", ready=False)
        await asyncio.sleep(GRACE_S - SOON_S)
        assert room.states() == {"a": "Sync"}
        await asyncio.sleep(3 * SOON_S)

    room.play(story)
    assert room.states()["b"] == "Sync"
    assert room.states()["a"] == "Leaving"  # its objects are there until it says otherwise


def test_who_may_not_use_the_locations_is_refused_and_let_in_later() -> None:
    """The right is asked for again every minute, both ways: lost, it holds what runs."""
    room = Room()
    room.plane.allowed = set()

    async def story() -> None:
        room.add_target("a")
        room.add_placement()
        room.add_namespace("web")
        await asyncio.sleep(SOON_S)
        placement = room.plane.objects["placements", SHOP, "", "p"]
        assert placement["status"]["conditions"][0]["reason"] == "LocationForbidden"
        assert room.states() == {}
        room.plane.allowed = {("alice", INFRA)}
        await asyncio.sleep(70)
        assert room.states() == {"a": "Sync"}
        room.plane.allowed = set()
        await asyncio.sleep(70)

    room.play(story)
    assert room.states() == {"a": "Sync"}
    decision = room.plane.objects["assignments", SHOP, "", "web"]["spec"]["decision"]
    assert decision["reason"] == "LocationForbidden"


def test_a_placement_without_an_author_may_nothing_elsewhere() -> None:
    """What admission did not note is not trusted."""
    room = Room()

    async def story() -> None:
        room.add_target("a")
        spec = {"locationSelectors": [{}], "namespaceSelector": {}, "locationWorkspace": "root:infra"}
        room.plane.put("placements", SHOP, {"metadata": {"name": "p"}, "spec": spec})
        room.add_namespace("web")
        await asyncio.sleep(SOON_S)

    room.play(story)
    assert room.states() == {}
    assert REQUESTED_BY not in room.plane.objects["placements", SHOP, "", "p"]["metadata"]["annotations"]


def test_a_workspace_that_comes_later_is_found() -> None:
    """A path that means nothing yet is asked for again."""
    room = Room()
    room.plane.paths = {"root:shop": SHOP}

    async def story() -> None:
        room.add_placement()
        room.add_namespace("web")
        await asyncio.sleep(SOON_S)
        conditions = room.plane.objects["placements", SHOP, "", "p"]["status"]["conditions"]
        assert conditions[0]["reason"] == "LocationNotFound"
        room.plane.paths["root:infra"] = INFRA
        room.add_target("a")
        await asyncio.sleep(15)

    room.play(story)
    assert room.states() == {"a": "Sync"}


def test_conflicts_and_outages_are_got_over() -> None:
    """A refused write is tried again until it is in."""
    room = Room()
    room.plane.fail = [Conflict("modified"), ServiceUnavailable("away"), Conflict("modified")]

    async def story() -> None:
        room.add_target("a")
        room.add_placement()
        room.add_namespace("web")
        await asyncio.sleep(SOON_S)

    room.play(story)
    assert room.states() == {"a": "Sync"}
    assert room.plane.objects["namespaces", SHOP, "", "web"]["status"]["conditions"][0]["status"] == "True"


def test_only_namespaces_of_workspaces_with_placements_are_kept() -> None:
    """Everybody else's are dropped as they pass by, and everything when the last Placement goes."""
    room = Room()

    async def story() -> None:
        room.add_namespace("before")
        room.add_namespace("theirs", "other")
        scheduler = room.scheduler()
        async with Program(signals=False) as program:
            scheduler.start(program)
            await asyncio.sleep(1)
            room.add_namespace("theirs-too", "other")
            kept = scheduler.picture.world.namespaces
            await asyncio.sleep(1)
            assert dict(kept) == {}
            room.add_placement()
            await asyncio.sleep(1)
            assert set(kept) == {(SHOP, "before")}
            room.plane.drop("placements", SHOP, "p")
            await asyncio.sleep(SOON_S)
            assert dict(kept) == {}

    room.play(story)
    marks = room.plane.objects["namespaces", SHOP, "", "before"]["metadata"]["annotations"]
    assert "scheduling.kcp.io/placement" not in marks


def test_the_default_location_is_left_out_on_request() -> None:
    """An APIBinding of the workspace may ask for no default objects."""
    room = Room()

    async def story() -> None:
        marks = {"workload.kcp.io/skip-default-object-creation": "true"}
        room.plane.put("apibindings", INFRA, {"metadata": {"name": "w", "annotations": marks}})
        room.add_target("a")
        await asyncio.sleep(SOON_S)

    room.play(story)
    assert ("locations", INFRA, "", "default") not in room.plane.objects


NAMES = st.sampled_from(["a", "b", "c"])
ACTS = st.one_of(
    st.tuples(st.sampled_from(["add", "remove", "cordon", "uncordon", "drain", "lose", "beat"]), NAMES),
    st.tuples(st.just("wait"), st.sampled_from([0, 0.01, 0.3, 1, 60, 310])),
    st.tuples(st.sampled_from(["place", "unplace"]), st.sampled_from(["p", "q"])),
    st.tuples(st.sampled_from(["namespace", "no namespace"]), st.sampled_from(["web", "db"])),
)


async def act(room: Room, verb: str, what: object) -> None:
    name = str(what)
    if verb == "wait":
        assert isinstance(what, int | float)
        await asyncio.sleep(what)
    elif verb == "add":
        room.add_target(name)
    elif verb == "remove":
        room.plane.drop("synctargets", INFRA, name)
    elif verb in {"cordon", "uncordon"}:
        room.change_target(name, unschedulable=verb == "cordon")
    elif verb == "drain":
        room.change_target(name, unschedulable=True, evictAfter=room.now())
    elif verb in {"lose", "beat"}:
        room.beat(name, ready=verb == "beat")
    elif verb == "place":
        room.add_placement(name)
    elif verb == "unplace":
        room.take_away("placements", name)
    elif verb == "namespace":
        room.add_namespace(name)
    else:
        room.take_away("namespaces", name)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=14))
def test_any_history_comes_to_rest(history: list[tuple[str, object]]) -> None:
    """
    Whatever happens: no namespace is taken from its last complete target, and in the end nobody writes any more.

    At rest every namespace of a Placement runs in one target for each when one is free, and a scheduler that begins
    anew has nothing to write.
    """
    room = Room()
    settled: list[int] = []

    async def story() -> None:
        room.add_target("a")
        room.add_placement()
        room.add_namespace("web")
        for verb, what in history:
            await act(room, verb, what)
        for name in ("a", "b", "c"):
            room.beat(name, ready=True)  # what is lost for ever never confirms that it is empty
        await asyncio.sleep(2 * GRACE_S)
        settled.append(len(room.plane.writes))
        await asyncio.sleep(GRACE_S)
        settled.append(len(room.plane.writes))

    room.play(story)

    async def again() -> None:
        await asyncio.sleep(GRACE_S)

    room.play(again)
    settled.append(len(room.plane.writes))
    assert room.broken == []
    assert settled[0] == settled[1] == settled[2], room.plane.writes[settled[0] :]
    free = [
        key[3]
        for key, obj in room.plane.objects.items()
        if key[0] == "synctargets" and not obj["spec"].get("unschedulable")
    ]
    placements = sum(key[0] == "placements" for key in room.plane.objects)
    for key in room.plane.objects:
        if key[0] == "namespaces" and placements and free:
            states = room.states(key[3])
            assert set(states.values()) == {"Sync"}
            assert len(states) <= placements  # each chooses one, maybe the same
