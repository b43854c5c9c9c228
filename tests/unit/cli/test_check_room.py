"""How much room a store has, by its metrics."""

from __future__ import annotations

import pytest

from fairlead_cli.checking.model import Level
from fairlead_cli.checking.room import finding, sizes_of
from tests.unit.cli.check_world import room

GIB = float(1 << 30)


@pytest.mark.parametrize(
    ("metrics", "level", "text"),
    [
        (room(disk=100 * GIB, free=15.1 * GIB), None, ""),
        (room(disk=100 * GIB, free=14.9 * GIB), Level.WARNING, "14.9 GiB of 100.0 GiB are free"),
        (room(disk=100 * GIB, free=4.9 * GIB), Level.ERROR, "4.9 GiB of 100.0 GiB are free"),
        (room(disk=1000 * GIB, free=21 * GIB), None, ""),
        (room(disk=GIB, free=0), Level.ERROR, "0 MiB of 1.0 GiB are free"),
        (room(quota=6.3e6), None, ""),
        (room(quota=6.2e6), Level.WARNING, "5 MiB of its quota of 6 MiB"),
        (room(quota=5.2e6), Level.ERROR, "all writes are refused"),
        (room(quota=4e6), Level.ERROR, "all writes are refused"),
        (room(), Level.WARNING, "not verified: the control plane does not say where"),
        (b"fairlead_watches 1\n", Level.WARNING, "not verified: the control plane does not say how large"),
    ],
)
def test_room(metrics: bytes, level: Level | None, text: str) -> None:
    """Well, a warning below 15 % free or above 80 % of the quota, an error below 5 % or above 95 %."""
    found = finding(sizes_of(metrics.decode()))
    assert (found.level if found else None) is level
    assert text in (found.text if found else "")
