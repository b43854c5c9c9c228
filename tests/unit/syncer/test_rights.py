"""How an agent comes by its rights in a namespace, and what it says of those it has."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, Conflict, Forbidden, NotFound, ServiceUnavailable
from fairlead_machinery.client import Gvr
from fairlead_syncer.rights import ROLE_BINDINGS, Rights
from fairlead_syncer.target import SyncTarget

TARGET = SyncTarget("root", "east", "t1", "host", "443", b"secret")
MAPS, DEPLOYMENTS = Gvr("", "v1", "configmaps"), Gvr("apps", "v1", "deployments")
VERBS = ["get", "list", "watch", "create", "patch", "delete"]


class Cluster:
    """
    A cluster whose authorizer learns of a binding some questions later.

    Attributes:
        lag: After how many questions.
        everywhere: Resources all verbs are allowed for, across the cluster.
        role: Rules of the agent's role; an error to raise instead.
    """

    def __init__(self, lag: int = 0) -> None:
        self.lag = lag
        self.bound: dict[str, JsonObject] = {}
        self.asked: list[str] = []
        self.everywhere: set[str] = set()
        self.role: list[JsonObject] | Exception = []
        self.transport = self
        self.token = jwt.encode(
            {"sub": "system:serviceaccount:agents:east", "iat": 0, "exp": 9}, "k" * 32, algorithm="HS256"
        )

    async def authorization(self) -> str:
        return f"Bearer {self.token}"

    async def create(self, gvr: Gvr, body: JsonObject, *, namespace: str = "") -> JsonObject:
        if gvr == ROLE_BINDINGS:
            self.asked.append(f"bind {namespace}")
            if namespace in self.bound:
                raise AlreadyExists("there")
            self.bound[namespace] = body
            return body
        attributes = body["spec"]["resourceAttributes"]
        if attributes.get("namespace"):
            self.asked.append(f"may {attributes['namespace']}")
            if attributes["namespace"] not in self.bound:
                return {"status": {"allowed": False}}
            self.lag -= 1
            return {"status": {"allowed": self.lag < 0}}
        return {"status": {"allowed": attributes["resource"] in self.everywhere}}

    async def get(self, gvr: Gvr, name: str) -> JsonObject:
        if isinstance(self.role, Exception):
            raise self.role
        return {"rules": self.role}


def _rights(cluster: Any) -> Rights:
    async def sleep(_: float) -> None:
        """Take no time."""

    return Rights(cluster, TARGET, sleep)


async def test_it_is_bound_once_and_waited_for() -> None:
    """Nothing is done in the namespace before the authorizer knows; known rights cost no request."""
    cluster = Cluster(lag=3)
    rights = _rights(cluster)
    await rights.hold("kcp-a")
    assert cluster.asked == ["may kcp-a", "bind kcp-a", *["may kcp-a"] * 4]
    [binding] = cluster.bound.values()
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "east", "namespace": "agents"}]
    assert binding["roleRef"]["name"] == binding["metadata"]["name"]
    assert binding["roleRef"]["name"].endswith("-namespace")
    assert rights.made(ROLE_BINDINGS, binding)
    assert not rights.made(ROLE_BINDINGS, {**binding, "roleRef": {"name": "other"}})
    cluster.asked.clear()
    await rights.hold("kcp-a")
    assert cluster.asked == []


async def test_a_binding_from_before_a_crash_will_do() -> None:
    """It is met again, not in force yet."""
    cluster = Cluster(lag=2)
    cluster.bound["kcp-a"] = {}
    await _rights(cluster).hold("kcp-a")
    assert "bind kcp-a" in cluster.asked


async def test_a_binding_that_does_not_help_is_no_right() -> None:
    """Somebody's of the same name: it is tried again later, and never taken for ours."""
    cluster = Cluster(lag=1000)
    cluster.bound["kcp-a"] = {}
    with pytest.raises(Conflict, match="no rights in namespace kcp-a"):
        await _rights(cluster).hold("kcp-a")


async def test_lost_rights_are_regained() -> None:
    """And where they were not lost the refusal stands."""
    cluster = Cluster()
    rights = _rights(cluster)
    await rights.hold("kcp-a")
    assert not await rights.regain("kcp-a")
    del cluster.bound["kcp-a"]
    assert await rights.regain("kcp-a")
    assert "kcp-a" in cluster.bound


async def test_who_is_no_service_account_cannot_bind() -> None:
    """It says so instead of binding nobody knows whom."""
    cluster = Cluster()
    cluster.token = "administrator"
    with pytest.raises(Forbidden, match="no service account"):
        await _rights(cluster).hold("kcp-a")
    assert not cluster.bound


@pytest.mark.parametrize(
    ("role", "refused"),
    [
        ([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": VERBS}], []),
        ([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": VERBS[:-1]}], [DEPLOYMENTS]),
        ([{"apiGroups": [""], "resources": ["deployments"], "verbs": VERBS}], [DEPLOYMENTS]),
        (
            [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": VERBS, "resourceNames": ["x"]}],
            [DEPLOYMENTS],
        ),
        ([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], []),
        (NotFound("no role"), [DEPLOYMENTS]),
        (Forbidden("no right to read it"), [DEPLOYMENTS]),
        (ServiceUnavailable("a hiccup"), []),
    ],
)
async def test_review(role: Any, refused: list[Gvr]) -> None:
    """What is not allowed everywhere must be in the role; a hiccup stops nothing."""
    cluster = Cluster()
    cluster.everywhere, cluster.role = {"configmaps"}, role
    allowed, found = await _rights(cluster).review([MAPS, DEPLOYMENTS])
    assert found == refused
    assert [*allowed, *found] == [MAPS, DEPLOYMENTS]
