"""What becomes of a namespace that must go while it holds somebody's objects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict, Forbidden
from fairlead_machinery.client import Gvr, Unreachable
from fairlead_syncer.brake import Brake
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.namespaces import Namespaces, NamespaceTaken
from fairlead_syncer.plan import CAUSE, DOWNSTREAM_UID, REASON
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.downstream import LOCATOR
from tests.support.owned import created
from tests.support.rights import granted

TARGET = SyncTarget("root", "east", "t1", "host", "443", b"secret")
HOME = TARGET.namespace("team", "default")
KEY = Key("", "namespaces", "team", "", "default")
KINDS = [Gvr("", "v1", "configmaps"), Gvr("", "v1", "secrets")]


class Both:
    """A cluster with one namespace of ours, and a control plane that says that it must go."""

    def __init__(self) -> None:
        self.inside: dict[str, list[JsonObject]] = {"configmaps": [item("theirs")], "secrets": [item("kcp-token-a")]}
        self.did: list[str] = []
        self.is_there = True
        self.forbidden = set[str]()
        self.is_away = False
        self.uid, self.marks, self.labels = "n1", dict[str, str](), dict[str, str]()
        self.told = ""

    async def find(self, gvr: Gvr, name: str, namespace: str = "") -> JsonObject | None:
        if not self.is_there or namespace:
            return None
        locator = TARGET.locator("team", "default").to_json()
        marks = {"annotations": {LOCATOR: locator, **self.marks}, "labels": self.labels}
        return {"metadata": {**item(name)["metadata"], "uid": self.uid, **marks, "gvr": str(gvr)}}

    async def patch(self, gvr: Gvr, name: str, body: JsonObject, *, type_: str, query: JsonObject) -> None:
        del gvr, type_, query
        assert (name, body["metadata"]["uid"]) == (HOME, self.uid)
        self.marks |= body["metadata"]["annotations"]
        self.labels |= body["metadata"]["labels"]
        self.did.append("patch")

    async def list(self, gvr: Gvr, namespace: str) -> tuple[list[JsonObject], str]:
        assert namespace == HOME
        if gvr.resource in self.forbidden:
            raise Forbidden("no")
        return self.inside[gvr.resource], "5"

    async def delete(self, gvr: Gvr, name: str, *, uid: str, resource_version: str, namespace: str = "") -> None:
        assert (uid, resource_version) == ("n1" if not namespace else f"uid-{name}", "4")
        self.did.append(f"delete {gvr.resource}/{name}")
        if namespace:
            self.inside[gvr.resource] = []

    async def confirm(self, *_: object) -> None:
        self.did.append("confirm")

    async def create(self, gvr: Gvr, body: JsonObject, *, query: JsonObject) -> JsonObject:
        del gvr
        if self.is_away:
            raise Unreachable("no answer")
        return created(body, "n2", query["fieldManager"])

    async def check(self, *_: object) -> None:
        self.did.append("check")

    async def report(self, gvr: object, key: object, uid: object, status: object, report: JsonObject) -> str:
        del gvr, key, uid, status
        self.did.append(f"report {report['reason']}")
        self.told = str(report.get("message") or "")
        return ""


def item(name: str) -> JsonObject:
    return {"metadata": {"name": name, "namespace": HOME, "uid": f"uid-{name}", "resourceVersion": "4"}}


def keeper(both: Any) -> tuple[Namespaces, JsonObject]:
    """Return what keeps namespaces, and the tombstone of ours."""
    state = State(TARGET)
    marks = {DOWNSTREAM_UID: "n1", CAUSE: "Deleted", "kcp.io/cluster": "team"}
    view: JsonObject = {"metadata": {"name": "default", "uid": "u1", "deletionTimestamp": "then", "annotations": marks}}
    state.put_view(KEY, view)
    deletions = Deletions(state, Brake(), lambda: 0.0, lambda _: None)
    deletions.begin(were_held=False)
    tokens: Any = SimpleNamespace(
        made=lambda _cluster, _namespace, secret: secret["metadata"]["name"] == "kcp-token-a",
        forget=lambda *_: both.did.append("forget tokens"),
    )

    async def listable() -> list[Gvr]:
        return KINDS

    namespaces = Namespaces(
        state,
        both,
        both,
        tokens,
        deletions,
        listable=listable,
        enqueue=lambda key: both.did.append(f"look at {key.name}"),
        rights=granted(),
        enter=lambda _: None,
    )
    return namespaces, view


async def test_tokens_do_not_stay_in_a_namespace_that_somebodys_objects_keep() -> None:
    """They go once upstream has said again that the namespace must go; what is somebody's stays."""
    both = Both()
    namespaces, view = keeper(both)
    await namespaces.reconcile(KEY, view)
    assert both.did == ["check", "forget tokens", "delete secrets/kcp-token-a", "report NamespaceNotEmpty"]
    await namespaces.reconcile(KEY, view)
    assert both.did[4:] == ["report NamespaceNotEmpty"]


async def test_a_namespace_that_is_kept_is_looked_at_ever_less_often() -> None:
    """Each look lists every resource of the cluster."""
    both = Both()
    namespaces, view = keeper(both)
    assert [await namespaces.reconcile(KEY, view) for _ in range(8)] == [2, 4, 8, 16, 32, 64, 120, 120]
    both.inside["configmaps"] = []
    assert await namespaces.reconcile(KEY, view) == 0.5
    assert both.did[-1] == f"delete namespaces/{HOME}"


async def test_a_namespace_that_was_made_is_looked_at_to_have_it_recorded() -> None:
    """Its watch may be silent; unrecorded it would be somebody's to an agent that has lost its key."""
    both = Both()
    namespaces, view = keeper(both)
    both.is_there = False
    del view["metadata"]["deletionTimestamp"]
    await namespaces.ensure("team", "default")
    assert "look at default" in both.did


async def test_no_namespace_is_made_that_must_go_and_none_confirmed_that_is_in_the_making() -> None:
    """An object's view may be older than that of its namespace; who confirmed too early would leave it behind."""
    both = Both()
    namespaces, view = keeper(both)
    both.is_there = False
    with pytest.raises(Conflict):
        await namespaces.ensure("team", "default")
    going = view["metadata"].pop("deletionTimestamp")
    both.is_away = True
    with pytest.raises(Unreachable):
        await namespaces.ensure("team", "default")
    view["metadata"]["deletionTimestamp"] = going
    with pytest.raises(Conflict):
        await namespaces.reconcile(KEY, view)
    assert "confirm" not in both.did


def _live(namespaces: Any, view: JsonObject) -> Any:
    """Have the namespace run, and return what knows of it."""
    view["metadata"].pop("deletionTimestamp")
    return namespaces._state


async def test_a_namespace_is_sealed_once() -> None:
    """With its uid; an agent without any view knows it by that."""
    both = Both()
    namespaces, view = keeper(both)
    _live(namespaces, view)
    await namespaces.reconcile(KEY, view)
    await namespaces.reconcile(KEY, view)
    assert both.did == ["patch"]
    assert State(TARGET).home_of(await both.find(NAMESPACES, HOME) or {}) == ("team", "default")


async def test_a_copy_of_a_namespace_is_neither_filled_nor_deleted() -> None:
    """Somebody deletes ours, and makes another with all its marks: it says so above, and how to hand it over."""
    both = Both()
    namespaces, view = keeper(both)
    state = _live(namespaces, view)
    await namespaces.reconcile(KEY, view)
    await namespaces.ensure("team", "default")
    both.uid = "n2"
    state.homes.clear()  # the event of the end of ours
    both.did.clear()
    with pytest.raises(NamespaceTaken, match=f"adopt namespace/default --cluster east --from {HOME}"):
        await namespaces.ensure("team", "default")
    await namespaces.reconcile(KEY, view)
    assert both.did == ["report NamespaceTaken"]
    assert f"adopt namespace/default --cluster east --from {HOME}" in both.told
    view["metadata"]["deletionTimestamp"] = "then"
    both.did.clear()
    await namespaces.reconcile(KEY, view)
    assert both.did == ["confirm"], "what must go is gone; the copy is somebody's"


async def test_no_rights_are_taken_in_a_copy() -> None:
    """Our binding went with our namespace: that we are refused is how we learn of it, before any event."""
    both = Both()
    namespaces, view = keeper(both)
    _live(namespaces, view)
    await namespaces.ensure("team", "default")
    both.uid = "n2"
    with pytest.raises(Conflict, match="not the one"):
        await namespaces.regain(HOME, Forbidden("no"))
    with pytest.raises(NamespaceTaken):
        await namespaces.ensure("team", "default")


async def test_what_was_said_of_a_copy_is_taken_back() -> None:
    """It was handed over, or ours is there again."""
    both = Both()
    namespaces, view = keeper(both)
    _live(namespaces, view)
    view["metadata"]["annotations"][REASON] = "NamespaceTaken"
    await namespaces.reconcile(KEY, view)
    assert both.did == ["report ", "patch"]


async def test_what_cannot_be_seen_keeps_a_namespace_and_is_said() -> None:
    """A kind that came to the cluster after the join; once the rights are there it goes on by itself."""
    both = Both()
    namespaces, view = keeper(both)
    both.inside = {"configmaps": [], "secrets": []}
    both.forbidden = {"secrets"}
    assert max([await namespaces.reconcile(KEY, view) or 0 for _ in range(8)]) == 30
    assert set(both.did) == {"report NamespaceNotSeen"}
    assert both.told == (
        "the agent may not list secrets, so whether it is empty cannot be seen: "
        "run 'kubectl fairlead cluster join east' again"
    )
    unseen = cast(Any, namespaces)._rights.unseen
    assert unseen == {HOME: ["secrets"]}
    both.forbidden.clear()
    await namespaces.reconcile(KEY, view)
    assert (both.did[-1], unseen) == (f"delete namespaces/{HOME}", {})


async def test_what_is_on_its_way_out_is_no_news() -> None:
    """Pods whose owner we have just removed, say; told only when it does not go."""
    both = Both()
    namespaces, view = keeper(both)
    owned, going = item("owned"), item("going")
    owned["metadata"]["ownerReferences"] = [{"controller": True}]
    going["metadata"]["deletionTimestamp"] = "now"
    both.inside = {"configmaps": [owned, going], "secrets": []}
    assert await namespaces.reconcile(KEY, view) == 2
    assert both.did == []
    both.inside["configmaps"].append(item("theirs"))
    await namespaces.reconcile(KEY, view)
    assert both.did == ["report NamespaceNotEmpty"]
    both.inside["configmaps"].pop()
    cast(Any, namespaces)._passing_s[HOME] = 0.0
    await namespaces.reconcile(KEY, view)
    assert both.did == ["report NamespaceNotEmpty"] * 2
