"""Rows are never lost: not by an API that leaves, comes meanwhile or changes its provider, nor by a race."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_api.request import SYSTEM
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.store.contract import Compare, CompareFailed, Delete, Event, Put, Row
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.targets import TargetIndex, accepted_key
from tests.unit.control_plane.views.plane import (
    API,
    ASSIGNMENTS,
    CLUSTER,
    NAMESPACE,
    ONE,
    OTHER,
    SYNC_TARGETS,
    Plane,
    plane,
)


async def _running(made: Plane, *names: str) -> None:
    """Have objects run on the target."""
    await made.accept("one")
    await made.assign()
    for name in names:
        await made.create(name)
        await made.made(name, f"down-{name}")
    await made.settle()


@pytest.mark.parametrize("state", ["", "Incompatible"])
async def test_what_is_of_an_api_that_left_the_target_is_held_and_counted(state: str) -> None:
    """No list that got shorter deletes anything: the row stays as it is, and its user hears why nothing moves."""
    async with plane() as made:
        await _running(made, "a")
        await made.accept(*(["one"] if state else []), state=state)
        await made.settle()
        assert (await made.rows())["a"].state == rows.SYNC
        progress = await made.progress()
        assert (progress["objects"], progress["applied"], progress["remaining"]) == (1, 1, 2)
        [blocked] = progress["blocked"]
        assert (blocked["name"], blocked["reason"]) == ("a", "APINotSynced")
        assert "serviceaccounts is not synced to this cluster now" in blocked["message"]
        await made.accept("one")
        await made.settle()
        assert (await made.progress())["blocked"] == []


async def test_a_target_is_not_left_while_rows_of_an_api_that_is_away_remain() -> None:
    """They become tombstones with all others, count as remaining, and keep their entry in the Assignment."""
    async with plane() as made:
        await _running(made, "a")
        await made.accept()
        await made.settle()
        await made.assign("Leaving")
        await made.settle()
        assert (await made.rows())["a"].state == rows.REMOVED
        progress = await made.progress()
        assert (progress["objects"], progress["remaining"]) == (0, 2)
        assert [one["reason"] for one in progress["blocked"]] == ["APINotSynced"]
        with pytest.raises(Conflict, match="still holds 1 objects"):
            await made.set_targets([])


async def test_an_api_that_no_row_is_of_any_more_is_forgotten() -> None:
    """APIs come and go; what a target once had is not looked for in every namespace for ever."""
    async with plane() as made:
        await _running(made, "a")
        await made.accept()
        await made.settle()
        assert API in made.targets.apis_of(made.uid), "there is a row"
        await made.accept("one")
        await made.delete("a")
        await made.settle()
        row = await made.store.get(rows.namespace_prefix(made.uid, *API, CLUSTER, NAMESPACE) + "a")
        assert row is not None
        await made.statuses.drop(row)
        await made.accept()
        await made.settle()
        assert API not in made.targets.apis_of(made.uid)
        await made.registry.delete(SYNC_TARGETS, CLUSTER, "", "east")
        await made.settle()
        assert made.targets._held == {}


async def test_pauses_that_are_over_are_forgotten() -> None:
    """A busy namespace leaves its pause behind when it comes to rest, and many do."""
    async with plane() as made:
        await _running(made, "a")
        made.controller._again_s.update({("namespace", "root", f"n{number}"): 0.0 for number in range(5000)})
        await made.create("b")
        await made.settle()
        assert len(made.controller._again_s) < 3


async def test_rows_are_found_again_after_a_restart() -> None:
    """An index that starts anew knows of rows whose API no list names any more."""
    async with plane() as made:
        await _running(made, "a")
        await made.accept()
        index = TargetIndex(made.store, SYNC_TARGETS)
        await index.start()
        assert API in index.apis_of(made.uid)
        assert API not in index.accepted(made.uid)


async def test_an_object_written_while_its_api_is_being_accepted_gets_its_row() -> None:
    """The write had decided that nothing takes it, and commits after the target was filled: it has to decide again."""
    async with plane() as made:
        await made.assign()
        await made.settle()

        async def accept() -> None:
            await made.accept("one")
            await made.settle()

        made.meanwhile.append(accept)
        await made.create("a")
        await made.settle()
        assert list(await made.rows()) == ["a"]


async def test_a_heartbeat_disturbs_no_write() -> None:
    """A write that had decided on a row stands whatever the SyncTarget says, as long as it accepts the same."""
    async with plane() as made:
        await _running(made)

        def speak(obj: JsonObject) -> JsonObject:
            return {**obj, "status": {**obj["status"], "syncerVersion": "v2"}}

        obj = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "uid": "u"}}
        effect = await made.views(Change(ONE, CLUSTER, NAMESPACE, "a", None, obj, SYSTEM))
        await made.registry.modify(SYNC_TARGETS, CLUSTER, "", "east", speak, subresource="status")
        await made.store.commit(effect.operations, effect.compares)
        assert list(await made.rows()) == ["a"]


async def test_what_is_accepted_is_known_after_a_restart() -> None:
    """Also of a SyncTarget of before there was a row for it: then all of the SyncTarget has to stay as it is."""
    async with plane() as made:
        await made.accept("one")
        for gone in ("", accepted_key(made.uid)):
            if gone:
                await made.store.commit([Delete(gone)])
            index = TargetIndex(made.store, SYNC_TARGETS)
            await index.start()
            assert index.accepting(made.uid) == made.targets.accepting(made.uid)
        found = index.accepting(made.uid)
        assert found is not None
        assert found == index.compare(made.uid)
        await made.accept()
        assert made.targets.accepting(made.uid) != made.targets.compare(made.uid)
        await made.registry.delete(SYNC_TARGETS, CLUSTER, "", "east")
        assert await made.store.get(accepted_key(made.uid)) is None
        assert made.targets.accepting(made.uid) is None


async def test_a_big_namespace_leaves_others_their_turns() -> None:
    """Deciding on a row for each of thousands of objects takes a second, in which everybody else would wait."""
    async with plane() as made:
        await _running(made)
        for begin in range(0, 1_000, 100):
            puts = []
            for name in (f"x{number}" for number in range(begin, begin + 100)):
                metadata = {"name": name, "namespace": NAMESPACE, "uid": "u"}
                obj = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
                puts.append(Put(keys.object_key(ONE, CLUSTER, NAMESPACE, name), encoding.encode(obj)))
            await made.store.commit(puts)
        await made.controller.reconcile(("workspace", CLUSTER))
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(others())
        await made.controller.reconcile(("workspace", CLUSTER))  # which has nothing left to write
        task.cancel()
        assert len(await made.rows()) == 1_000
        assert turns >= 10


class _Steps:
    """Writes in flight among changes of the target and runs of the controller, in any order."""

    def __init__(self, made: Plane) -> None:
        self.made = made
        self.accepted = False
        self.names: set[str] = set()
        self.flying: dict[str, tuple[Change, Effect]] = {}

    async def take(self, step: str) -> None:
        what, _, name = step.partition(" ")
        if what == "begin" and name not in self.flying and name not in self.names:
            self.flying[name] = await self._decided(name)
        elif what == "end" and name in self.flying:
            await self._commit(name)
        elif what == "accept":
            self.accepted = not self.accepted
            await self.made.accept(*(["one"] if self.accepted else []))
        elif what == "work":
            await self.made.settle()

    async def _decided(self, name: str) -> tuple[Change, Effect]:
        obj = {"apiVersion": "v1", "kind": ONE.kind, "metadata": {"name": name, "namespace": NAMESPACE, "uid": name}}
        change = Change(ONE, CLUSTER, NAMESPACE, name, None, obj, None)  # type: ignore[arg-type]  # nobody's write
        return change, await self.made.views(change)

    async def _commit(self, name: str) -> None:
        """Write as the registry does: again, with fresh reads, when a compare failed."""
        change, effect = self.flying.pop(name)
        key = keys.object_key(ONE, CLUSTER, NAMESPACE, name)
        while True:
            try:
                put = Put(key, encoding.encode(change.new or {}))
                await self.made.store.commit([put, *effect.operations], [Compare(key, 0), *effect.compares])
            except CompareFailed:
                change, effect = await self._decided(name)
            else:
                self.names.add(name)
                return


_STEPS = ["begin a", "accept", "work", "end a", "begin b", "accept", "end b", "work", "accept"]


@settings(max_examples=50, deadline=None)
@given(st.permutations(_STEPS))
@example(["begin a", "accept", "work", "end a"])
def test_no_order_of_writes_and_acceptance_leaves_an_object_out(steps: list[str]) -> None:
    """Whatever is in flight while a target accepts an API or ceases to, all that is there has a row at the end."""

    async def check() -> None:
        async with plane() as made:
            await made.assign()
            await made.settle()
            taken = _Steps(made)
            for step in steps:
                await taken.take(step)
            for name in list(taken.flying):
                await taken.take(f"end {name}")
            await made.accept("one")
            await made.settle()
            assert set(await made.rows()) == taken.names

    asyncio.run(check())


async def test_an_entry_goes_only_after_it_was_left() -> None:
    """A target that may still be given rows is not forgotten, even while it holds none."""
    async with plane() as made:
        await _running(made)
        key = rows.namespace_row_key(made.uid, CLUSTER, NAMESPACE)
        await made.store.commit([Delete(key)])
        with pytest.raises(Conflict, match="has to leave namespace default"):
            await made.set_targets([])
        await made.assign("Leaving")
        await made.set_targets([])


async def test_a_row_of_a_target_that_goes_is_not_written() -> None:
    """A write that had decided on a row while the SyncTarget was being deleted and forgotten decides again."""
    async with plane() as made:
        await _running(made)

        async def remove() -> None:
            await made.registry.delete(SYNC_TARGETS, CLUSTER, "", "east")
            await made.settle()

        made.meanwhile.append(remove)
        await made.create("a")
        assert await made.rows() == {}


async def test_a_row_that_came_while_its_assignment_was_deleted_becomes_a_tombstone() -> None:
    """The deletion had seen no rows; what came before it committed is not left running for ever."""
    async with plane() as made:
        await _running(made)
        found = await made.registry.get(ASSIGNMENTS, CLUSTER, "", NAMESPACE)
        await made.create("a")
        await made.settle()
        row = (await made.assignments.get(CLUSTER, NAMESPACE)).compare
        await made.store.commit([Delete(row.key)], [row])
        assert found["spec"]["targets"]
        await made.settle()
        view = (await made.rows())["a"]
        assert (view.state, view.cause) == (rows.REMOVED, "WorkspaceDeleted")


async def test_another_providers_object_takes_over_the_row() -> None:
    """One row for a name: it is of the new uid, and says what it replaces and what the target made for that."""
    async with plane() as made:
        await _running(made, "a", "b")
        before = await made.rows()
        made.bound.api = OTHER
        await made.accept("other")
        new = await made.create("a", OTHER)
        await made.settle()
        after = await made.rows()
        assert (after["a"].uid, after["a"].identity, after["a"].state) == (new["metadata"]["uid"], "other", rows.SYNC)
        assert after["a"].report == {"replaces": before["a"].uid, "downstreamUID": "down-a"}
        assert (after["b"].state, after["b"].cause, after["b"].uid) == (rows.REMOVED, "Rebound", before["b"].uid)


async def test_what_the_first_provider_still_holds_does_not_touch_the_row_of_the_second() -> None:
    """An object of the API as it was bound before, deleted when its turn comes, is not the one that runs."""
    async with plane() as made:
        await _running(made, "a")
        made.bound.api = OTHER
        await made.accept("other")
        await made.create("a", OTHER)
        await made.settle()
        before = await made.rows()
        await made.delete("a", ONE)
        await made.settle()
        assert await made.rows() == before


async def test_the_same_object_under_another_identity_is_not_made_again() -> None:
    """Its uid tells that it is the same: the row only learns the identity, and what was reported stands."""
    async with plane() as made:
        await _running(made, "a")
        before = (await made.rows())["a"]
        old = keys.object_key(ONE, CLUSTER, NAMESPACE, "a")
        row = await made.store.get(old)
        assert row is not None
        await made.store.commit([Delete(old), Put(keys.object_key(OTHER, CLUSTER, NAMESPACE, "a"), row.value)])
        made.bound.api = OTHER
        await made.accept("other")
        await made.settle()
        assert (await made.rows())["a"] == replace(before, identity="other")


async def test_an_api_that_is_unbound_for_a_moment_changes_nothing() -> None:
    """Not to find an API is no cause to remove what runs of it."""
    async with plane() as made:
        await _running(made, "a")
        before = await made.rows()
        made.bound.api = None
        await made.accept("one", "other")
        await made.settle()
        assert await made.rows() == before


async def test_a_status_never_lands_on_an_object_made_again() -> None:
    """Deleted and created under its name between the look and the write: 409, and the new one's status stays empty."""
    async with plane() as made:
        await _running(made, "a")
        key = rows.namespace_prefix(made.uid, *API, CLUSTER, NAMESPACE) + "a"
        row = await made.store.get(key)
        assert row is not None
        view = rows.decode(row)
        await made.accept()  # its row is held, so it stays that of the first
        await made.delete("a")
        await made.create("a")
        effect = Effect([Put(key, view.encode())], [Compare(key, row.mod_revision)])
        place = keys.parse_key(rows.object_key(key, view))
        with pytest.raises(Conflict, match="made again"):
            await made.statuses._write_status(ONE, place, view.uid, {"told": True}, effect)
        assert "status" not in await made.registry.get(ONE, CLUSTER, NAMESPACE, "a")


async def test_a_workspace_is_looked_at_when_its_bindings_change() -> None:
    """What it means by a name has changed with no word from the target; a condition of a binding changes nothing."""

    def row(bound: int) -> Row:
        status = {"boundResources": [bound]}
        value = encoding.encode({"kind": "APIBinding", "apiVersion": "v1", "metadata": {}, "status": status})
        return Row("/apis.kcp.io/apibindings/-/team/-/widgets", value, 1, 2)

    before, after = row(1), row(2)
    async with plane() as made:
        assert list(made.controller.keys(Event(2, before.key, after, before))) == [("workspace", "team")]
        assert list(made.controller.keys(Event(2, before.key, before, before))) == []
