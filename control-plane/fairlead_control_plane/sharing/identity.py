"""
The identity of an APIExport: whose data a bound resource's rows are.

The hash is public, the key is not: who holds the key may make another export that shares the data.

Source: kcp v0.11, APIExport ``spec.identity``; kcp-core 2.2.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from hashlib import sha256

from fairlead_api import JsonObject

IDENTITY_NAMESPACE = "kcp-system"
_KEY = "key"
_KEY_BYTES = 32


def new_key() -> str:
    """Return a fresh key: 256 random bits as base64 for URLs, 43 characters."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).rstrip(b"=").decode()


def identity_hash(key: str) -> str:
    """Return what exports, bindings and storage keys carry: lower-case hex SHA-256 of the key's text."""
    return sha256(key.encode()).hexdigest()


def secret(export: str, key: str) -> JsonObject:
    """Return the Secret (without server-set metadata) that keeps an export's key."""
    return {
        "metadata": {"name": export, "namespace": IDENTITY_NAMESPACE},
        "data": {_KEY: base64.b64encode(key.encode()).decode()},
        "type": "Opaque",
    }


def key_of(stored: JsonObject) -> str:
    """Return the key in a Secret, ``""`` when there is none that can be read."""
    try:
        return base64.b64decode((stored.get("data") or {}).get(_KEY, ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
