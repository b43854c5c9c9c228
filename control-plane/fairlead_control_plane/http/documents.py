"""
Documents made of a logical cluster's resources: made once per set of resources, shared by all clusters that have it.

Catalogs hand out the same sequence object for equal sets, so the sequence itself is the key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fairlead_control_plane.kinds.discovery import etag
from fairlead_control_plane.kinds.record import Resource
from fairlead_machinery.web import Request, Response

_SETS = 64
"""Sets of resources whose documents are kept; each takes some 100 KB once all were asked for."""


class Document(NamedTuple):
    """A finished document."""

    body: bytes
    etag: str


class Documents:
    """Keeps documents by resource set and name."""

    def __init__(self, size: int = _SETS) -> None:
        self._size = size
        self._sets: OrderedDict[int, tuple[Sequence[Resource], dict[str, Document | None]]] = OrderedDict()

    def get(self, resources: Sequence[Resource], name: str, make: Callable[[], bytes | None]) -> Document | None:
        """
        Return a document, made by ``make`` when it is asked for first.

        Args:
            resources: What it is made of; the same object means the same content.
            name: Tells the documents of one set apart.
            make: Returns None when there is no such document.
        """
        key = id(resources)  # the entry keeps the sequence alive, so its id is not given to another
        kept = self._sets.get(key)
        if kept is None:
            kept = self._sets[key] = (resources, {})
            if len(self._sets) > self._size:
                self._sets.popitem(last=False)
        else:
            self._sets.move_to_end(key)
        found = kept[1]
        if name not in found:
            if len(found) > 512:
                found.clear()
            body = make()
            found[name] = None if body is None else Document(body, etag(body))
        return found[name]


def answer(document: Document, request: Request, content_type: str, headers: dict[str, str] | None = None) -> Response:
    """Serve a document, or 304 when the client has it."""
    headers = {"ETag": document.etag, "Vary": "Accept", **(headers or {})}
    wanted = request.headers.get("if-none-match", "")
    if wanted and (wanted == "*" or document.etag in (part.strip().removeprefix("W/") for part in wanted.split(","))):
        return Response(304, b"", "", headers)
    return Response(200, document.body, content_type, headers)
