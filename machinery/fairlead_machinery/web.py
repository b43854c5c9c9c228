"""
The request and response that the server's rooms hand to each other.

They know nothing of the listener behind them, so that it can be exchanged in one place (design section 4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import orjson

from fairlead_api.errors import ApiError, NoSuchPath

JSON = "application/json"


def _nothing() -> None:
    """Take note of nothing."""


@dataclass(slots=True)
class Request:
    """
    One request as it came off the wire.

    Attributes:
        method: Upper case.
        target: Raw request target (percent-encoded, with query), never re-encoded; for audit and forwarding.
        path: Decoded once; a target whose decoding is ambiguous (encoded slash or dot segment) never gets here.
        query: Decoded query; of repeated keys the first is kept here, all are in ``query_all``.
        headers: Names in lower case; of repeated ones the values are joined with ``,`` (``impersonate-*``: with a
            line feed, which no value can hold, because user names and extras may hold commas).
        body: Reads the whole body once, bounded; raises ``RequestTooLarge``.
        peer_certificate: DER of the verified client certificate, else None.
        upgrade: Takes over the connection after an upgrade (exec, websocket watch); None when not possible.
        known: To be called once the sender has proved who it is; until then the connection is a stranger's, of which
            the listener keeps but so many.
    """

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Callable[[], Awaitable[bytes]]
    query_all: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    peer_certificate: bytes | None = None
    remote: str = ""
    upgrade: Callable[..., Awaitable[object]] | None = None
    known: Callable[[], None] = _nothing


@dataclass(slots=True)
class Response:
    """
    An answer; ``stream`` wins over ``body`` when set.

    A stream yields ready-made chunks (for a watch: whole frames, several joined is fine). The listener closes
    the iterator (``aclose``) when the client goes away or the server stops, and cuts a client that does not read.

    Attributes:
        has_messages: Each line of the stream is a message, which a client that asked for a WebSocket gets as one.
    """

    code: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    has_messages: bool = False
    warnings: list[str] = field(default_factory=list)


Handler = Callable[[Request], Awaitable[Response]]


def json_response(value: object, code: int = 200) -> Response:
    """Encode ``value`` as the JSON body of an answer."""
    return Response(code, orjson.dumps(value))


def error_response(error: ApiError) -> Response:
    """Turn an error into its ``Status`` answer, with ``Retry-After`` where it has one."""
    if isinstance(error, NoSuchPath):
        # kubectl and client-go tell a path that does not exist from an object by this text.
        headers = {"X-Content-Type-Options": "nosniff"}
        return Response(404, b"404 page not found\n", "text/plain; charset=utf-8", headers)
    response = Response(error.code, orjson.dumps(error.status(), option=orjson.OPT_APPEND_NEWLINE))
    if error.retry_after_s:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
