"""What may be sent to server-side apply."""

from __future__ import annotations

import pytest

from fairlead_api.errors import BadRequest
from fairlead_control_plane.registry.applying import configuration
from fairlead_control_plane.registry.options import STRICT, WARN


def test_yaml_may_look_like_json() -> None:
    """A comma after the last member, as hand-written patches have it, is YAML and not JSON."""
    assert configuration(b'{"a": {"b": [1, 2,],},}', STRICT) == ({"a": {"b": [1, 2]}}, [])


def test_doubled_keys_are_found_in_what_looks_like_json() -> None:
    """By the rules of what it is."""
    value, problems = configuration(b'{"a": 1, "a": 2,}', WARN)
    assert (value, problems) == ({"a": 2}, ['line 1: key "a" already set in map'])


def test_what_is_neither_is_refused() -> None:
    """As YAML, which is what apply takes."""
    with pytest.raises(BadRequest, match="error decoding YAML"):
        configuration(b'{"a": ', STRICT)
