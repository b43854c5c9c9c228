"""
``/api``, ``/apis`` and what lies directly below them: which resources there are.

Source: k8s.io/apiserver pkg/endpoints/discovery and its aggregated handler (content negotiation, ETag, Vary).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import NoSuchPath, NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.http.documents import Documents, answer
from fairlead_control_plane.kinds import discovery
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.record import Resource
from fairlead_machinery.web import JSON, Request, Response

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


class Discovery:
    """
    Serves discovery, plain and aggregated.

    Args:
        catalog: Says which resources a logical cluster has.
        documents: Keeps what was made.
    """

    def __init__(self, catalog: Catalog, documents: Documents) -> None:
        self._catalog = catalog
        self._documents = documents
        self.server_address = ""
        """Host and port as clients reach us; set once the server listens."""

    async def __call__(self, info: RequestInfo, request: Request, user: User) -> Response:
        """
        Answer a discovery path.

        Raises:
            NotFound: No such group or version here.
        """
        del user
        resources = await self._catalog.resources(info.cluster)
        path = info.path.rstrip("/")
        version = wanted_version(request.headers.get("accept", "")) if path in ("/api", "/apis") else ""
        make: Callable[[], bytes | None]
        if version:
            make = partial(_encoded, partial(discovery.aggregated, resources, core=path == "/api", version=version))
        else:
            make = partial(_encoded, partial(self._plain, resources, path.split("/")[1:]))
        document = self._documents.get(resources, f"{path} {version}", make)
        if document is None:
            is_group = discovery.has_group(resources, path)
            raise (NotFound if is_group else NoSuchPath)("the server could not find the requested resource")
        return answer(document, request, _AGGREGATED.format(version=version) if version else JSON)

    def _plain(self, resources: Sequence[Resource], parts: Sequence[str]) -> JsonObject | None:
        match parts:
            case ["api"]:
                return discovery.api_versions(self.server_address)
            case ["api", version]:
                return discovery.api_resource_list(resources, "", version)
            case ["apis"]:
                return discovery.api_group_list(resources)
            case ["apis", group]:
                return discovery.api_group(resources, group)
            case ["apis", group, version]:
                return discovery.api_resource_list(resources, group, version)
        return None


def wanted_version(accept: str) -> str:
    """Return the version of aggregated discovery that an ``Accept`` header asks for first; ``""`` for plain."""
    for choice in accept.split(","):
        media, *pairs = (part.strip() for part in choice.split(";"))
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if media not in (JSON, "application/*", "*/*"):
            continue
        if parameters.get("as") == "APIGroupDiscoveryList" and parameters.get("g") == "apidiscovery.k8s.io":
            if parameters.get("v") in ("v2", "v2beta1"):
                return parameters["v"]
        elif "as" not in parameters:
            return ""
    return ""


async def root_paths(info: RequestInfo, request: Request, user: User) -> Response:
    """Answer ``/`` with the paths that are there, as kube-apiserver does."""
    del request, user
    if info.path != "/":
        raise NotFound("the server could not find the requested resource")
    paths = ["/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
    return Response(200, orjson.dumps({"paths": paths}))


def _encoded(make: Callable[[], JsonObject | None]) -> bytes | None:
    found = make()
    return None if found is None else orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)
