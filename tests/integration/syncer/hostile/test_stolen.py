"""
What a stolen agent credential opens: its own target's doors, and nothing else in the control plane (S75, S76, S78).

The list of doors is the server's own: every resource of discovery with every verb in every kind of workspace, every
path that ``/`` names, every virtual workspace with every word of its routes. What is added to the server is tried here
without anybody's doing.
"""

from __future__ import annotations

import http.client
import itertools
import re
import time
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

import pytest

from fairlead_control_plane.http.syncer_routes import PROVED, WORDS
from tests.integration.security.conftest import NEIGHBOUR, A
from tests.integration.security.test_routes import OPEN, routes
from tests.integration.syncer.hostile.conftest import Plane
from tests.integration.syncer.hostile.stolen import TARGETS, Agent

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
INSIDE = (
    "api/v1/configmaps", "api/v1/namespaces/default/secrets/x", "api/v1/namespaces/default/pods/x",
    "api/v1/namespaces/default/configmaps/x/status", "api/v1/namespaces/default/serviceaccounts/default/token",
    "apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "apis/apis.kcp.io/v1alpha1/apiresourceschemas",
)  # fmt: skip
Door = tuple[str, str]
_LISTED = re.compile(r"/clusters/\*/(api/v1|apis/[^/]+/[^/]+)/(namespaces/default/)?[a-z]+(\?.*)?$")
"""Across all workspaces there are lists and watches, and nothing else for anybody."""


def _answers(agent: Agent, doors: Iterable[Door]) -> Iterator[tuple[str, int]]:
    """Yield what each door answers to the agent's token, on one connection."""
    wire = agent.room.wire
    connection = http.client.HTTPSConnection(urlsplit(wire.url).netloc, timeout=20, context=wire.tls)
    headers = {"Authorization": f"Bearer {agent.token}", "Content-Type": "application/json"}
    try:
        for method, path in doors:
            connection.request(method, path, None if method == "GET" else b"{}", headers)
            answer = connection.getresponse()
            answer.read()
            yield f"{method} {path}", answer.status
    finally:
        connection.close()


def _plain(plane: Plane) -> Iterator[Door]:
    """Yield every verb of every resource, and every document, in each kind of workspace and without one."""
    for base in (A, NEIGHBOUR, "/clusters/root", "/clusters/root:compute"):
        yield from routes(plane.room, base)
        yield "GET", f"{base}/"
    yield from ((method, path.removeprefix(A)) for method, path in routes(plane.room, A))
    wildcard = ((method, path.replace(A, "/clusters/*", 1)) for method, path in routes(plane.room, A))
    yield from (door for door in wildcard if door[0] == "GET" and _LISTED.search(door[1]))


def _paths(plane: Plane) -> list[str]:
    paths: list[str] = plane.room.wire.ask("GET", "/").json["paths"]
    return paths


def _documents(plane: Plane) -> list[str]:
    return [path for path in _paths(plane) if path not in OPEN and not path.startswith("/services/")]


def _doors_of_others(plane: Plane) -> Iterator[Door]:
    """Yield every word and some Kubernetes paths of every virtual workspace, of every target but the own one."""
    east, west = plane.agents["east"], plane.agents["west"]
    mixed = [(west.name, west.uid), (west.name, east.uid), (east.name, west.uid), ("none", east.uid)]
    places = [f"{east.cluster}/{name}/{uid}" for name, uid in mixed] + [f"root/{east.name}/{east.uid}"]
    rests = [word for word in WORDS if word not in PROVED]  # nobody's token counts at those: see S78
    rests += [f"clusters/{cluster}/{path}" for cluster in ("*", east.cluster, "root") for path in INSIDE]
    services = [path for path in _paths(plane) if path.startswith("/services/")]
    assert {"/services/syncer", "/services/upsyncer"} <= set(services)
    for service, place, rest, method in itertools.product(services, places, rests, METHODS):
        yield method, f"{service}/{place}/{rest}"


def test_s75_no_resource_and_no_document(plane: Plane) -> None:
    """403 for every verb on everything in every workspace; health and version alone are everybody's."""
    east = plane.agents["east"]
    doors = [*_plain(plane), *(("GET", path) for path in _documents(plane))]
    assert len(doors) > 800
    assert [answer for answer in _answers(east, doors) if answer[1] != 403] == []


def test_s75_no_door_of_another_target(plane: Plane) -> None:
    """403, or 404 and 405 where there is nothing for anybody; mixed up names and uids lead nowhere."""
    east = plane.agents["east"]
    doors = list(_doors_of_others(plane))
    assert len(doors) > 500
    opened = [answer for answer in _answers(east, doors) if answer[1] not in {403, 404, 405}]
    assert opened == []
    own = [(method, path) for method, path in doors if "/services/syncer/" in path]
    assert {code for _, code in _answers(east, own)} == {403}


def test_s75_nothing_behind_the_own_door_that_is_not_assigned(plane: Plane) -> None:
    """Neither tokens nor Pods, secrets or statuses of other namespaces and workspaces, and no invitation of others."""
    east = plane.agents["east"]
    refused, unknown = [("POST", f"{east.door}/{word}") for word in ("adopt", "bootstrap")], []
    above = east.door.replace("/syncer/", "/upsyncer/")
    elsewhere = [(east.cluster, "kube-system"), (east.cluster, "none"), ("root", "default"), ("none", "default")]
    for cluster, namespace in elsewhere:
        place = f"clusters/{cluster}/api/v1/namespaces/{namespace}"
        refused += [("POST", f"{east.door}/{place}/serviceaccounts/default/token")]
        refused += [(method, f"{above}/{place}/pods/x") for method in ("GET", "PUT", "DELETE")]
        unknown += [("GET", f"{east.door}/{place}/secrets/x"), ("GET", f"{east.door}/{place}/serviceaccounts/default")]
    assert [answer for answer in _answers(east, refused) if answer[1] != 403] == []
    assert [answer for answer in _answers(east, unknown) if answer[1] != 404] == []
    west = plane.agents["west"]
    assert west.ask("GET", f"{west.door}/clusters/*/api/v1/configmaps").json["items"] == []
    own = east.ask("GET", f"{east.door}/clusters/*/api/v1/configmaps").json["items"]
    assert {item["metadata"]["namespace"] for item in own} == {"default"}


def _status(plane: Plane, name: str) -> dict[str, object]:
    found: dict[str, object] = plane.room.wire.ask("GET", f"{TARGETS}/{name}").json["status"]
    return found


def test_s76_a_heartbeat_says_no_time_and_speaks_for_nobody_else(plane: Plane) -> None:
    """The server stamps it; a time in the body counts for nothing, and another target's door is shut."""
    east, west = plane.agents["east"], plane.agents["west"]
    before = _status(plane, "west")
    assert east.ask("POST", f"{west.door}/heartbeat", {}).code == 403
    assert _status(plane, "west") == before
    for field in ("lastSyncerHeartbeatTime", "time", "serverTime"):
        assert east.ask("POST", f"{east.door}/heartbeat", {field: "2099-01-01T00:00:00Z"}).code in {200, 400}
    assert east.ask("POST", f"{east.door}/heartbeat", {"properties": {"time": "2099-01-01T00:00:00Z"}}).code == 200
    stamped = str(_status(plane, "east")["lastSyncerHeartbeatTime"])
    assert stamped[:4] == time.strftime("%Y", time.gmtime())


def _configuration(plane: Plane) -> tuple[Agent, str, str]:
    """Make a ConfigMap in the assigned namespace; return the agent, its view's path and its uid."""
    east = plane.agents["east"]
    name = f"c{time.monotonic_ns()}"
    made = plane.room.make(f"{A}/api/v1/namespaces/default/configmaps", {"metadata": {"name": name, "labels": {}}})
    path = f"{east.door}/clusters/{east.cluster}/api/v1/namespaces/default/configmaps/{name}"
    return east, path, made["metadata"]["uid"]


def test_s72_a_report_changes_nothing_but_status(plane: Plane) -> None:
    """Metadata, spec and data beside a status do not reach the object; nor do other targets write it."""
    east, path, uid = _configuration(plane)
    upstream = f"{A}/api/v1/namespaces/default/configmaps/{path.rpartition('/')[2]}"
    before = plane.room.wire.ask("GET", upstream).json
    forged = {"uid": uid, "labels": {"a": "b"}, "finalizers": ["a/b"], "ownerReferences": [{"uid": uid}]}
    body = {"metadata": forged, "data": {"a": "b"}, "spec": {"a": "b"}, "status": None, "report": {"synced": True}}
    assert east.ask("PUT", f"{path}/status", body).code in {200, 400}
    assert plane.room.wire.ask("GET", upstream).json == before
    west = plane.agents["west"]
    assert west.ask("PUT", f"{path.replace(east.door, west.door)}/status", body).code == 404
    assert west.ask("PUT", f"{path}/status", body).code == 403
    assert plane.room.wire.ask("GET", upstream).json == before


@pytest.mark.parametrize(
    "status",
    [{"replicas": "many"}, {"conditions": "none"}, {"conditions": [{"type": 1}]}, {"readyReplicas": [1]}],
)
def test_s72_a_status_of_the_wrong_types_is_refused(plane: Plane, status: dict[str, object]) -> None:
    """What the kind's schema does not know as a status never stands in the user's object."""
    east = plane.agents["east"]
    name = f"d{time.monotonic_ns()}"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    deployments = "apis/apps/v1/namespaces/default/deployments"
    made = plane.room.make(f"{A}/{deployments}", {"metadata": {"name": name}, "spec": spec})
    path = f"{east.door}/clusters/{east.cluster}/{deployments}/{name}"
    body = {"metadata": {"uid": made["metadata"]["uid"]}, "status": status, "report": {"synced": True}}
    assert east.ask("GET", path).code == 200
    answer = east.ask("PUT", f"{path}/status", body)
    assert answer.code in {400, 422}, answer.body
    assert plane.room.wire.ask("GET", f"{A}/{deployments}/{name}").json == made


def test_s78_a_second_cluster_of_the_same_name_is_refused(plane: Plane) -> None:
    """A bootstrap token counts once and for its uid; what was enrolled before a SyncTarget was made again is nobody."""
    first = Agent.enrolled(plane.room, "again")
    thief = Agent(plane.room, first.target, first.cluster, plane.agents["west"].key)
    assert thief.enroll("fairlead-bootstrap.guessed").code == 403
    assert thief.enroll(plane.agents["west"].bootstrap()).code == 403
    assert thief.ask_token().code == 401
    head = {"apiVersion": "workload.kcp.io/v1alpha1", "kind": "SyncTarget", "metadata": {"name": "again"}}
    assert plane.room.wire.ask("POST", TARGETS, head).code == 409
    assert plane.room.wire.ask("DELETE", f"{TARGETS}/again").code == 200
    second = Agent.enrolled(plane.room, "again")
    assert second.uid != first.uid
    for door in (first.door, second.door):
        assert first.ask("GET", f"{door}/resources").code in {401, 403}
        assert first.ask_token(door).code in {401, 403}
    used = second.bootstrap()
    assert thief.enroll(used, first.door).code == 403
    assert second.ask("GET", f"{second.door}/resources").code == 200
