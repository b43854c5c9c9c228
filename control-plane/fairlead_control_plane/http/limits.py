"""What clients may cost the server before, and while, it listens to them."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a client may cost.

    Attributes:
        body_bytes: Kubernetes' limit for a request body.
        header_bytes: Request line and headers together; large tokens and selectors fit.
        header_s: From the first byte of a request, or from the beginning of a connection, to its last header.
        body_s: Longest pause inside a body.
        whole_body_s: From the first byte that is waited for to the last one of a body.
        idle_s: Quiet time between requests; longer than client-go's own 90 s, so that the client closes first.
        write_s: Longest time without any progress while a client does not read; then it is cut.
        connections: More are closed at once.
        strangers: Connections on which nobody has proved yet who they are, see :class:`Strangers`.
        strangers_each: The same, of one remote address.
        strangers_local: The same, of this machine.
    """

    body_bytes: int = 3 * 1024 * 1024
    header_bytes: int = 64 * 1024
    header_s: float = 15.0
    body_s: float = 30.0
    whole_body_s: float = 120.0
    idle_s: float = 180.0
    write_s: float = 30.0
    connections: int = 20_000
    strangers: int = 1024
    strangers_each: int = 128
    strangers_local: int = 512

    @classmethod
    def for_strangers(cls, most: int) -> Limits:
        """Return the limits with so many strangers in all: an eighth may come from one address, half from here."""
        return cls(strangers=most, strangers_each=max(1, most // 8), strangers_local=max(1, most // 2))


class Strangers:
    """
    The connections of those who have not proved who they are, oldest first.

    When there are too many, the oldest goes: a client that means well is known a few milliseconds after it came, so
    what is old is who waits on purpose, and newcomers are let in however many of those there are.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all: dict[Hashable, str] = {}
        self._of: dict[str, dict[Hashable, None]] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._all)

    def enter(self, who: Hashable, remote: str) -> Hashable | None:
        """Note a newcomer from an address; return who has to go instead, None when there is room."""
        place, most = self._place(remote)
        same = self._of.setdefault(place, {})
        leaving = next(iter(same)) if len(same) >= most else None
        if leaving is None and len(self._all) >= self._limits.strangers:
            leaving = self.oldest()
        if leaving is not None:
            self.leave(leaving)
        self._all[who] = place
        self._of.setdefault(place, {})[who] = None
        return leaving

    def leave(self, who: Hashable) -> None:
        """Forget somebody: known now, or gone; who is no stranger is let be."""
        place = self._all.pop(who, None)
        if place is None:
            return
        same = self._of[place]
        del same[who]
        if not same:
            del self._of[place]

    def oldest(self) -> Hashable | None:
        """Return who has been a stranger for longest."""
        return next(iter(self._all), None)

    def _place(self, remote: str) -> tuple[str, int]:
        """Return what counts as one remote (an address; of IPv6 the network one site has), and how many it may have."""
        try:
            address = ipaddress.ip_address(remote)
        except ValueError:
            return remote, self._limits.strangers_each
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        if address.is_loopback:
            return "local", self._limits.strangers_local
        if isinstance(address, ipaddress.IPv6Address):
            return f"{int(address) >> 64:x}::/64", self._limits.strangers_each
        return str(address), self._limits.strangers_each
