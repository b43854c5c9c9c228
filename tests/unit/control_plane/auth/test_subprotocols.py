"""Bearer tokens among the subprotocols of a WebSocket."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_control_plane.auth.subprotocols import agreed, is_websocket, token_of

PREFIX = "base64url.bearer.authorization.k8s.io."
UPGRADE = {"connection": "keep-alive, Upgrade", "upgrade": "WebSocket"}


def asked(*protocols: str) -> dict[str, str]:
    """Return the headers of a request for a WebSocket."""
    return {**UPGRADE, "sec-websocket-protocol": ", ".join(protocols)}


def encoded(token: str) -> str:
    """Return a token as a subprotocol."""
    return PREFIX + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_token_comes_back(token: str) -> None:
    """Padding or not, and none of it is agreed on."""
    headers = asked("one", encoded(token), "two")
    assert token_of(headers) == token
    assert agreed(headers) == "one"


@pytest.mark.parametrize(
    "protocols",
    [
        (encoded("t"),),
        (encoded("t"), encoded("u"), "one"),
        (f"{PREFIX}a", "one"),
        (f"{PREFIX}/w==", "one"),
        (f"{PREFIX}_w", "one"),
    ],
)
def test_bad_tokens(protocols: tuple[str, ...]) -> None:
    """No other protocol, two tokens, half a byte, another alphabet, no text."""
    with pytest.raises(ValueError, match=r"token|base64|utf-8"):
        token_of(asked(*protocols))


@pytest.mark.parametrize(
    "headers", [{}, asked(), asked("one"), asked(PREFIX, "one"), {**asked(encoded("t"), "one"), "upgrade": "h2c"}]
)
def test_no_token(headers: dict[str, str]) -> None:
    """Nothing is offered, or it is no WebSocket."""
    assert token_of(headers) == ""


@pytest.mark.parametrize(
    ("connection", "wanted"), [("upgrade", True), ("close, upgrade", True), ("upgraded", False), ("", False)]
)
def test_what_asks_for_a_websocket(connection: str, *, wanted: bool) -> None:
    """The upgrade must be among the connection's words."""
    assert is_websocket({"connection": connection, "upgrade": "websocket"}) is wanted
