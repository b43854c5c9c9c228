from __future__ import annotations

import pytest

from fairlead_control_plane.kinds.ages import human_duration, since

_HOUR, _DAY, _YEAR = 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119.9, "119s"), (120, "2m"), (125, "2m5s"), (599, "9m59s"),
        (600, "10m"), (3 * _HOUR - 1, "179m"), (3 * _HOUR, "3h"), (3 * _HOUR + 60, "3h1m"), (8 * _HOUR + 60, "8h"),
        (47 * _HOUR, "47h"), (48 * _HOUR, "2d"), (50 * _HOUR, "2d2h"), (8 * _DAY, "8d"), (8 * _DAY + _HOUR, "8d"),
        (2 * _YEAR, "2y"), (2 * _YEAR + _DAY, "2y1d"), (9 * _YEAR + 5 * _DAY, "9y"),
    ],
)  # fmt: skip
def test_durations_read_as_kubectl_writes_them(seconds: float, text: str) -> None:
    """Two or three significant figures, never a fraction."""
    assert human_duration(seconds) == text


def test_no_timestamp_is_unknown() -> None:
    """Without a time there is no age."""
    assert since(None, 0) == "<unknown>"
