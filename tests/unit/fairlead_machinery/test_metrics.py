"""Metrics and logs."""

import io

import orjson
import pytest
import structlog

from fairlead_machinery import log, metrics
from fairlead_machinery.metrics import Registry, TooManySeries


def test_metrics_are_written_as_prometheus_reads_them() -> None:
    registry = Registry()
    counter = registry.counter("fairlead_requests_total", "Requests.", ["verb", "code"])
    counter.inc("get", "200")
    counter.inc("get", "200", by=2)
    counter.inc('a"\n\\', "500")
    registry.gauge("fairlead_watches", "Watches.", read=lambda: 3)
    histogram = registry.histogram("fairlead_seconds", "Seconds.", ["verb"], buckets=(0.1, 1.0))
    for value in (0.1, 0.5, 7):
        histogram.observe(value, "get")
    assert registry.render().splitlines() == [
        "# HELP fairlead_requests_total Requests.",
        "# TYPE fairlead_requests_total counter",
        'fairlead_requests_total{verb="get",code="200"} 3',
        'fairlead_requests_total{verb="a\\"\\n\\\\",code="500"} 1',
        "# HELP fairlead_watches Watches.",
        "# TYPE fairlead_watches gauge",
        "fairlead_watches 3",
        "# HELP fairlead_seconds Seconds.",
        "# TYPE fairlead_seconds histogram",
        'fairlead_seconds_bucket{verb="get",le="0.1"} 1',
        'fairlead_seconds_bucket{verb="get",le="1.0"} 2',
        'fairlead_seconds_bucket{verb="get",le="+Inf"} 3',
        'fairlead_seconds_sum{verb="get"} 7.5999999999999996',
        'fairlead_seconds_count{verb="get"} 3',
    ]
    assert counter.value("get", "200") == 3


def test_a_metric_cannot_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_SERIES", 2)
    counter = Registry().counter("fairlead_total", "All.", ["name"])
    counter.inc("a")
    counter.inc("b")
    counter.inc("a")
    with pytest.raises(TooManySeries):
        counter.inc("c")


def test_a_name_is_taken_once() -> None:
    registry = Registry()
    registry.counter("fairlead_total", "All.")
    with pytest.raises(ValueError, match="there already"):
        registry.gauge("fairlead_total", "All.")


def test_logs_are_json_lines_off_a_terminal() -> None:
    stream = io.StringIO()
    try:
        log.configure("info", stream=stream)
        logger = structlog.get_logger("test")
        logger.debug("hidden")
        logger.info("bound namespace", workspace="root:a", key=("a", 1))
        line = orjson.loads(stream.getvalue())
    finally:
        structlog.reset_defaults()
    assert line["event"] == "bound namespace"
    assert (line["level"], line["workspace"]) == ("info", "root:a")
    assert line["time"].endswith("Z")
    with pytest.raises(ValueError, match="'loud' is none of"):
        log.configure("loud")
