"""The first lines of an answer."""

from __future__ import annotations

from fairlead_control_plane.http.heads import extra_headers
from fairlead_machinery.web import Response


def _warned(*warnings: str) -> list[str]:
    lines = extra_headers(Response(warnings=list(warnings))).decode().split("\r\n")
    return [line.removeprefix('Warning: 299 - "').removesuffix('"') for line in lines if line.startswith("Warning")]


def test_warnings_are_said_once_and_in_one_line() -> None:
    assert _warned("a", 'b\n"', "a") == ["a", 'b \\"']


def test_many_warnings_are_shortened_and_end() -> None:
    assert _warned(*(f"{n:03}" + "x" * 297 for n in range(13))) == [f"{n:03}" + "x" * 297 for n in range(13)]
    # The 14th is one too many; of 256 characters each, 16 are 4096.
    found = _warned(*(f"{n:03}" + "x" * 297 for n in range(100)))
    assert [len(each) for each in found] == [256] * 16


def test_short_warnings_end_too() -> None:
    assert len(_warned(*(f"{n:04}" for n in range(5000)))) == 1025
