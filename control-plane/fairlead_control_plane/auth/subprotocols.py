"""
Bearer tokens among the subprotocols of a WebSocket: browsers cannot set a header on one.

Source: k8s.io/apiserver pkg/authentication/request/websocket; IsWebSocketRequest of k8s.io/streaming.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

_BEARER = "base64url.bearer.authorization.k8s.io."
_UPGRADE = re.compile(r"(^|.*,\s*)upgrade($|\s*,)")


def is_websocket(headers: Mapping[str, str]) -> bool:
    """Tell whether a request (names of headers in lower case) wants to become a WebSocket."""
    wants = headers.get("upgrade", "").lower() == "websocket"
    return wants and _UPGRADE.match(headers.get("connection", "").lower()) is not None


def agreed(headers: Mapping[str, str]) -> str:
    """Return the subprotocol to agree on, the first that is no token; "" when there is none."""
    return next((one for one in _offered(headers) if not one.startswith(_BEARER)), "")


def token_of(headers: Mapping[str, str]) -> str:
    """
    Return the bearer token among a WebSocket's subprotocols, "" when there is none.

    Raises:
        ValueError: There are several, it is not base64url of text, or no other protocol is left to agree on.
    """
    if not is_websocket(headers):
        return ""
    tokens = [one.removeprefix(_BEARER) for one in _offered(headers) if one.startswith(_BEARER)]
    if not any(tokens):
        return ""
    if len(tokens) > 1 or not agreed(headers):
        raise ValueError("not one bearer token and another subprotocol")
    try:
        return base64.b64decode(tokens[0] + "=" * (-len(tokens[0]) % 4), altchars=b"-_", validate=True).decode()
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def _offered(headers: Mapping[str, str]) -> list[str]:
    offered = headers.get("sec-websocket-protocol", "")
    return [one.strip() for one in offered.split(",") if one.strip()]
