"""A whole API in one process for tests: the registry over a store in memory, asked as over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_api.request import SYSTEM, User, parse_request
from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.admission.lifecycle import NamespaceLifecycle
from fairlead_control_plane.admission.reserved import ReservedMetadata
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.builtin import builtin_resource, builtin_resources
from fairlead_control_plane.kinds.catalog import StaticCatalog
from fairlead_control_plane.kinds.change import Effects
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.watch.hub import Hub
from fairlead_machinery.web import Request, Response, error_response

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
MAPS = "/api/v1/namespaces/default/configmaps"


def known(group: str, plural: str) -> Resource:
    """Return a built-in resource that is there."""
    found = builtin_resource(group, plural)
    assert found is not None
    return found


# The data of built-in kinds is read when first needed: here, and not while the event loop runs.
facts.types()
facts.definitions()
facts.internal_types()
NAMESPACES = known("", "namespaces")
CONFIG_MAPS = known("", "configmaps")
SECRETS = known("", "secrets")


class Api:
    """Asks a registry as a client would."""

    def __init__(self, store: SqliteStore, hub: Hub, registry: Registry) -> None:
        self.store = store
        self.hub = hub
        self.registry = registry

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        cluster: str = "root",
        user: User = SYSTEM,
        kind: str = "application/json",
        accept: str = "",
        **query: str,
    ) -> Response:
        """Send a request; errors come back as their Status."""
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()

        async def read() -> bytes:
            return raw

        headers = {"content-type": kind if raw else "", "accept": accept, "user-agent": "test/1"}
        request = Request(method, path, path, query, headers, read)
        try:
            return await self.registry.serve(parse_request(method, cluster, path, query), request, user)
        except ApiError as error:
            return error_response(error)

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> JsonObject:
        """Send a request and return the decoded answer."""
        response = await self.send(method, path, body, **more)
        answer: JsonObject = json.loads(response.body)
        return answer

    async def add_namespace(self, name: str, cluster: str = "root") -> None:
        """Create a namespace."""
        answer = await self.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}}, cluster=cluster)
        assert answer.code == 201, answer.body


def lines(chunk: bytes) -> list[JsonObject]:
    """Return the events of a chunk of a watch."""
    return [json.loads(line) for line in chunk.splitlines()]


def config_map(name: str, **metadata: object) -> JsonObject:
    """Return a small ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "b"}}


@asynccontextmanager
async def in_process(
    resources: Sequence[Resource] | None = None, effects: Sequence[Effects] = ()
) -> AsyncIterator[Api]:
    """Run an API with a namespace ``default`` in the logical cluster ``root``."""
    store = await SqliteStore.open(":memory:")
    hub = Hub(store)
    chain = Chain([ReservedMetadata(), NamespaceLifecycle(store, NAMESPACES)])
    catalog = StaticCatalog(resources if resources is not None else builtin_resources("cluster"))
    registry = Registry(store, catalog, hub, admission=chain, effects=effects)
    api = Api(store, hub, registry)
    try:
        await api.add_namespace("default")
        yield api
    finally:
        hub.close()
        await store.close()
