"""What an attack is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.attacks.ground import Ground

Requests = Callable[[int], bytes]
"""Returns the request for a running number; numbers do not repeat within an attack."""


@dataclass(frozen=True, slots=True)
class Attack:
    """
    Requests an ordinary user may send that are meant to cost as much as possible.

    Attributes:
        name: Unique; its first word is its group's.
        prepare: Makes what the requests need, and returns them.
        connections: How many send at once, one request at a time each.
        has_reference: Whether kube-apiserver understands it.
    """

    name: str
    prepare: Callable[[Ground], Awaitable[Requests]]
    connections: int = 4
    has_reference: bool = True
