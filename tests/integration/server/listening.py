"""A listener whose handler echoes what it was given, and raw requests for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fairlead_api.errors import ApiError
from fairlead_control_plane.http.limits import Limits
from fairlead_control_plane.http.listener import Listener
from fairlead_machinery.web import Request, Response, error_response, json_response

LIMITS = Limits(
    header_s=0.4, body_s=0.4, whole_body_s=0.8, idle_s=30, write_s=0.4, header_bytes=8192, strangers_local=6
)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


class Endless:
    """A stream that a test controls; tells whether it was closed."""

    def __init__(self, chunk: bytes = b"", count: int = 0) -> None:
        self.is_closed = asyncio.Event()
        self._chunk, self._count = chunk, count

    async def frames(self) -> AsyncIterator[bytes]:
        try:
            yield b'{"type":"ADDED"}\n'
            for _ in range(self._count):
                yield self._chunk
            await asyncio.Event().wait()
        finally:
            self.is_closed.set()


class Server:
    """A listener whose handler echoes what it was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.stream = Endless()
        self.listener = Listener(self.handle, limits=LIMITS)
        self.port = 0

    async def handle(self, request: Request) -> Response:
        self.seen.append(request.path)
        if request.path == "/known":
            request.known()
        if request.path == "/watch":
            return Response(stream=self.stream.frames(), has_messages=True)
        if request.path == "/unread":
            return json_response({"ok": True})
        try:
            body = await request.body()
        except ApiError as error:
            return error_response(error)
        return json_response({"path": request.path, "size": len(body), "agent": request.headers.get("user-agent")})

    async def exchange(self, data: bytes) -> bytes:
        """Send bytes and return all that comes back until the server closes or is quiet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        received = b""
        try:
            async with asyncio.timeout(2):
                while part := await reader.read(65536):
                    received += part
                return received + b"<closed>"
        except TimeoutError:
            return received
        except ConnectionResetError:
            return received + b"<closed>"
        finally:
            writer.close()
