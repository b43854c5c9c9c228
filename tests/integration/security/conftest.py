"""A server with neighbours ``root:a`` and ``root:a-b``, and users who may enter one, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fairlead_api import JsonObject
from tests.integration.security.wire import Wire
from tests.support import processes
from tests.support.servers import FairleadServer, fairlead_server, make_workspace

A, NEIGHBOUR = "/clusters/root:a", "/clusters/root:a-b"
ALICE, STRANGER, NOBODY = "alice-token-of-a", "stranger-token-of-none", "nobody-token-of-none"
"""Administrator of ``root:a``; whom tests give rights; whom nobody ever gives any."""
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Room:
    """The server and its wire, as administrator unless another token is given."""

    server: FairleadServer
    wire: Wire

    def make(self, path: str, obj: JsonObject) -> JsonObject:
        """Create an object, which must succeed."""
        answer = self.wire.ask("POST", path, obj)
        assert answer.code == 201, answer.message
        made: JsonObject = answer.json
        return made

    def token(self, base: str, namespace: str = "default", account: str = "default") -> str:
        """Return a token of a service account of a workspace."""
        made = self.make(f"{base}/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", {"spec": {}})
        return str(made["status"]["token"])

    def grant(self, base: str, name: str, subject: JsonObject, *, role: str = "cluster-admin") -> None:
        """Bind a ClusterRole in a workspace."""
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
        self.make(f"{base}/apis/{RBAC}/v1/clusterrolebindings", binding)


def user(name: str) -> JsonObject:
    """Return a subject of RBAC."""
    return {"apiGroup": RBAC, "kind": "User", "name": name}


def account(name: str = "default", namespace: str = "default") -> JsonObject:
    """Return a service account as a subject of RBAC."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def crd(plural: str, kind: str, field: JsonObject, *, scope: str = "Namespaced") -> JsonObject:
    """Return a CRD of group ``example.com`` whose objects have one field, ``size``."""
    schema = {"type": "object", "properties": {"size": field}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    spec = {"group": "example.com", "scope": scope, "names": names, "versions": [version]}
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**head, "metadata": {"name": f"{plural}.example.com"}, "spec": spec}


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def json_lines(raw: bytes) -> list[JsonObject]:
    """Return the events of a watch."""
    return [json.loads(line) for line in raw.splitlines()]


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """Give the server; alice is administrator of ``root:a`` alone."""
    folder = processes.run_directory() / "security"
    folder.mkdir(exist_ok=True)
    tokens = folder / "tokens.csv"
    tokens.write_text(f"{ALICE},alice,1\n{STRANGER},stranger,2\n{NOBODY},nobody,3\n")
    with fairlead_server(folder, "--no-scheduler", f"--token-auth-file={tokens}") as server:
        for name in ("a", "a-b"):
            make_workspace(server, name, compute=True)
        made = Room(server, Wire.to(server))
        made.grant(A, "alice", user("alice"))
        yield made
    # The next module starts afresh.
    (folder / "fairlead").rename(folder / f"fairlead-{server.process.pid}")
