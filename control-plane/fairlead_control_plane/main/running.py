"""Running a composed server until a signal, and ending it in order within a deadline."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import gc
import logging
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from fairlead_control_plane.main.files import make_directory
from fairlead_control_plane.main.server import Running, StartFailed, serve
from fairlead_control_plane.main.settings import Settings

__all__ = ["StartFailed", "run"]

log = logging.getLogger(__name__)

_MARGIN_S = 5.0
"""What the parts below the listener may take to end, beyond the requests' grace."""


async def run(settings: Settings, *, announce: Callable[[str], None]) -> int:
    """
    Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 when something did not end in time.

    Raises:
        StartFailed: It could not start; the message says the fix.
    """
    _allow_many_files()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with _owned(settings.root_directory):
        stack = AsyncExitStack()
        try:
            running = await stack.enter_async_context(serve(settings))
            announce(_ready_line(running))
            # What start-up made stays for good; looking through it at each collection would be waste.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_COLLECTIONS)
            _return_memory()
            loop.call_later(_SETTLED_S, _return_memory)  # what controllers and the scheduler's first lists needed
            await running.until(stop)
        finally:
            is_late = not await _close(stack, settings.grace_s + _MARGIN_S)
    return 1 if is_late else 0


_SETTLED_S = 2.0
"""Seconds after the server is ready until what follows from that is done."""

_MOST_FILES = 1 << 16

_COLLECTIONS = (20_000, 10, 10)
"""
Objects made until garbage is looked for, and how many times that until older ones are looked through as well.

Python's default of 700 is less than one request makes, nearly all of which goes by counting references.
"""


def _return_memory() -> None:
    """Give the system what parsing at start-up needed for a moment: some 25 MiB that glibc would keep."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _allow_many_files() -> None:
    """Use the system's limit of open files instead of the shell's default of 1,024: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _close(stack: AsyncExitStack, deadline_s: float) -> bool:
    """Leave all components in reverse order; return whether they ended in time."""
    try:
        async with asyncio.timeout(deadline_s):
            await stack.aclose()
    except TimeoutError:
        stuck = sorted(task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task())
        log.error("did not end within %.0f s: %s", deadline_s, ", ".join(stuck))  # noqa: TRY400 - the names say more
        return False
    return True


def _ready_line(running: Running) -> str:
    return f"Fairlead is ready at {running.url} - use: export KUBECONFIG={running.kubeconfig}"


@contextmanager
def _owned(directory: Path) -> Iterator[None]:
    """
    Own the root directory while inside.

    Raises:
        StartFailed: It cannot be made or written, or another server owns it.
    """
    try:
        make_directory(directory)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        reason = f"cannot use the root directory {directory}: {error.strerror}"
        raise StartFailed(f"{reason}; choose a writable one with --root-directory") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartFailed(f"another server uses {directory}; stop it or choose another --root-directory") from error
        yield
    finally:
        os.close(descriptor)
