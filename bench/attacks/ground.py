"""Where attacks happen: a workspace of ours, or a namespace of the reference, and an ordinary user's token for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from bench.client import Connection, Target, connect, watch
from bench.subjects import Running
from fairlead_api import JsonObject

GROUP = "attacks.example.com"
_MADE, _DONE = (201, 409), (200, 201, 409)
_ACCEPTED = b'"the initial names have been accepted"'
_BINDING: JsonObject = {
    "apiVersion": "apis.kcp.io/v1alpha1",
    "kind": "APIBinding",
    "metadata": {"name": "kubernetes"},
    "spec": {"reference": {"export": {"path": "root:compute", "name": "kubernetes"}}},
}


class Refused(Exception):
    """What an attack needs could not be made; the message is the server's answer."""


@dataclass(slots=True)
class Ground:
    """
    Where one user works.

    Attributes:
        target: The server, with the user's token.
        namespace: There is one of this name; on the reference it is all that the user has.
        is_ours: Whether it is our server.
    """

    target: Target
    namespace: str
    is_ours: bool

    async def send(
        self, method: str, path: str, obj: JsonObject | bytes = b"", content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """Send one request; return status and body."""
        (connection,) = await connect(self.target, 1)
        body = obj if isinstance(obj, bytes) else orjson.dumps(obj)
        try:
            status = await connection.send(self.target.request(method, path, body, content_type), keep=True)
            return status, bytes(connection.body)
        finally:
            connection.close()

    async def post(self, path: str, obj: JsonObject, expected: Sequence[int] = _MADE) -> bytes:
        """Create an object; ``Refused`` when it was neither made nor there."""
        status, body = await self.send("POST", path, obj)
        if status not in expected:
            raise Refused(f"{status} {body[:300].decode(errors='replace')}")
        return body

    def path(self, plural: str, name: str = "", *, group: str = GROUP, version: str = "v1") -> str:
        """Return the path of a collection in the namespace, or of an object in it; ``group`` may be empty."""
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    async def define(self, plural: str, schema: JsonObject, **version: object) -> str:
        """
        Define a namespaced kind with one version, and wait until it is there.

        Args:
            plural: The kind is called the same, capitalised.
            schema: Of ``spec``.
            version: More fields of the version.

        Returns:
            The path of the collection.
        """
        crd = definition(plural, schema, **version)
        name = crd["metadata"]["name"]
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        await self.post(path, crd)
        query = f"{path}?watch=true&fieldSelector=metadata.name%3D{name}"
        (watcher,) = await watch(self.target, query, 1, _ACCEPTED)
        await watcher.reach(1)
        watcher.close()
        return self.path(plural)

    def object(self, plural: str, name: str, spec: object) -> JsonObject:
        """Return an object of a kind that was defined here."""
        return {
            "apiVersion": f"{GROUP}/v1",
            "kind": plural.capitalize(),
            "metadata": {"name": name},
            "spec": spec,
        }


def definition(plural: str, schema: JsonObject, **version: object) -> JsonObject:
    """Return the definition of a namespaced kind; arguments as for :meth:`Ground.define`."""
    names = {
        "plural": plural,
        "singular": plural,
        "kind": plural.capitalize(),
        "listKind": f"{plural.capitalize()}List",
    }
    whole = {"type": "object", "properties": {"spec": schema}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}, **version}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": versions},
    }


async def ground(running: Running, name: str) -> Ground:
    """Make a place of its own for a user with all rights in it, and none elsewhere where there are workspaces."""
    is_ours = running.name == "ours"
    admin = Ground(running.target, name, is_ours)
    if is_ours:
        workspace = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}}
        await admin.post("/apis/tenancy.kcp.io/v1alpha1/workspaces", workspace)
        admin.target = replace(admin.target, prefix=f"/clusters/root:{name}")
        await admin.post("/apis/apis.kcp.io/v1alpha1/apibindings", _BINDING)
    await admin.post("/api/v1/namespaces", {"metadata": {"name": name}})
    accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
    await admin.post(accounts, {"metadata": {"name": "user"}})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": name, "name": "user"}],
    }
    await admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
    answer = await admin.post(f"{accounts}/user/token", request, _DONE)
    token = orjson.loads(answer)["status"]["token"]
    return replace(admin, target=replace(admin.target, token=token))


def close(connections: Sequence[Connection]) -> None:
    """Close connections at once."""
    for connection in connections:
        connection.close()
