"""Fixtures of the listener's tests."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from tests.integration.server.listening import Server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    found.port = await found.listener.start(bound, None)
    yield found
    await found.listener.stop(1)
