"""
PEM blocks, found as Go's ``encoding/pem`` finds them: what is no block is passed over without a word.

Source: Go 1.26 encoding/pem (Decode).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"\n-----END ", b"-----"


@dataclass(frozen=True, slots=True)
class Block:
    """One block: ``CERTIFICATE`` and the like, the headers before its content, and the content (DER)."""

    type: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def blocks(data: bytes) -> Iterator[Block]:
    """Yield the well-formed blocks of a text; its size bounds the work, as each step goes behind one END line."""
    rest = data
    while (end := rest.find(_END)) >= 0:
        begin = rest.rfind(_BEGIN, 0, end)
        after = rest[end + len(_END) :]
        if begin < 0 or (begin > 0 and rest[begin - 1 : begin] != b"\n"):
            rest = after
            continue
        first, _, inner = rest[begin + len(_BEGIN) : end + 1].partition(b"\n")
        last, _, behind = after.partition(b"\n")
        found = _block(first.rstrip(b" \t\r"), inner, last.rstrip(b" \t\r"))
        if found is None:
            rest = after
            continue
        yield found
        rest = behind


def _block(first: bytes, inner: bytes, last: bytes) -> Block | None:
    """Return the block between two lines; None when they do not belong together or what is between is no base64."""
    if not first.endswith(_DASHES) or last != first:
        return None
    lines = inner.split(b"\n")
    headers: dict[str, str] = {}
    while lines and b":" in lines[0]:
        key, _, value = lines.pop(0).partition(b":")
        headers[key.strip().decode(errors="replace")] = value.strip().decode(errors="replace")
    if headers and not lines:
        return None
    try:
        content = base64.b64decode(b"".join(lines).translate(None, b" \t\r"), validate=True)
    except binascii.Error:
        return None
    return Block(first.removesuffix(_DASHES).decode(errors="replace"), content, headers)
