"""What may be said of how long a request may take."""

from __future__ import annotations

import pytest

from fairlead_api.errors import BadRequest
from fairlead_api.request import parse_request
from fairlead_control_plane.http.deadlines import check_timeout
from fairlead_control_plane.http.target import parse_target
from fairlead_machinery.web import Request


async def _no_body() -> bytes:
    return b""


def _check(raw: str) -> None:
    target = parse_target(raw)
    request = Request("GET", raw, target.path, target.query, {}, _no_body, target.query_all)
    check_timeout(parse_request("GET", "root", target.path, target.query), request)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("invalid", 'invalid duration "invalid"'),
        ("5", 'missing unit in duration "5"'),
        ("5d", 'unknown unit "d" in duration "5d"'),
        ("1m5", 'missing unit in duration "1m5"'),
        ("9999999h", 'invalid duration "9999999h"'),
        ("-", 'invalid duration "-"'),
        ("--1s", 'invalid duration "--1s"'),
        (".s", 'invalid duration ".s"'),
    ],
)
def test_a_timeout_that_is_no_time_is_refused(text: str, problem: str) -> None:
    """In Go's words."""
    with pytest.raises(BadRequest) as refused:
        _check(f"/api/v1/namespaces?timeout={text}")
    assert refused.value.message == f"invalid timeout specified in the request URL - time: {problem}"


@pytest.mark.parametrize("text", ["", "0", "0s", "32s", "1.5h", "-1s", "1m30s"])
def test_a_time_is_taken(text: str) -> None:
    """However long: the server has a longest of its own."""
    _check(f"/api/v1/namespaces?timeout={text}")


@pytest.mark.parametrize("path", ["/api/v1/pods?watch=1&timeout=x", "/api/v1/namespaces/a/pods/b/log?timeout=x"])
def test_what_does_not_end_by_itself_is_not_asked(path: str) -> None:
    """Watches and streams have no such time."""
    _check(path)
