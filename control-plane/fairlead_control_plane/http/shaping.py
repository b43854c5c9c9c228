"""
The last step of an answer: indented for people, compressed when it is large.

Source: k8s.io/apiserver pkg/endpoints/handlers/{negotiation/negotiate.go, responsewriters/writers.go}.
"""

from __future__ import annotations

import asyncio
import zlib

import orjson

from fairlead_machinery.web import JSON, Request, Response

_GZIP_BYTES = 128 << 10
"""Answers above this are compressed where the client takes it; below, compressing costs more than it saves."""
_GZIP_LEVEL = 1
_GZIP_FRAME = 16 + zlib.MAX_WBITS
_BESIDE_BYTES = 32 << 10
"""Above this, indenting takes so long that it is done in a thread."""
_PEOPLE = ("curl", "Wget", "Mozilla/5.0")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})


async def shaped(response: Response, request: Request) -> Response:
    """Return an answer as the client would like to have it; streams and small plain answers stay as they are."""
    if response.stream is not None or not response.body:
        return response
    if response.content_type == JSON and _wants_indented(request):
        large = len(response.body) > _BESIDE_BYTES
        response.body = await asyncio.to_thread(indented, response.body) if large else indented(response.body)
    if len(response.body) > _GZIP_BYTES and takes_gzip(request.headers.get("accept-encoding", "")):
        response.body = await asyncio.to_thread(compressed, response.body)
        response.headers["Content-Encoding"] = "gzip"
        known = response.headers.get("Vary")
        response.headers["Vary"] = f"{known}, Accept-Encoding" if known else "Accept-Encoding"
    return response


def _wants_indented(request: Request) -> bool:
    """Tell whether a person reads the answer: who says so, or else asks with a tool for people."""
    said = request.query.get("pretty", "")
    return said in _TRUE if said else request.headers.get("user-agent", "").startswith(_PEOPLE)


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether an ``Accept-Encoding`` header names gzip and does not rule it out."""
    for clause in accept_encoding.split(","):
        coding, _, quality = clause.strip().partition(";")
        if coding.strip().lower() == "gzip":
            return quality.replace(" ", "").rstrip(".0") != "q="
    return False


def indented(body: bytes) -> bytes:
    """Return a JSON body with each field on a line of its own."""
    return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def compressed(body: bytes) -> bytes:
    """Return a body in gzip's frame, the same for the same bytes."""
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_FRAME)
    return packer.compress(body) + packer.flush()
