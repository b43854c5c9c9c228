"""
Where connections come in: each is counted from the moment it is accepted, before TLS has cost anything.

The event loop's own server would tell of a connection only once its handshake is done, so that those who never finish
one could not be counted.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from fairlead_control_plane.http.limits import Limits, Strangers

log = logging.getLogger(__name__)

_BACKLOG = 1024
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S = 0.1


class Served(asyncio.Protocol):
    """What speaks on a connection once TLS is done."""

    __slots__ = ()

    def cut(self) -> None:
        """Drop the connection at once, also when there is none yet."""
        raise NotImplementedError


class Doorway:
    """
    Accepts connections and puts out strangers when there are too many.

    Args:
        bound: A bound socket, the doorway's from now on.
        context: TLS settings; None for plain connections.
        connection: Makes the protocol of a connection; what it is given is to be called when its client has become
            known, and when it is gone.
    """

    def __init__(
        self,
        bound: socket.socket,
        context: ssl.SSLContext | None,
        limits: Limits,
        connection: Callable[[Callable[[], None]], Served],
    ) -> None:
        self._bound = bound
        self._context = context
        self._limits = limits
        self._connection = connection
        self._guests: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self.strangers = Strangers(limits)

    def open(self, count: Callable[[], int]) -> None:
        """Begin to accept; ``count`` says how many connections there are."""
        self._bound.listen(_BACKLOG)
        self._bound.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(count), name="accept")

    async def close(self) -> None:
        """Stop accepting, and drop those who are still at the door."""
        tasks = [*self._guests, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._bound.close()

    async def _accept(self, count: Callable[[], int]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(self._bound)
            except OSError as error:
                await self._cope(error)
                continue
            if count() + len(self._guests) >= self._limits.connections:
                client.close()
                continue
            guest = _Guest(client)
            leaving = self.strangers.enter(guest, str(address[0]))
            if isinstance(leaving, _Guest):
                leaving.put_out()
            task = loop.create_task(self._greet(guest), name="greet")
            self._guests.add(task)
            task.add_done_callback(self._guests.discard)

    async def _cope(self, error: OSError) -> None:
        """Go on after a failed accept: most often the client has gone; files run out when there are too many."""
        if error.errno not in _OUT_OF_FILES:
            return
        log.error("cannot accept connections: %s", error)
        oldest = self.strangers.oldest()
        if isinstance(oldest, _Guest):
            self.strangers.leave(oldest)
            oldest.put_out()
        await asyncio.sleep(_PAUSE_S)

    async def _greet(self, guest: _Guest) -> None:
        """Do the TLS handshake."""

        def known() -> None:
            self.strangers.leave(guest)

        def made() -> Served:
            guest.served = self._connection(known)
            return guest.served

        loop = asyncio.get_running_loop()
        timeout_s = self._limits.header_s if self._context else None
        is_in = False
        try:
            guest.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(made, guest.socket, ssl=self._context, ssl_handshake_timeout=timeout_s)
            is_in = True
        except OSError as error:
            log.debug("a client went away, or spoke no TLS: %s", error)
        finally:
            if not is_in:
                known()
                guest.put_out()


class _Guest:
    """A connection at the door."""

    __slots__ = ("served", "socket")

    def __init__(self, client: socket.socket) -> None:
        self.socket = client
        self.served: Served | None = None

    def put_out(self) -> None:
        """Drop the connection, whichever step it is at."""
        if self.served is None:  # nobody else has the socket yet
            self.socket.close()
            return
        self.served.cut()
        with suppress(OSError):  # in the midst of a handshake: its end of file ends it
            self.socket.shutdown(socket.SHUT_RDWR)
