"""
Which addresses and node ports there are, and which of the free ones is next.

The first part of each range is given out last, so that people who name one themselves find it free.

Source: k8s.io/kubernetes pkg/registry/core/service/ipallocator, portallocator (calculateRangeOffset); addresses as
kubeadm has them.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from ipaddress import AddressValueError, IPv4Address, IPv4Network

NETWORK = IPv4Network("10.96.0.0/16")
FIRST_PORT, LAST_PORT = 30000, 32767

_FIRST, _LAST = int(NETWORK.network_address) + 1, int(NETWORK.broadcast_address) - 1
_FIRST_DYNAMIC = _FIRST + 256
_FIRST_DYNAMIC_PORT = FIRST_PORT + 86

OTHER_NETWORK = "the provided network does not match the current range"
TAKEN_ADDRESS = "provided IP is already allocated"
TAKEN_PORT = "provided port is already allocated"
OTHER_PORT = f"provided port is not in the valid range. The range of valid ports is {FIRST_PORT}-{LAST_PORT}"
FULL = "range is full"

Choose = Callable[[int], int]
"""Returns a number from 0 to its argument less one."""


def address_error(text: str) -> str:
    """Return why an address cannot be given to a Service; ``""`` when it can."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return OTHER_NETWORK
    if address not in NETWORK:
        return OTHER_NETWORK
    if not _FIRST <= int(address) <= _LAST:
        return f"the provided IP ({text}) is not in the valid range. The range of valid IPs is {NETWORK}"
    return ""


def some_address(choose: Choose) -> str:
    """Return an address of the part that is given out first."""
    return str(IPv4Address(_FIRST_DYNAMIC + choose(_LAST - _FIRST_DYNAMIC + 1)))


def free_address(taken: Container[str], choose: Choose) -> str | None:
    """Return an address that is not taken; None when all are."""
    for first, last in ((_FIRST_DYNAMIC, _LAST), (_FIRST, _FIRST_DYNAMIC - 1)):
        start = choose(last - first + 1)
        for step in range(last - first + 1):
            address = str(IPv4Address(first + (start + step) % (last - first + 1)))
            if address not in taken:
                return address
    return None


def free_port(taken: Container[int], choose: Choose) -> int | None:
    """Return a node port that is not taken; None when all are."""
    for first, last in ((_FIRST_DYNAMIC_PORT, LAST_PORT), (FIRST_PORT, _FIRST_DYNAMIC_PORT - 1)):
        start = choose(last - first + 1)
        for step in range(last - first + 1):
            port = first + (start + step) % (last - first + 1)
            if port not in taken:
                return port
    return None
