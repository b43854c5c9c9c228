"""
``/api``, ``/apis`` and what lies directly below them: which resources there are.

Source: k8s.io/apiserver pkg/endpoints/discovery and its aggregated handler (content negotiation, ETag, Vary).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import NoSuchPath, NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.http.documents import Documents, answer
from fairlead_control_plane.kinds import discovery
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry import media
from fairlead_control_plane.registry.rendering import as_yaml
from fairlead_machinery.web import JSON, Request, Response

_AGGREGATED = ";g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


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
        accept = request.headers.get("accept", "")
        version, is_yaml = wanted_version(accept) if path in ("/api", "/apis") else ("", False)
        make: Callable[[], JsonObject | None]
        if version:
            make = partial(discovery.aggregated, resources, core=path == "/api", version=version)
        else:
            is_yaml = media.plain(accept, is_route=not _is_group_path(path)).yaml
            make = partial(self._plain, resources, path.split("/")[1:])
        document = self._documents.get(resources, f"{path} {version} {is_yaml}", partial(_encoded, make, is_yaml))
        if document is None:
            is_group = discovery.has_group(resources, path)
            raise (NotFound if is_group else NoSuchPath)("the server could not find the requested resource")
        content_type = media.YAML if is_yaml else JSON
        if not version:
            return Response(200, document.body, content_type)
        head = {"Cache-Control": "public"}
        return answer(document, request, content_type + _AGGREGATED.format(version=version), head)

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


def wanted_version(accept: str) -> tuple[str, bool]:
    """
    Return the version of aggregated discovery that an ``Accept`` header asks for, and whether as YAML.

    Whoever names a version that is served gets it, also when plain discovery would do as well; ``""`` for plain.
    """
    for name, parameters in media.clauses(accept):
        if (
            name in (JSON, media.YAML, "application/*", "*/*")
            and parameters.get("as") == "APIGroupDiscoveryList"
            and parameters.get("g") == "apidiscovery.k8s.io"
            and parameters.get("v") in ("v2", "v2beta1")
        ):
            return parameters["v"], name == media.YAML
    return "", False


def _is_group_path(path: str) -> bool:
    """Tell whether a path lists groups or shows one: these are served by handlers of their own, for every method."""
    return path == "/apis" or (path.startswith("/apis/") and path.count("/") == 2)


_PATHS = (
    "/.well-known/openid-configuration", "/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2",
    "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version",
)  # fmt: skip


def root_paths(
    services: Callable[[], Sequence[str]],
) -> Callable[[RequestInfo, Request, User], Awaitable[Response]]:
    """Return what answers ``/`` with the paths that are there, as kube-apiserver does; ``services`` are paths too."""

    async def serve(info: RequestInfo, request: Request, user: User) -> Response:
        del request, user
        if info.path != "/":
            raise NotFound("the server could not find the requested resource")
        return Response(200, orjson.dumps({"paths": sorted([*_PATHS, *services()])}))

    return serve


def _encoded(make: Callable[[], JsonObject | None], is_yaml: bool) -> bytes | None:
    found = make()
    if found is None:
        return None
    return as_yaml(found) if is_yaml else orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)
