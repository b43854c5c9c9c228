"""
The user who does ordinary work meanwhile, in a process of its own so that only the server can make it wait.

Work is due at fixed times whatever came of the last request, and waiting counts from when it was due: what cannot even
be sent because the server stands still is late all the same.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from dataclasses import dataclass

import orjson
import uvloop

from bench.attacks.ground import Ground
from bench.client import BadAnswer, Connection, Target, connect

RATE = 100
"""Requests a second: of ten, seven get, two create, one lists."""
LISTED = 20
_CONNECTIONS = 12
_PATIENCE_S = 60.0
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Place:
    """A ground as it can be sent to another process."""

    host: str
    port: int
    token: str
    prefix: str
    namespace: str
    authorities: bytes

    @classmethod
    def of(cls, ground: Ground) -> Place:
        """Return a ground's place."""
        target = ground.target
        authorities = b"".join(target.tls.get_ca_certs(binary_form=True))
        return cls(target.host, target.port, target.token, target.prefix, ground.namespace, authorities)

    def target(self) -> Target:
        """Return what requests are sent to."""
        tls = ssl.create_default_context(cadata=self.authorities)
        return Target(self.host, self.port, self.token, tls, self.prefix)


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What the user noticed.

    Attributes:
        p50_ms, p99_ms, most_ms: How long answers took.
        failed: Requests not answered with success.
    """

    p50_ms: float
    p99_ms: float
    most_ms: float
    failed: int

    @classmethod
    def of(cls, waits_s: list[float], failed: int) -> Seen:
        """Sum up the waits of all answers."""
        ordered = sorted(waits_s) or [0.0]
        last = len(ordered) - 1
        return cls(ordered[last // 2] * 1e3, ordered[last * 99 // 100] * 1e3, ordered[-1] * 1e3, failed)


async def settle(ground: Ground) -> None:
    """Make what the user reads."""
    for number in range(LISTED):
        await ground.post(ground.path("configmaps", group=""), _config_map(f"read-{number}"))


def _config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "v" * 200}}


def observe(place: Place, duration_s: float) -> Seen:
    """Work for so many seconds; to be run in a process of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_observe(place, duration_s))


async def _observe(place: Place, duration_s: float) -> Seen:
    target = place.target()
    path = f"/api/v1/namespaces/{place.namespace}/configmaps"
    free: asyncio.Queue[Connection] = asyncio.Queue()
    opened = await connect(target, _CONNECTIONS)
    for connection in opened:
        free.put_nowait(connection)
    waits_s: list[float] = []
    failures: list[str] = []

    def request(number: int) -> bytes:
        if number % 10 in (3, 7):
            body = orjson.dumps(_config_map(f"made-{time.time_ns():x}-{next(_numbers)}"))
            return target.request("POST", path, body)
        return target.request("GET", path + ("?limit=20" if number % 10 == 9 else f"/read-{number % LISTED}"))

    async def work(number: int, due_s: float) -> None:
        connection = await free.get()
        try:
            status = await connection.send(request(number), keep=False)
            if status >= 300:
                failures.append(str(status))
        except BadAnswer as error:
            failures.append(str(error))
        finally:
            waits_s.append(time.perf_counter() - due_s)
            free.put_nowait(connection)

    began_s = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for number in range(int(duration_s * RATE)):
        due_s = began_s + number / RATE
        await asyncio.sleep(max(due_s - time.perf_counter(), 0))
        tasks.append(asyncio.create_task(work(number, due_s)))
    _, late = await asyncio.wait(tasks, timeout=_PATIENCE_S)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for connection in opened:
        connection.close()
    return Seen.of(waits_s, len(failures) + len(late))
