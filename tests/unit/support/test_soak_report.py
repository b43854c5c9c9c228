"""What a soak's report says follows from the history; a deletion that nobody asked for is named."""

from __future__ import annotations

from tests.soak.plan import HOSTS, Size, first, plan
from tests.soak.report import causeless_above, latencies
from tests.support.checking.history import Health, Owner, Record, Target, Written

OWNER = Owner("team", "shop", "web", "u-web")


def above(at_s: float, verb: str, content: str = "", *changed: str) -> Written:
    """Return a write of the workspace's ConfigMap."""
    return Written(
        at_s, "", 1, verb, "user", "configmaps", "team", "shop", "web", "u-web", content=content, changed=changed
    )


def below(at_s: float, verb: str, content: str) -> Written:
    """Return a write of its copy."""
    actor = "agent:east"
    return Written(at_s, "east", 1, verb, actor, "configmaps", "", "kcp-shop", "web", "d-web", OWNER, content)


def test_a_deletion_above_has_a_cause_in_the_life_of_what_it_ends() -> None:
    """What was asked of an object of the same name that was before, or is later, is no cause."""
    history: list[Record] = [above(100, "create"), above(200, "delete")]
    place, home = ("team-a", "configmaps", "shop", "web"), ("team-a", "namespaces", "shop", "shop")
    names = {"team": "team-a"}
    assert causeless_above(history, {place: [199.5]}, names) == []
    assert causeless_above(history, {home: [150.0]}, names) == []
    assert causeless_above(history, {place: [50.0, 300.0]}, names) == [
        "configmaps team-a:shop/web was deleted; nobody had asked"
    ]
    assert causeless_above(history, {}, names)


def test_latency_is_from_an_edit_to_its_arrival() -> None:
    """Statuses are no edits; an edit that another one overtakes is not counted; content tells what arrives."""
    history: list[Record] = [
        Target(0, "east", "root", "east"),
        above(1, "create", "a"),
        below(1.5, "create", "a"),
        above(3, "update", "a", "status"),
        above(4, "update", "b", "data"),
        above(5, "update", "c", "data"),
        below(5.25, "update", "b"),
        below(7, "update", "c"),
    ]
    assert latencies(history, healthy=False) == [0.5, 2.0]
    history.insert(6, Health(5.1, "east", healthy=False))
    assert latencies(history, healthy=True) == [0.5]


def test_a_plan_follows_from_its_seed() -> None:
    """The same seed is the same plan; nothing is drained for good; there are about as many objects as wanted."""
    size = Size(minutes=30, objects=500)
    assert plan(7, size) == plan(7, size)
    assert plan(7, size) != plan(8, size)
    assert 450 <= len(first(7, size)) <= 550
    last = {deed.host: deed.what for deed in plan(7, size) if deed.what in {"drain", "cordon", "uncordon"}}
    assert set(last) <= set(HOSTS)
    assert set(last.values()) == {"uncordon"}
