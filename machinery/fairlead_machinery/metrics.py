"""
Counters, gauges and histograms, written as Prometheus text.

Small on purpose: an increment is one dictionary operation. Labels must never hold what users choose (names of
workspaces, namespaces, objects), so that the number of series stays bounded.

Source: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import TypeVar

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_SERIES = 5_000

Labels = tuple[str, ...]
_M = TypeVar("_M", bound="Metric")


class TooManySeries(Exception):
    """A label holds what it should not: the metric has grown beyond its bound."""


class Metric:
    """What all metrics have: a name, a sentence of help, and the names of their labels."""

    kind = "untyped"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.text = text
        self.labels = tuple(labels)

    def lines(self) -> Iterator[str]:
        """Write the metric's samples."""
        raise NotImplementedError

    def series(self, values: Labels, *, suffix: str = "", extra: str = "") -> str:
        """Write the name of one series."""
        pairs = [f'{label}="{_escaped(value)}"' for label, value in zip(self.labels, values, strict=True)]
        if extra:
            pairs.append(extra)
        return f"{self.name}{suffix}{{{','.join(pairs)}}}" if pairs else f"{self.name}{suffix}"


class Counter(Metric):
    """A number that only grows; its name ends in ``_total``. ``read`` gives it when it is asked for."""

    kind = "counter"

    def __init__(
        self, name: str, text: str, labels: Sequence[str] = (), *, read: Callable[[], float] | None = None
    ) -> None:
        super().__init__(name, text, labels)
        self._read = read
        self._values: dict[Labels, float] = {}

    def inc(self, *labels: str, by: float = 1) -> None:
        """Add to one series."""
        try:
            self._values[labels] += by
        except KeyError:
            _bounded(self.name, len(self._values))
            self._values[labels] = by

    def value(self, *labels: str) -> float:
        """Return one series' number."""
        return self._values.get(labels, 0)

    def lines(self) -> Iterator[str]:
        """Write the samples; one without labels is written from the start."""
        if self._read is not None:
            self._values[()] = self._read()
        values = self._values or ({(): 0.0} if not self.labels else {})
        for labels, value in tuple(values.items()):
            yield f"{self.series(labels)} {value:.17g}"


class Gauge(Counter):
    """A number that goes up and down."""

    kind = "gauge"

    def set(self, value: float, *labels: str) -> None:
        """Set one series."""
        if labels not in self._values:
            _bounded(self.name, len(self._values))
        self._values[labels] = value


class Histogram(Metric):
    """How values are spread; buckets are upper bounds, ascending."""

    kind = "histogram"

    def __init__(
        self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = LATENCY_BUCKETS_S
    ) -> None:
        super().__init__(name, text, labels)
        self._buckets = tuple(buckets)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Count a value."""
        counts = self._counts.get(labels)
        if counts is None:
            _bounded(self.name, len(self._counts))
            counts = self._counts[labels] = [0] * (len(self._buckets) + 1)
            self._sums[labels] = 0.0
        counts[bisect_left(self._buckets, value)] += 1
        self._sums[labels] += value

    def lines(self) -> Iterator[str]:
        """Write the samples."""
        for labels, counts in tuple(self._counts.items()):
            total = 0
            for bound, count in zip((*map(str, self._buckets), "+Inf"), tuple(counts), strict=True):
                total += count
                edge = f'le="{bound}"'
                yield f"{self.series(labels, suffix='_bucket', extra=edge)} {total}"
            yield f"{self.series(labels, suffix='_sum')} {self._sums[labels]:.17g}"
            yield f"{self.series(labels, suffix='_count')} {total}"


class Registry:
    """The metrics of one program."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}

    def __iter__(self) -> Iterator[Metric]:
        return iter(tuple(self._metrics.values()))

    def counter(
        self, name: str, text: str, labels: Sequence[str] = (), *, read: Callable[[], float] | None = None
    ) -> Counter:
        """Add a counter; ``read`` gives the number of one without labels."""
        return self._add(Counter(name, text, labels, read=read))

    def gauge(
        self, name: str, text: str, labels: Sequence[str] = (), *, read: Callable[[], float] | None = None
    ) -> Gauge:
        """Add a gauge; ``read`` gives the number of one without labels."""
        return self._add(Gauge(name, text, labels, read=read))

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = LATENCY_BUCKETS_S
    ) -> Histogram:
        """Add a histogram."""
        return self._add(Histogram(name, text, labels, buckets=buckets))

    def _add(self, metric: _M) -> _M:
        if metric.name in self._metrics:
            raise ValueError(f"the metric {metric.name} is there already")
        self._metrics[metric.name] = metric
        return metric

    def render(self) -> str:
        """Write everything as Prometheus text."""
        return "".join(self.pieces())

    def pieces(self, size: int = 200) -> Iterator[str]:
        """Write everything in pieces of so many lines; numbers and series may change between them."""
        lines = chain.from_iterable(map(_described, self))
        while piece := list(islice(lines, size)):
            yield "\n".join([*piece, ""])


def _described(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.text}"
    yield f"# TYPE {metric.name} {metric.kind}"
    yield from metric.lines()


def _bounded(name: str, size: int) -> None:
    if size >= MAX_SERIES:
        raise TooManySeries(f"{name} has {size} series")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
