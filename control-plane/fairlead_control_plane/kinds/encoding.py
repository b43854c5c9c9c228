"""
How an object is stored: the JSON that is served, less its resourceVersion.

The revision of a write is known only once it is committed (etcd), so the stored value holds everything but
``metadata.resourceVersion`` and, in its first four bytes, the offset where that belongs. Serving is one splice; a
GET does not decode, a LIST joins.
"""

from __future__ import annotations

from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.store.contract import Row

_METADATA = b'"metadata":{'


def encode(obj: JsonObject) -> bytes:
    """
    Return the stored form of an object; ``metadata.resourceVersion`` is left out, ``obj`` is not changed.

    ``apiVersion``, ``kind`` and ``metadata`` come first, so that the offset is found without a search through the body.
    """
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    ordered: dict[str, Any] = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": metadata}
    ordered.update((key, value) for key, value in obj.items() if key not in ordered)
    body = orjson.dumps(ordered)
    offset = body.index(_METADATA) + len(_METADATA)
    return offset.to_bytes(4, "big") + body


def serve(row: Row) -> bytes:
    """Return the JSON of a row as clients see it, resourceVersion included."""
    return splice(row.value, row.mod_revision)


def splice(value: bytes, revision: int) -> bytes:
    """Return the JSON of a stored value with ``revision`` as its resourceVersion."""
    offset = int.from_bytes(value[:4], "big") + 4
    # metadata is never empty: every stored object has a name.
    return b'%b"resourceVersion":"%d",%b' % (value[4:offset], revision, value[offset:])


def decode(row: Row) -> JsonObject:
    """Return the object of a row as a fresh dict, resourceVersion included."""
    obj: JsonObject = orjson.loads(memoryview(row.value)[4:])
    obj["metadata"]["resourceVersion"] = str(row.mod_revision)
    return obj
