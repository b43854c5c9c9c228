"""
What an agent costs that syncs many namespaces: its connections, its memory, and how soon it is at work again.

``python -m bench.namespaces --count 200 --way narrow``; ways are ``narrow``, ``wide``, and ``narrow-http1``, which is
narrow against a cluster that speaks no HTTP/2. Each namespace has a ConfigMap, a Secret and a Deployment.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import uvloop

from bench.client import ADDED, Connection, Target, Watcher, ask, connect, watch
from bench.compute import joined
from bench.subjects import Ours, Reference, Running, fresh_folder, memory_mib
from fairlead_api import JsonObject
from tests.support import processes

WAYS = {"narrow": (), "wide": ("--wide",), "narrow-http1": ()}
LONGEST_S = 240.0
SETTLE_S = 8.0
_MADE = (201,)
_KINDS = {"configmaps": "/api/v1/configmaps", "deployments": "/apis/apps/v1/deployments"}


def _objects(namespace: str) -> list[tuple[str, JsonObject]]:
    base = f"/api/v1/namespaces/{namespace}"
    pod = {"metadata": {"labels": {"a": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    deployment = {"replicas": 1, "selector": {"matchLabels": {"a": "web"}}, "template": pod}
    return [
        (f"{base}/configmaps", {"metadata": {"name": "settings"}, "data": {"k": "v"}}),
        (f"{base}/secrets", {"metadata": {"name": "password"}, "stringData": {"k": "v"}}),
        (f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": "web"}, "spec": deployment}),
    ]


async def _post(connection: Connection, target: Target, path: str, body: JsonObject) -> None:
    await ask(connection, target.request("POST", path, orjson.dumps(body)), _MADE)


async def _fill(running: Running, count: int) -> None:
    """Make namespaces and what is in them, a few at a time."""
    numbers = iter(range(count))

    async def write(connection: Connection) -> None:
        for number in numbers:
            name = f"app-{number}"
            await _post(connection, running.target, "/api/v1/namespaces", {"metadata": {"name": name}})
            for path, body in _objects(name):
                await _post(connection, running.target, path, body)

    async with asyncio.TaskGroup() as group:
        for connection in await connect(running.target, 4):
            group.create_task(write(connection))


async def _watch_new(cluster: Target, path: str) -> Watcher:
    """Watch what is made in the cluster from now on."""
    (connection,) = await connect(cluster, 1)
    listed = orjson.loads(await ask(connection, cluster.request("GET", f"{path}?limit=1"), (200,), keep=True))
    connection.close()
    version = listed["metadata"]["resourceVersion"]
    (watcher,) = await watch(cluster, f"{path}?watch=true&resourceVersion={version}", 1, ADDED)
    return watcher


async def measure(running: Running, count: int) -> dict[str, float]:
    """Fill the workspace, and read what the agent costs once all has arrived; then restart it."""
    agent, cluster = running.agent, running.downstream
    assert agent is not None, "joined starts one"
    assert cluster is not None, "joined gives both ends"
    found: dict[str, float] = {}
    async with asyncio.timeout(LONGEST_S):
        watchers = [await _watch_new(cluster, path) for path in _KINDS.values()]
        arrived = [watcher.reach(watcher.count + count) for watcher in watchers]
        began_s = time.perf_counter()
        await _fill(running, count)
        await asyncio.gather(*arrived)
        found["first sync s"] = time.perf_counter() - began_s
        await asyncio.sleep(SETTLE_S)
        found |= _costs("", agent.groups)
        await asyncio.to_thread(agent.restart)
        restarted_s = time.perf_counter()
        new = watchers[0].reach(watchers[0].count + 1)
        (connection,) = await connect(running.target, 1)
        path, body = _objects("app-0")[0]
        await _post(connection, running.target, path, {**body, "metadata": {"name": "new"}})
        await new
        found["a new object after a restart s"] = time.perf_counter() - restarted_s
        await asyncio.sleep(SETTLE_S)
        return found | _costs(", restarted", agent.groups)


def _costs(when: str, groups: frozenset[int]) -> dict[str, float]:
    return {
        f"connections{when}": _sum(groups, _connections),
        f"PSS MiB{when}": memory_mib(groups),
        f"CPU s{when}": _sum(groups, _cpu_s),
    }


def _sum(groups: frozenset[int], read: Callable[[Path], float]) -> float:
    return sum(read(Path("/proc", str(pid))) for pid in groups)


def _connections(process: Path) -> float:
    total = 0
    for entry in (process / "fd").iterdir():
        with contextlib.suppress(OSError):
            total += os.readlink(entry).startswith("socket:")
    return total


def _cpu_s(process: Path) -> float:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=200, help="namespaces")
    parser.add_argument("--way", choices=sorted(WAYS), default="narrow")
    arguments = parser.parse_args()
    if arguments.way == "narrow-http1":
        os.environ["DISABLE_HTTP2"] = "true"
    try:
        with contextlib.ExitStack() as stack:
            cluster = stack.enter_context(Reference().run(fresh_folder("cluster")))
            ours = stack.enter_context(Ours().run(fresh_folder("ours")))
            options = WAYS[arguments.way]
            running = stack.enter_context(joined(ours, cluster, fresh_folder("agent"), *options))
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                found = runner.run(measure(running, arguments.count))
    finally:
        processes.discard_run_directory()
    shown = {name: round(value, 1) for name, value in found.items()}
    print(orjson.dumps({"namespaces": arguments.count, "way": arguments.way, **shown}).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
