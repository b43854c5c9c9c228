"""
Where a namespace runs, and why.

Aspects: every filter refuses with its reason; choices stick; cordon keeps, drain moves; nothing is pruned for want of
an answer; a move never leaves the namespace without a complete target.
"""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fairlead_scheduler.policy import Choice, Request, advance, choose
from fairlead_scheduler.snapshot import Api, Held, Labels, Location, Placement, Progress, Snapshot, Target

DEPLOYMENTS = Api("apps", "deployments", "id1")
ACCEPTED = {("apps", "deployments"): "id1"}


def target(name: str, **changes: object) -> Target:
    base = Target(f"u-{name}", f"k-{name}", "infra", name, {"name": name}, accepted=ACCEPTED)
    return replace(base, **changes)  # type: ignore[arg-type]  # test sugar over a frozen dataclass


def everything(labels: Labels) -> bool:
    del labels
    return True


def nothing(labels: Labels) -> bool:
    del labels
    return False


def snapshot(*targets: Target, locations: tuple[Location, ...] | None = None) -> Snapshot:
    default = (Location("infra", "default", {"region": "eu"}, everything),)
    return Snapshot({one.uid: one for one in targets}, default if locations is None else locations, now_s=1000.0)


PLACEMENT = Placement("shop", "p", "infra", "root:infra", (everything,), everything)


def ask(current: str = "", load: Mapping[str, int] | None = None) -> Request:
    return Request((DEPLOYMENTS,), current, load or {})


def name(choice: Choice) -> str | None:
    return None if choice.target is None else choice.target.name


def reasons(choice: Choice) -> dict[str, str]:
    return {candidate.target.name: candidate.filter for candidate in choice.candidates}


def test_each_refusal_names_its_filter() -> None:
    """Every candidate that lost says which rule refused it."""
    choice = choose(
        PLACEMENT,
        ask(),
        snapshot(
            target("api", accepted={}),
            target("cordoned", unschedulable=True),
            target("draining", evict_after_s=999.0),
            target("lost", ready=False),
            target("ok"),
        ),
    )
    assert choice.target is not None
    assert choice.target.name == "ok"
    assert reasons(choice) == {
        "api": "APICompatible",
        "cordoned": "Schedulable",
        "draining": "NotEvicting",
        "lost": "Ready",
        "ok": "",
    }


def test_nobody_fits_says_why_for_each() -> None:
    """The message holds counts, names and reasons, not just that nothing fits."""
    choice = choose(PLACEMENT, ask(), snapshot(target("a", unschedulable=True), target("b", accepted={})))
    assert choice.target is None
    assert choice.reason == "NoValidTarget"
    assert choice.message == (
        "0/2 SyncTargets are available: b does not support deployments.apps: the cluster does not offer it;"
        " a is cordoned and takes nothing new."
    )


def test_cordon_keeps_what_runs() -> None:
    """A cordoned target stays the choice of those already there, and of nobody else."""
    there = snapshot(target("a", unschedulable=True), target("b"))
    kept, new = choose(PLACEMENT, ask("u-a"), there), choose(PLACEMENT, ask(), there)
    assert name(kept) == "a"
    assert name(new) == "b"


def test_future_eviction_does_not_move_yet() -> None:
    """EvictAfter counts from its time on."""
    later = choose(PLACEMENT, ask("u-a"), snapshot(target("a", evict_after_s=1001.0), target("b")))
    assert name(later) == "a"


def test_slow_cluster_is_not_left_at_once() -> None:
    """Within the grace a lost heartbeat keeps what runs; beyond it the namespace moves."""
    within = snapshot(target("a", ready=False, lost_since_s=800.0), target("b"))
    beyond = snapshot(target("a", ready=False, lost_since_s=600.0), target("b"))
    first, second = choose(PLACEMENT, ask("u-a"), within), choose(PLACEMENT, ask("u-a"), beyond)
    assert name(first) == "a"
    assert name(second) == "b"


def test_identity_must_be_equal() -> None:
    """An API of the same name from another provider is another API."""
    choice = choose(PLACEMENT, ask(), snapshot(target("a", accepted={("apps", "deployments"): "other"})))
    assert reasons(choice) == {"a": "APICompatible"}


def test_fewest_namespaces_first_then_name() -> None:
    """Balance, and equal inputs give equal answers."""
    there = snapshot(target("a"), target("b"), target("c"))
    choice = choose(PLACEMENT, ask(load={"u-a": 3, "u-b": 1, "u-c": 1}), there)
    assert name(choice) == "b"


def test_selectors_absent_empty_and_wrong() -> None:
    """An empty list matches nothing; an absent and a forbidden location workspace have reasons of their own."""
    there = snapshot(target("a"))
    assert choose(replace(PLACEMENT, location_selectors=()), ask(), there).reason == "LocationNoMatch"
    assert choose(replace(PLACEMENT, location_selectors=(nothing,)), ask(), there).reason == "LocationNoMatch"
    assert choose(replace(PLACEMENT, location_cluster=""), ask(), there).reason == "LocationNotFound"
    assert choose(replace(PLACEMENT, allowed=False), ask(), there).reason == "LocationForbidden"


def test_changed_spec_selects_anew() -> None:
    """A Bound placement whose spec changed leaves a Location that no longer matches."""
    eu = Location("infra", "eu", {"region": "eu"}, lambda labels: labels.get("name") == "a")
    us = Location("infra", "us", {"region": "us"}, lambda labels: labels.get("name") == "b")
    moved = replace(
        PLACEMENT, location_selectors=(lambda labels: labels.get("region") == "us",), selected=("infra", "eu")
    )
    choice = choose(moved, ask("u-a"), snapshot(target("a"), target("b"), locations=(eu, us)))
    assert name(choice) == "b"


def held(name: str, state: str = "Sync") -> Held:
    return Held(f"u-{name}", f"k-{name}", "infra", name, "p", state, "t0", "Scheduled")


def chosen(name: str | None) -> Choice:
    return Choice("p", None, None if name is None else target(name), "", "")


DONE, BUSY, GONE = Progress(True, 3), Progress(False, 3), Progress(True, 0)


def states(result: tuple[Held, ...]) -> dict[str, str]:
    return {one.name: one.state for one in result}


def test_a_move_goes_new_ready_old() -> None:
    """Overlap: the replacement is added, must be complete, then the old one leaves, then it is forgotten."""
    step = advance([held("a")], [chosen("b")], {"u-a": DONE}, now="t")
    assert states(step) == {"a": "Draining", "b": "Sync"}
    step = advance(step, [chosen("b")], {"u-a": DONE, "u-b": BUSY}, now="t")
    assert states(step) == {"a": "Draining", "b": "Sync"}
    step = advance(step, [chosen("b")], {"u-a": DONE, "u-b": DONE}, now="t")
    assert states(step) == {"a": "Leaving", "b": "Sync"}
    assert states(advance(step, [chosen("b")], {"u-a": BUSY, "u-b": DONE}, now="t")) == {"a": "Leaving", "b": "Sync"}
    assert states(advance(step, [chosen("b")], {"u-a": GONE, "u-b": DONE}, now="t")) == {"b": "Sync"}


def test_nowhere_to_go_holds() -> None:
    """No candidate means hold, never prune."""
    assert states(advance([held("a")], [chosen(None)], {"u-a": DONE}, now="t")) == {"a": "Sync"}


def test_uncordon_in_the_middle_turns_back() -> None:
    """A target chosen again while draining is simply kept; the half-made replacement goes."""
    back = advance([held("a", "Draining"), held("b")], [chosen("a")], {"u-a": DONE, "u-b": BUSY}, now="t")
    assert states(back) == {"a": "Sync", "b": "Draining"}
    assert states(advance(back, [chosen("a")], {"u-a": DONE, "u-b": BUSY}, now="t")) == {"a": "Sync", "b": "Leaving"}


def test_deselected_namespace_leaves() -> None:
    """No Placement selects it: the user's own word."""
    assert states(advance([held("a")], [], {"u-a": DONE}, now="t")) == {"a": "Leaving"}


def test_a_leaving_target_that_is_chosen_again_stays() -> None:
    """What it still holds runs on, and what went comes back: to wait until it is empty would finish the mistake."""
    for progress in (BUSY, GONE):
        again = advance([held("a", "Leaving")], [chosen("a")], {"u-a": progress}, now="t")
        assert again == (replace(held("a"), since="t"),)


def test_nobody_comes_back_uninvited() -> None:
    """A target that is left and not chosen leaves, whatever else happens."""
    for choices in ([], [chosen(None)], [chosen("b")]):
        assert states(advance([held("a", "Leaving")], choices, {"u-a": BUSY}, now="t"))["a"] == "Leaving"


NAMES = "abcd"
CHOICES = st.one_of(st.none(), st.sampled_from(NAMES))


@given(st.lists(st.tuples(CHOICES, st.lists(st.booleans(), min_size=4, max_size=4)), max_size=30))
def test_a_complete_target_always_remains(history: list[tuple[str | None, list[bool]]]) -> None:
    """Whatever is chosen when: once a target was complete, a step never sends away the last complete one."""
    now: tuple[Held, ...] = (held("a"),)
    for choice, completeness in history:
        complete = dict(zip(NAMES, completeness, strict=True))
        progress = {f"u-{each}": Progress(done, 1) for each, done in complete.items()}
        before = {one.name for one in now if one.state != "Leaving" and complete[one.name]}
        now = advance(now, [chosen(choice)], progress, now="t")
        after = {one.name for one in now if one.state != "Leaving" and complete[one.name]}
        assert not before or after
        assert len({one.uid for one in now}) == len(now)


@given(CHOICES, st.lists(st.booleans(), min_size=4, max_size=4))
def test_steps_come_to_rest(choice: str | None, completeness: list[bool]) -> None:
    """With unchanged input the steps end: no ping-pong."""
    now: tuple[Held, ...] = (held("a"), held("b", "Draining"), held("c", "Leaving"))
    progress = {f"u-{n}": Progress(d, 1) for n, d in zip(NAMES, completeness, strict=True)}
    for _ in range(4):
        now = advance(now, [chosen(choice)], progress, now="t")
    assert now == advance(now, [chosen(choice)], progress, now="later")
