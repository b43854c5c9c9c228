"""Nobody grants more than they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, NotFound
from fairlead_api.request import User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.auth.authorize import Authorizer
from fairlead_control_plane.auth.bootstrap import shared_policy
from fairlead_control_plane.auth.escalation import Escalation
from fairlead_control_plane.auth.policies import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, Policies
from fairlead_control_plane.kinds.reader import put
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore

SHARED = shared_policy(workspaces=False)
ALICE = User("alice", ("dev",))
READ = {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}


def named(kind: str, name: str, **content: object) -> JsonObject:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, **content}


def binding(role: str, namespace: str = "") -> JsonObject:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    found = named("RoleBinding" if namespace else "ClusterRoleBinding", "b", roleRef=ref)
    found["subjects"] = [{"kind": "User", "name": "alice"}]
    return found


def write(resource: Resource, obj: JsonObject, *, user: User = ALICE, old: JsonObject | None = None) -> Attributes:
    namespace = "default" if resource.namespaced else ""
    name = obj["metadata"]["name"]
    return Attributes("UPDATE" if old else "CREATE", resource, "v1", "root", namespace, name, "", user, obj, old)


@pytest.fixture
async def rule() -> AsyncIterator[Escalation]:
    """Alice may read configmaps, and nothing else but what a test adds."""
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    policies = Policies(store, SHARED)
    reader = named("ClusterRole", "reader", rules=[READ])
    await store.commit([put(CLUSTER_ROLES, "root", reader), put(CLUSTER_ROLE_BINDINGS, "root", binding("reader"))])
    yield Escalation(policies, Authorizer(policies))
    policies.close()
    await store.close()


async def test_own_rights_may_be_passed_on(rule: Escalation) -> None:
    """A role of them, and a binding to such a role."""
    await rule.validate(write(CLUSTER_ROLES, named("ClusterRole", "r", rules=[READ])))
    await rule.validate(write(CLUSTER_ROLES, named("ClusterRole", "r", rules=[{**READ, "resourceNames": ["a"]}])))
    await rule.validate(write(ROLE_BINDINGS, binding("reader", "default")))


@pytest.mark.parametrize(
    "wider",
    [
        {**READ, "verbs": ["get", "list"]},
        {**READ, "verbs": ["*"]},
        {**READ, "resources": ["secrets"]},
        {**READ, "resources": ["configmaps/status"]},
        {**READ, "apiGroups": ["*"]},
        {"verbs": ["get"], "nonResourceURLs": ["/metrics"]},
    ],
)
async def test_more_than_own_rights_are_refused(rule: Escalation, wider: JsonObject) -> None:
    """S32: on create and on update; masters may."""
    role = named("ClusterRole", "r", rules=[wider])
    for old in (None, named("ClusterRole", "r", rules=[READ])):
        with pytest.raises(Forbidden, match="is attempting to grant RBAC permissions not currently held"):
            await rule.validate(write(CLUSTER_ROLES, role, old=old))
    await rule.validate(write(CLUSTER_ROLES, role, user=User("boss", ("system:masters",))))


async def test_the_refusal_names_what_is_missing(rule: Escalation) -> None:
    """In Kubernetes' words."""
    with pytest.raises(Forbidden) as caught:
        await rule.validate(write(CLUSTER_ROLES, named("ClusterRole", "r", rules=[{**READ, "verbs": ["get", "list"]}])))
    assert caught.value.message == (
        'clusterroles.rbac.authorization.k8s.io "r" is forbidden: user "alice" (groups=["dev"]) is attempting to grant'
        ' RBAC permissions not currently held:\n{APIGroups:[""], Resources:["configmaps"], Verbs:["list"]}'
    )


async def test_stronger_and_missing_roles_cannot_be_bound(rule: Escalation) -> None:
    """A role that does not exist yet could become anything."""
    with pytest.raises(Forbidden):
        await rule.validate(write(CLUSTER_ROLE_BINDINGS, binding("cluster-admin")))
    with pytest.raises(NotFound):
        await rule.validate(write(CLUSTER_ROLE_BINDINGS, binding("nobody-made-it")))


async def test_an_aggregation_rule_needs_everything(rule: Escalation) -> None:
    """It can gather whatever somebody labels later."""
    selector = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    with pytest.raises(Forbidden, match="must have cluster-admin privileges to use the aggregationRule"):
        await rule.validate(write(CLUSTER_ROLES, named("ClusterRole", "r", aggregationRule=selector)))


async def test_cleanup_is_never_refused(rule: Escalation) -> None:
    """Removing a finalizer from a role one could not have made."""
    old = named("ClusterRole", "r", rules=[{**READ, "verbs": ["*"]}])
    new = {**old, "metadata": {**old["metadata"], "finalizers": []}}
    await rule.validate(write(CLUSTER_ROLES, new, old={**old, "metadata": {**old["metadata"], "finalizers": ["x"]}}))


async def test_a_role_that_hides_a_shared_one_lends_no_binding_to_it(rule: Escalation) -> None:
    """Deleted after the binding was made, it would leave all rights of the shared one behind."""
    store = rule._policies._reader._store
    await store.commit([put(CLUSTER_ROLES, "root", named("ClusterRole", "cluster-admin", rules=[READ]))])
    with pytest.raises(Forbidden, match="not currently held"):
        await rule.validate(write(CLUSTER_ROLE_BINDINGS, binding("cluster-admin")))


async def test_rules_too_many_to_compare_are_refused_at_once(rule: Escalation) -> None:
    """A few hundred kilobytes of names would keep the server comparing for minutes."""
    many = [f"g{number}" for number in range(3000)]
    role = named("ClusterRole", "r", rules=[{"verbs": ["get"], "apiGroups": many, "resources": many}])
    with pytest.raises(Forbidden, match="too many to compare"):
        await rule.validate(write(CLUSTER_ROLES, role))
