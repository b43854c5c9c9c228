"""Bodies that are built to hurt."""

from __future__ import annotations

import pytest

from fairlead_api.errors import BadRequest
from fairlead_control_plane.registry.body import parse_yaml


def test_yaml_aliases_are_refused_before_they_are_followed() -> None:
    """Nine levels of nine aliases would be some gigabytes of text."""
    lines = [b"a: &a [x, x, x, x, x, x, x, x, x]"]
    for name, before in zip("bcdefghijk", "abcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + before] * 9)}]".encode())
    with pytest.raises(BadRequest, match="aliases are not supported"):
        parse_yaml(b"\n".join(lines))


@pytest.mark.parametrize("raw", [b"[" * 100_000, b"{a: " * 100_000, b"- " * 100_000])
def test_deep_yaml_is_refused(raw: bytes) -> None:
    """Neither the stack of C nor that of Python is at risk."""
    with pytest.raises(BadRequest, match="nested more than 200 levels"):
        parse_yaml(raw)


def test_dates_stay_text() -> None:
    """What looks like a date is what JSON would have."""
    assert parse_yaml(b"a: 2024-01-02\nb: {c: [1, true, null]}") == {"a": "2024-01-02", "b": {"c": [1, True, None]}}
