"""A pod's addresses stand in one field and in a list."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.strategies.pod_status import follow_addresses


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"podIP": "10.0.0.1"}, {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}),
        ({"podIPs": [{"ip": "10.0.0.1"}]}, {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}),
        ({"podIP": "a", "podIPs": [{"ip": "b"}, {"ip": "c"}]}, {"podIP": "a", "podIPs": [{"ip": "a"}]}),
        ({"podIP": "a", "podIPs": [{"ip": "a"}, {"ip": "b"}]}, {"podIP": "a", "podIPs": [{"ip": "a"}, {"ip": "b"}]}),
        ({"phase": "Running"}, {"phase": "Running"}),
    ],
)
def test_one_follows_the_other(status: JsonObject, expected: JsonObject) -> None:
    """The single one decides where they differ."""
    follow_addresses(status)
    assert status == expected
