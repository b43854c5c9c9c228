"""What holds tenants in a namespace is put back when somebody edits or deletes it, and who that was is told."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, Invalid
from fairlead_machinery.client import Gvr
from fairlead_syncer.rules import POD_SECURITY, Rules, RulesNotKept
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.policy import QUOTA_NAME, Isolation, TenantPolicy
from tests.support.owned import created

TARGET = SyncTarget("root", "east", "t1", "host", "443", b"secret")
HOME = TARGET.namespace("team", "default")
KEY = Key("", "namespaces", "team", "", "default")
VIEW: JsonObject = {"metadata": {"name": "default", "uid": "u1", "annotations": {"kcp.io/cluster": "team"}}}
QUOTA = TenantPolicy(quota={"pods": "3"})


class Cluster:
    """One namespace's rules by plural, with what was asked and told; field managers as a server keeps them."""

    def __init__(self) -> None:
        self.there: dict[str, JsonObject] = {}
        self.asked: list[str] = []
        self.told: list[JsonObject] = []
        self.refusal: Exception | None = None
        self.canonical: dict[str, str] = {}

    async def find(self, gvr: Gvr, name: str, *, namespace: str) -> JsonObject | None:
        assert (name, namespace) == (QUOTA_NAME, HOME)
        self.asked.append(f"find {gvr.resource}")
        return self.there.get(gvr.resource)

    async def create(self, gvr: Gvr, body: JsonObject, *, namespace: str, query: JsonObject) -> JsonObject:
        if self.refusal is not None:
            raise self.refusal
        assert namespace == HOME
        self.asked.append(f"create {gvr.group}/{gvr.resource}")
        return self._put(gvr.resource, created(body, gvr.resource, query["fieldManager"]), query["fieldManager"])

    async def patch(
        self, gvr: Gvr, name: str, body: Any, *, type_: str, namespace: str, query: JsonObject
    ) -> JsonObject:
        del type_
        assert (name, namespace) == (QUOTA_NAME, HOME)
        self.asked.append(f"patch {gvr.resource}")
        return self._put(gvr.resource, {**self.there[gvr.resource], "spec": body[1]["value"]}, query["fieldManager"])

    async def delete(self, gvr: Gvr, name: str, *, namespace: str, uid: str, resource_version: str) -> None:
        assert (name, namespace, uid, resource_version) == (QUOTA_NAME, HOME, gvr.resource, "1")
        self.asked.append(f"delete {gvr.resource}")
        del self.there[gvr.resource]

    async def report(self, gvr: Gvr, key: Key, uid: str, status: object, report: JsonObject) -> str:
        del gvr, status
        assert (key, uid) == (KEY, "u1")
        self.told.append(report)
        return ""

    def edit(self, plural: str, spec: JsonObject, manager: str = "kubectl-edit") -> None:
        self._put(plural, {**self.there[plural], "spec": spec}, manager)

    def _put(self, plural: str, body: JsonObject, manager: str) -> JsonObject:
        hard = {name: self.canonical.get(value, value) for name, value in body["spec"].get("hard", {}).items()}
        body = {**body, "spec": {**body["spec"], **({"hard": hard} if hard else {})}}
        fields: JsonObject = {"f:spec": {"f:hard": {f"f:{name}": {} for name in hard}}}
        entry = {"manager": manager, "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}
        of_making = body["metadata"]["managedFields"][0]
        made = {**body, "metadata": {**body["metadata"], "managedFields": [of_making, entry]}}
        self.there[plural] = made
        return made


def kept(policy: TenantPolicy) -> tuple[Rules, Any, State]:
    cluster: Any = Cluster()
    state = State(TARGET, policy=policy)
    state.put_view(KEY, VIEW)
    state.homes[HOME] = (KEY.cluster, KEY.name)
    return Rules(state, cluster, cluster), cluster, state


def namespace(level: str = "baseline", manager: str = "syncer") -> JsonObject:
    fields: JsonObject = {"f:metadata": {"f:labels": {f"f:{POD_SECURITY}": {}}}}
    entry = {"manager": manager, "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}
    return {"metadata": {"name": HOME, "uid": "n1", "labels": {POD_SECURITY: level}, "managedFields": [entry]}}


async def test_what_the_policy_names_is_made_and_marked() -> None:
    """Each in its API group; nothing is told of what was never otherwise."""
    policy = TenantPolicy(quota={"pods": "3"}, container_limits={"max": {"cpu": "1"}}, isolation=Isolation())
    rules, cluster, _ = kept(policy)
    await rules.keep(HOME)
    made = [each for each in cluster.asked if each.startswith("create")]
    assert made == ["create /resourcequotas", "create /limitranges", "create networking.k8s.io/networkpolicies"]
    for group, plural in (("", "resourcequotas"), ("networking.k8s.io", "networkpolicies")):
        assert rules.made(Gvr(group, "v1", plural), cluster.there[plural])
    assert not rules.made(Gvr("other.io", "v1", "resourcequotas"), cluster.there["resourcequotas"])
    assert not rules.made(Gvr("", "v1", "networkpolicies"), cluster.there["networkpolicies"])
    assert cluster.told == []


async def test_an_edited_quota_is_put_back_and_told_once() -> None:
    """With who changed it, and since when; what is as it was is told as such, once."""
    rules, cluster, _ = kept(QUOTA)
    await rules.keep(HOME)
    cluster.edit("resourcequotas", {"hard": {"pods": "99"}})
    await rules.keep(HOME)
    assert cluster.there["resourcequotas"]["spec"] == {"hard": {"pods": "3"}}
    path = f"resourcequotas/{QUOTA_NAME}: spec.hard.pods"
    drift = {"path": path, "manager": "kubectl-edit", "since": "2026-01-01T00:00:00Z", "left": False}
    assert cluster.told == [{"drift": [drift]}]
    for _ in range(2):
        await rules.keep(HOME)
    assert cluster.told[1:] == [{"drift": []}]


async def test_what_was_added_to_a_quota_goes() -> None:
    """A limit of somebody's beside ours would hold tenants to less than they were given."""
    rules, cluster, _ = kept(QUOTA)
    await rules.keep(HOME)
    cluster.edit("resourcequotas", {"hard": {"pods": "3", "secrets": "0"}})
    await rules.keep(HOME)
    assert cluster.there["resourcequotas"]["spec"] == {"hard": {"pods": "3"}}
    assert [(one["path"], one["manager"]) for one in cluster.told[0]["drift"]] == [
        (f"resourcequotas/{QUOTA_NAME}: spec", "kubectl-edit")
    ]


async def test_a_deleted_quota_is_made_again_and_told() -> None:
    """Who did it is not known."""
    rules, cluster, _ = kept(QUOTA)
    await rules.keep(HOME)
    cluster.there.clear()
    await rules.keep(HOME)
    assert cluster.there["resourcequotas"]["spec"] == {"hard": {"pods": "3"}}
    assert [(one["path"], one["manager"]) for one in cluster.told[0]["drift"]] == [
        (f"resourcequotas/{QUOTA_NAME}", "unknown")
    ]


async def test_what_the_server_makes_of_a_rule_is_no_drift() -> None:
    """Quantities in another form, and defaults: nothing is written again, by an agent that starts anew neither."""
    rules, cluster, state = kept(TenantPolicy(quota={"requests.cpu": "1000m"}))
    cluster.canonical = {"1000m": "1"}
    await rules.keep(HOME)
    assert cluster.there["resourcequotas"]["spec"] == {"hard": {"requests.cpu": "1"}}
    cluster.asked.clear()
    await rules.keep(HOME)
    assert cluster.asked == ["find resourcequotas"]
    again = Rules(state, cluster, cluster)
    for _ in range(2):
        await again.keep(HOME)
    assert [each for each in cluster.asked if not each.startswith("find")] == ["patch resourcequotas"]
    assert cluster.told == []


async def test_another_policy_is_no_drift() -> None:
    """Neither a quota that its owner has changed nor one they have given up; that is asked for once, not each time."""
    rules, cluster, state = kept(QUOTA)
    await rules.keep(HOME)
    state.policy = TenantPolicy(quota={"pods": "5"}, pod_security="restricted")
    await rules.keep(HOME)
    assert cluster.there["resourcequotas"]["spec"] == {"hard": {"pods": "5"}}
    state.policy = TenantPolicy()
    await rules.keep(HOME)
    assert cluster.there == {}
    assert cluster.told == []
    cluster.asked.clear()
    await rules.keep(HOME)
    assert cluster.asked == []


@pytest.mark.parametrize(("manager", "count"), [("kubectl-label", 1), ("syncer", 0), ("fairlead-syncer", 0)])
async def test_another_level_is_told_with_who_set_it(manager: str, count: int) -> None:
    """What we set ourselves, under a policy of before, is none."""
    rules, cluster, _ = kept(TenantPolicy())
    rules.look(namespace("privileged", manager))
    await rules.keep(HOME)
    told = [one for report in cluster.told for one in report["drift"]]
    assert len(told) == count
    assert all(one["path"] == f"metadata.labels[{POD_SECURITY}]" for one in told)


@pytest.mark.parametrize("refusal", [Forbidden("no right"), Invalid("not a CIDR")])
async def test_what_cannot_be_kept_is_said(refusal: Exception) -> None:
    """Nothing runs without; its users hear it."""
    rules, cluster, _ = kept(TenantPolicy(isolation=Isolation(("x",))))
    cluster.refusal = refusal
    with pytest.raises(RulesNotKept, match="networkpolicies"):
        await rules.keep(HOME)


async def test_a_level_that_was_never_set_was_not_taken_away() -> None:
    """A namespace that was handed over has none; one that we have kept had it."""
    rules, cluster, _ = kept(TenantPolicy())
    without: JsonObject = {"metadata": {"name": HOME, "uid": "n1"}}
    rules.look(without)
    await rules.keep(HOME)
    assert cluster.told == []
    rules.look(without)
    await rules.keep(HOME)
    assert [one["manager"] for one in cluster.told[0]["drift"]] == ["unknown"]


async def test_a_copy_of_a_rule_is_neither_changed_nor_removed() -> None:
    """It has the mark of ours, but another wrote it; whoever runs there hears so."""
    rules, cluster, state = kept(QUOTA)
    await rules.keep(HOME)
    copy = created(cluster.there["resourcequotas"], "resourcequotas", "kubectl-create")
    cluster.there["resourcequotas"] = copy
    with pytest.raises(RulesNotKept, match="not the agent's"):
        await rules.keep(HOME)
    state.policy = TenantPolicy()
    await rules.keep(HOME)
    assert cluster.there["resourcequotas"] is copy
