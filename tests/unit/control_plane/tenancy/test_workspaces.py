"""Workspaces from creation to removal, over a real store."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_api.names import home_cluster_name, initializer_label
from fairlead_api.request import User
from fairlead_control_plane.sharing.objects import (
    BINDINGS,
    CLUSTER_ROLE_BINDINGS,
    CONFIG_MAPS,
    LOGICAL_CLUSTERS,
    WORKSPACE_TYPES,
    WORKSPACES,
)
from fairlead_control_plane.store.contract import CompareFailed
from tests.support.workspaces import ALICE, URL, World, world


@pytest.fixture
async def rooms() -> AsyncGenerator[World, None]:
    async with world() as made:
        await made.bootstrap()
        for kind in ("universal", "organization", "team"):
            made.allowed.add(("alice", "use", f"workspacetypes/{kind}", "root"))
        yield made


def workspace(name: str, /, **kind: str) -> JsonObject:
    return {"metadata": {"name": name}, "spec": {"type": kind} if kind else {}}


async def cluster_of(rooms: World, path: str) -> str:
    found = await rooms.tenancy.resolve(path)
    assert found is not None
    return found


async def test_created_workspace_is_ready_at_once(rooms: World) -> None:
    """Type, URL, cluster and phase are in the answer to the create, as kcp's plugins want them."""
    made = await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    cluster = await cluster_of(rooms, "root:org")
    assert made["spec"] == {
        "type": {"name": "organization", "path": "root"},
        "cluster": cluster,
        "URL": f"{URL}/clusters/root:org",
    }
    assert made["status"]["phase"] == "Ready"
    assert made["metadata"]["labels"]["tenancy.kcp.io/phase"] == "Ready"
    assert made["metadata"]["finalizers"] == ["core.kcp.io/logicalcluster"]
    assert made["metadata"]["annotations"]["experimental.tenancy.kcp.io/owner"] == '{"username":"alice"}'
    assert made["metadata"]["annotations"]["internal.tenancy.kcp.io/shard"] == "1pfxsevk"


async def test_creation_is_one_transaction_with_all_first_rows(rooms: World) -> None:
    """There is no revision at which a workspace exists without its content."""
    before = rooms.store.revision
    await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    assert rooms.store.revision == before + 1
    cluster = await cluster_of(rooms, "root:org")
    logical_cluster = await rooms.get(LOGICAL_CLUSTERS, cluster, "cluster")
    assert logical_cluster is not None
    assert logical_cluster["spec"]["initializers"] == ["root:universal", "system:apibindings"]
    assert logical_cluster["status"]["phase"] == "Ready"
    assert logical_cluster["status"]["URL"] == f"{URL}/clusters/{cluster}"
    assert logical_cluster["metadata"]["annotations"]["kcp.io/path"] == "root:org"
    assert logical_cluster["metadata"]["annotations"]["internal.tenancy.kcp.io/type"] == "root:organization"
    admin = await rooms.get(CLUSTER_ROLE_BINDINGS, cluster, "workspace-admin")
    assert admin is not None
    assert admin["subjects"][0]["name"] == "alice"
    for namespace in ("default", "kube-system"):
        found = await rooms.get(CONFIG_MAPS, cluster, "kube-root-ca.crt", namespace)
        assert found is not None
        assert found["data"] == {"ca.crt": "CA"}
    bound = await rooms.bindings.taken(cluster)
    assert {taken.group for taken in bound} >= {"tenancy.kcp.io", "workload.kcp.io", "scheduling.kcp.io"}


async def test_types_default_through_the_tree(rooms: World) -> None:
    """Below root stand organizations, below them universal workspaces; both serve workspaces of their own."""
    await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    org = await cluster_of(rooms, "root:org")
    child = await rooms.create(WORKSPACES, org, workspace("team"), user=ALICE)
    assert child["spec"]["type"] == {"name": "universal", "path": "root"}
    team = await cluster_of(rooms, "root:org:team")
    assert await rooms.tenancy.resolve(f"{org}:team") == team
    assert await rooms.catalog.lookup(team, "tenancy.kcp.io", "workspaces") is not None


async def test_unknown_paths_resolve_to_nothing(rooms: World) -> None:
    """Neither a name without a logical cluster, nor a path without a workspace, nor text that is no path."""
    for path in ("root:no", "nobody", "a/b", "", "*", "root:", "user:nobody", "no:no", "root:org:../x"):
        assert await rooms.tenancy.resolve(path) is None


async def test_neighbours_with_like_names_do_not_meet(rooms: World) -> None:
    """``a`` and ``a-b`` are different workspaces in every range."""
    for name in ("a", "a-b"):
        await rooms.create(WORKSPACES, "root", workspace(name), user=ALICE)
    first, second = await cluster_of(rooms, "root:a"), await cluster_of(rooms, "root:a-b")
    assert first != second
    await rooms.modify(WORKSPACES, "root", "a", lambda obj: None)
    assert await rooms.tenancy.path_of(second) == "root:a-b"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (workspace("x", name="nothing"), 'workspace type "nothing" cannot be resolved'),
        (workspace("x", name="universal", path="root:no"), 'workspace type "root:no:universal" cannot be resolved'),
        (
            workspace("x", name="team"),
            "workspace type root:team only allows [root:organization root:team] parent workspaces, "
            "but parent type root:root only implements [root:root root:universal]",
        ),
        (
            workspace("x", name="home"),
            "unable to use workspace type root:home: missing verb='use' permission on workspacetype",
        ),
        (
            {"metadata": {"name": "x"}, "spec": {"cluster": "mine"}},
            "spec.Cluster can only be set by system privileged users",
        ),
        (
            {"metadata": {"name": "x"}, "spec": {"URL": "https://evil"}},
            "spec.URL can only be set by system privileged users",
        ),
    ],
)
async def test_refusals_are_forbidden_with_kcps_texts(rooms: World, body: JsonObject, text: str) -> None:
    """A user learns what is wrong; nothing is written."""
    before = rooms.store.revision
    with pytest.raises(Forbidden) as refused:
        await rooms.create(WORKSPACES, "root", body, user=ALICE)
    assert refused.value.message == f'workspaces.tenancy.kcp.io "x" is forbidden: {text}'
    assert rooms.store.revision == before


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("cluster", "other", "spec.cluster is immutable"),
        ("cluster", "", "spec.cluster cannot be unset"),
        ("URL", "https://evil", "spec.URL can only be changed by system privileged users"),
        ("type", {"name": "team", "path": "root"}, "spec.type is immutable"),
    ],
)
async def test_what_the_system_chose_cannot_be_changed(rooms: World, field: str, value: Any, text: str) -> None:
    """Type, cluster and URL of a workspace stay."""
    await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    with pytest.raises(Forbidden, match=text):
        await rooms.modify(WORKSPACES, "root", "org", lambda obj: obj["spec"].update({field: value}), user=ALICE)


async def test_required_groups_are_inherited_and_cannot_be_shed(rooms: World) -> None:
    """A child is never easier to enter than its parent, whatever its creator writes."""
    await rooms.create(WORKSPACES, "root", workspace("org"))
    org = await cluster_of(rooms, "root:org")
    key = "authorization.kcp.io/required-groups"
    await rooms.modify(
        LOGICAL_CLUSTERS, org, "cluster", lambda obj: obj["metadata"]["annotations"].update({key: "sec-a;sec-b"})
    )
    body = workspace("child")
    body["metadata"]["annotations"] = {key: "everybody"}
    made = await rooms.create(WORKSPACES, org, body, user=ALICE)
    assert made["metadata"]["annotations"][key] == "sec-a;sec-b"
    child = await rooms.tenancy.logical_cluster(made["spec"]["cluster"])
    assert child is not None
    assert child.required_groups == "sec-a;sec-b"


async def test_foreign_initializer_keeps_workspace_initializing_until_removed(rooms: World) -> None:
    """Ready comes in the transaction that takes the last initializer away, in both objects."""
    body = {
        "metadata": {"name": "slow"},
        "spec": {"initializer": True, "extend": {"with": [{"path": "root", "name": "universal"}]}},
    }
    await rooms.create(WORKSPACE_TYPES, "root", body)
    made = await rooms.create(WORKSPACES, "root", workspace("w", name="slow", path="root"))
    cluster = made["spec"]["cluster"]
    key, value = initializer_label("root:slow")
    assert made["status"]["phase"] == "Initializing"
    assert made["status"]["initializers"] == ["root:slow"]
    assert made["metadata"]["labels"][key] == value
    before = rooms.store.revision
    done = await rooms.modify(
        LOGICAL_CLUSTERS, cluster, "cluster", lambda obj: obj["status"].update({"initializers": []})
    )
    assert rooms.store.revision == before + 1
    ready = await rooms.get(WORKSPACES, "root", "w")
    for obj in (done, ready):
        assert obj is not None
        assert obj["status"]["phase"] == "Ready"
        assert "initializers" not in obj["status"]
        assert key not in obj["metadata"]["labels"]


async def test_logical_cluster_is_protected_from_users(rooms: World) -> None:
    """Not created, not deleted, its initializers not touched, not moved."""
    await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    org = await cluster_of(rooms, "root:org")
    with pytest.raises(Forbidden, match="LogicalCluster cannot be deleted"):
        await rooms.delete(LOGICAL_CLUSTERS, org, "cluster", user=ALICE)
    with pytest.raises(Forbidden, match="LogicalCluster cannot be created"):
        await rooms.create(LOGICAL_CLUSTERS, org, {"metadata": {"name": "other"}}, user=ALICE)
    changes: list[tuple[Any, str]] = [
        (lambda obj: obj["spec"].update({"initializers": []}), "spec.initializers is immutable"),
        (lambda obj: obj["spec"].update({"directlyDeletable": True}), "spec.directlyDeletable is immutable"),
        (lambda obj: obj["spec"].update({"terminators": ["root:x"]}), "spec.terminators is immutable"),
        (lambda obj: obj["spec"].update({"owner": {"name": "x"}}), "spec.owner is immutable"),
        (
            lambda obj: obj["metadata"]["labels"].update({"tenancy.kcp.io/phase": "Deleting"}),
            "label tenancy.kcp.io/phase",
        ),
        (lambda obj: obj["status"].update({"phase": "Initializing"}), "status.initializers do not equal"),
        (lambda obj: obj["metadata"]["annotations"].update({"kcp.io/path": "root:x"}), "annotation kcp.io/path"),
        (lambda obj: obj["metadata"].update({"finalizers": []}), "finalizer"),
    ]
    for change, text in changes:
        with pytest.raises(Forbidden, match=text):
            await rooms.modify(LOGICAL_CLUSTERS, org, "cluster", change, user=ALICE)


async def test_deletion_takes_workspace_and_logical_cluster_together(rooms: World) -> None:
    """Both are Deleting under one revision, and gone under another; the path is then free for a new cluster."""
    made = await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    cluster = made["spec"]["cluster"]
    before = rooms.store.revision
    leaving = await rooms.delete(WORKSPACES, "root", "org", user=ALICE)
    assert leaving is not None
    assert rooms.store.revision == before + 1
    logical_cluster = await rooms.get(LOGICAL_CLUSTERS, cluster, "cluster")
    assert logical_cluster is not None
    for obj in (leaving, logical_cluster):
        assert obj["status"]["phase"] == "Deleting"
        assert "deletionTimestamp" in obj["metadata"]
    assert await rooms.store.get(f"/meta/deleting/{cluster}") is not None
    assert await rooms.tenancy.resolve("root:org") == cluster
    before = rooms.store.revision
    await rooms.modify(LOGICAL_CLUSTERS, cluster, "cluster", lambda obj: obj["metadata"].pop("finalizers"))
    assert rooms.store.revision == before + 1
    assert await rooms.get(WORKSPACES, "root", "org") is None
    assert await rooms.get(LOGICAL_CLUSTERS, cluster, "cluster") is None
    assert await rooms.tenancy.resolve("root:org") is None
    assert await rooms.tenancy.resolve(cluster) is None
    assert await rooms.store.get(f"/meta/deleting/{cluster}") is None
    again = await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    assert again["spec"]["cluster"] != cluster


async def test_taking_the_finalizer_away_by_hand_loses_no_content(rooms: World) -> None:
    """The path is freed, the content is still deleted, and a workspace made anew under the path is left alone."""
    made = await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    cluster = made["spec"]["cluster"]
    await rooms.modify(WORKSPACES, "root", "org", lambda obj: obj["metadata"].pop("finalizers"))
    assert await rooms.delete(WORKSPACES, "root", "org", user=ALICE) is None
    assert await rooms.store.get(f"/meta/deleting/{cluster}") is not None
    again = await rooms.create(WORKSPACES, "root", workspace("org"), user=ALICE)
    await rooms.modify(LOGICAL_CLUSTERS, cluster, "cluster", lambda obj: obj["metadata"].pop("finalizers"))
    assert await rooms.tenancy.resolve("root:org") == again["spec"]["cluster"]
    assert await rooms.get(WORKSPACES, "root", "org") is not None


async def test_child_is_not_created_in_a_parent_that_vanishes(rooms: World) -> None:
    """The parent's row is compared in the child's transaction."""
    made = await rooms.create(WORKSPACES, "root", workspace("org"))
    cluster = made["spec"]["cluster"]
    parent = await rooms.tenancy.logical_cluster(cluster)
    assert parent is not None
    stale = parent
    await rooms.modify(LOGICAL_CLUSTERS, cluster, "cluster", lambda obj: obj["metadata"]["labels"].update({"x": "y"}))

    async def old_news(name: str) -> Any:
        return stale

    rooms.tenancy.logical_cluster = old_news  # type: ignore[method-assign] # what a read just before would have said
    with pytest.raises(CompareFailed):
        await rooms.create(WORKSPACES, cluster, workspace("child"))


async def test_home_is_made_on_first_use_and_shown_again(rooms: World) -> None:
    """Ready at once, reachable by ``user:<name>`` and by its hash, administered by its user."""
    rooms.allowed.add(("alice", "create", "workspaces/~", "root"))
    first = await rooms.homes.get(ALICE)
    cluster = home_cluster_name("alice")
    assert first["spec"] == {"cluster": cluster, "URL": f"{URL}/clusters/{cluster}"}
    assert first["status"]["phase"] == "Ready"
    assert await rooms.tenancy.resolve("user:alice") == cluster
    before = rooms.store.revision
    assert await rooms.homes.get(ALICE) == first
    assert rooms.store.revision == before
    child = await rooms.create(WORKSPACES, cluster, workspace("mine"), user=ALICE)
    assert await rooms.tenancy.resolve("user:alice:mine") == child["spec"]["cluster"]


async def test_home_needs_the_right_and_a_colon_steals_no_path(rooms: World) -> None:
    """Who may not create ``~`` has no home; a user ``alice:mine`` is not a workspace of alice."""
    with pytest.raises(Forbidden):
        await rooms.homes.get(ALICE)
    odd = User("alice:mine", ("system:authenticated",))
    rooms.allowed.add((odd.name, "create", "workspaces/~", "root"))
    home = await rooms.homes.get(odd)
    assert await rooms.tenancy.resolve("user:alice:mine") is None
    assert await rooms.tenancy.resolve(home["spec"]["cluster"]) is not None


@pytest.mark.parametrize("name", ["any", "system"])
async def test_reserved_type_names_are_refused(rooms: World, name: str) -> None:
    """These two mean something else in kcp."""
    with pytest.raises(Forbidden, match="is reserved"):
        await rooms.create(WORKSPACE_TYPES, "root", {"metadata": {"name": name}, "spec": {}})


async def test_type_that_extends_itself_is_refused_at_use(rooms: World) -> None:
    """The chain is named in the refusal."""
    for name, other in (("one", "two"), ("two", "one")):
        spec = {"extend": {"with": [{"path": "root", "name": other}]}}
        await rooms.create(WORKSPACE_TYPES, "root", {"metadata": {"name": name}, "spec": spec})
    with pytest.raises(Forbidden, match="circular dependency detected in workspace type root:one"):
        await rooms.create(WORKSPACES, "root", workspace("w", name="one", path="root"))


async def test_bootstrap_is_idempotent_and_skipped_when_nothing_changed(rooms: World) -> None:
    """The second start reads one row; a new release writes only what differs."""
    before = rooms.store.revision
    assert not await rooms.bootstrap()
    assert rooms.store.revision == before
    assert await rooms.bootstrap("2")
    assert rooms.store.revision == before + 1
    compute = await cluster_of(rooms, "root:compute")
    bindings = await rooms.bindings.taken(compute)
    assert bindings
    row = await rooms.get(BINDINGS, compute, "nothing")
    assert row is None
    assert orjson.loads((await rooms.store.get("/paths/root:compute")).value) == {"cluster": compute}  # type: ignore[union-attr] # is there
