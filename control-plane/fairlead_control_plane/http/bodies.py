"""Request bodies: bounded in length and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp.http import HttpProcessingError, RawRequestMessage
from aiohttp.streams import StreamReader

from fairlead_api.errors import BadRequest, RequestTooLarge, Timeout, UnsupportedMediaType
from fairlead_control_plane.http.limits import Limits


class Body:
    """Reads a request's body once, when somebody asks for it."""

    __slots__ = ("_limits", "_message", "_payload", "_write")

    def __init__(
        self, message: RawRequestMessage, payload: StreamReader, limits: Limits, write: Callable[[bytes], None]
    ) -> None:
        self._write = write
        self._message = message
        self._payload = payload
        self._limits = limits

    async def read(self) -> bytes:
        """
        Return the whole body.

        Raises:
            RequestTooLarge: It is longer than the limit; nothing more is read.
            UnsupportedMediaType: It is compressed.
            Timeout: It stopped coming.
        """
        headers, limit = self._message.headers, self._limits.body_bytes
        if headers.get("Content-Encoding", "identity") != "identity":
            raise UnsupportedMediaType("compressed request bodies are not accepted")
        if int(headers.get("Content-Length", "0")) > limit:
            raise _too_large(limit)
        if headers.get("Expect", "").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            # Nearly every body is there with its head.
            if self._payload.is_eof():
                return await self._rest(limit)
            async with asyncio.timeout(self._limits.whole_body_s):
                return await self._rest(limit)
        except TimeoutError as error:
            raise Timeout("the request body did not arrive in time") from error
        except HttpProcessingError as error:
            raise BadRequest("malformed request body") from error

    async def _rest(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while not self._payload.at_eof():
            async with asyncio.timeout(self._limits.body_s):
                part = await self._payload.readany()
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
        return b"".join(parts) if len(parts) != 1 else parts[0]


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Request entity too large: limit is {limit}")


async def discard(payload: StreamReader) -> None:
    """Read on for a moment: closing with unread bytes would reset the connection before our answer is read."""
    try:
        async with asyncio.timeout(2.0):
            while not payload.at_eof():
                await payload.readany()
    except (TimeoutError, HttpProcessingError):
        return
