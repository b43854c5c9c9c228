"""
Programs the server keeps running beside itself; they are clients like any other, only started with it.

A child that ends is started again, later and later while it keeps ending; it is asked to stop when the server does.
"""

from __future__ import annotations

import asyncio
import ctypes
import signal
from collections.abc import Callable, Sequence

import structlog

_FIRST_S, _LONGEST_S, _STEADY_S = 0.2, 30.0, 10.0
_STOP_S = 5.0
_PR_SET_PDEATHSIG = 1
_log = structlog.get_logger()


async def supervise(name: str, command: Sequence[str]) -> None:
    """Keep a child process running until cancelled; its output goes where the server's goes."""
    pause_s = _FIRST_S
    while True:
        started_s = asyncio.get_running_loop().time()
        process = await asyncio.create_subprocess_exec(*command, preexec_fn=_end_with_parent())
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                await _stop(process)
        if asyncio.get_running_loop().time() - started_s > _STEADY_S:
            pause_s = _FIRST_S
        _log.warning("a child ended and is started again", child=name, code=code, pause_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_S)


async def _stop(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _end_with_parent() -> Callable[[], None] | None:
    """Have the kernel end the child when the server is killed, so that no scheduler of a dead server lives on."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return None if prctl is None else lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
