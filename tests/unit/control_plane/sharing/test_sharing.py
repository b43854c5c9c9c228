"""Schemas, exports, bindings, identities and what workspaces then serve, over a real store."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from hashlib import sha256
from typing import Any

import pytest

from fairlead_api import JsonObject, conditions
from fairlead_api.errors import Forbidden
from fairlead_api.names import export_label_value
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.sharing.admission import ReservedCrds
from fairlead_control_plane.sharing.identity import identity_hash, key_of, new_key
from fairlead_control_plane.sharing.objects import BINDINGS, CRDS, EXPORTS, SCHEMAS, SECRETS, WORKSPACES
from fairlead_control_plane.sharing.policy import MaximalPermissionPolicy
from tests.support.workspaces import ALICE, World, crd, record, schema, world

COWBOYS = record("wildwest.dev", "cowboys", "Cowboy", namespaced=True)
SHERIFFS = record("wildwest.dev", "sheriffs", "Sheriff")


@pytest.fixture
async def rooms() -> AsyncGenerator[World, None]:
    async with world() as made:
        await made.bootstrap()
        yield made


async def workspace(rooms: World, name: str) -> str:
    spec = {"type": {"name": "universal", "path": "root"}}
    made = await rooms.create(WORKSPACES, "root", {"metadata": {"name": name}, "spec": spec})
    cluster: str = made["spec"]["cluster"]
    return cluster


async def provider(rooms: World, name: str = "provider", *kinds: Resource, **spec: Any) -> str:
    cluster = await workspace(rooms, name)
    schemas = [schema(kind, "today", spec="object") for kind in kinds or (COWBOYS,)]
    for each in schemas:
        await rooms.create(SCHEMAS, cluster, each)
    latest = [each["metadata"]["name"] for each in schemas]
    body = {"metadata": {"name": "west"}, "spec": {"latestResourceSchemas": latest, **spec}}
    await rooms.create(EXPORTS, cluster, body)
    return cluster


def binding(path: str, export: str = "west", name: str = "west") -> JsonObject:
    return {"metadata": {"name": name}, "spec": {"reference": {"export": {"path": path, "name": export}}}}


async def identity_of(rooms: World, cluster: str) -> str:
    export = await rooms.get(EXPORTS, cluster, "west")
    assert export is not None
    found: str = export["status"]["identityHash"]
    return found


async def test_export_has_its_identity_at_once(rooms: World) -> None:
    """The hash is that of a key kept in a secret of kcp-system, named like the export."""
    cluster = await provider(rooms)
    secret = await rooms.get(SECRETS, cluster, "west", "kcp-system")
    export = await rooms.get(EXPORTS, cluster, "west")
    assert secret is not None
    assert export is not None
    key = base64.b64decode(secret["data"]["key"]).decode()
    assert len(key) == 43
    assert export["status"]["identityHash"] == sha256(key.encode()).hexdigest() == identity_hash(key)
    assert export["spec"]["identity"] == {"secretRef": {"namespace": "kcp-system", "name": "west"}}
    assert conditions.is_true(export["status"]["conditions"], "IdentityValid")
    assert export["metadata"]["annotations"]["kcp.io/path"] == "root:provider"


async def test_export_made_anew_keeps_its_identity(rooms: World) -> None:
    """The secret outlives the export, and so does access to the data."""
    cluster = await provider(rooms)
    before = await identity_of(rooms, cluster)
    await rooms.delete(EXPORTS, cluster, "west")
    await rooms.create(EXPORTS, cluster, {"metadata": {"name": "west"}, "spec": {}})
    assert await identity_of(rooms, cluster) == before


async def test_export_that_names_a_missing_secret_says_so(rooms: World) -> None:
    """Nobody binds it, and nothing is made up for it."""
    cluster = await provider(rooms, "provider", COWBOYS, identity={"secretRef": {"namespace": "x", "name": "mine"}})
    export = await rooms.get(EXPORTS, cluster, "west")
    assert export is not None
    said = conditions.get(export["status"]["conditions"], "IdentityValid")
    assert said is not None
    assert (said["status"], said["reason"]) == ("False", "IdentityVerificationFailed")
    consumer = await workspace(rooms, "consumer")
    made = await rooms.create(BINDINGS, consumer, binding("root:provider"))
    assert made["status"]["phase"] == "Binding"
    assert (conditions.get(made["status"]["conditions"], "APIExportValid") or {})["reason"] == "MissingIdentityHash"


def test_keys_are_fresh_and_readable_from_their_secret() -> None:
    """Two keys differ; a secret without one, or with another's bytes, has none."""
    assert new_key() != new_key()
    for data in ({}, {"data": {"key": "%%%"}}, {"data": {"key": base64.b64encode(b"\xff").decode()}}):
        assert key_of(data) == ""


async def test_binding_is_bound_at_once(rooms: World) -> None:
    """Phase, bound resources, conditions, label and finalizer are in the answer to the create."""
    cluster = await provider(rooms)
    consumer = await workspace(rooms, "consumer")
    made = await rooms.create(BINDINGS, consumer, binding("root:provider"))
    identity = await identity_of(rooms, cluster)
    stored = await rooms.get(SCHEMAS, cluster, "today.cowboys.wildwest.dev")
    assert stored is not None
    status = made["status"]
    assert status["phase"] == "Bound"
    assert status["apiExportClusterName"] == cluster
    assert status["boundResources"] == [
        {
            "group": "wildwest.dev",
            "resource": "cowboys",
            "schema": {
                "name": "today.cowboys.wildwest.dev",
                "UID": stored["metadata"]["uid"],
                "identityHash": identity,
            },
            "storageVersions": ["v1"],
        }
    ]
    for name in ("Ready", "APIExportValid", "InitialBindingCompleted", "BindingUpToDate", "PermissionClaimsValid"):
        assert conditions.is_true(status["conditions"], name)
    assert made["metadata"]["finalizers"] == ["apis.kcp.io/apibinding-finalizer"]
    assert made["metadata"]["labels"] == {"internal.apis.kcp.io/export": export_label_value(cluster, "west")}


async def test_bound_resource_is_served_under_its_identity_only_where_bound(rooms: World) -> None:
    """The consumer has it, its neighbour does not; the wildcard needs the identity."""
    cluster = await provider(rooms)
    consumer, other = await workspace(rooms, "a"), await workspace(rooms, "a-b")
    assert await rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys") is None
    await rooms.create(BINDINGS, consumer, binding("root:provider"))
    identity = await identity_of(rooms, cluster)
    found = await rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys")
    assert found is not None
    assert (found.identity, found.origin, found.owner) == (identity, "bound", f"{cluster}/west")
    assert await rooms.catalog.lookup(other, "wildwest.dev", "cowboys") is None
    assert await rooms.catalog.lookup("*", "wildwest.dev", "cowboys") is None
    assert await rooms.catalog.lookup("*", "wildwest.dev", "cowboys", "0" * 64) is None
    assert await rooms.catalog.lookup("*", "wildwest.dev", "cowboys", identity) == found


async def test_wildcard_forgets_an_identity_that_changed(rooms: World) -> None:
    """An export that is gone no longer answers for its identity."""
    cluster = await provider(rooms)
    identity = await identity_of(rooms, cluster)
    assert await rooms.catalog.lookup("*", "wildwest.dev", "cowboys", identity) is not None
    await rooms.delete(EXPORTS, cluster, "west")
    assert await rooms.catalog.lookup("*", "wildwest.dev", "cowboys", identity) is None


async def test_rebinding_to_another_provider_is_other_storage(rooms: World) -> None:
    """Same resource, other export: another identity, so none of the first one's objects."""
    await provider(rooms, "one")
    await provider(rooms, "two")
    consumer = await workspace(rooms, "consumer")
    await rooms.create(BINDINGS, consumer, binding("root:one"))
    first = await rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys")
    await rooms.modify(BINDINGS, consumer, "west", lambda obj: obj["metadata"].pop("finalizers"))
    await rooms.delete(BINDINGS, consumer, "west")
    assert await rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys") is None
    await rooms.create(BINDINGS, consumer, binding("root:two"))
    second = await rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys")
    assert first is not None
    assert second is not None
    assert first.identity != second.identity


async def test_same_crd_name_with_other_schemas_in_two_workspaces(rooms: World) -> None:
    """Each workspace has its own; a change in one is not seen in the other."""
    first, second = await workspace(rooms, "a"), await workspace(rooms, "a-b")
    await rooms.create(CRDS, first, crd("x.dev", "Widget", size="integer"))
    await rooms.create(CRDS, second, crd("x.dev", "Widget", colour="string"))
    one = await rooms.catalog.lookup(first, "x.dev", "widgets")
    two = await rooms.catalog.lookup(second, "x.dev", "widgets")
    assert one is not None
    assert two is not None
    assert one.versions[0].open_api != two.versions[0].open_api
    await rooms.delete(CRDS, first, "widgets.x.dev")
    assert await rooms.catalog.lookup(first, "x.dev", "widgets") is None
    assert await rooms.catalog.lookup(second, "x.dev", "widgets") == two


async def test_changed_crd_is_served_by_the_next_request(rooms: World) -> None:
    """The writer never meets the schema from before its own write."""
    cluster = await workspace(rooms, "a")
    await rooms.create(CRDS, cluster, crd("x.dev", "Widget", size="integer"))
    before = await rooms.catalog.lookup(cluster, "x.dev", "widgets")

    def change(obj: JsonObject) -> None:
        obj["spec"] = crd("x.dev", "Widget", size="string")["spec"]
        obj["metadata"]["generation"] += 1

    await rooms.modify(CRDS, cluster, "widgets.x.dev", change)
    after = await rooms.catalog.lookup(cluster, "x.dev", "widgets")
    assert before is not None
    assert after is not None
    assert after.versions[0].open_api["properties"] == {"size": {"type": "string"}}


async def test_equal_workspaces_share_one_set(rooms: World) -> None:
    """A thousand workspaces that bind the same cost one set of records."""
    first, second = await workspace(rooms, "a"), await workspace(rooms, "b")
    assert await rooms.catalog.of(first) is await rooms.catalog.of(second)
    await rooms.create(CRDS, second, crd("x.dev", "Widget"))
    assert await rooms.catalog.of(first) is not await rooms.catalog.of(second)


async def test_our_kinds_are_served_where_bound_and_apis_everywhere(rooms: World) -> None:
    """system:admin binds nothing; universal workspaces bind root's exports; shards are root's."""
    cluster = await workspace(rooms, "a")
    for group, plural in (("workload.kcp.io", "synctargets"), ("scheduling.fairlead.io", "assignments")):
        found = await rooms.catalog.lookup(cluster, group, plural)
        assert found is not None
        assert found.identity == ""
        assert await rooms.catalog.lookup("system:admin", group, plural) is None
        assert await rooms.catalog.lookup("*", group, plural) is not None
    assert await rooms.catalog.lookup("system:admin", "apis.kcp.io", "apibindings") is not None
    assert await rooms.catalog.lookup("root", "core.kcp.io", "shards") is not None
    assert await rooms.catalog.lookup(cluster, "core.kcp.io", "shards") is None


async def test_schema_removed_by_its_provider_is_still_served(rooms: World) -> None:
    """Who had bound it keeps it, as with kcp's bound CRDs; also when another takes its name."""
    cluster = await provider(rooms)
    consumer = await workspace(rooms, "consumer")
    await rooms.create(BINDINGS, consumer, binding("root:provider"))
    await rooms.delete(SCHEMAS, cluster, "today.cowboys.wildwest.dev")
    await rooms.create(SCHEMAS, cluster, schema(COWBOYS, "today", other="string"))
    found = await rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys")
    assert found is not None
    assert found.versions[0].open_api["properties"] == {"spec": {"type": "object"}}


async def test_naming_conflict_spares_the_rest_of_the_export(rooms: World) -> None:
    """What an own CRD or another binding holds is not bound, and the condition names the holder."""
    await provider(rooms, "provider", COWBOYS, SHERIFFS)
    consumer = await workspace(rooms, "consumer")
    await rooms.create(CRDS, consumer, crd("wildwest.dev", "Cowboy"))
    made = await rooms.create(BINDINGS, consumer, binding("root:provider"))
    said = conditions.get(made["status"]["conditions"], "BindingUpToDate")
    assert said is not None
    assert said["reason"] == "NamingConflicts"
    assert "CustomResourceDefinition cowboys.wildwest.dev" in said["message"]
    assert [each["resource"] for each in made["status"]["boundResources"]] == ["sheriffs"]
    assert made["status"]["phase"] == "Binding"


async def test_same_names_in_other_groups_do_not_conflict(rooms: World) -> None:
    """The conflict domain is the group."""
    await provider(rooms)
    consumer = await workspace(rooms, "consumer")
    await rooms.create(CRDS, consumer, crd("other.dev", "Cowboy"))
    made = await rooms.create(BINDINGS, consumer, binding("root:provider"))
    assert made["status"]["phase"] == "Bound"


async def test_right_to_bind_and_one_text_for_all_refusals(rooms: World) -> None:
    """No such workspace, no such export and no right read alike."""
    cluster = await provider(rooms)
    consumer = await workspace(rooms, "consumer")
    for path, export in (("root:no", "west"), ("root:provider", "no"), ("root:provider", "west")):
        with pytest.raises(Forbidden) as refused:
            await rooms.create(BINDINGS, consumer, binding(path, export), user=ALICE)
        assert refused.value.message == (
            'apibindings.apis.kcp.io "west" is forbidden: '
            f"unable to create APIBinding: no permission to bind to export {path}:{export}"
        )
    rooms.allowed.add(("alice", "bind", "apiexports/west", cluster))
    made = await rooms.create(BINDINGS, consumer, binding("root:provider"), user=ALICE)
    assert made["status"]["phase"] == "Bound"


async def test_binding_reference_and_schema_are_immutable(rooms: World) -> None:
    """A binding stays with its export, a schema stays what it is."""
    cluster = await provider(rooms)
    consumer = await workspace(rooms, "consumer")
    await rooms.create(BINDINGS, consumer, binding("root:provider"))

    def rebind(obj: JsonObject) -> None:
        obj["spec"]["reference"]["export"]["name"] = "other"

    with pytest.raises(Forbidden, match="APIExport reference must not be changed"):
        await rooms.modify(BINDINGS, consumer, "west", rebind)
    with pytest.raises(Forbidden, match="is immutable"):
        await rooms.modify(
            SCHEMAS, cluster, "today.cowboys.wildwest.dev", lambda obj: obj["spec"].update({"scope": "Cluster"})
        )


async def test_users_cannot_take_the_bindings_marks_away(rooms: World) -> None:
    """Without its finalizer a binding would go and leave instances nobody sees."""
    cluster = await provider(rooms)
    consumer = await workspace(rooms, "consumer")
    await rooms.create(BINDINGS, consumer, binding("root:provider"))

    def strip(obj: JsonObject) -> None:
        obj["metadata"]["finalizers"] = []
        obj["metadata"]["labels"] = {"internal.apis.kcp.io/export": "forged", "mine": "kept"}

    made = await rooms.modify(BINDINGS, consumer, "west", strip, user=ALICE)
    assert made is not None
    assert made["metadata"]["finalizers"] == ["apis.kcp.io/apibinding-finalizer"]
    assert made["metadata"]["labels"] == {
        "internal.apis.kcp.io/export": export_label_value(cluster, "west"),
        "mine": "kept",
    }


async def test_extra_annotations_and_claims_reach_the_binding(rooms: World) -> None:
    """The export's extra annotations are copied; claims asked for are shown, accepted ones applied, others refused."""
    claim = {"group": "", "resource": "configmaps", "all": True}
    cluster = await provider(rooms, "provider", COWBOYS, permissionClaims=[claim])
    key = "extra.apis.kcp.io/compute.workload.kcp.io"
    await rooms.modify(EXPORTS, cluster, "west", lambda obj: obj["metadata"]["annotations"].update({key: "true"}))
    consumer = await workspace(rooms, "consumer")
    body = binding("root:provider")
    body["spec"]["permissionClaims"] = [{**claim, "state": "Accepted"}]
    made = await rooms.create(BINDINGS, consumer, body)
    assert made["metadata"]["annotations"][key] == "true"
    assert made["status"]["exportPermissionClaims"] == made["status"]["appliedPermissionClaims"] == [claim]
    changed = await rooms.modify(
        BINDINGS,
        consumer,
        "west",
        lambda obj: obj["spec"].update(
            {"permissionClaims": [{"resource": "secrets", "state": "Accepted", "all": True}]}
        ),
    )
    assert changed is not None
    said = conditions.get(changed["status"]["conditions"], "PermissionClaimsValid")
    assert said is not None
    assert said["reason"] == "InvalidPermissionClaims"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"metadata": {"name": "cowboys.wildwest.dev"}}, "must end in .cowboys.wildwest.dev"),
        ({"metadata": {"name": "today.cows.wildwest.dev"}}, "must end in .cowboys.wildwest.dev"),
        ({"metadata": {"name": "To.cowboys.wildwest.dev"}}, "must match"),
        ({"spec": {"group": "wild"}}, "should be a domain with at least one dot"),
        ({"spec": {"group": "core"}}, "must be empty string for the core group"),
        ({"spec": {"group": "x.k8s.io"}}, "api-approved.kubernetes.io"),
        ({"spec": {"versions": []}}, "exactly one version marked as storage"),
        ({"spec": {"names": {"plural": "cowboys", "kind": "Cowboy"}}}, "spec.names.singular: Required value"),
    ],
)
async def test_bad_schemas_are_refused(rooms: World, change: JsonObject, text: str) -> None:
    """Name, group, versions and names are checked before anybody can bind them."""
    body = schema(COWBOYS, "today")
    body = {**body, **change, "spec": {**body["spec"], **change.get("spec", {})}}
    with pytest.raises(Forbidden, match=text):
        await rooms.create(SCHEMAS, "root", body)


async def test_export_claims_need_an_identity_for_what_is_not_built_in(rooms: World) -> None:
    """Nobody claims another provider's objects by name alone."""
    body = {
        "metadata": {"name": "x"},
        "spec": {"permissionClaims": [{"group": "x.dev", "resource": "widgets", "all": True}]},
    }
    with pytest.raises(Forbidden, match="identityHash is required for API types that are not built-in"):
        await rooms.create(EXPORTS, "root", body)


async def test_maximal_permission_policy_asks_the_providers_rbac(rooms: World) -> None:
    """User and groups come prefixed, in the provider's cluster; without a policy nobody is asked."""
    asked: list[tuple[User, RequestInfo]] = []

    async def allows(user: User, info: RequestInfo) -> bool:
        asked.append((user, info))
        return info.verb == "get"

    cluster = await provider(rooms, "provider", COWBOYS, maximalPermissionPolicy={"local": {}})
    consumer = await workspace(rooms, "consumer")
    await rooms.create(BINDINGS, consumer, binding("root:provider"))
    resource = await rooms.catalog.lookup(consumer, "wildwest.dev", "cowboys")
    policy = MaximalPermissionPolicy(rooms.exports, allows)
    read = RequestInfo(consumer, "", "get", True, "wildwest.dev", "v1", resource="cowboys")
    write = RequestInfo(consumer, "", "create", True, "wildwest.dev", "v1", resource="cowboys")
    assert await policy.refusal(ALICE, read, resource) == ""
    assert await policy.refusal(ALICE, write, resource) != ""
    user, info = asked[0]
    assert (user.name, user.groups[0], info.cluster) == (
        "apis.kcp.io:binding:alice",
        "apis.kcp.io:binding:team-a",
        cluster,
    )
    count = len(asked)
    own = await rooms.catalog.lookup(consumer, "", "configmaps")
    assert await policy.refusal(ALICE, write, own) == ""
    assert await policy.refusal(User("root", ("system:masters",)), write, resource) == ""
    assert len(asked) == count
    ours = await rooms.catalog.lookup(consumer, "tenancy.kcp.io", "workspaces")
    assert await policy.refusal(ALICE, write, ours) != ""


@pytest.mark.parametrize(
    ("group", "annotations", "text"),
    [
        ("apis.kcp.io", {}, "apis.kcp.io is a reserved group"),
        ("more.apis.kcp.io", {}, "is a reserved group"),
        ("x.dev", {"apis.kcp.io/bound-crd": ""}, "apis.kcp.io/bound-crd is a reserved annotation"),
    ],
)
async def test_users_cannot_define_the_systems_own(group: str, annotations: dict[str, str], text: str) -> None:
    """A CRD that looks like one of kcp's is refused; one of a group that only ends alike is not."""
    body = crd(group, "Widget")
    body["metadata"]["annotations"] = annotations
    kind = record("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition")
    attributes = Attributes("CREATE", kind, "v1", "a", "", body["metadata"]["name"], "", ALICE, body, None)
    with pytest.raises(Forbidden, match=text):
        await ReservedCrds().validate(attributes)
    if group == "x.dev":
        body["metadata"]["annotations"] = {}
        with pytest.raises(Forbidden, match=r"widgets\.x\.dev is served by the server itself"):
            await ReservedCrds({("x.dev", "widgets")}).validate(attributes)
    fine = crd("myapis.kcp.iox", "Widget")
    await ReservedCrds().validate(Attributes("CREATE", kind, "v1", "a", "", "w", "", ALICE, fine, None))
