"""
How often what only says "still here" says so: as always while things happen, seldom in the quiet hours of a day.

An hour in which nothing happens is thousands of heartbeats, renewals and watches begun anew, each like the one before.
In a quiet stretch they come seldom, as one could set them; nothing is left out and no clock is touched, so that
whatever ends by its age (tokens, keys, bins, revisions, leases) ends when it would. ``--pace real`` leaves all alone.
"""

from __future__ import annotations

from types import ModuleType

from fairlead_control_plane.auth import leaders
from fairlead_control_plane.controllers import heartbeats, synctargets
from fairlead_control_plane.http import agent_door, syncer_view
from fairlead_machinery import reflector
from fairlead_scheduler import asking, living, namespaces
from fairlead_scheduler import main as scheduler
from fairlead_syncer import down, feeds, heartbeat, identity, inside, leadership, trust
from fairlead_syncer import main as syncer

LONGEST_S = 300.0
"""No agent waits longer than this to say something; by then after a change of pace all are at the new one."""
_SAID: tuple[tuple[ModuleType, str, float], ...] = (
    (synctargets, "INTERVAL_S", 300),
    (agent_door, "LEASE_S", 900),  # renewed at a third of it
    (living, "EVERY_S", 300.0),
    (feeds, "_WATCH_S", 1800),
    (inside, "_WATCH_S", 1800),
    (trust, "_EVERY_S", 300.0),
    (syncer, "_RENEW_CHECK_S", 300.0),
    (syncer_view, "_BOOKMARK_S", 300.0),
    (heartbeat, "_REVIEW_S", 1800.0),
    (heartbeat, "_LONGEST_RETRY_S", 300.0),
    (leadership, "_LONGEST_RETRY_S", 300.0),
    (reflector, "MAX_BACKOFF_S", 300.0),
    (asking, "ALLOWED_S", 600.0),
    (namespaces, "_LONGEST_PAUSE_S", 300.0),
    (scheduler, "_LONGEST_PAUSE_S", 300.0),
    (down, "_BLOCKED_S", 300.0),
    (identity, "_MOST_RETRY_S", 120.0),  # half as much again by chance, a minute until it fails, and once more
)
_JUDGED: tuple[tuple[ModuleType, str, float], ...] = (
    (leaders, "LEASE_S", 900),
    (living, "DURATION_S", 1200),
    (heartbeats, "THRESHOLD_S", 900.0),
    (synctargets, "_CHECK_S", 60.0),
)
_REAL = {(module, name): getattr(module, name) for module, name, _ in (*_SAID, *_JUDGED)}


def install() -> None:
    """Have every server go by the threshold as it is now; for the life of this process."""

    def threshold_s(self: heartbeats.Heartbeats) -> float:
        del self
        return heartbeats.THRESHOLD_S

    def keep(self: heartbeats.Heartbeats, value: float) -> None:
        """Whatever it was made with is the default."""

    heartbeats.Heartbeats.threshold_s = property(threshold_s, keep)  # type: ignore[assignment]


def is_seldom() -> bool:
    """Tell whether this is a quiet stretch."""
    return float(_REAL[synctargets, "INTERVAL_S"]) < synctargets.INTERVAL_S


def seldom() -> None:
    """Have all say so seldom, and nobody be missed for it."""
    for module, name, value in (*_JUDGED, *_SAID):
        setattr(module, name, value)


def often() -> None:
    """Have all say so as often as always; who is still silent is not missed yet."""
    for module, name, _ in _SAID:
        setattr(module, name, _REAL[module, name])


def real() -> None:
    """Have everything as it is outside of simulations."""
    often()
    for module, name, _ in _JUDGED:
        setattr(module, name, _REAL[module, name])
