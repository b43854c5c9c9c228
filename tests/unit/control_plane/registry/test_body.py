"""Bodies that are built to hurt."""

from __future__ import annotations

import pytest

from fairlead_api.errors import BadRequest
from fairlead_control_plane.registry import body
from fairlead_control_plane.registry.body import parse_yaml
from tests.unit.control_plane.in_process import MAPS, in_process


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


def test_numbers_in_base_60_stay_text() -> None:
    """Go's YAML has none; reading them takes the square of their length."""
    assert parse_yaml(b"a: 1:30\nb: 190:20:30.15\nc: 0x1F\nd: 1_000\ne: -1.5e+3") == {
        "a": "1:30",
        "b": "190:20:30.15",
        "c": 31,
        "d": 1000,
        "e": -1500.0,
    }
    long = "1" + ":59" * 100_000
    assert parse_yaml(f"a: {long}".encode()) == {"a": long}


async def test_complaints_come_in_the_order_of_the_body_and_are_bounded() -> None:
    """Kubernetes' decoder keeps a hundred."""
    names = [f"u{number}" for number in range(300)][::-1]
    raw = "{" + ",".join(f'"{name}":1' for name in names) + ',"metadata":{"name":"a"}}'
    async with in_process() as api:
        answer = await api.send("POST", MAPS, raw.encode(), fieldValidation="Warn")
        assert list(answer.warnings) == [f'unknown field "{name}"' for name in names[:100]]
        answer = await api.send("POST", MAPS, raw.encode(), fieldValidation="Strict")
        assert answer.body.count(b"unknown field") == 100


class _Watched(bytes):
    """Bytes that count how often they are searched."""

    searches = 0

    def find(self, *args: object) -> int:
        """Search them."""
        del args
        _Watched.searches += 1
        return -1


@pytest.mark.parametrize("count", [200, 2_000])
def test_many_complaints_do_not_search_the_body_each(count: int) -> None:
    """Which would take the product of both."""
    problems = [f'unknown field "a.u{number}"' for number in range(count)]
    raw = _Watched(b"".join(b'"u%d":1,' % number for number in reversed(range(count))))
    _Watched.searches = 0
    assert body._in_order(problems, raw) == problems[::-1]
    assert _Watched.searches == 0
