"""Access and token reviews, and token requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Invalid, NotFound
from fairlead_api.request import User
from fairlead_control_plane.auth.accounts import SERVICE_ACCOUNTS, ServiceAccounts
from fairlead_control_plane.auth.authorize import Authorizer
from fairlead_control_plane.auth.bootstrap import shared_policy
from fairlead_control_plane.auth.policies import CLUSTER_ROLE_BINDINGS, Policies
from fairlead_control_plane.auth.reviews import Reviews
from fairlead_control_plane.auth.token_request import TokenRequests
from fairlead_control_plane.auth.tokens import ServiceAccountTokens
from fairlead_control_plane.kinds.catalog import StaticCatalog
from fairlead_control_plane.kinds.reader import put
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore

NOW = 1_700_000_000.0
KEY = ec.generate_private_key(ec.SECP256R1())
SHARED = shared_policy(workspaces=False)
GET = {"verb": "get", "resource": "configmaps", "namespace": "default", "name": "x"}


@dataclass(frozen=True)
class Asked:
    """What the registry passes on."""

    cluster: str = "team"
    namespace: str = ""
    name: str = ""
    user: User = field(default_factory=lambda: User("alice", ("dev",)))


@dataclass(frozen=True)
class Room:
    """Alice may view ``team``, where the account ``builder`` is."""

    reviews: Reviews
    requests: TokenRequests
    accounts: ServiceAccounts


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    policies = Policies(store, SHARED)
    tokens = ServiceAccountTokens(KEY, "https://issuer", lambda: NOW)
    accounts = ServiceAccounts(store, StaticCatalog([]), tokens, lambda: NOW)
    binding = {
        "kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "User", "name": "alice"}],
    }  # fmt: skip
    metadata = {"name": "builder", "namespace": "default", "uid": "uid-1"}
    account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": metadata}
    await store.commit([put(CLUSTER_ROLE_BINDINGS, "team", binding), put(SERVICE_ACCOUNTS, "team", account)])
    yield Room(Reviews(Authorizer(policies), policies, accounts), TokenRequests(accounts, lambda: NOW), accounts)
    accounts.close()
    policies.close()
    await store.close()


async def issue(room: Room, **spec: object) -> JsonObject:
    return await room.requests(Asked(namespace="default", name="builder"), {"spec": spec})


async def test_says_what_the_caller_and_others_may(room: Room) -> None:
    """Evaluated in the logical cluster that was asked, never in another."""
    review = {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": GET}}
    status = (await room.reviews.self_subject_access(Asked(), review))["status"]
    assert status["allowed"]
    assert status["reason"] == 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "view" to User "alice"'
    assert not (await room.reviews.self_subject_access(Asked("other"), review))["status"]["allowed"]
    bob = {"kind": "SubjectAccessReview", "spec": {"user": "bob", "resourceAttributes": GET}}
    assert not (await room.reviews.subject_access(Asked(), bob))["status"]["allowed"]
    path = {"kind": "SelfSubjectAccessReview", "spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}
    assert not (await room.reviews.self_subject_access(Asked(), path))["status"]["allowed"]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"user": "x"},
        {"resourceAttributes": GET},
        {"user": "x", "resourceAttributes": GET, "nonResourceAttributes": {}},
    ],
)
async def test_refuses_questions_without_a_subject_or_an_object(room: Room, spec: JsonObject) -> None:
    """422, as in Kubernetes."""
    with pytest.raises(Invalid):
        await room.reviews.subject_access(Asked(), {"kind": "SubjectAccessReview", "spec": spec})


async def test_a_local_review_stays_in_its_namespace(room: Room) -> None:
    """Another namespace, or a path, is refused."""
    spec = {"user": "alice", "resourceAttributes": GET}
    local = await room.reviews.local_subject_access(Asked(namespace="default"), {"spec": spec})
    assert local["status"]["allowed"]
    with pytest.raises(Invalid, match=r"must match metadata\.namespace"):
        await room.reviews.local_subject_access(Asked(namespace="other"), {"spec": spec})


async def test_lists_the_callers_rules(room: Room) -> None:
    """Aggregated ones included."""
    found = await room.reviews.self_subject_rules(Asked(), {"spec": {"namespace": "default"}})
    assert any("configmaps" in rule["resources"] for rule in found["status"]["resourceRules"])
    assert found["status"]["incomplete"] is False


async def test_reviews_a_token_only_where_it_belongs(room: Room) -> None:
    """S15: another logical cluster's token, another audience's, and rubbish are nobody's."""
    token = (await issue(room))["status"]["token"]
    found = (await room.reviews.token(Asked(), {"spec": {"token": token}}))["status"]
    assert found["authenticated"]
    assert found["user"]["username"] == "system:serviceaccount:default:builder"
    assert found["audiences"] == ["https://issuer"]
    for asked, spec in (
        (Asked("other"), {"token": token}),
        (Asked(), {"token": token, "audiences": ["vault"]}),
        (Asked(), {"token": "rubbish"}),
    ):
        assert "authenticated" not in (await room.reviews.token(asked, {"spec": spec}))["status"]


async def test_issues_tokens_for_an_audience_and_a_time(room: Room) -> None:
    """Defaults are the issuer and an hour."""
    made = await issue(room)
    assert made["spec"] == {"audiences": ["https://issuer"], "expirationSeconds": 3600, "boundObjectRef": None}
    assert made["status"]["expirationTimestamp"] == "2023-11-14T23:13:20Z"
    vault = (await issue(room, audiences=["vault"], expirationSeconds=600))["status"]["token"]
    assert await room.accounts.authenticate(vault) is None
    assert await room.accounts.review(vault, ["vault"]) is not None


async def test_refuses_impossible_token_requests(room: Room) -> None:
    """Too short, too long, no such account, a bound object that is not there or of the wrong kind."""
    with pytest.raises(Invalid, match="may not specify a duration less than 10 minutes"):
        await issue(room, expirationSeconds=599)
    with pytest.raises(Invalid, match="larger than 2"):
        await issue(room, expirationSeconds=2**33)
    with pytest.raises(NotFound, match='serviceaccounts "nobody" not found'):
        await room.requests(Asked(namespace="default", name="nobody"), {})
    with pytest.raises(NotFound, match='pods "p" not found'):
        await issue(room, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "p"})
    with pytest.raises(BadRequest):
        await issue(room, boundObjectRef={"kind": "ConfigMap", "apiVersion": "v1", "name": "p"})
