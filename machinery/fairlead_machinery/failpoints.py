"""
Named points where a test can kill or fail a process; nothing but one look at an empty dictionary when none is armed.

Armed by ``FAIRLEAD_FAILPOINTS="NAME=ACTION[@N][,...]"`` in the environment of the process under test, read once at
import. ``ACTION`` is ``kill`` (SIGKILL to the own process) or ``error`` (raises :class:`OSError`, as a failing disk
does); ``N`` is the hit that fires, 1 by default. The names are all here, so that a test can go through every one.
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass

STORE = frozenset(
    f"{side}-{step}" for side in ("before", "after") for step in ("begin", "insert", "commit", "reply", "notify")
)
"""Steps of a transaction of the SQLite store."""
SYNCER = frozenset(
    f"syncer-{side}-{step}"
    for side in ("before", "after")
    for step in ("namespace", "create", "apply", "report", "delete", "confirm", "namespace-delete", "token")
)
"""Steps of an agent that brings an object into its cluster, says so, and takes it out again."""
ROTATION = frozenset({"syncer-next-key-written", "syncer-next-key-pinned", "syncer-marks-written"})
"""Steps of an agent that replaces its key."""
NAMES = STORE | SYNCER | ROTATION


@dataclass(slots=True)
class _Failpoint:
    action: str
    hits_left: int


def _parse(text: str) -> dict[str, _Failpoint]:
    armed: dict[str, _Failpoint] = {}
    for entry in filter(None, text.split(",")):
        name, _, rest = entry.partition("=")
        action, _, hit = rest.partition("@")
        if name not in NAMES or action not in {"kill", "error"}:
            raise ValueError(f"FAIRLEAD_FAILPOINTS: {entry!r} names no failpoint or no action")
        armed[name] = _Failpoint(action, int(hit or 1))
    return armed


_armed = _parse(os.environ.get("FAIRLEAD_FAILPOINTS", ""))


def arm(text: str) -> None:
    """Replace what is armed in this process; the empty text disarms everything."""
    _armed.clear()
    _armed.update(_parse(text))


def hit(name: str) -> None:
    """
    Pass the failpoint ``name``.

    Raises:
        OSError: It is armed with ``error`` and this is the hit that fires.
    """
    if _armed:
        _fire(name)


def _fire(name: str) -> None:
    point = _armed.get(name)
    if point is None:
        return
    point.hits_left -= 1
    if point.hits_left > 0:
        return
    if point.action == "kill":
        os.write(2, f"failpoint {name}\n".encode())  # so that a test knows which one it was
        os.kill(os.getpid(), signal.SIGKILL)
    del _armed[name]
    raise OSError(errno.EIO, f"failpoint {name}")
