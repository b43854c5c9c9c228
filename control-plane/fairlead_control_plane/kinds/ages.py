"""
How long ago something was, in kubectl's words.

Source: k8s.io/apimachinery/pkg/util/duration (HumanDuration), k8s.io/kubernetes/pkg/printers (translateTimestampSince).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


@dataclass(frozen=True, slots=True)
class Timed:
    """A cell that depends on the time of the request: ``render`` takes seconds since the epoch."""

    render: Callable[[float], str]


def seconds_of(timestamp: str | None) -> float | None:
    """Return an RFC 3339 time in seconds since the epoch; None when there is none."""
    if not timestamp:
        return None
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None


def age(timestamp: str | None) -> Timed:
    """Return the cell that tells how long ago ``timestamp`` was."""
    return Timed(lambda now: since(timestamp, now))


def since(timestamp: str | None, now: float) -> str:
    """Return the time from ``timestamp`` to ``now`` in words, ``<unknown>`` without a timestamp."""
    then = seconds_of(timestamp)
    return UNKNOWN if then is None else human_duration(now - then)


def human_duration(seconds: float) -> str:
    """Return a duration with two or three significant figures: ``98s``, ``5m12s``, ``3h``, ``2d4h``, ``3y20d``."""
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if whole < -1 else "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    minutes, hours, days = whole // _MINUTE, whole // _HOUR, whole // _DAY
    if minutes < 180:
        return _pair(minutes, "m", whole % _MINUTE if minutes < 10 else 0, "s")
    if hours < 48:
        return _pair(hours, "h", minutes % 60 if hours < 8 else 0, "m")
    if whole < 2 * _YEAR:
        return _pair(days, "d", hours % 24 if hours < 192 else 0, "h")
    return _pair(whole // _YEAR, "y", days % 365 if whole < 8 * _YEAR else 0, "d")


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
