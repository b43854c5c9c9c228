"""
What happened on several clusters, seen by a test that does other things meanwhile: the demo's history, in a thread.

Events of different clusters are in the order in which they arrived, which is theirs up to the time loopback takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from fairlead_cli.demo_history import History, follow
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.kubeconfig import load
from tests.support.clusters import Cluster

PODS = Gvr("", "v1", "pods")
_BEGIN_S, _END_S = 30.0, 10.0


@contextlib.contextmanager
def watch_pods(clusters: Sequence[Cluster], selector: str) -> Iterator[History]:
    """
    Watch the pods of some clusters that a label selector takes, for the length of a ``with`` block.

    The clock of the events is ``time.monotonic``. A watch that lost events fails the block at its end.
    """
    history, begun = History(), threading.Event()
    loop = asyncio.new_event_loop()

    async def watch(cluster: Cluster, started: asyncio.Event) -> None:
        async with Client(load([Path(cluster.kubeconfig)]).credentials("")) as client:
            await follow(history, client, cluster.name, PODS, started, selector=selector)

    async def watch_all() -> None:
        marks = [asyncio.Event() for _ in clusters]
        async with asyncio.TaskGroup() as group:
            for cluster, started in zip(clusters, marks, strict=True):
                group.create_task(watch(cluster, started))
            for started in marks:
                await started.wait()
            begun.set()

    work = loop.create_task(watch_all())
    thread = threading.Thread(target=_run, args=(loop, work), name="watch histories", daemon=True)
    thread.start()
    try:
        assert begun.wait(_BEGIN_S), "the watches did not begin"
        yield history
    finally:
        loop.call_soon_threadsafe(work.cancel)
        thread.join(_END_S)
        loop.close()
    if not work.cancelled() and (error := work.exception()) is not None:
        raise error


def _run(loop: asyncio.AbstractEventLoop, work: asyncio.Task[None]) -> None:
    with contextlib.suppress(asyncio.CancelledError, ExceptionGroup):
        loop.run_until_complete(work)
    loop.run_until_complete(loop.shutdown_default_executor())
