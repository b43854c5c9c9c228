"""
Continue tokens: where a list goes on, and in which snapshot.

A token carries the collection it belongs to (by prefix), so that it can neither be used on another one nor name a key
outside of it.  Source: k8s.io/apiserver pkg/storage/continue.go.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

import orjson

from fairlead_api.errors import BadRequest

_VERSION = "fairlead.io/v1"
_BAD = "invalid continue token: continue key is not valid: "


@dataclass(frozen=True, slots=True)
class Continuation:
    """``start`` is the first key of the next page; ``revision`` the snapshot, -1 for whatever is newest."""

    start: str
    revision: int


def encode(prefix: str, continuation: Continuation) -> str:
    """Return the token for going on within a prefix; ``continuation.start`` lies in it."""
    body = {
        "v": _VERSION,
        "rv": continuation.revision,
        "start": continuation.start.removeprefix(prefix),
        "of": _collection(prefix),
    }
    return base64.urlsafe_b64encode(orjson.dumps(body)).decode().rstrip("=")


def decode(prefix: str, token: str) -> Continuation:
    """
    Read a token.

    Raises:
        BadRequest: It is malformed or belongs to another collection.
    """
    try:
        body = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error) as error:
        raise BadRequest(f"{_BAD}{error}") from error
    if not isinstance(body, dict) or body.get("v") != _VERSION:
        raise BadRequest(f"{_BAD}server does not recognize this encoded version")
    start, revision = body.get("start"), body.get("rv")
    if body.get("of") != _collection(prefix) or not isinstance(start, str) or not isinstance(revision, int):
        raise BadRequest(f"{_BAD}it belongs to another list")
    if "\0" in start[:-1] or revision < -1 or revision == 0:
        raise BadRequest(f"{_BAD}encoded start key or resourceVersion is out of range")
    return Continuation(prefix + start, revision)


def _collection(prefix: str) -> str:
    return base64.urlsafe_b64encode(sha256(prefix.encode()).digest()[:9]).decode()
