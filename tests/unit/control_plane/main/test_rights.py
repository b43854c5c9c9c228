"""Time zones by name."""

from __future__ import annotations

import pytest

from fairlead_control_plane.main.rights import zone_offset


@pytest.mark.parametrize(
    ("name", "seconds", "offset"),
    [
        ("Europe/Berlin", 1_720_000_000, 7200),
        ("Europe/Berlin", 1_700_000_000, 3600),
        ("America/New_York", 1_720_000_000, -14400),
        ("UTC", 0, 0),
        ("Nowhere/Else", 0, None),
        ("../etc/passwd", 0, None),
        ("/etc/passwd", 0, None),
        ("Europe", 0, None),
    ],
)
def test_zones_are_known_by_name(name: str, seconds: int, offset: int | None) -> None:
    """In summer and in winter; what is no zone is unknown."""
    assert zone_offset(name, seconds) == offset


def test_the_ends_of_the_calendar_have_a_zone() -> None:
    """Timestamps may be of the years 1 and 9999."""
    for seconds in (-62_135_596_800, 253_402_300_799):
        assert zone_offset("Asia/Tokyo", seconds) is not None
