"""
``/openapi/v3`` (index), ``/openapi/v3/<path>`` and ``/openapi/v2``.

Source: k8s.io/kube-openapi pkg/handler3 (hash in the query, immutable answers) and pkg/handler (v2).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from fairlead_api.errors import NoSuchPath
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.http.documents import Document, answer
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.discovery import etag
from fairlead_control_plane.kinds.openapi import OpenApi
from fairlead_control_plane.kinds.openapi_protobuf import ASKED_FOR_AS, MEDIA_TYPE
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.media import clauses
from fairlead_machinery.web import JSON, Request, Response

_YEAR = timedelta(days=365)
_INDEX_TYPE = "text/plain; charset=utf-8"
"""As Kubernetes says of its list of parts, which is JSON."""
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
        """
        del user
        accept = request.headers.get("accept", "")
        made = self._of(await self._catalog.resources(info.cluster))
        parts = info.path.strip("/").split("/", 2)
        match parts[1:]:
            case ["v2"]:
                is_protobuf = any(form in accept for form in ASKED_FOR_AS)
                if not is_protobuf and not _takes_json(accept):
                    return _refused()
                document = Document(*await asyncio.to_thread(made.v2, protobuf=is_protobuf))
                return answer(document, request, MEDIA_TYPE if is_protobuf else JSON)
            case ["v3"]:
                return answer(await asyncio.to_thread(_index, made), request, _INDEX_TYPE)
            case ["v3", path]:
                if not _takes_json(accept):
                    return _refused()
                found = await asyncio.to_thread(made.v3, path)
                return Response(404, b"", "") if found is None else self._part(Document(*found), request)
        raise NoSuchPath("the server could not find the requested resource")

    @staticmethod
    def _part(document: Document, request: Request) -> Response:
        """Serve one group version; who asks for another content than today's is sent to that."""
        asked, current = request.query.get("hash", ""), document.etag.strip('"')
        if not asked:
            return answer(document, request, JSON)
        if asked != current:
            location = f"{request.path}?hash={current}"
            return Response(301, b"", JSON, {"ETag": document.etag, "Location": location, "Vary": "Accept"})
        expires = datetime.now(UTC) + _YEAR
        lasting = {"Cache-Control": "public, immutable", "Expires": expires.strftime("%a, %d %b %Y %H:%M:%S UTC")}
        return answer(document, request, JSON, lasting)

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


def _takes_json(accept: str) -> bool:
    """
    Tell whether JSON will do.

    Protobuf of v3 is not made: every client of Kubernetes asks for JSON or falls back to it.
    """
    return not accept or any(name in (JSON, "application/*", "*/*") for name, _ in clauses(accept))


def _refused() -> Response:
    """Return the 406 of these documents, which says nothing."""
    return Response(406, b"", "", {"Vary": "Accept"})
