"""
Continue tokens: where a list goes on, and in which snapshot.

A token carries the collection it belongs to (by prefix), so that it can neither be used on another one nor name a key
outside of it.  Source: k8s.io/apiserver pkg/storage/continue.go.
"""

from __future__ import annotations

import base64
import string
from dataclasses import dataclass
from hashlib import sha256

import orjson

from fairlead_api.errors import BadRequest

_VERSION = "fairlead.io/v1"
_LETTERS = frozenset(string.ascii_letters + string.digits + "-_")
_GO_KINDS: dict[type, str] = {list: "array", str: "string", bool: "bool"}
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
    raw = _decoded(token)
    try:
        body = orjson.loads(raw)
    except ValueError as error:
        raise BadRequest(f"{_BAD}{_why_no_json(raw)}") from error
    if not isinstance(body, dict):
        kind = _GO_KINDS.get(type(body), "number")
        raise BadRequest(f"{_BAD}json: cannot unmarshal {kind} into Go value of type storage.continueToken")
    if body.get("v") != _VERSION:
        given = body.get("v")
        raise BadRequest(f"{_BAD}server does not recognize this encoded version {'' if given is None else given}")
    start, revision = body.get("start"), body.get("rv")
    if body.get("of") != _collection(prefix) or not isinstance(start, str) or not isinstance(revision, int):
        raise BadRequest(f"{_BAD}it belongs to another list")
    if "\0" in start[:-1] or revision < -1 or revision == 0:
        raise BadRequest(f"{_BAD}encoded start key or resourceVersion is out of range")
    return Continuation(prefix + start, revision)


def _decoded(token: str) -> bytes:
    bad = next((index for index, letter in enumerate(token) if letter not in _LETTERS), -1)
    if bad < 0 and len(token) % 4 == 1:
        bad = len(token) - 1
    if bad >= 0:
        raise BadRequest(f"{_BAD}illegal base64 data at input byte {bad}")
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def _why_no_json(raw: bytes) -> str:
    """Say of bytes that are no JSON what Go's decoder says, which looks at the first that fits nowhere."""
    text = raw.lstrip().decode("latin-1")
    if text and text[0] not in '{["-0123456789tfn':
        return f"invalid character '{text[0]}' looking for beginning of value"
    return "unexpected end of JSON input"


def _collection(prefix: str) -> str:
    return base64.urlsafe_b64encode(sha256(prefix.encode()).digest()[:9]).decode()
