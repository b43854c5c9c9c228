"""The checker: a clean history passes, and each planted violation is named by the invariant it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fairlead_api.names import Locator, downstream_namespace
from tests.support.checking.checker import INVARIANTS, check, judge
from tests.support.checking.history import (
    Asked,
    Assigned,
    Counted,
    Ended,
    Found,
    Health,
    Owner,
    Record,
    Reported,
    Settled,
    Target,
    Written,
    decode,
    encode,
)
from tests.support.checking.wanted import Limits

EAST, WEST = "uid-east", "uid-west"
HOME = downstream_namespace(Locator("infra", "east", EAST, "team", "shop"))
WEB = Owner("team", "shop", "web", "u-web")
KEY = Owner("team", "shop", "key", "u-key")
OLD = Owner("team", "shop", "old", "u-old")
PLACE = Owner("team", "", "shop")
LIMITS = Limits(counted={"queue": 1000})


def up(at_s: float, verb: str, name: str, resource: str = "deployments.apps", **more: Any) -> Written:
    """Return a write by a user in the workspace."""
    fields = {"actor": "user", "cluster": "team", "namespace": "shop", "uid": f"u-{name}", "content": f"c-{name}"}
    return Written(at_s, "", int(at_s * 10), verb, resource=resource, name=name, **{**fields, **more})


def down(at_s: float, verb: str, owner: Owner | None, resource: str = "deployments.apps", **more: Any) -> Written:
    """Return a write by the agent in the cluster east."""
    name = owner.name if owner else "theirs"
    fields: dict[str, Any] = {"where": EAST, "actor": f"agent:{EAST}", "cluster": "", "namespace": HOME, "name": name}
    fields |= {"uid": f"d-{name}", "content": f"c-{name}", "owner": owner, **more}
    return Written(at_s, revision=int(at_s * 10), verb=verb, resource=resource, **fields)


CLEAN: list[Record] = [
    Found("first", EAST, "configmaps", "", "default", "theirs", "d-theirs", whole="theirs-1"),
    Target(0, EAST, "infra", "east"),
    Target(0, WEST, "infra", "west"),
    up(1, "create", "web"),
    up(1, "create", "key", "secrets"),
    up(1, "create", "old", "configmaps"),
    Assigned(2, 20, "team", "shop", "u-shop", {EAST: "Sync"}),
    down(3, "create", PLACE, "namespaces", namespace="", name=HOME),
    down(4, "create", WEB),
    down(4, "create", KEY, "secrets"),
    down(4, "create", OLD, "configmaps"),
    down(5, "update", WEB, actor="system", changed=("status",)),
    Reported(6, EAST, "deployments.apps", "team", "shop", "web", "u-web", 1),
    up(6, "update", "web", actor=f"agent:{EAST}", changed=("status",)),
    Written(7, EAST, 70, "update", "user", "configmaps", "", "default", "theirs", "d-theirs", whole="theirs-2"),
    Reported(8, EAST, "deployments.apps", "team", "shop", "web", "u-web", 2),
    up(400, "delete", "old", "configmaps"),
    down(402, "delete", OLD, "configmaps"),
    Counted(500, EAST, "queue", 12),
    Settled(1000),
    Found("last", EAST, "configmaps", "", "default", "theirs", "d-theirs", whole="theirs-2"),
    Found("last", EAST, "namespaces", "", "", HOME, "d-shop", PLACE),
    Found("last", EAST, "deployments.apps", "", HOME, "web", "d-web", WEB, content="c-web", status="s-1"),
    Found("last", EAST, "secrets", "", HOME, "key", "d-key", KEY, content="c-key"),
    Found("last", "", "deployments.apps", "team", "shop", "web", "u-web", content="c-web", status="s-1"),
    Found("last", "", "secrets", "team", "shop", "key", "u-key", content="c-key"),
    Ended(5000),
]


def with_(*records: Record, at: type[Record] = Settled) -> list[Record]:
    """Return the clean history with some records put in before the first of a kind."""
    index = next(number for number, one in enumerate(CLEAN) if isinstance(one, at))
    return [*CLEAN[:index], *records, *CLEAN[index:]]


def changed(which: Callable[[Record], bool], **fields: Any) -> list[Record]:
    """Return the clean history with one record changed; dropped when there are no fields."""
    found = next(one for one in CLEAN if which(one))
    other = [replace(found, **fields)] if fields else []
    return [new for one in CLEAN for new in (other if one is found else [one])]


def last(where: str, name: str) -> Callable[[Record], bool]:
    """Find a record of the final dump."""
    return lambda one: isinstance(one, Found) and one.phase == "last" and (one.where, one.name) == (where, name)


def _renewal(at_s: float) -> Record:
    """Return the renewal of a token of pods."""
    return down(at_s, "update", PLACE, "secrets", name="kcp-token-default", changed=("data", "metadata.annotations"))


LEAVES = Assigned(600, 6000, "team", "shop", "u-shop", {EAST: "Leaving"})

PLANTED: dict[str, tuple[str, list[Record]]] = {
    "a wanted object is deleted": ("I9", with_(down(300, "delete", WEB), down(301, "create", WEB))),
    "a wanted namespace is deleted": ("I9", with_(down(300, "delete", PLACE, "namespaces", namespace="", name=HOME))),
    "deleted objects are left": ("I9", changed(lambda one: one == down(402, "delete", OLD, "configmaps"))),
    "an object without an owner is left": (
        "I9",
        [*CLEAN, Found("last", EAST, "services", "", HOME, "ghost", "d-ghost", Owner("team", "shop", "ghost", "u-no"))],
    ),
    "a wanted object is missing": ("I10", changed(last(EAST, "web"))),
    "a wanted object differs": ("I10", changed(last(EAST, "web"), content="another")),
    "a report goes back": (
        "I13",
        with_(Reported(9, EAST, "deployments.apps", "team", "shop", "web", "u-web", 1), at=Counted),
    ),
    "status differs in the end": ("I13", changed(last("", "web"), status="s-old")),
    "status of a target that is not assigned": (
        "I13",
        with_(up(450, "update", "web", actor=f"agent:{WEST}", changed=("status",))),
    ),
    "an agent makes what was not assigned": (
        "I14",
        with_(down(450, "create", Owner("other", "shop", "web", "u-other"), uid="d-other")),
    ),
    "an agent writes in another's cluster": ("I14", with_(down(450, "update", WEB, actor=f"agent:{WEST}"))),
    "an agent changes the spec above": (
        "I14",
        with_(up(450, "update", "web", actor=f"agent:{EAST}", changed=("spec",))),
    ),
    "an agent deletes above": ("I14", with_(up(450, "delete", "key", "secrets", actor=f"agent:{EAST}"))),
    "a namespace has a name of its own": ("I15", changed(last(EAST, HOME), name="kcp-other")),
    "a namespace on an unknown target": (
        "I15",
        [*CLEAN, Found("last", "uid-none", "namespaces", "", "", HOME, "d-2", PLACE)],
    ),
    "a foreign object vanishes": ("I16", changed(last(EAST, "theirs"))),
    "a foreign object changes": ("I16", changed(last(EAST, "theirs"), whole="theirs-3")),
    "an agent touches a foreign object": (
        "I16",
        with_(down(450, "update", None, "configmaps", whole="theirs-2"), at=Counted),
    ),
    "a Secret gets where it is not assigned": (
        "I17",
        with_(down(450, "create", KEY, "secrets", where=WEST, actor=f"agent:{WEST}", uid="d-key-2")),
    ),
    "a Secret stays after its assignment": ("I17", with_(LEAVES)),
    "it writes on and on": ("I18", with_(down(1700, "update", WEB, changed=("spec",)), at=Ended)),
    "a token is renewed over and over": ("I18", with_(*[_renewal(1700 + n) for n in range(2)], at=Ended)),
    "the control plane writes on and on": (
        "I18",
        with_(up(1700, "update", "web", actor="system", changed=("metadata.labels",)), at=Ended),
    ),
    "a repair is repeated without end": ("I19", with_(*[down(500 + n, "update", WEB) for n in range(60)])),
    "a queue grows": ("I19", with_(Counted(600, EAST, "queue", 1001))),
}


def test_a_clean_history_passes() -> None:
    """No violation where there is none."""
    assert check(CLEAN, LIMITS) == []


def test_a_token_may_end_in_the_quiet() -> None:
    """It is renewed, once."""
    assert check(with_(_renewal(1700), at=Ended), LIMITS) == []


def test_what_is_held_against_each_invariant_is_counted() -> None:
    """A history that says nothing of an invariant shows by its count."""
    judged = judge(CLEAN, replace(LIMITS, asks=True)).judged
    assert len(judged) == len(INVARIANTS)
    assert all(count > 0 for count in judged.values()), judged
    assert not any(judge([], LIMITS).judged.values())


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_caught(name: str) -> None:
    """Each violation is named by its invariant; others may speak too, since one wrong often breaks several."""
    invariant, history = PLANTED[name]
    assert invariant in {one.invariant for one in check(history, LIMITS)}


def test_every_invariant_function_catches_something() -> None:
    """An invariant that no planted history breaks would be dead."""
    from tests.support.checking.wanted import World  # noqa: PLC0415 - of this test alone

    for number, holds in INVARIANTS:
        worlds = [World(history) for _, history in PLANTED.values()]
        limits = replace(LIMITS, asks=True)
        assert any(list(holds(world, limits)) for world in worlds), f"{number} {holds.__name__}"
        assert list(holds(World(CLEAN), LIMITS)) == []


def test_a_broken_target_may_be_late() -> None:
    """Time in which a target does not work does not count against it."""
    away = Health(450, EAST, healthy=False)
    assert "I17" in {one.invariant for one in check(with_(LEAVES), LIMITS)}
    late = check(with_(away, LEAVES, down(4000, "delete", KEY, "secrets"), at=Counted), LIMITS)
    assert not [one for one in late if "stayed" in one.message]


def test_a_recreated_object_has_a_cause_to_be_replaced() -> None:
    """Deleting what stands for a deleted uid is right though another of that name is wanted."""
    history = with_(
        up(500, "delete", "web"),
        up(501, "create", "web", uid="u-web-2"),
        down(503, "delete", WEB),
        down(504, "create", Owner("team", "shop", "web", "u-web-2"), uid="d-web-2"),
        at=Settled,
    )
    said = [one.message for one in check(history, LIMITS) if one.invariant in {"I9", "I14"}]
    assert not [message for message in said if "deleted at" in message or "written at" in message]


def test_a_target_tells_what_keeps_it_from_leaving() -> None:
    """By an Event on the namespace itself, while it is known there; no other Event, and no other's."""

    def said(name: str, target: str = EAST) -> list[str]:
        told = up(5000, "create", name, "events", actor=f"agent:{target}")
        found = check(with_(LEAVES, told), LIMITS)
        return [one.message for one in found if one.invariant == "I14" and "not assigned" in one.message]

    assert not said("shop.123")
    assert said("other.123")
    assert said("shop.123", WEST)


def test_a_status_is_taken_back_with_the_copy_it_came_from() -> None:
    """However long the removal waited for approval; with its copy still there it is no target's to write."""

    def said(*records: Record) -> set[str]:
        told = up(5000, "update", "web", actor=f"agent:{EAST}", changed=("status",))
        found = check(with_(LEAVES, *records, told), LIMITS)
        return {one.invariant for one in found if "not assigned" in one.message}

    assert said() == {"I13", "I14"}
    assert not said(down(4999, "delete", WEB))
    assert said(down(4998, "delete", WEB), down(4999, "create", WEB)) >= {"I13", "I14"}


def test_a_history_survives_its_file() -> None:
    """JSONL holds everything a record does."""
    assert decode(encode(CLEAN)) == CLEAN
    with pytest.raises(ValueError, match="line 1 is no record"):
        decode(b'{"is": "Nothing"}\n')


def test_every_delete_is_asked_for_right_before() -> None:
    """The word about another object, or an old one, is none."""
    gone: list[Record] = [LEAVES, down(602, "delete", WEB)]
    asks = replace(LIMITS, asks=True)
    named = "without a word from upstream"

    def said(*asked: Record) -> list[str]:
        return [str(one) for one in check(with_(*asked, *gone), asks) if named in one.message and "/web" in one.message]

    assert said()
    assert said(Asked(601, EAST, "team", "shop", "other"), Asked(400, EAST, "team", "shop", "web"))
    assert not said(Asked(601, EAST, "team", "shop", "web"))


def test_what_a_backup_brought_back_is_a_guest() -> None:
    """It has no cause above and no agent may take it for its own; the namespace around it stays with it."""
    brought = Owner("team", "shop", "old", "u-old")
    back = down(450, "create", brought, "configmaps", actor="backup", uid="d-back")
    left = Found("last", EAST, "configmaps", "", HOME, "old", "d-back", brought)
    history: list[Record] = [*with_(back, LEAVES, down(602, "delete", WEB), down(602, "delete", KEY, "secrets")), left]
    stays = {last(EAST, "web"), last(EAST, "key")}
    said = check([one for one in history if not any(gone(one) for gone in stays)], LIMITS)
    assert [str(one) for one in said] == []
    touched = down(460, "update", brought, "configmaps", uid="d-back")
    assert "I9" in {one.invariant for one in check([*with_(back, touched, LEAVES), left], LIMITS)}
