"""
``/openapi/v3`` (index), ``/openapi/v3/<path>`` and ``/openapi/v2``.

Source: k8s.io/kube-openapi pkg/handler3 (hash in the query, immutable answers) and pkg/handler (v2).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from fairlead_api.errors import NoSuchPath, NotAcceptable
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.http.documents import Document, answer
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.discovery import etag
from fairlead_control_plane.kinds.openapi import OpenApi
from fairlead_control_plane.kinds.openapi_protobuf import ASKED_FOR_AS, MEDIA_TYPE
from fairlead_control_plane.kinds.record import Resource
from fairlead_machinery.web import JSON, Request, Response

_IMMUTABLE = {"Cache-Control": "public, immutable, max-age=31536000"}
_PROTOBUF_V3 = (
    "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
)
_SETS = 64


class OpenApiDocuments:
    """Serves OpenAPI documents; building one takes long enough to be done in a thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._sets: OrderedDict[int, tuple[Sequence[Resource], OpenApi]] = OrderedDict()

    async def __call__(self, info: RequestInfo, request: Request, user: User) -> Response:
        """
        Answer an OpenAPI path.

        Raises:
            NoSuchPath: No such document.
            NotAcceptable: Only protobuf would do for v3, which every client of Kubernetes reads as JSON too.
        """
        del user
        accept = request.headers.get("accept", "")
        if accept in _PROTOBUF_V3:
            raise NotAcceptable("only the following media types are accepted: application/json")
        made = self._of(await self._catalog.resources(info.cluster))
        parts = info.path.strip("/").split("/", 2)
        match parts[1:]:
            case ["v2"]:
                is_protobuf = any(form in accept for form in ASKED_FOR_AS)
                document = Document(*await asyncio.to_thread(made.v2, protobuf=is_protobuf))
                return answer(document, request, MEDIA_TYPE if is_protobuf else JSON)
            case ["v3"]:
                return answer(await asyncio.to_thread(_index, made), request, JSON)
            case ["v3", path]:
                found = await asyncio.to_thread(made.v3, path)
                if found is not None:
                    return answer(Document(*found), request, JSON, _caching(request, found[1]))
        raise NoSuchPath("the server could not find the requested resource")

    def _of(self, resources: Sequence[Resource]) -> OpenApi:
        """Return the documents of a set of resources; see :class:`~fairlead_control_plane.http.documents.Documents`."""
        key = id(resources)
        kept = self._sets.get(key)
        if kept is None:
            kept = self._sets[key] = (resources, OpenApi(resources))
            if len(self._sets) > _SETS:
                self._sets.popitem(last=False)
        else:
            self._sets.move_to_end(key)
        return kept[1]


def _index(made: OpenApi) -> Document:
    body = made.index()
    return Document(body, etag(body))


def _caching(request: Request, tag: str) -> dict[str, str] | None:
    """A document asked for by its hash never changes."""
    return dict(_IMMUTABLE) if request.query.get("hash") == tag.strip('"') else None
