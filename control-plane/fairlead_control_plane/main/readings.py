"""Where the server's metrics read what they show: see :mod:`fairlead_control_plane.http.metrics`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairlead_control_plane.controllers.agents import INVENTORY
from fairlead_control_plane.controllers.heartbeats import Heartbeats
from fairlead_control_plane.controllers.runner import Runner
from fairlead_control_plane.http.listener import Listener
from fairlead_control_plane.http.metrics import Readings
from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.store.sizing import Sized
from fairlead_control_plane.views.targets import TargetIndex

_STATM = Path("/proc/self/statm")
_HAS_STATM = _STATM.exists()


@dataclass(frozen=True, slots=True)
class Agents:
    """What there is to say of the clusters that have joined."""

    beats: Heartbeats
    targets: TargetIndex

    @property
    def known(self) -> int:
        """Count the SyncTargets."""
        return len(self.targets.all())

    @property
    def ready(self) -> int:
        """Count the SyncTargets whose condition Ready is true."""
        return self._count("Ready", "True")

    @property
    def inconsistent(self) -> int:
        """Count the SyncTargets in whose cluster is what nothing explains."""
        return self._count(INVENTORY, "False")

    def _count(self, type_: str, status: str) -> int:
        return sum(
            any(
                condition.get("type") == type_ and condition.get("status") == status
                for condition in (target.get("status") or {}).get("conditions") or ()
            )
            for target in self.targets.all()
        )


def readings(store: Store, listener: Listener, runner: Runner, agents: Agents | None) -> Readings:
    """Return what the metrics read of a server that is about to start; ``agents`` is None where none can join."""
    started_s = time.time()
    return Readings(
        requests_in_flight=lambda: sum(connection.is_answering for connection in listener.connections),
        watches=lambda: sum(connection.is_streaming for connection in listener.connections),
        connections=lambda: len(listener.connections),
        revision=lambda: store.revision,
        queue_ready=lambda: runner.queue_ready,
        queue_pending=lambda: runner.queue_pending,
        controller_failures=lambda: runner.failures,
        start_time_s=lambda: started_s,
        resident_bytes=_resident_bytes(),
        heartbeats=None if agents is None else lambda: agents.beats.received,
        synctargets=None if agents is None else lambda: agents.known,
        synctargets_ready=None if agents is None else lambda: agents.ready,
        synctargets_inconsistent=None if agents is None else lambda: agents.inconsistent,
        store_size=store.size if isinstance(store, Sized) else None,
    )


def _resident_bytes() -> Callable[[], float] | None:
    """Return what reads the memory of this process; None on systems that do not say (no ``/proc``)."""
    if not _HAS_STATM:
        return None
    page = os.sysconf("SC_PAGE_SIZE")
    return lambda: int(_STATM.read_bytes().split()[1]) * page
