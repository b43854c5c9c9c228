"""Answers indented and compressed."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import orjson
import pytest

from fairlead_control_plane.http.shaping import shaped, takes_gzip
from fairlead_machinery.web import Request, Response

LARGE = orjson.dumps({"a": "x" * 140_000})


def asking(query: dict[str, str], **headers: str) -> Request:
    async def no_body() -> bytes:
        return b""

    return Request(
        "GET", "/x", "/x", query, {name.replace("_", "-"): value for name, value in headers.items()}, no_body
    )


@pytest.mark.parametrize(
    ("query", "agent", "is_indented"),
    [
        ({}, "kubectl/v1", False), ({"pretty": "true"}, "kubectl/v1", True), ({"pretty": "1"}, "", True),
        ({"pretty": ""}, "kubectl/v1", False), ({}, "curl/8", True), ({"pretty": "false"}, "curl/8", False),
        ({"pretty": "yes"}, "curl/8", False), ({}, "Wget/1", True), ({}, "Mozilla/5.0 (X11)", True),
    ],
)  # fmt: skip
async def test_people_get_lines(query: dict[str, str], agent: str, is_indented: bool) -> None:
    """As in Kubernetes: who asks for it, and tools that people use."""
    answer = await shaped(Response(200, b'{"a":[],"b":1}\n'), asking(query, user_agent=agent))
    assert answer.body == (b'{\n  "a": [],\n  "b": 1\n}\n' if is_indented else b'{"a":[],"b":1}\n')


@pytest.mark.parametrize(
    ("accepts", "takes"),
    [("", False), ("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.0", False), ("*", False)],
)
def test_gzip_is_for_who_names_it(accepts: str, takes: bool) -> None:
    """Also with a weight; not with the weight that refuses it."""
    assert takes_gzip(accepts) is takes


async def test_large_answers_are_compressed() -> None:
    """And say so, beside what they varied by already."""
    answer = await shaped(Response(200, LARGE, headers={"Vary": "Accept"}), asking({}, accept_encoding="gzip"))
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept, Accept-Encoding")
    assert gzip.decompress(answer.body) == LARGE
    assert (await shaped(Response(200, LARGE), asking({}))).body is LARGE
    assert (await shaped(Response(200, b"{}"), asking({}, accept_encoding="gzip"))).body == b"{}"


async def test_streams_stay_as_they_are() -> None:
    """A watch goes on and on, line by line."""

    async def lines() -> AsyncIterator[bytes]:
        yield b"{}\n"

    stream = lines()
    assert (await shaped(Response(stream=stream), asking({"pretty": "1"}, accept_encoding="gzip"))).stream is stream
