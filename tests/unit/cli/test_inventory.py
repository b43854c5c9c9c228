"""What bears our marks is judged by what upstream knows; nothing is an orphan because it could not be looked up."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api import JsonObject, names
from fairlead_cli.inventory import (
    FOREIGN,
    HELD,
    LIVE,
    ORPHAN,
    WAITING,
    Found,
    Judged,
    Known,
    digest,
    judge,
    locator_of,
    strangers,
)

MAPS = ("", "configmaps")
SPACES = ("", "namespaces")
HOME = names.Locator("root", "east", "t1", "w", "shop")
TARGET = {"metadata": {"name": "east", "uid": "t1"}}
_INTERNAL = "internal.workload.kcp.io"


def view(*, gone: bool = False, reason: str = "", made: str = "d1") -> JsonObject:
    annotations = {f"{_INTERNAL}/downstream-uid": made, f"{_INTERNAL}/cause": "Deleted", f"{_INTERNAL}/reason": reason}
    metadata: JsonObject = {"name": "a", "annotations": {key: value for key, value in annotations.items() if value}}
    return {"metadata": {**metadata, **({"deletionTimestamp": "t"} if gone else {})}}


def thing(name: str = "a", manager: str = "syncer", **annotations: str) -> JsonObject:
    marks = {f"{_INTERNAL}/upstream-uid": "u1", **annotations}
    entries = [{"manager": manager}]
    return {
        "metadata": {"name": name, "namespace": "kcp-x", "uid": "d1", "annotations": marks, "managedFields": entries}
    }


def known(**views: JsonObject) -> Known:
    found: dict[tuple[str, str, str, str, str], JsonObject] = {
        ("", "configmaps", "w", "shop", name): one for name, one in views.items() if name != "home"
    }
    if "home" in views:
        found["", "namespaces", "w", "", "shop"] = views["home"]
    return Known({"t1": TARGET}, {"t1": found})


@pytest.mark.parametrize(
    ("upstream", "state"),
    [
        (known(a=view()), LIVE),
        (known(a=view(made="")), LIVE),
        (known(a=view(gone=True)), WAITING),
        (known(a=view(gone=True, reason="DeletionHeld")), HELD),
        (known(a=view(made="another")), FOREIGN),
        (known(a=view(gone=True, made="another")), FOREIGN),
        (known(), ORPHAN),
        (Known({}), FOREIGN),
        (Known({}, forsaken="t1"), ORPHAN),
    ],
)
def test_an_object(upstream: Known, state: str) -> None:
    """By its view, and by whether its SyncTarget is known at all."""
    assert judge(Found(MAPS, thing(), HOME), upstream).state == state


def test_what_waits_says_what_for() -> None:
    """The cause of its deletion, and what the agent said is in the way of it."""
    assert judge(Found(MAPS, thing(), HOME), known(a=view(gone=True))).why == "is to be deleted (Deleted)"
    stuck = judge(Found(MAPS, thing(), HOME), known(a=view(gone=True, reason="NamespaceNotEmpty"))).why
    assert stuck == "is to be deleted (Deleted), which is not possible: NamespaceNotEmpty"


def test_forged_marks() -> None:
    """What no agent wrote is nobody's orphan, whatever it bears."""
    assert judge(Found(MAPS, thing(manager="kubectl"), HOME), known()).state == FOREIGN
    assert judge(Found(MAPS, thing(), None), known()).state == FOREIGN


def test_renamed() -> None:
    """The one object that has another name below is found under its own."""
    upstream = Known({"t1": TARGET}, {"t1": {("", "configmaps", "w", "shop", "kube-root-ca.crt"): view()}})
    assert judge(Found(MAPS, thing("kcp-root-ca.crt"), HOME), upstream).state == LIVE


def test_a_namespace_and_what_agents_keep_in_it() -> None:
    """Both go by the namespace's own view."""
    space = {"metadata": {"name": names.downstream_namespace(HOME), "uid": "n1"}}
    token = {"metadata": {"name": "kcp-token-default", "namespace": space["metadata"]["name"], "uid": "s1"}}
    for upstream, state in (
        (known(home=view(made="n1")), LIVE),
        (known(home=view(gone=True, made="")), WAITING),
        (known(), ORPHAN),
    ):
        assert judge(Found(SPACES, space, HOME), upstream).state == state
        assert judge(Found(("", "secrets"), token, HOME), upstream).state == state
    copied = {"metadata": {**space["metadata"], "uid": "n2"}}
    assert judge(Found(SPACES, copied, HOME), known(home=view(made="n1"))).state == FOREIGN
    stolen = {"metadata": {"name": "kcp-other", "uid": "n2"}}
    assert judge(Found(SPACES, stolen, HOME), known()).state == FOREIGN
    adopted = view(made="n2")
    adopted["metadata"]["annotations"][f"{_INTERNAL}/adoption"] = '{"home": "kcp-other", "uid": "n2", "objects": []}'
    assert judge(Found(SPACES, stolen, HOME), known(home=adopted)).state == LIVE


def test_agents() -> None:
    """An agent's own objects live while its SyncTarget does."""
    own = {"metadata": {"name": names.syncer_id("east", "t1"), "uid": "x"}}
    other = {"metadata": {"name": "kcp-syncer-old-0", "uid": "y"}}
    assert judge(Found(SPACES, own), known()).state == LIVE
    assert judge(Found(SPACES, other), known()).state == FOREIGN


def test_a_set_is_named_by_what_is_in_it() -> None:
    """The order does not matter; one more, one less and another uid do."""
    one = Judged(Found(MAPS, thing(), HOME), ORPHAN, "")
    other = Judged(Found(MAPS, {"metadata": {"name": "b", "uid": "d2"}}, HOME), ORPHAN, "")
    again = Judged(Found(MAPS, {"metadata": {"name": "b", "uid": "d3"}}, HOME), ORPHAN, "")
    assert digest([one, other]) == digest([other, one])
    assert len({digest(found) for found in ([], [one], [one, other], [one, again])}) == 4


@pytest.mark.parametrize(
    ("kind", "metadata", "is_strange"),
    [
        (MAPS, {"name": "theirs"}, True),
        (MAPS, {"name": "kube-root-ca.crt"}, False),
        (MAPS, {"name": "a", "labels": {names.DOWNSTREAM_CLUSTER_LABEL: "k"}}, False),
        (("", "pods"), {"name": "a", "ownerReferences": [{"controller": True}]}, False),
        (("", "pods"), {"name": "a"}, True),
        (("", "serviceaccounts"), {"name": "default"}, False),
    ],
)
def test_strangers(kind: tuple[str, str], metadata: dict[str, Any], *, is_strange: bool) -> None:
    """What must not go with a namespace."""
    assert bool(strangers([(kind, {"metadata": metadata})])) is is_strange


def test_the_binding_of_an_agent_goes_with_its_namespace() -> None:
    """It is in every namespace that an agent made; somebody's own binding, of whatever name, is not of it."""
    kind = ("rbac.authorization.k8s.io", "rolebindings")
    role = "kcp-syncer-east-1-namespace"
    bindings = [{"metadata": {"name": name}, "roleRef": {"name": role}} for name in (role, "theirs")]
    assert strangers([(kind, one) for one in bindings]) == ["rolebindings/theirs"]
    assert strangers([(kind, {"metadata": {"name": role}, "roleRef": {"name": "admin"}})]) == [f"rolebindings/{role}"]


def test_a_locator_that_cannot_be_read() -> None:
    """It is none."""
    assert locator_of({"metadata": {"annotations": {names.LOCATOR_ANNOTATION: "{"}}}) is None
    assert locator_of({"metadata": {"annotations": {names.LOCATOR_ANNOTATION: HOME.to_json()}}}) == HOME


def test_what_finalizers_keep_is_named() -> None:
    """Whoever waits for the end of an object learns what it waits for."""
    body = thing()
    body["metadata"] |= {"deletionTimestamp": "now", "finalizers": ["example.com/x"]}
    why = judge(Found(MAPS, body, HOME), known(a=view(gone=True))).why
    assert why == "is to be deleted (Deleted); waits for finalizers [example.com/x]"
