"""
Inside an agent's process: a name server that can be lost, and a loop whose clock runs faster.

Read by every Python that has this folder in ``PYTHONPATH``, before anything else. ``FAULTS_NAMES`` is a file with lines
``NAME ADDRESS``; a name that is not in it is unknown, addresses are none of its business. ``FAULTS_FASTER`` is how many
seconds pass for timers of the event loop in one real second; clocks on walls and in tokens go on as they are. Either
way the loop is Python's own: the agent's usual one, in C, asks nobody for names and time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import selectors
import socket
import sys
import time
import types
from pathlib import Path
from typing import Any

_ask = socket.getaddrinfo
_select: Any = selectors.DefaultSelector.select


def _known(host: Any, *arguments: Any, **options: Any) -> Any:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        lines = Path(os.environ["FAULTS_NAMES"]).read_text().splitlines()
        found = dict(line.split() for line in lines)
        if host not in found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        host = found[host]
    return _ask(host, *arguments, **options)


def _run_faster(factor: float) -> None:
    def now_s(_: asyncio.BaseEventLoop) -> float:
        return time.monotonic() * factor

    def select(self: selectors.BaseSelector, timeout: float | None = None) -> Any:
        return _select(self, timeout if timeout is None else timeout / factor)

    asyncio.BaseEventLoop.time = now_s  # type: ignore[method-assign,assignment]
    selectors.DefaultSelector.select = select  # type: ignore[method-assign]


sys.modules["uvloop"] = types.SimpleNamespace(new_event_loop=asyncio.new_event_loop)  # type: ignore[assignment]
if "FAULTS_NAMES" in os.environ:
    socket.getaddrinfo = _known
if "FAULTS_FASTER" in os.environ:
    _run_faster(float(os.environ["FAULTS_FASTER"]))
