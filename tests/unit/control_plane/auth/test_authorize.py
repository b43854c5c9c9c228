"""The chain of decisions and the words of a refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_api.kinds.registry import OWN_KINDS, OwnKind
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.authorize import CLUSTER_NAME, Authorizer, Decision, Workspace, forbidden
from fairlead_control_plane.auth.bootstrap import shared_policy
from fairlead_control_plane.auth.policies import CLUSTER_ROLE_BINDINGS, Policies
from fairlead_control_plane.kinds.reader import delete, put
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore

ALICE = User("alice", ("system:authenticated",))
SHARED = shared_policy(workspaces=True)
GET = RequestInfo("team", "", "get", True, "", "v1", "default", "configmaps", name="x")


def binding(role: str, user: str = "alice") -> JsonObject:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{role}-{user}", "uid": "u"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": user}],
    }


async def workspace(name: str) -> Workspace | None:
    return {
        "team": Workspace(),
        "team-b": Workspace(),
        "closed": Workspace(required_groups="a,b;c"),
        "leaving": Workspace(phase="Deleting"),
    }.get(name)


@asynccontextmanager
async def authorizer(*, workspaces: bool = True) -> AsyncIterator[tuple[Authorizer, SqliteStore]]:
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    policies = Policies(store, SHARED)
    try:
        yield Authorizer(policies, workspaces=workspace if workspaces else None), store
    finally:
        policies.close()
        await store.close()


IN_DEFAULT = 'in the namespace "default"'
CANNOT = 'is forbidden: User "alice" cannot'


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (GET, f'configmaps "x" {CANNOT} get resource "configmaps" in API group "" {IN_DEFAULT}'),
        (
            RequestInfo("c", "", "list", True, "apps", "v1", "", "deployments"),
            f'deployments.apps {CANNOT} list resource "deployments" in API group "apps" at the cluster scope',
        ),
        (
            RequestInfo("c", "", "update", True, "apps", "v1", "default", "deployments", subresource="scale", name="d"),
            f'deployments.apps "d" {CANNOT} update resource "deployments/scale" in API group "apps" {IN_DEFAULT}',
        ),
        (RequestInfo("c", "/metrics", "get"), 'forbidden: User "alice" cannot get path "/metrics"'),
    ],
)
def test_refuses_in_kubernetes_words(info: RequestInfo, message: str) -> None:
    """Texts compared with kube-apiserver v1.36.3."""
    assert forbidden(ALICE, info).message == message


def test_a_refusal_holds_no_html() -> None:
    """A user name cannot become markup."""
    assert "<b>" not in forbidden(User("<b>"), GET).message


async def test_a_grant_counts_at_once_and_no_longer_than_it_exists() -> None:
    """The index is dropped before the writer hears of the write."""
    async with authorizer(workspaces=False) as (chain, store):
        assert not (await chain.authorize(ALICE, GET)).allowed
        await store.commit([put(CLUSTER_ROLE_BINDINGS, "team", binding("view"))])
        assert (await chain.authorize(ALICE, GET)).allowed
        await store.commit([delete(CLUSTER_ROLE_BINDINGS, "team", "", "view-alice")])
        assert not (await chain.authorize(ALICE, GET)).allowed


async def test_a_grant_in_one_workspace_says_nothing_about_its_neighbour() -> None:
    """``team`` and ``team-b`` share a prefix and nothing else."""
    async with authorizer() as (chain, store):
        await store.commit([put(CLUSTER_ROLE_BINDINGS, "team", binding("cluster-admin"))])
        assert (await chain.authorize(ALICE, GET)).allowed
        neighbour = RequestInfo("team-b", "", "get", True, "", "v1", "default", "configmaps", name="x")
        assert not (await chain.authorize(ALICE, neighbour)).allowed


async def test_rights_inside_need_the_right_to_enter() -> None:
    """``view`` alone does not open a workspace; ``access`` on ``/`` does."""
    async with authorizer() as (chain, store):
        await store.commit([put(CLUSTER_ROLE_BINDINGS, "team", binding("view"))])
        assert not (await chain.authorize(ALICE, GET)).allowed
        await store.commit([put(CLUSTER_ROLE_BINDINGS, "team", binding("system:kcp:workspace:access"))])
        assert (await chain.authorize(ALICE, GET)).allowed


@pytest.mark.parametrize("cluster", ["missing", "leaving", "", "*", "system:admin"])
async def test_a_workspace_that_is_not_there_answers_like_a_closed_one(cluster: str) -> None:
    """Same reason, so that nothing is learnt about others' workspaces."""
    async with authorizer() as (chain, _):
        info = RequestInfo(cluster, "", "get", True, "", "v1", "default", "configmaps", name="x")
        known = RequestInfo("team", "", "get", True, "", "v1", "default", "configmaps", name="x")
        assert await chain.authorize(ALICE, info) == await chain.authorize(ALICE, known)
        assert (await chain.authorize(User("m", ("system:masters",)), info)).allowed


@pytest.mark.parametrize(("groups", "allowed"), [(("a",), False), (("a", "b"), True), (("c",), True), ((), False)])
async def test_required_groups_are_clauses_of_groups(groups: tuple[str, ...], *, allowed: bool) -> None:
    """``a,b;c`` means both a and b, or c."""
    async with authorizer() as (chain, store):
        await store.commit([put(CLUSTER_ROLE_BINDINGS, "closed", binding("cluster-admin"))])
        info = RequestInfo("closed", "", "list", True, "", "v1", "", "configmaps")
        assert (await chain.authorize(User("alice", groups), info)).allowed is allowed


async def test_a_service_account_is_nobody_in_another_workspace() -> None:
    """S13: the same name with rights over there does not help."""
    async with authorizer() as (chain, store):
        name = "system:serviceaccount:default:default"
        await store.commit([put(CLUSTER_ROLE_BINDINGS, "team", binding("cluster-admin", name))])
        own = User(name, ("system:serviceaccounts",), extra={CLUSTER_NAME: ("team",)})
        foreign = User(name, ("system:serviceaccounts",), extra={CLUSTER_NAME: ("team-b",)})
        assert (await chain.authorize(own, GET)).allowed
        assert not (await chain.authorize(foreign, GET)).allowed
        with pytest.raises(Forbidden, match="access denied"):
            await chain.require(foreign, GET)


@pytest.mark.parametrize(
    "kind", [kind for kind in OWN_KINDS if "status" in kind.subresources], ids=lambda kind: str(kind.plural)
)
async def test_status_of_our_kinds_is_the_control_planes_alone(kind: OwnKind) -> None:
    """An administrator of the workspace changes every object, reads every status, and writes none."""
    async with authorizer() as (chain, store):
        await store.commit([put(CLUSTER_ROLE_BINDINGS, "team", binding("cluster-admin"))])
        of_object = RequestInfo("team", "", "patch", True, kind.group, kind.version, "", kind.plural, name="x")
        assert (await chain.authorize(ALICE, of_object)).allowed
        for verb in ("update", "patch", "create", "delete"):
            decision = await chain.authorize(ALICE, replace(of_object, verb=verb, subresource="status"))
            assert decision == Decision(False, "status is written by the control plane alone")
        assert (await chain.authorize(ALICE, replace(of_object, verb="get", subresource="status"))).allowed
        masters = User("scheduler", ("system:masters",))
        assert (await chain.authorize(masters, replace(of_object, subresource="status"))).allowed


async def test_a_stranger_learns_nothing_from_status() -> None:
    """Who may not enter gets the answer of every closed workspace."""
    async with authorizer() as (chain, _):
        info = RequestInfo("team", "", "patch", True, "core.kcp.io", "v1alpha1", "", "logicalclusters", "", "status")
        assert await chain.authorize(ALICE, info) == Decision(False, "access denied")


async def test_health_is_for_all_who_reach_a_workspaces_server_and_else_for_whom_rbac_names() -> None:
    """As kcp and Kubernetes have it; this user is not even in system:authenticated."""
    stranger = User("somebody", ("a",))
    for has_workspaces in (True, False):
        async with authorizer(workspaces=has_workspaces) as (chain, _):
            decision = await chain.authorize(stranger, RequestInfo("team", "/healthz", "get"))
            assert decision.allowed is has_workspaces
