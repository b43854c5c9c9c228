"""
What is measured. A row prepares a subject once, then measures it once a round.

Every number is what one client process with 32 connections sees on loopback. The aims are those of the design,
section 7.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import orjson

from bench.client import ADDED, BadAnswer, Connection, Target, Watcher, ask, connect, hammer, watch
from bench.compute import make_workspace
from bench.subjects import Running, memory_mib
from fairlead_api import JsonObject

ROUND_S = 3.0
WARM_UP_S = 0.7
LISTED = 1000
APPLIED = 200
WATCHERS = 100
FAN_OUT_BURSTS = 8
FAN_OUT_WRITES = 50
LATENCY_WRITES = 200
SETTLE_S = 3.0
"""Seconds a fresh server is left alone before its memory is read."""
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
ALL_DEPLOYMENTS = "/apis/apps/v1/deployments"
SYNC_S = 60.0
"""Longest time one measurement of syncing may take."""
SYNC_WRITES = 60
SYNC_BUSY = 600
HELD = 1000
"""Objects an agent holds when its memory is read."""
APPLY = "application/apply-patch+yaml"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of the report.

    Attributes:
        measure: One round; returns one value for each of ``names``.
        names: Of the values; the first is the row's own.
        units: Of the values.
        higher_is_better: For each value.
        aims: Ratio aimed at, for each value; None where only a limit is.
        limits: Value aimed at, for each value.
        prepare: Done once for each subject before the first round.
        is_fresh: Whether each round wants a server that was just started.
        rounds: How many, for each subject.
    """

    measure: Callable[[Running], Awaitable[list[float]]]
    names: tuple[str, ...]
    units: tuple[str, ...]
    higher_is_better: tuple[bool, ...]
    aims: tuple[float | None, ...]
    limits: tuple[float | None, ...] = (None, None)
    prepare: Callable[[Running], Awaitable[None]] | None = None
    is_fresh: bool = False
    rounds: int = 5
    is_joined: bool = False
    """Whether the reference is a cluster that our server's content is synced into."""
    has_reference: bool = True
    """Whether there is anything to measure of the reference."""


def config_maps(namespace: str, name: str = "", query: str = "") -> str:
    """Return the path of a namespace's ConfigMaps, or of one."""
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "") + query


def config_map(name: str) -> bytes:
    """Return a ConfigMap of about a kilobyte."""
    data = {f"key-{number}": "v" * 90 for number in range(8)}
    metadata = {"name": name, "labels": {"app": "bench"}}
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def deployment(name: str, change: int) -> bytes:
    """Return a Deployment of about 1.6 KB as users write them; ``change`` alters its template."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3}
    container: JsonObject = {
        "name": "web",
        "image": "registry.example/web:1.27",
        "args": ["--listen=:8080", "--log-format=json"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{number}", "value": "some value of some length"} for number in range(8)]
        + [{"name": "CHANGE", "value": str(change)}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": probe,
        "livenessProbe": probe,
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/web", "readOnly": True}],
    }
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": [{"name": "settings", "configMap": {"name": "settings"}}]},
    }
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return orjson.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


async def _make_namespace(running: Running, name: str, filled_with: int = 0) -> None:
    target = running.target
    body = orjson.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    connections = await connect(target)
    await ask(connections[0], target.request("POST", "/api/v1/namespaces", body), (201,))
    names = iter(range(filled_with))

    async def fill(worker: int) -> None:
        for number in names:
            request = target.request("POST", config_maps(name), config_map(f"item-{number}"))
            await ask(connections[worker], request, (201,))

    async with asyncio.TaskGroup() as group:
        for worker in range(len(connections)):
            group.create_task(fill(worker))
    for connection in connections:
        connection.close()


async def _rate(running: Running, make_request: Callable[[int], bytes], expected: tuple[int, ...]) -> list[float]:
    connections = await connect(running.target)
    try:
        await hammer(connections, make_request, expected, WARM_UP_S)
        # Numbers must not repeat those of the warm-up.
        return [await hammer(connections, lambda number: make_request(number + 10_000_000), expected, ROUND_S)]
    finally:
        for connection in connections:
            connection.close()


async def prepare_reads(running: Running) -> None:
    """Fill the namespace that is read, and check that both kinds of read give what they should."""
    await _make_namespace(running, "reads", LISTED)
    (connection,) = await connect(running.target, 1)
    one = orjson.loads(
        await ask(connection, running.target.request("GET", config_maps("reads", "item-7")), (200,), keep=True)
    )
    every = orjson.loads(await ask(connection, running.target.request("GET", config_maps("reads")), (200,), keep=True))
    connection.close()
    if one["data"] != orjson.loads(config_map(""))["data"] or len(every["items"]) < LISTED:
        raise BadAnswer(f"{running.name} does not give back what was created")


async def get(running: Running) -> list[float]:
    """Read one ConfigMap after the other."""
    requests = [running.target.request("GET", config_maps("reads", f"item-{number}")) for number in range(LISTED)]
    return await _rate(running, lambda number: requests[number % LISTED], (200,))


async def list_thousand(running: Running) -> list[float]:
    """List 1,000 ConfigMaps."""
    request = running.target.request("GET", config_maps("reads"))
    return await _rate(running, lambda _: request, (200,))


async def create(running: Running) -> list[float]:
    """Create ConfigMaps in a namespace of this round's own."""
    namespace = f"writes-{next(_numbers)}"
    await _make_namespace(running, namespace)
    path = config_maps(namespace)
    return await _rate(
        running, lambda number: running.target.request("POST", path, config_map(f"item-{number}")), (201,)
    )


async def prepare_compute(running: Running) -> None:
    """Make what serves Deployments."""
    await make_workspace(running)


async def apply(running: Running) -> list[float]:
    """Apply Deployments server-side: 200 names, each time with another template, all by one manager."""
    running = replace(running, target=await make_workspace(running))
    offset = next(_numbers) * 100_000_000

    def request(number: int) -> bytes:
        return _applying(running.target, f"web-{number % APPLIED}", offset + number)

    return await _rate(running, request, (200, 201))


def _applying(target: Target, name: str, change: int) -> bytes:
    return target.request("PATCH", f"{DEPLOYMENTS}/{name}?fieldManager=bench", deployment(name, change), APPLY)


async def watch_events(running: Running) -> list[float]:
    """Deliver one namespace's events to many watchers at once; then, at rest, time one write to one watcher."""
    return [await _fan_out(running), await _latency(running)]


async def _watch_path(running: Running, path: str) -> str:
    """Return the watch of a collection from now on, so that what is there already does not count as an event."""
    (connection,) = await connect(running.target, 1)
    listed = orjson.loads(await ask(connection, running.target.request("GET", path), (200,), keep=True))
    connection.close()
    return f"{path}?watch=true&resourceVersion={listed['metadata']['resourceVersion']}"


async def _fan_out(running: Running) -> float:
    namespace = f"fan-out-{next(_numbers)}"
    await _make_namespace(running, namespace)
    target, path = running.target, config_maps(namespace)
    watchers = await watch(target, await _watch_path(running, path), WATCHERS)
    connections = await connect(target, 8)
    started = time.perf_counter()
    for burst in range(FAN_OUT_BURSTS):
        # Both servers cut watchers that lag too far, so the next burst waits until all have seen this one.
        reached = [watcher.reach(watcher.count + FAN_OUT_WRITES) for watcher in watchers]
        names = iter([f"item-{burst}-{number}" for number in range(FAN_OUT_WRITES)])

        async def write(worker: int, names: Iterator[str] = names) -> None:
            for name in names:
                await ask(connections[worker], target.request("POST", path, config_map(name)), (201,))

        async with asyncio.TaskGroup() as group:
            for worker in range(len(connections)):
                group.create_task(write(worker))
        finished = max(await asyncio.gather(*reached))
    for watcher in watchers:
        watcher.close()
    for connection in connections:
        connection.close()
    return WATCHERS * FAN_OUT_WRITES * FAN_OUT_BURSTS / (finished - started)


async def _latency(running: Running) -> float:
    namespace = f"latency-{next(_numbers)}"
    await _make_namespace(running, namespace)
    target, path = running.target, config_maps(namespace)
    (watcher,) = await watch(target, await _watch_path(running, path), 1)
    (connection,) = await connect(target, 1)
    taken_ms: list[float] = []
    for number in range(LATENCY_WRITES):
        request = target.request("POST", path, config_map(f"item-{number}"))
        arrived = watcher.reach(watcher.count + 1)
        started = time.perf_counter()
        await ask(connection, request, (201,))
        taken_ms.append((await arrived - started) * 1000)
    watcher.close()
    connection.close()
    return statistics.median(taken_ms)


async def sync(running: Running) -> list[float]:
    """
    Apply new Deployments and see each appear in the cluster; of the reference, which is that cluster, directly.

    First one after the other with nothing else to do, then as many as are taken in.
    """
    number = next(_numbers)
    cluster = running.downstream or running.target
    path = await _watch_path(
        running if running.downstream is None else replace(running, target=cluster), ALL_DEPLOYMENTS
    )
    (watcher,) = await watch(cluster, path, 1, ADDED)
    connections = await connect(running.target)
    try:
        async with asyncio.timeout(SYNC_S):
            # The first one waits for the cluster to be joined and chosen.
            await _arrive(running, watcher, connections[0], f"first-{number}")
            taken = [
                1000 * await _arrive(running, watcher, connections[0], f"idle-{number}-{one}")
                for one in range(SYNC_WRITES)
            ]
            rate = await _arrive_busy(running, watcher, connections, f"busy-{number}")
    except TimeoutError as error:
        raise BadAnswer(f"only {watcher.count} Deployments arrived within {SYNC_S:g} s") from error
    finally:
        watcher.close()
        for connection in connections:
            connection.close()
    return [rate, statistics.median(taken), statistics.quantiles(taken, n=100)[98]]


async def _arrive(running: Running, watcher: Watcher, connection: Connection, name: str) -> float:
    """Apply a new Deployment and return the seconds until the cluster's watchers heard of it."""
    arrived = watcher.reach(watcher.count + 1)
    started = time.perf_counter()
    await ask(connection, _applying(running.target, name, 0), (200, 201))
    return await arrived - started


async def _arrive_busy(
    running: Running, watcher: Watcher, connections: list[Connection], name: str, count: int = SYNC_BUSY
) -> float:
    """Apply new Deployments as fast as they are taken; return how many a second arrived, to the last one."""
    arrived = watcher.reach(watcher.count + count)
    started = time.perf_counter()
    numbers = iter(range(count))

    async def write(connection: Connection) -> None:
        for number in numbers:
            await ask(connection, _applying(running.target, f"{name}-{number}", number), (200, 201))

    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(write(connection))
    return count / (await arrived - started)


async def syncer(running: Running) -> list[float]:
    """
    Read the agent's memory with a thousand objects, and see how long a new one takes while it looks at all anew.

    The time runs from the moment at which a restarted agent begins to read both sides.
    """
    agent, cluster = running.agent, running.downstream
    if agent is None or cluster is None:
        raise BadAnswer("no agent runs")
    number = next(_numbers)
    path = await _watch_path(replace(running, target=cluster), ALL_DEPLOYMENTS)
    (watcher,) = await watch(cluster, path, 1, ADDED)
    connections = await connect(running.target)
    try:
        async with asyncio.timeout(SYNC_S):
            await _arrive(running, watcher, connections[0], f"held-first-{number}")
            await _arrive_busy(running, watcher, connections, f"held-{number}", HELD)
            await asyncio.sleep(SETTLE_S)
            used_mib = memory_mib(agent.groups)
            await asyncio.to_thread(agent.restart)
            delayed_s = await _arrive(running, watcher, connections[0], f"new-{number}")
    except TimeoutError as error:
        raise BadAnswer(f"only {watcher.count} Deployments arrived within {SYNC_S:g} s") from error
    finally:
        watcher.close()
        for connection in connections:
            connection.close()
    return [used_mib, delayed_s]


async def start(running: Running) -> list[float]:
    """Take the time the server needed from nothing to ready."""
    return [running.start_s]


async def memory(running: Running) -> list[float]:
    """Read the memory of a server that has nothing in it and nothing to do."""
    await asyncio.sleep(SETTLE_S)
    return [running.memory_mib()]


_RATE = ("requests/s",)
ROWS: dict[str, Row] = {
    "get": Row(get, ("get",), _RATE, (True,), (5,), prepare=prepare_reads),
    "list": Row(list_thousand, ("list",), _RATE, (True,), (10,), prepare=prepare_reads),
    "create": Row(create, ("create",), _RATE, (True,), (3,)),
    "apply": Row(apply, ("apply",), _RATE, (True,), (2,), prepare=prepare_compute),
    "watch": Row(watch_events, ("watch", "watch-latency"), ("events/s", "ms p50"), (True, False), (5, 2), rounds=3),
    "sync": Row(
        sync,
        ("sync", "sync-latency", "sync-p99"),
        ("arrivals/s", "ms p50", "ms p99"),
        (True, False, False),
        (0.8, None, None),
        (None, 50, 250),
        is_joined=True,
        rounds=2,
    ),
    "syncer": Row(
        syncer,
        ("syncer", "syncer-resync"),
        ("MiB", "s"),
        (False, False),
        (None, None),
        (80, 2),
        is_joined=True,
        has_reference=False,
        rounds=1,
    ),
    "start": Row(start, ("start",), ("s",), (False,), (5,), (1.5,), is_fresh=True, rounds=3),
    "memory": Row(memory, ("memory",), ("MiB",), (False,), (None,), (100,), is_fresh=True, rounds=1),
}
