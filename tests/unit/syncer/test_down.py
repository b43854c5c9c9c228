"""How many requests it takes to bring an object, and which of them none is left out of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, Invalid, from_status
from fairlead_machinery.client import Gvr
from fairlead_machinery.transport import Unreachable
from fairlead_syncer import goings
from fairlead_syncer.brake import Brake
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.down import Down, Refused
from fairlead_syncer.plan import CAUSE, DOWNSTREAM_UID, HASH, REASON, ROW
from fairlead_syncer.proofs import PROOF
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.denied import PolicyDenied
from tests.support.owned import created

MAPS = Gvr("", "v1", "configmaps")
KEY = Key("", "configmaps", "team", "default", "settings")


@dataclass(slots=True)
class Both:
    """The cluster and the control plane: one object below, and what was asked of either side."""

    found: JsonObject | None = None
    asked: list[str] = field(default_factory=list)
    told: list[JsonObject] = field(default_factory=list)
    version: int = 10
    ensured: int = 0
    loses: bool = False
    answer: ApiError | None = None
    """To an apply."""

    async def regain(self, *_: object) -> None:
        """Have all rights."""

    async def create(self, gvr: Gvr, body: JsonObject, *, query: Any, **_: object) -> JsonObject:
        self.asked.append("create")
        if self.found is not None:
            raise AlreadyExists(f"{gvr} exists")
        self.found = created(body, "d1", query["fieldManager"])
        if self.loses:
            raise Unreachable("no answer")
        return self.found

    async def apply(self, gvr: Gvr, body: JsonObject, **_: object) -> JsonObject:
        del gvr
        self.asked.append("apply")
        if self.answer is not None:
            raise self.answer
        return {**body, "metadata": {**body["metadata"], "uid": "d1", "resourceVersion": "2"}}

    async def patch(self, gvr: Gvr, *_: object, **__: object) -> None:
        """Turn what the create owns into what an apply does."""
        self.asked.append(f"patch {gvr.resource}")

    async def find(self, *_: object, **__: object) -> JsonObject | None:
        self.asked.append("get")
        return self.found

    async def report(self, gvr: Gvr, key: Key, uid: str, status: object, report: JsonObject) -> str:
        del gvr, key, uid, status
        self.asked.append("report")
        self.told.append(report)
        self.version += 1
        return str(self.version)

    async def confirm(self, *_: object) -> None:
        self.asked.append("confirm")

    async def check(self, *_: object) -> None:
        """Say that it must go."""
        self.asked.append("check")

    async def delete(self, gvr: Gvr, name: str, *, uid: str, **_: object) -> None:
        del gvr, name
        self.asked.append(f"delete {uid}")
        if self.loses:
            raise Unreachable("no answer")
        self.found = None

    async def ensure(self, *_: object) -> None:
        """Have the namespace, and the credentials."""
        self.ensured += 1

    async def mend(self, *_: object) -> None:
        """Have nothing to mend."""

    def look_again(self, *_: object) -> None:
        """Have no namespace to look at."""


def view(version: int, **annotations: str) -> JsonObject:
    marks = {"kcp.io/cluster": "team", ROW: "5", **annotations}
    metadata = {"name": "settings", "namespace": "default", "uid": "u1", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, "annotations": marks}, "data": {"a": "b"}}


def made(both: Both) -> tuple[State, Down]:
    state = State(SyncTarget("root", "east", "t1", "host", "443", b"secret"))
    state.gvrs["", "configmaps"] = MAPS
    fake = cast(Any, both)
    deletions = Deletions(state, Brake(), lambda: 0.0, lambda key: None)
    deletions.begin(were_held=False)
    return state, Down(state, fake, fake, fake, fake, deletions)


async def test_an_object_takes_one_write_and_one_report() -> None:
    """Its own echoes, the cluster's event and the view that the report changed, cost nothing."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    await down.reconcile(KEY)
    state.put_view(KEY, view(11))
    await down.reconcile(KEY)
    assert both.asked == ["create", "report"]
    assert both.ensured == 3, "its namespace may be another one by now"


async def test_what_the_control_plane_may_have_forgotten_is_said_again() -> None:
    """A view that was read again as it was before the report, as after a restore, is reported on."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    assert both.asked == ["create", "report", "report"]


async def test_a_user_who_was_faster_than_the_report_is_heard() -> None:
    """The view has the version that the report made of it, and yet asks for something else."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10, **{HASH: "h1"}))
    await down.reconcile(KEY)
    state.put_view(KEY, view(11, **{HASH: "h2"}))
    await down.reconcile(KEY)
    assert both.asked == ["create", "report", "patch configmaps", "apply", "report"]


async def test_a_change_on_either_side_is_looked_at() -> None:
    """Another version below is reported; another of the view too."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    below = state.actual[KEY]
    state.actual[KEY] = {**below, "metadata": {**below["metadata"], "resourceVersion": "2"}}
    await down.reconcile(KEY)
    state.put_view(KEY, view(99))
    await down.reconcile(KEY)
    assert both.asked == ["create", "report", "report", "report"]


async def test_what_is_refused_is_known_until_it_is_synced_after_all() -> None:
    """To be said again as long as it is so, with whose policy it is; a view that is gone is not refused."""
    both = Both()
    state, down = made(both)
    refused = {**view(10), "metadata": {**view(10)["metadata"], "labels": {"metallb.io/address-pool": "x"}}}
    state.put_view(KEY, refused)
    for _ in range(2):
        await down.reconcile(KEY)
    assert state.refused == {KEY}
    assert [said["reason"] for said in both.told] == ["PolicyDenied"] * 2
    assert both.told[0]["message"].startswith("the policy of SyncTarget east refuses it: metadata.labels[metallb.io/")
    state.put_view(KEY, view(11))
    await down.reconcile(KEY)
    assert state.refused == set()
    state.put_view(KEY, refused)
    await down.reconcile(KEY)
    state.drop_view(KEY)
    await down.reconcile(KEY)
    assert state.refused == set()


@dataclass(slots=True)
class Hosts:
    """Takes note of what is asked, and refuses while it is told to."""

    asked: list[str] = field(default_factory=list)
    is_taken: bool = True

    def consider(self, key: Key, obj: JsonObject) -> None:
        self.asked.append(f"consider {key.name} {obj['kind']}")
        if self.is_taken:
            raise PolicyDenied("it is taken")

    def release(self, key: Key) -> None:
        self.asked.append(f"release {key.name}")


async def test_hosts_are_asked_before_anything_is_made_and_freed_with_the_object() -> None:
    """What is refused is told; what must go, or the cluster does not take, keeps nobody from a host."""
    both, hosts = Both(), Hosts()
    state, down = made(both)
    down.hosts = cast(Any, hosts)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    assert (both.asked, both.told[0]["reason"]) == (["report"], "PolicyDenied")
    hosts.is_taken = False
    await down.reconcile(KEY)
    assert both.asked[1:] == ["create", "report"]
    assert hosts.asked == ["consider settings ConfigMap"] * 2
    going = view(12, **{CAUSE: "Deleted"})
    state.put_view(KEY, {**going, "metadata": {**going["metadata"], "deletionTimestamp": "now"}})
    both.found = None
    await down.reconcile(KEY)
    assert hosts.asked[2:] == ["release settings"]


async def test_a_name_that_is_taken_is_read_before_it_is_tried_again() -> None:
    """What has it is judged by its marks each time, so that its owner can free the name."""
    metadata = {"name": "settings", "uid": "foreign", "resourceVersion": "7"}
    both = Both(found={"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    state, down = made(both)
    state.put_view(KEY, view(10))
    with pytest.raises(Conflict):
        await down.reconcile(KEY)
    assert await down.reconcile(KEY)
    assert both.asked == ["create", "get", "report"]
    assert both.told[-1]["reason"] == "NameTaken"
    both.found = None
    await down.reconcile(KEY)
    assert both.asked[3:] == ["get", "create", "report"]


async def test_a_name_counts_as_taken_only_by_what_is_there_now() -> None:
    """What is remembered may be of before a restore; the object itself is asked for."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    metadata = {"name": "settings", "uid": "foreign", "resourceVersion": "7"}
    state.actual[KEY] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    await down.reconcile(KEY)
    assert both.asked == ["get", "create", "report"]


async def test_a_copy_made_before_the_view_shows_what_was_recorded_is_not_ours() -> None:
    """It carries the proof of the making, which is worth nothing once the making has been reported."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    assert both.found is not None
    both.found = {**both.found, "metadata": {**both.found["metadata"], "uid": "copy"}}
    state.actual[KEY] = both.found
    await down.reconcile(KEY)
    assert both.told[-1]["reason"] == "NameTaken"


async def test_a_copy_that_takes_the_place_of_what_is_being_removed_stays() -> None:
    """Its making was never reported, so its proof is good; but which one it is was known once its end was asked for."""
    both = Both(loses=True)
    state, down = made(both)
    gone = view(12, **{CAUSE: "Moved"})
    gone["metadata"]["deletionTimestamp"] = "now"
    state.put_view(KEY, gone)
    body = {"metadata": {"name": "settings", "annotations": {PROOF: state.proof(KEY, gone)}}}
    both.found = created(body, "d1")
    with pytest.raises(Unreachable):
        await down.reconcile(KEY)
    both.found = created(body, "copy")
    await down.reconcile(KEY)
    assert both.asked == ["get", "check", "delete d1", "get", "confirm"]


@pytest.mark.parametrize("copier", ["kubectl-create", ""])
async def test_a_copy_of_what_was_made_without_an_answer_stays(copier: str) -> None:
    """Nobody knows the uid of what was made; the copy has its proof, and the cluster says that another wrote it."""
    both = Both(loses=True)
    state, down = made(both)
    state.put_view(KEY, view(10))
    with pytest.raises(Unreachable):
        await down.reconcile(KEY)
    assert both.found is not None
    both.found = created(both.found, "copy", copier)
    both.loses = False
    with pytest.raises(Conflict):
        await down.reconcile(KEY)
    await down.reconcile(KEY)
    assert both.told[-1]["reason"] == "NameTaken"
    gone = view(12, **{CAUSE: "Moved"})
    gone["metadata"]["deletionTimestamp"] = "now"
    state.put_view(KEY, gone)
    await down.reconcile(KEY)
    assert both.asked[-2:] == ["get", "confirm"]
    assert both.found["metadata"]["uid"] == "copy"


async def test_what_was_made_without_an_answer_is_known_again() -> None:
    """Also as it is kept in memory, from what a watch has shown of it."""
    both = Both(loses=True)
    state, down = made(both)
    state.put_view(KEY, view(10))
    with pytest.raises(Unreachable):
        await down.reconcile(KEY)
    assert both.found is not None
    state.put_actual(KEY, both.found)
    await down.reconcile(KEY)
    assert both.asked == ["create", "report"]
    assert both.told[-1]["downstreamUID"] == "d1"


async def test_a_tombstone_is_confirmed_after_a_look() -> None:
    """However settled its object was: the cluster itself is asked, and nothing is there."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    both.found = None
    gone = view(12, **{CAUSE: "Deleted"})
    gone["metadata"]["deletionTimestamp"] = "now"
    state.put_view(KEY, gone)
    await down.reconcile(KEY)
    assert both.asked[2:] == ["get", "confirm"]


def going_below(both: Both, *finalizers: str) -> JsonObject:
    """Have the object be deleted in the cluster, and kept there; return it."""
    assert both.found is not None
    metadata = {**both.found["metadata"], "resourceVersion": "7", "deletionTimestamp": "now"}
    both.found = {**both.found, "metadata": {**metadata, "finalizers": list(finalizers)}}
    return both.found


async def test_what_is_deleted_below_and_does_not_go_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once that has lasted, with what keeps it; taken back, and made again, when it is gone."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    state.put_actual(KEY, going_below(both, "example.com/x"))
    assert await down.reconcile(KEY) == goings.GOING_S, "most go at once"
    assert both.told[-1]["synced"] is True
    monkeypatch.setattr(goings, "GOING_S", 0.0)
    state.put_view(KEY, view(12, **{HASH: "h2"}))
    assert await down.reconcile(KEY) is None, "the event of its end brings it back"
    assert (both.told[-1]["synced"], both.told[-1]["reason"]) == (False, "Terminating")
    assert "waits for finalizers [example.com/x]" in both.told[-1]["message"]
    assert "'settings' in namespace " in both.told[-1]["message"]
    assert both.told[-1]["downstreamUID"] == "d1"
    assert state.refused == {KEY}, "said again at each resync"
    both.found = None
    state.actual.pop(KEY)
    await down.reconcile(KEY)
    assert both.told[-1]["synced"] is True
    assert both.asked[-2:] == ["create", "report"]
    assert state.refused == set()


async def test_what_keeps_a_removed_object_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And again when something else keeps it, or the control plane has forgotten it."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    going_below(both, "example.com/x")
    gone = view(12, **{CAUSE: "Moved", DOWNSTREAM_UID: "d1"})
    gone["metadata"]["deletionTimestamp"] = "now"
    state.put_view(KEY, gone)
    assert await down.reconcile(KEY)
    assert both.asked[2:] == ["get"]
    monkeypatch.setattr(goings, "GOING_S", 0.0)
    await down.reconcile(KEY)
    gone["metadata"]["annotations"][REASON] = "Terminating"
    await down.reconcile(KEY)
    assert both.asked[2:] == ["get", "get", "report", "get"]
    assert both.told[-1]["message"].endswith("waits for finalizers [example.com/x]")
    going_below(both, "example.com/y")
    await down.reconcile(KEY)
    assert both.told[-1]["message"].endswith("waits for finalizers [example.com/y]")
    del gone["metadata"]["annotations"][REASON]
    await down.reconcile(KEY)
    assert both.asked[-2:] == ["get", "report"]


async def test_a_foreign_object_that_is_being_deleted_is_not_reported_as_ours() -> None:
    """Else its status would be shown to a tenant, and its uid be taken for that of ours."""
    metadata = {"name": "settings", "uid": "foreign", "resourceVersion": "7", "deletionTimestamp": "now"}
    both = Both(found={"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    state, down = made(both)
    state.put_view(KEY, view(10))
    with pytest.raises(Conflict):
        await down.reconcile(KEY)
    await down.reconcile(KEY)
    assert [said["reason"] for said in both.told] == ["NameTaken"]
    assert "downstreamUID" not in both.told[0]


@pytest.mark.parametrize(
    "fault",
    [".spec.size: expected string, got &value.valueUnstructured{Value:5}", ".spec.size: field not declared in schema"],
)
async def test_what_does_not_fit_the_clusters_schema_is_told(fault: str) -> None:
    """The server answers an apply of it with 500; it is tried again as what it refuses with 422 is."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    both.answer = ApiError(f"failed to create typed patch object (kcp-x/settings; v1, Kind=ConfigMap): {fault}")
    state.put_view(KEY, view(12, **{HASH: "h2"}))
    with pytest.raises(Refused) as caught:
        await down.reconcile(KEY)
    assert caught.value.code == 422
    assert (both.told[-1]["synced"], both.told[-1]["reason"]) == (False, "Refused")
    assert fault in both.told[-1]["message"]


async def test_any_other_error_of_a_cluster_is_not_told() -> None:
    """It passes."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    both.answer = ApiError("etcdserver: leader changed")
    state.put_view(KEY, view(12, **{HASH: "h2"}))
    with pytest.raises(ApiError, match="leader changed"):
        await down.reconcile(KEY)
    assert both.told[-1]["synced"] is True


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (
            Invalid('ConfigMap "settings" is invalid: data: Forbidden: field is immutable when `immutable` is set'),
            "Refused",
            "field is immutable when `immutable` is set; delete it and create it again",
        ),
        (Invalid("spec.size: Required value"), "Refused", "spec.size: Required value"),
        (from_status(404, {}), "Unsupported", "the cluster does not serve configmaps in version v1 any more"),
    ],
)
async def test_a_refusal_says_what_to_do(answer: ApiError, reason: str, said: str) -> None:
    """What may not be changed is to be made again; what is not served is named."""
    both = Both()
    state, down = made(both)
    state.put_view(KEY, view(10))
    await down.reconcile(KEY)
    both.answer = answer
    state.put_view(KEY, view(12, **{HASH: "h2"}))
    with pytest.raises(Refused):
        await down.reconcile(KEY)
    assert both.told[-1]["reason"] == reason
    assert both.told[-1]["message"].endswith(said)
