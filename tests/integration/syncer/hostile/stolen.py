"""An agent's credential in hands that are not the agent's."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from fairlead_api import JsonObject
from tests.integration.security.conftest import A, Room
from tests.integration.security.wire import Answer

TARGETS = f"{A}/apis/workload.kcp.io/v1alpha1/synctargets"
_ASSIGNMENTS = f"{A}/apis/scheduling.fairlead.io/v1alpha1/assignments"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Agent:
    """
    Whoever holds the key and a token of a SyncTarget's agent.

    Attributes:
        target: The SyncTarget.
        cluster: The logical cluster of ``root:a``.
    """

    room: Room
    target: JsonObject
    cluster: str
    key: ec.EllipticCurvePrivateKey
    token: str = ""

    @classmethod
    def enrolled(cls, room: Room, name: str) -> Agent:
        """Make a SyncTarget and enroll."""
        head = {"apiVersion": "workload.kcp.io/v1alpha1", "kind": "SyncTarget", "metadata": {"name": name}}
        target = room.make(TARGETS, head)
        cluster = target["metadata"]["annotations"]["kcp.io/cluster"]
        agent = cls(room, target, cluster, ec.generate_private_key(ec.SECP256R1()))
        assert agent.enroll(agent.bootstrap()).code == 200
        answer = agent.ask_token()
        assert answer.code == 200, answer.message
        agent = cls(room, target, cluster, agent.key, answer.json["token"])
        offered = [
            {"group": group, "resource": resource, "versions": ["v1"]}
            for group, resource in (("apps", "deployments"), ("apps", "replicasets"), ("", "services"))
        ]
        assert agent.ask("POST", f"{agent.door}/heartbeat", {"apis": offered}).code == 200
        return agent

    @property
    def uid(self) -> str:
        """Of the SyncTarget."""
        return str(self.target["metadata"]["uid"])

    @property
    def name(self) -> str:
        """Of the SyncTarget."""
        return str(self.target["metadata"]["name"])

    @property
    def door(self) -> str:
        """Where this agent speaks."""
        return f"/services/syncer/{self.cluster}/{self.name}/{self.uid}"

    def ask(self, method: str, path: str, body: JsonObject | None = None) -> Answer:
        """Send a request with the token."""
        return self.room.wire.ask(method, path, body, token=self.token)

    def bootstrap(self) -> str:
        """Return a bootstrap token, asked for by the administrator."""
        return str(self.room.make(f"{self.door}/bootstrap", {})["token"])

    def proof(self, audience: str) -> str:
        """Return a fresh proof by the key."""
        claims = {"aud": audience, "iat": time.time(), "jti": f"proof-{next(_numbers)}"}
        return jwt.encode(claims, self.key, algorithm="ES256")

    def enroll(self, bootstrap: str, door: str = "") -> Answer:
        """Try to pin the key to the SyncTarget behind a door, by default the own one."""
        door = door or self.door
        jwk = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        body = {"publicKey": jwk, "proof": self.proof(f"{door}/enroll")}
        return self.room.wire.ask("POST", f"{door}/enroll", body, token=bootstrap)

    def ask_token(self, door: str = "") -> Answer:
        """Ask for a token behind a door, by default the own one."""
        door = door or self.door
        return self.room.wire.ask("POST", f"{door}/token", {"proof": self.proof(f"{door}/token")}, token="")

    def run(self, namespace: str) -> None:
        """Say what the scheduler would: a namespace of ``root:a`` runs on this SyncTarget."""
        uid = self.room.wire.ask("GET", f"{A}/api/v1/namespaces/{namespace}").json["metadata"]["uid"]
        key = self.target["metadata"]["labels"]["internal.workload.kcp.io/key"]
        entry = {"uid": self.uid, "key": key, "cluster": self.cluster, "name": self.name, "state": "Sync"}
        head = {"apiVersion": "scheduling.fairlead.io/v1alpha1", "kind": "Assignment", "metadata": {"name": namespace}}
        self.room.make(_ASSIGNMENTS, {**head, "spec": {"namespaceUID": uid, "targets": [entry]}})
