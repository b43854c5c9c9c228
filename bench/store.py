"""
Rates of a store, for comparing changes: ``python -m bench.store [FOLDER]``; an fsync costs what FOLDER's disk takes.

One JSON line a figure: commits one after the other and by many writers at once, point reads, ranges, and how long the
event loop was held while a range of 50,000 rows was read beside work that keeps the loop busy.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from fairlead_control_plane.store.contract import Put, Store
from fairlead_control_plane.store.remote import RemoteStore
from fairlead_control_plane.store.serving import serve_store
from fairlead_control_plane.store.sqlite import SqliteStore

VALUE = b"x" * 1_000
ROWS = 50_000
ALL = ("/pods/", "/pods0")


def report(store: str, what: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(orjson.dumps({"store": store, "what": what, "value": round(value, 3), "unit": unit}).decode())


async def rate(work: Callable[[int], Awaitable[object]], count: int, writers: int = 1) -> float:
    """Return calls a second, made by ``writers`` tasks one call after the other."""

    async def run(writer: int) -> None:
        for i in range(count // writers):
            await work(writer * count + i)

    begin = time.perf_counter()
    await asyncio.gather(*(run(writer) for writer in range(writers)))
    return count / (time.perf_counter() - begin)


async def measure(name: str, store: Store) -> None:
    """Measure what all stores are asked for."""

    def commit(i: int) -> Awaitable[object]:
        return store.commit([Put(f"/pods/{i % ROWS:06}", VALUE)])

    report(name, "commits, one writer", await rate(commit, 500), "1/s")
    report(name, "commits, 64 writers", await rate(commit, 16_000, 64), "1/s")
    for begin in range(0, ROWS, 100):
        await store.commit([Put(f"/pods/{i:06}", VALUE) for i in range(begin, begin + 100)])
    report(name, "gets", await rate(lambda i: store.get(f"/pods/{i % ROWS:06}"), 10_000), "1/s")
    for limit in (100, 500, 1_000):
        await measure_ranges(name, store, limit)
    begin_s = time.perf_counter()
    await store.range(*ALL)
    report(name, f"range of {ROWS}, idle loop", time.perf_counter() - begin_s, "s")
    await measure_busy(name, store)


async def measure_ranges(name: str, store: Store, limit: int) -> None:
    """Measure ranges that end with their last row, and pages of all rows, which have the rest counted."""
    end = f"/pods/{limit:06}"
    report(name, f"ranges of {limit}", await rate(lambda _: store.range("/pods/", end), 100), "1/s")
    report(name, f"pages of {limit}", await rate(lambda _: store.range(*ALL, limit=limit), 100), "1/s")


async def measure_busy(name: str, store: Store) -> None:
    """Read everything beside pieces of work of 1 ms; report how long it took and how late a piece came at worst."""
    reading = asyncio.ensure_future(store.range(*ALL))
    begin, worst, before = time.perf_counter(), 0.0, time.perf_counter()
    while not reading.done():
        end = time.perf_counter() + 0.001
        while time.perf_counter() < end:
            pass
        await asyncio.sleep(0)
        now = time.perf_counter()
        worst, before = max(worst, now - before - 0.001), now
    report(name, f"range of {ROWS}, busy loop", time.perf_counter() - begin, "s")
    report(name, "event loop held meanwhile at most", worst * 1_000, "ms")


async def main(folder: Path) -> None:
    """Measure SQLite in memory, in a file, and through its socket."""
    memory = await SqliteStore.open(":memory:")
    await measure("memory", memory)
    await memory.close()
    store = await SqliteStore.open(folder / "store.db")
    await measure("file", store)
    async with serve_store(store, folder / "socket"):
        client = await RemoteStore.open(folder / "socket")
        await measure("socket, same process", client)
        await client.close()
    await store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        asyncio.run(main(Path(made)))
