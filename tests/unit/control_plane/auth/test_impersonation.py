"""Acting as somebody else ends at the workspace's border."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_api.errors import Forbidden
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.authorize import CLUSTER_NAME, SCOPES, Authorizer, Workspace, counts_in, seen_from
from fairlead_control_plane.auth.bootstrap import shared_policy
from fairlead_control_plane.auth.impersonation import impersonate
from fairlead_control_plane.auth.policies import Policies
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore

ADMIN = User("carol", ("system:kcp:admin", "system:authenticated"))
MASTER = User("root", ("system:masters", "system:authenticated"))


async def _workspace(name: str) -> Workspace | None:
    return Workspace() if name in {"a", "b"} else None


@pytest.fixture
async def authorizer() -> AsyncIterator[Authorizer]:
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    policies = Policies(store, shared_policy(workspaces=True))
    yield Authorizer(policies, workspaces=_workspace)
    policies.close()
    await store.close()


async def test_whom_one_acts_as_counts_in_that_workspace_alone(authorizer: Authorizer) -> None:
    """Elsewhere they are no more than anybody who is authenticated, also where the real one has rights."""
    headers = {"impersonate-user": "bob", "impersonate-group": "system:kcp:admin"}
    bob = await impersonate(ADMIN, "a", headers, authorizer)
    assert (counts_in(bob, "a"), counts_in(bob, "b")) == (True, False)
    listing = RequestInfo("a", "", "list", True, "", "v1", resource="secrets")
    assert (await authorizer.authorize(bob, listing)).allowed
    assert not (
        await authorizer.authorize(bob, RequestInfo("b", "", "list", True, "", "v1", resource="secrets"))
    ).allowed
    assert seen_from(bob, "a") is bob
    elsewhere = seen_from(bob, "b")
    assert (elsewhere.name, elsewhere.groups) == ("system:anonymous", ("system:authenticated",))


async def test_masters_act_without_a_border(authorizer: Authorizer) -> None:
    """They could do it all themselves."""
    bob = await impersonate(MASTER, "a", {"impersonate-user": "bob"}, authorizer)
    assert counts_in(bob, "b")


@pytest.mark.parametrize(
    "headers",
    [
        {"impersonate-user": "system:fairlead"},
        {"impersonate-user": "system:fairlead:syncer:1"},
        {"impersonate-user": "bob", "impersonate-group": "system:fairlead:syncers"},
        {"impersonate-user": "bob", "impersonate-group": "system:masters"},
        {"impersonate-user": "bob", "impersonate-extra-authentication.kcp.io%2fscopes": "cluster:b"},
        {"impersonate-user": "bob", "impersonate-extra-authentication.kubernetes.io%2fcluster-name": "b"},
    ],
)
async def test_nobody_acts_as_the_system(authorizer: Authorizer, headers: dict[str, str]) -> None:
    """Neither as its users nor in its groups, nor with a border of one's own."""
    with pytest.raises(Forbidden, match="impersonation is not allowed"):
        await impersonate(ADMIN, "a", headers, authorizer)


def test_an_account_is_nobody_elsewhere() -> None:
    """The neighbour's account of the same name has its own rights, which are none of this one's."""
    groups = ("system:serviceaccounts", "system:authenticated")
    account = User("system:serviceaccount:default:default", groups, "1", {CLUSTER_NAME: ("a",)})
    assert seen_from(account, "a") is account
    assert seen_from(account, "b").name == "system:anonymous"
    assert seen_from(account, "b").groups == ("system:authenticated",)
    assert not counts_in(User("bob", (), "", {SCOPES: ("cluster:a", "cluster:b")}), "b")
