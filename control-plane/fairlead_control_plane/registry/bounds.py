"""
How much a body may hold, told before it is parsed.

A parser builds its values in one go, during which nobody else's request moves: some three hundred milliseconds for
3 MiB of the smallest members. So bodies of more members than any object may have are refused unparsed.
"""

from __future__ import annotations

import re

from fairlead_api.errors import RequestTooLarge
from fairlead_control_plane.registry.aside import MOST

BODY_MEMBERS = 3 * MOST
"""Most keys and items of a body: those of an object and the two for each that ``managedFields`` may have."""

_SIGNS = (b",", b"[", b"{")
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,\[{]', re.DOTALL)


def check_json(raw: bytes) -> None:
    """Raise ``RequestTooLarge`` for JSON with too many members; commas inside of texts do not count."""
    if len(raw) <= BODY_MEMBERS or sum(map(raw.count, _SIGNS)) <= BODY_MEMBERS:
        return
    count = 0
    for token in _TOKENS.finditer(raw):  # a step at a time: the thread can be made to wait between two
        count += raw[token.start()] != 0x22
        if count > BODY_MEMBERS:
            raise too_many()


def too_many() -> RequestTooLarge:
    """Return the answer to a body of too many members."""
    return RequestTooLarge(f"Request entity too large: limit is {BODY_MEMBERS} keys and items")


def is_long(raw: bytes) -> bool:
    """Tell whether reading a body takes more than a few milliseconds: YAML takes ten times as long."""
    return len(raw) > (_LONG if raw.startswith((b"{", b"[", b"k8s\0")) else _LONG_YAML)


_LONG, _LONG_YAML = 32 << 10, 4 << 10
