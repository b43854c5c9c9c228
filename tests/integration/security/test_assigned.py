"""What reaches a cluster by way of its agent ends when the namespace leaves there (S73, S80)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.http.upsync_bounds import Most
from tests.integration.security.conftest import A, Room, account
from tests.integration.security.wire import Answer

pytestmark = pytest.mark.integration
TARGETS = f"{A}/apis/workload.kcp.io/v1alpha1/synctargets"
ASSIGNMENTS = f"{A}/apis/scheduling.fairlead.io/v1alpha1/assignments"
MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Place:
    """A SyncTarget and a namespace that runs there."""

    room: Room
    cluster: str
    namespace: str
    target: JsonObject

    @classmethod
    def made(cls, room: Room, name: str) -> Place:
        """Make both, and say what the scheduler would say."""
        body = {"apiVersion": "workload.kcp.io/v1alpha1", "kind": "SyncTarget", "metadata": {"name": name}}
        target = room.make(TARGETS, body)
        namespace = room.make(f"{A}/api/v1/namespaces", {"metadata": {"name": name}})
        place = cls(room, namespace["metadata"]["annotations"]["kcp.io/cluster"], name, target)
        spec = {"namespaceUID": namespace["metadata"]["uid"], "targets": [place.assigned("Sync")]}
        head = {"apiVersion": "scheduling.fairlead.io/v1alpha1", "kind": "Assignment", "metadata": {"name": name}}
        room.make(ASSIGNMENTS, {**head, "spec": spec})
        return place

    def assigned(self, state: str) -> JsonObject:
        """Return the entry of the Assignment."""
        metadata = self.target["metadata"]
        key = metadata["labels"]["internal.workload.kcp.io/key"]
        return {"uid": metadata["uid"], "key": key, "cluster": self.cluster, "name": self.namespace, "state": state}

    def move(self, *states: str) -> None:
        """Change the Assignment."""
        change = {"spec": {"targets": [self.assigned(state) for state in states]}}
        answer = self.room.wire.ask("PATCH", f"{ASSIGNMENTS}/{self.namespace}", change, Content_Type=MERGE)
        assert answer.code == 200, answer.message

    def service(self, name: str) -> str:
        """Return where the target's agent speaks, of this workspace."""
        metadata = self.target["metadata"]
        return f"/services/{name}/{self.cluster}/{metadata['name']}/{metadata['uid']}/clusters/{self.cluster}"

    def token(self) -> str:
        """Return a token for the target's Pods."""
        path = f"{self.service('syncer')}/api/v1/namespaces/{self.namespace}/serviceaccounts/default/token"
        made = self.room.make(path, {"spec": {"expirationSeconds": 3600}})
        return str(made["status"]["token"])

    def code(self, token: str) -> int:
        """Return what the token's owner is answered to a list of the own namespace."""
        return self.room.wire.ask("GET", f"{A}/api/v1/namespaces/{self.namespace}/configmaps", token=token).code


def test_s80_a_token_for_pods_ends_with_the_assignment(room: Room) -> None:
    """It counts while the namespace runs there, also while it is being left for another; then it is nobody's: 401."""
    place = Place.made(room, "tokens")
    room.grant(A, "tokens", account("default", "tokens"))
    token, plain = place.token(), room.token(A, "tokens")
    assert (place.code(token), place.code(plain)) == (200, 200)
    place.move("Draining")
    assert place.code(token) == 200
    place.move("Leaving")
    assert (place.code(token), place.code(plain)) == (401, 200)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = room.wire.ask("POST", f"{A}/apis/authentication.k8s.io/v1/tokenreviews", review)
    assert "authenticated" not in answer.json["status"]


def test_s80_a_token_for_pods_ends_with_its_target(room: Room) -> None:
    """Also when nobody has yet taken the namespace away from it."""
    place = Place.made(room, "gone")
    room.grant(A, "gone", account("default", "gone"))
    token = place.token()
    assert place.code(token) == 200
    assert room.wire.ask("DELETE", f"{TARGETS}/gone").code == 200
    assert place.code(token) == 401


def test_s73_a_stolen_agent_cannot_fill_the_store(room: Room) -> None:
    """One Pod has a largest size (413), and a namespace room for so many (429); elsewhere nothing is lost."""
    place, most = Place.made(room, "full"), Most()
    pods = f"{place.service('upsyncer')}/api/v1/namespaces/full/pods"

    def put(name: str, size: int) -> Answer:
        text = {"metadata": {"uid": name, "annotations": {"a": "x" * size}}}
        return room.wire.ask("PUT", f"{pods}/{name}", {"pod": text})

    assert put("huge", most.pod_bytes).code == 413
    assert put("huge", 4 * most.pod_bytes).code == 413
    large = most.pod_bytes - 2048
    answers = [put(f"p{number}", large) for number in range(most.total_bytes // large + 2)]
    full = [answer for answer in answers if answer.code != 200]
    assert 0 < len(full) <= 3
    assert {(answer.code, answer.headers.get("retry-after")) for answer in full} == {(429, "5")}
    assert "exceeded quota: the pods that namespace full shows have" in full[0].message
    assert put("p0", large).code == 200
    assert room.wire.ask("DELETE", f"{pods}/p0").code == 200
    assert put("again", large).code == 200


def test_enrolling_reads_no_large_body(room: Room) -> None:
    """It is open to everybody: what is long, or does not say how long it is, is refused before it is read."""
    target = Place.made(room, "door").target["metadata"]
    cluster = target["annotations"]["kcp.io/cluster"]
    path = f"/services/syncer/{cluster}/{target['name']}/{target['uid']}/enroll"
    assert room.wire.ask("POST", path, b"x" * (17 << 10), token="fairlead-bootstrap.x").code == 413
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer fairlead-bootstrap.x\r\n"
    assert room.wire.send_raw(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()).startswith(b"HTTP/1.1 413 ")
