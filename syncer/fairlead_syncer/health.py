"""
``/livez`` and ``/readyz`` of an agent, for the kubelet that runs it.

Ready means: whatever happens to the agent at work, this one can go on in its place. It has been told lately whose turn
it is, its own or another's, and its cluster has answered it. So an upgrade ends no agent before the next one is fit.

A few lines of HTTP/1.1 and no server library: an agent has no other door, and each idle agent pays for what it loads.
Source: kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes, paths as in k8s.io/apiserver.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

_HEAD_BYTES = 4096
_HEAD_S = 2.0
_CHECK_S = 3.0

Check = Callable[[], Awaitable[bool]]


class Health:
    """What to answer; ``ready`` holds by name what has to be so, and is empty until the agent has started."""

    def __init__(self) -> None:
        self.ready: dict[str, Check] = {}

    @asynccontextmanager
    async def listening(self, address: tuple[str, int]) -> AsyncIterator[int]:
        """
        Answer as long as the context is open; gives the port.

        Args:
            address: Host, "" for all addresses, and port, 0 for any that is free.
        """
        server = await asyncio.start_server(self._serve, address[0] or None, address[1], limit=_HEAD_BYTES)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def answer(self, path: str) -> tuple[int, str]:
        """Return status and text for a path."""
        if path == "/livez":
            return 200, "ok"
        if path != "/readyz":
            return 404, "not found"
        if not self.ready:
            return 503, "starting"
        failed = [name for name, check in self.ready.items() if not await _holds(check)]
        return (503, f"not yet: {', '.join(failed)}") if failed else (200, "ok")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close; whoever is slow or says too much gets no answer."""
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            line = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
            is_get = len(line) == 3 and line[0] == "GET"
            code, text = await self.answer(line[1].partition("?")[0]) if is_get else (400, "bad request")
            writer.write(
                f"HTTP/1.1 {code} -\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
                f"Connection: close\r\n\r\n{text}".encode()
            )
            async with asyncio.timeout(_HEAD_S):
                await writer.drain()
        writer.close()


def once(check: Check) -> Check:
    """Return a check that is not made again after it held: for what the kubelet could not tell anybody anyway."""
    held: list[bool] = []

    async def checked() -> bool:
        if not held and await check():
            held.append(True)
        return bool(held)

    return checked


async def _holds(check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_S):
            return await check()
    except TimeoutError:
        return False
