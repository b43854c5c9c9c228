"""The order of checks, and what each kind of path answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson
import pytest

from fairlead_api.errors import NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.agents import ENROLLING
from fairlead_control_plane.auth.authenticate import Authenticator, TokenTable, authenticated
from fairlead_control_plane.auth.authorize import CLUSTER_NAME, Authorizer, Workspace
from fairlead_control_plane.auth.policies import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, Policies
from fairlead_control_plane.auth.rbac import ClusterRole, Policy, parse_rules
from fairlead_control_plane.http.dispatch import Dispatcher, Routes
from fairlead_control_plane.http.health import Health
from fairlead_control_plane.http.target import parse_target
from fairlead_control_plane.http.virtual import VirtualWorkspaces
from fairlead_control_plane.kinds.reader import put
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from fairlead_machinery.web import Request, Response

ALL = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
SHARED = Policy({"cluster-admin": ClusterRole("cluster-admin", parse_rules(ALL))})
USERS = {
    "master": authenticated("boss", ["system:masters"]),
    "alice": authenticated("alice"),
    "anybody": ENROLLING,
    "account": User("system:serviceaccount:d:s", ("system:authenticated",), extra={CLUSTER_NAME: ("c-team",)}),
}


async def no_body() -> bytes:
    return b""


@dataclass
class Door:
    """A dispatcher over a tree of two workspaces, which notes what reaches the registry."""

    store: SqliteStore
    served: list[tuple[str, str, str]] = field(default_factory=list)
    broken: bool = False
    known: int = 0

    def __post_init__(self) -> None:
        policies = Policies(self.store, SHARED)
        virtual = VirtualWorkspaces()
        virtual.register("echo", self._virtual)
        routes = Routes(self._serve, {"apis": self._serve}, self._resolve, virtual=virtual)
        authenticator = Authenticator([TokenTable(USERS)], clock=lambda: 0.0)
        authorizer = Authorizer(policies, workspaces=self._workspace)
        self.dispatcher = Dispatcher(
            authenticator, authorizer, Health({}, {"store": self._sick}, {"gitVersion": "v1"}), routes
        )

    def note_known(self) -> None:
        self.known += 1

    async def ask(self, raw: str, token: str = "", method: str = "GET", **headers: str) -> tuple[int, str]:
        target = parse_target(raw)
        found = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            found["authorization"] = f"Bearer {token}"
        request = Request(
            method, raw, target.path, target.query, found, no_body, target.query_all, known=self.note_known
        )
        response = await self.dispatcher.handle(request)
        text = response.body.decode()
        return response.code, orjson.loads(text)["message"] if text.startswith("{") and "message" in text else text

    async def _serve(self, info: RequestInfo, request: Request, user: User) -> Response:
        del request
        if self.broken:
            raise RuntimeError("secret detail")
        self.served.append((info.cluster, info.path, user.name))
        return Response(200, b"served")

    async def _virtual(self, request: Request, user: User, rest: str) -> Response:
        del request
        return Response(200, f"{user.name} {rest}".encode())

    async def _resolve(self, path: str) -> str | None:
        return {"root": "root", "root:team": "c-team", "c-team": "c-team"}.get(path)

    async def _workspace(self, cluster: str) -> Workspace | None:
        return Workspace() if cluster in ("root", "c-team") else None

    async def _sick(self) -> str:
        return "disk on fire"


@pytest.fixture
async def door():  # type: ignore[no-untyped-def]
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    yield Door(store)
    await store.close()


async def test_health_and_version_need_nobody(door: Door) -> None:
    """Anonymous callers get them; details are withheld."""
    assert await door.ask("/livez") == (200, "ok")
    assert (await door.ask("/version"))[0] == 200
    code, text = await door.ask("/readyz?verbose")
    assert code == 500
    assert "[-]store failed: reason withheld" in text
    assert "fire" not in text
    assert (await door.ask("/readyz?exclude=store"))[0] == 200
    assert (await door.ask("/version?timeout=soon"))[0] == 400


@pytest.mark.parametrize("token", ["wrong", "a,b", "two words"])
async def test_a_bad_token_is_401_and_never_anonymous(door: Door, token: str) -> None:
    """Also where anonymous callers would be let in."""
    assert await door.ask("/clusters/root/apis", token) == (401, "Unauthorized")
    assert door.served == []


async def test_an_empty_bearer_token_is_401(door: Door) -> None:
    """S09."""
    assert (await door.ask("/apis", authorization="Bearer "))[0] == 401


async def test_a_path_leads_to_its_workspace(door: Door) -> None:
    """By path and by name to the same logical cluster; bare paths to none."""
    for raw in ("/clusters/root:team/apis", "/clusters/c-team/apis"):
        assert (await door.ask(raw, "master"))[0] == 200
    assert door.served == [("c-team", "/apis", "boss")] * 2
    await door.ask("/apis", "master")
    assert door.served[-1][0] == ""


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_nothing_is_outside_of_workspaces(door: Door, method: str) -> None:
    """A master may everything, but an object without a logical cluster would be nobody's and stop controllers."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    code, text = await door.ask(path, "master", method)
    assert (code, "names no workspace" in str(text)) == (404, True)
    assert (await door.ask(path, "alice", method))[0] == 403


async def test_an_unknown_workspace_answers_like_a_forbidden_one(door: Door) -> None:
    """Same code, same words."""
    path = "/api/v1/namespaces/d/configmaps/x"
    unknown = await door.ask(f"/clusters/root:none{path}", "alice")
    assert unknown == await door.ask(f"/clusters/root:team{path}", "alice")
    assert unknown[0] == 403
    assert (await door.ask(f"/clusters/root:none{path}", "master"))[0] == 404


async def test_a_service_account_without_prefix_is_sent_home(door: Door) -> None:
    """The verified claim decides, nothing else."""
    grant = {
        "kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "d", "name": "s"}],
    }  # fmt: skip
    await door.store.commit([put(CLUSTER_ROLE_BINDINGS, "c-team", grant), put(CLUSTER_ROLE_BINDINGS, "root", grant)])
    assert (await door.ask("/apis", "account"))[0] == 200
    assert door.served == [("c-team", "/apis", "system:serviceaccount:d:s")]
    assert (await door.ask("/clusters/root/apis", "account"))[0] == 403


async def test_the_wildcard_is_for_masters_and_for_reading(door: Door) -> None:
    """S23: list and watch only, tenants not at all."""
    assert (await door.ask("/clusters/*/api/v1/configmaps", "alice"))[0] == 403
    assert (await door.ask("/clusters/*/api/v1/configmaps", "master"))[0] == 200
    assert (await door.ask("/clusters/*/api/v1/configmaps", "master", "DELETE"))[0] == 405
    assert (await door.ask("/clusters/*/api/v1/namespaces/d/configmaps/x", "master"))[0] == 405
    assert (await door.ask("/clusters/*/apis", "master"))[0] == 405


@pytest.mark.parametrize("path", ["metrics", "debug/pprof", "configz", "logs/x"])
async def test_what_concerns_the_whole_server_is_not_in_a_workspace(door: Door, path: str) -> None:
    """S24: 501 even for masters."""
    assert (await door.ask(f"/clusters/root/{path}", "master"))[0] == 501


async def test_what_concerns_the_whole_server_is_for_those_with_rights_in_root(door: Door) -> None:
    """The rights an account has at home, where its bare paths lead, do not count."""
    rule = {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}
    enter = {"verbs": ["access"], "nonResourceURLs": ["/"]}
    role = {
        "kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "r"},
        "rules": [rule, enter],
    }  # fmt: skip
    binding = {
        "kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "r"},
        "roleRef": {"kind": "ClusterRole", "name": "r"},
        "subjects": [{"kind": "User", "name": "alice"}, {"kind": "ServiceAccount", "namespace": "d", "name": "s"}],
    }  # fmt: skip
    await door.store.commit([put(CLUSTER_ROLES, "c-team", role), put(CLUSTER_ROLE_BINDINGS, "c-team", binding)])
    assert (await door.ask("/metrics", "master"))[0] == 404  # allowed, and this dispatcher has no such document
    for token in ("alice", "account", ""):
        assert (await door.ask("/metrics", token))[0] == 403
    await door.store.commit([put(CLUSTER_ROLES, "root", role), put(CLUSTER_ROLE_BINDINGS, "root", binding)])
    assert (await door.ask("/metrics", "alice"))[0] == 404
    assert (await door.ask("/metrics", "account"))[0] == 403


async def test_virtual_workspaces_get_the_authenticated_user(door: Door) -> None:
    """They authorize for themselves; an unknown one is 404."""
    assert await door.ask("/services/echo/a/b", "alice") == (200, "alice /a/b")
    assert (await door.ask("/services/none/a", "alice"))[0] == 404
    assert (await door.ask("/services/echo/a", "wrong"))[0] == 401


async def test_a_defect_says_nothing_of_the_inside(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """500 as a Status; the log has the rest."""
    door.broken = True
    assert await door.ask("/clusters/root/apis", "master") == (500, "an internal error occurred")
    assert "secret detail" in caplog.text


async def test_impersonation_needs_the_right_for_each_part(door: Door) -> None:
    """S31: masters may; others need the verb; groups that hold everywhere are out of reach."""
    assert (await door.ask("/clusters/root/apis", "master", impersonate_user="bob"))[0] == 403
    masters = {"impersonate_user": "b", "impersonate_group": "system:masters"}
    assert (await door.ask("/clusters/root/apis", "master", **masters))[0] == 200
    assert door.served[-1][2] == "b"
    code, text = await door.ask("/clusters/root/apis", "alice", impersonate_user="bob")
    assert (code, text.startswith('users "bob" is forbidden')) == (403, True)
    reaching = {"impersonate_user": "b", "impersonate_group": "x\nsystem:kcp:admin"}
    assert (await door.ask("/clusters/root/apis", "alice", **reaching))[
        1
    ] == "impersonation is not allowed for the requestor"
    assert (await door.ask("/clusters/root/apis", "master", impersonate_group="x"))[0] == 400


async def test_names_of_virtual_workspaces_are_unique() -> None:
    """A second registration is a defect; an unknown name is not found."""
    virtual = VirtualWorkspaces()

    async def serve(request: Request, user: User, rest: str) -> Response:
        del request, user, rest
        return Response()

    virtual.register("a", serve)
    with pytest.raises(ValueError, match="twice"):
        virtual.register("a", serve)
    with pytest.raises(NotFound):
        await virtual.serve(Request("GET", "/services/b", "/services/b", {}, {}, no_body), USERS["alice"])


@pytest.mark.parametrize(
    ("token", "known"), [("", 0), ("wrong", 0), ("anybody", 0), ("alice", 1), ("account", 1), ("master", 1)]
)
async def test_only_who_has_proved_it_is_known(door: Door, token: str, known: int) -> None:
    """Neither nobody nor who has yet to enroll; what they may do is another question."""
    await door.ask("/clusters/root:team/apis", token)
    assert door.known == known
