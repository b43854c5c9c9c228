"""
All metrics of the server, and ``/metrics``.

No label holds what users choose: a resource is named when it is Kubernetes' or ours, else it is ``other``, so that the
number of series is bounded whatever anybody asks for. What can be read at a scrape is not counted before.

``docs/reference/metrics.md`` lists them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from fairlead_api.errors import NoSuchPath
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import StoreError
from fairlead_control_plane.store.sizing import Size
from fairlead_machinery.metrics import CONTENT_TYPE, Gauge, Registry
from fairlead_machinery.web import Request, Response

OTHER = "other"
_SIZE_S = 2.0
_MOST = 2000
"""Combinations of verb, resource and code that are told apart; what comes after counts as :data:`OTHER`."""
VERBS = frozenset(
    {
        "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection",
        "head", "post", "put", "options",
    }
)  # fmt: skip

Read = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Readings:
    """
    What is asked for at each scrape, on the event loop: must be quick. None: this server has no such thing.

    ``resident_bytes`` asks the system, and is called in a thread; ``store_size`` asks the store.
    """

    requests_in_flight: Read
    watches: Read
    connections: Read
    revision: Read
    queue_ready: Read
    queue_pending: Read
    controller_failures: Read
    start_time_s: Read
    resident_bytes: Read | None = None
    heartbeats: Read | None = None
    synctargets: Read | None = None
    synctargets_ready: Read | None = None
    synctargets_inconsistent: Read | None = None
    store_size: Callable[[], Awaitable[Size]] | None = None


class _StoreSize:
    """How much room the store takes and has; 0 for what it has no word for."""

    def __init__(self, registry: Registry, ask: Callable[[], Awaitable[Size]]) -> None:
        self._ask = ask
        texts = {
            "fairlead_store_size_bytes": "[ALPHA] What the store takes on its disk, history and free pages included.",
            "fairlead_store_quota_bytes": "[ALPHA] At which size etcd takes no more writes; 0 for SQLite.",
            "fairlead_store_disk_bytes": "[ALPHA] Size of the file system SQLite is on; 0 for etcd.",
            "fairlead_store_disk_free_bytes": "[ALPHA] What is free on the file system SQLite is on; 0 for etcd.",
        }
        self._gauges = [registry.gauge(name, text) for name, text in texts.items()]

    async def read(self) -> None:
        """Ask; a store that does not say now is not waited for, and keeps its last word."""
        with suppress(StoreError, OSError, TimeoutError):
            async with asyncio.timeout(_SIZE_S):
                size = await self._ask()
            for gauge, value in zip(self._gauges, (size.used, size.quota, size.disk, size.free), strict=True):
                gauge.set(value)


class ServerMetrics:
    """
    The metrics of one server.

    Args:
        known: The resources that are called by their names.
    """

    def __init__(self, known: Iterable[Resource]) -> None:
        self.registry = registry = Registry()
        self._names = {(resource.group, resource.plural): resource.name for resource in known}
        self._resident: tuple[Gauge, Read] | None = None
        self._store: _StoreSize | None = None
        self._bound: dict[tuple[str, str, str, int], tuple[str, str, str]] = {}
        self._requests = registry.counter(
            "fairlead_requests_total",
            "[ALPHA] Requests answered; watches count when they begin.",
            ("verb", "resource", "code"),
        )
        self._seconds = registry.histogram(
            "fairlead_request_duration_seconds",
            "[ALPHA] Time from a request's head to its answer, watches aside.",
            ("verb", "resource"),
        )

    def observe(self, method: str, info: RequestInfo | None, response: Response, seconds: float) -> None:
        """Count a request; on the path of every one."""
        if info is None:  # health, agents, or refused before it was read
            key = (method.lower(), "", "", response.code)
        else:
            key = (info.verb, info.group, info.resource, response.code)
        labels = self._bound.get(key)
        if labels is None:
            labels = self._bind(key)
        self._requests.inc(*labels)
        if response.stream is None:
            self._seconds.observe(seconds, labels[0], labels[1])

    def _bind(self, key: tuple[str, str, str, int]) -> tuple[str, str, str]:
        """Return the labels of a request; only what is bounded is remembered."""
        verb, group, plural, code = key
        name = self._names.get((group, plural), OTHER) if plural else ""
        if verb not in VERBS:
            return OTHER, "", str(code)
        if name == OTHER or len(self._bound) >= _MOST:
            return verb, OTHER, str(code)
        labels = self._bound[key] = verb, name, str(code)
        return labels

    def read(self, readings: Readings) -> None:
        """Add what is read at each scrape."""
        first = int(readings.revision())

        def commits() -> float:
            return readings.revision() - first

        gauge, counter = self.registry.gauge, self.registry.counter
        gauge(
            "fairlead_requests_in_flight",
            "[ALPHA] Requests being answered now, this scrape included, watches aside.",
            read=readings.requests_in_flight,
        )
        gauge("fairlead_watches", "[ALPHA] Open watches, those of agents included.", read=readings.watches)
        gauge("fairlead_connections", "[ALPHA] Open connections of clients.", read=readings.connections)
        if readings.store_size is not None:
            self._store = _StoreSize(self.registry, readings.store_size)
        gauge("fairlead_store_revision", "[ALPHA] Newest revision of the store seen here.", read=readings.revision)
        counter("fairlead_store_commits_total", "[ALPHA] Transactions that wrote, since the start.", read=commits)
        gauge(
            "fairlead_controllers_queue_length",
            "[ALPHA] Keys that wait for a worker of the controllers.",
            read=readings.queue_ready,
        )
        gauge(
            "fairlead_controllers_pending",
            "[ALPHA] Keys of the controllers that are not done: waiting, worked on, or due again later.",
            read=readings.queue_pending,
        )
        counter(
            "fairlead_controllers_failures_total",
            "[ALPHA] Defects met by controllers: their log lines name the object.",
            read=readings.controller_failures,
        )
        if readings.heartbeats is not None:
            counter("fairlead_heartbeats_total", "[ALPHA] Heartbeats received from agents.", read=readings.heartbeats)
        if readings.synctargets is not None:
            gauge("fairlead_synctargets", "[ALPHA] SyncTargets in all workspaces.", read=readings.synctargets)
        if readings.synctargets_ready is not None:
            gauge("fairlead_synctargets_ready", "[ALPHA] SyncTargets that are Ready.", read=readings.synctargets_ready)
        if readings.synctargets_inconsistent is not None:
            gauge(
                "fairlead_synctargets_inconsistent",
                "[ALPHA] SyncTargets in whose clusters objects bear their marks that nothing explains.",
                read=readings.synctargets_inconsistent,
            )
        if readings.resident_bytes is not None:
            resident = gauge("fairlead_process_resident_memory_bytes", "[ALPHA] Memory the server's process holds.")
            self._resident = resident, readings.resident_bytes
        gauge(
            "fairlead_process_start_time_seconds",
            "[ALPHA] When the server started, in seconds since 1970.",
            read=readings.start_time_s,
        )

    async def serve(self, info: RequestInfo, request: Request, user: User) -> Response:
        """Answer ``/metrics``, a little at a time, so that other requests are answered in between."""
        del request, user
        if info.path != "/metrics":
            raise NoSuchPath("the server could not find the requested resource")
        if self._resident is not None:
            resident, read = self._resident
            resident.set(await asyncio.to_thread(read))
        if self._store is not None:
            await self._store.read()
        pieces = []
        for piece in self.registry.pieces():
            pieces.append(piece)
            await asyncio.sleep(0)
        return Response(200, "".join(pieces).encode(), CONTENT_TYPE)
