"""What the server says of itself: readable, bounded, documented."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead_api.errors import NoSuchPath
from fairlead_api.request import SYSTEM, RequestInfo, parse_request
from fairlead_control_plane.http import metrics
from fairlead_control_plane.http.metrics import VERBS, Readings, ServerMetrics
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.store.sizing import Size
from fairlead_machinery.metrics import Metric
from fairlead_machinery.web import Request, Response

DOCUMENT = Path(__file__).parents[4] / "docs" / "reference" / "metrics.md"
KNOWN = (*builtin_resources("cluster"), *own_resources())
_NAME = r"fairlead_[a-z_]+"
_VALUE = r'"(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({_NAME})(?:\{{(\w+={_VALUE}(?:,\w+={_VALUE})*)\}})? (\d[\d.e+-]*)")


def seven() -> float:
    return 7


async def sizes() -> Size:
    return Size(1, 2, 3, 4)


def made() -> ServerMetrics:
    found = ServerMetrics(KNOWN)
    found.read(
        Readings(
            requests_in_flight=seven, watches=seven, connections=seven, revision=seven, queue_ready=seven,
            queue_pending=seven, controller_failures=seven, start_time_s=seven, resident_bytes=seven, heartbeats=seven,
            synctargets=seven, synctargets_ready=seven, synctargets_inconsistent=seven, store_size=sizes,
        )
    )  # fmt: skip
    return found


async def stream() -> AsyncIterator[bytes]:
    yield b"x"


def get(path: str) -> RequestInfo:
    return parse_request("GET", "c-secret", path, {})


async def no_body() -> bytes:
    return b""


async def scrape(found: ServerMetrics, path: str = "/metrics") -> str:
    request = Request("GET", path, path, {}, {}, no_body)
    response = await found.serve(RequestInfo("root", path, "get"), request, SYSTEM)
    assert (response.code, response.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return response.body.decode()


async def test_every_line_is_prometheus_text() -> None:
    """HELP with its stability, TYPE, then samples of that metric alone; counters end in _total."""
    found = made()
    for code in (200, 404):
        found.observe("GET", get("/api/v1/namespaces/n/configmaps/x"), Response(code), 0.002)
    found.observe("GET", None, Response(200), 0.001)
    text = await scrape(found)
    assert text.endswith("\n")
    name, kind, seen = "", "", set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in seen
            seen.add(name)
            assert re.fullmatch(rf"# HELP {_NAME} \[ALPHA\] [A-Z].*\.", line)
        elif line.startswith("# TYPE "):
            _, _, typed, kind = line.split(" ")
            assert typed == name
            assert name.endswith("_total") == (kind == "counter")
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            assert sample[1] in (
                {name + end for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
            )
    assert 'fairlead_requests_total{verb="get",resource="configmaps",code="404"} 1' in text
    assert 'fairlead_requests_total{verb="get",resource="",code="200"} 1' in text
    assert 'fairlead_request_duration_seconds_bucket{verb="get",resource="configmaps",le="0.0025"} 2' in text
    assert "fairlead_store_revision 7\n" in text
    assert "fairlead_process_resident_memory_bytes 7\n" in text
    assert "fairlead_store_commits_total 0\n" in text
    assert "fairlead_store_size_bytes 1\n" in text
    assert "fairlead_store_disk_free_bytes 4\n" in text


async def test_names_of_users_are_no_labels() -> None:
    """Nor are resources nobody has defined, in Kubernetes' groups either, nor methods of one's own making."""
    found = ServerMetrics(KNOWN)
    for path in ("/apis/canary.io/v1/canaries/canary", "/api/v1/namespaces/canary/canaries/x", "/canary"):
        found.observe("GET", get(path), Response(404), 0.1)
    found.observe("CANARY", None, Response(401), 0.1)
    text = await scrape(found)
    assert "canar" not in text.lower()
    assert "secret" not in text
    assert 'fairlead_requests_total{verb="get",resource="other",code="404"} 2' in text
    assert 'fairlead_requests_total{verb="other",resource="",code="401"} 1' in text


@given(some.lists(some.tuples(some.text(), some.text(), some.text(), some.integers(200, 599)), max_size=50))
def test_no_request_adds_a_label_of_its_own(asked: list[tuple[str, str, str, int]]) -> None:
    """Whatever verb, group and resource it names."""
    found = ServerMetrics(KNOWN)
    for verb, group, resource, code in asked:
        found.observe(verb, RequestInfo("c", "/", verb, True, group, resource=resource), Response(code), 0.1)
    names = {resource.name for resource in KNOWN}
    for line in found.registry.render().splitlines():
        if line.startswith("fairlead_requests_total"):
            labels = re.fullmatch(r'.*\{verb="(\w+)",resource="(.*)",code="\d+"\} \d+', line)
            assert labels is not None
            assert labels[1] in {"other", *VERBS}
            assert labels[2] in {"", "other", *names}


def test_what_is_told_apart_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound resources are ``other``; nothing is lost and nothing raised."""
    monkeypatch.setattr(metrics, "_MOST", 2)
    found = ServerMetrics(KNOWN)
    for plural in ("configmaps", "secrets", "pods", "events", "configmaps"):
        found.observe("GET", get(f"/api/v1/namespaces/n/{plural}/x"), Response(), 0.1)
    lines = [line for line in found.registry.render().splitlines() if line.startswith("fairlead_requests_total")]
    assert lines == [
        'fairlead_requests_total{verb="get",resource="configmaps",code="200"} 2',
        'fairlead_requests_total{verb="get",resource="secrets",code="200"} 1',
        'fairlead_requests_total{verb="get",resource="other",code="200"} 2',
    ]


def test_a_watch_has_no_duration() -> None:
    found = ServerMetrics(KNOWN)
    info = parse_request("GET", "c", "/api/v1/pods", {"watch": "1"})
    found.observe("GET", info, Response(stream=stream()), 0.1)
    text = found.registry.render()
    assert 'fairlead_requests_total{verb="watch",resource="pods",code="200"} 1' in text
    assert "_count" not in text


async def test_a_scrape_lets_others_in_between() -> None:
    """A long answer is made in pieces; what is counted meanwhile does no harm."""
    found = made()
    for resource in KNOWN:
        for verb in ("get", "list"):
            found.observe(
                "GET", RequestInfo("c", "/", verb, True, resource.group, resource=resource.plural), Response(), 0.1
            )
    task = asyncio.create_task(scrape(found))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
        found.observe("GET", None, Response(200 + turns), 0.1)
    assert turns > len((await task).splitlines()) / 200


async def test_below_metrics_is_nothing() -> None:
    with pytest.raises(NoSuchPath):
        await scrape(made(), "/metrics/slis")


def row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |"


def test_every_metric_is_documented() -> None:
    """Each with its type, labels and words, and none that is not there."""
    documented = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `fairlead_")]
    assert documented == [row(metric) for metric in made().registry]
