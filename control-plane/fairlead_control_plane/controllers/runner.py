"""
Runs controllers on one change feed, with a cursor in the store so that a restart loses nothing.

A controller turns events into keys and reconciles a key by reading what it needs; only keys are kept in memory. The
cursor follows behind: it never passes an event whose keys are not done. With no events there are no writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

import structlog

from fairlead_api.errors import ApiError
from fairlead_control_plane.controllers.queue import Queue
from fairlead_control_plane.store.contract import Compacted, Event, Put, Store, StoreError
from fairlead_control_plane.watch.hub import Hub

_log = structlog.get_logger()
_CURSOR = "/meta/controllers/"
_META = "/meta/"
_PAUSE_S = 1.0

Key = tuple[str, ...]


class Controller(Protocol):
    """One concern. Reconciling a key must be repeatable; it happens in one worker at a time."""

    @property
    def name(self) -> str:
        """Return a name for logs, unique among the controllers of a runner."""

    def keys(self, event: Event) -> Iterable[Key]:
        """Return what an event gives reason to look at. Called for every event of the store: be quick."""

    def all_keys(self) -> AsyncIterator[Key]:
        """Yield everything there may be to do; used when there is no history to go on from."""

    async def reconcile(self, key: Key) -> float | None:
        """Do what is to be done; return the seconds after which to look again, None when not needed."""


class Runner:
    """
    The feed, the queue and the workers of several controllers.

    Args:
        name: Of the cursor's row.
        workers: How many keys are reconciled at once.
        cursor_s: Seconds between writes of the cursor, at least.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        controllers: Sequence[Controller],
        *,
        name: str = "main",
        workers: int = 4,
        cursor_s: float = 30.0,
    ) -> None:
        self._store = store
        self._hub = hub
        self._controllers = {controller.name: controller for controller in controllers}
        self._cursor_key = _CURSOR + name
        self._workers = workers
        self._cursor_s = cursor_s
        self._queue: Queue[tuple[str, Key]] = Queue()
        self._seen = 0
        self._saved = 0

    @property
    def queue_ready(self) -> int:
        """Count the keys that wait for a worker."""
        return self._queue.ready

    @property
    def queue_pending(self) -> int:
        """Count all keys that are not done: waiting, being worked on, or to be looked at again later."""
        return len(self._queue)

    @property
    def is_idle(self) -> bool:
        """True when nothing is queued and the feed has been read up to the newest revision."""
        return not len(self._queue)

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="controllers feed")
            group.create_task(self._keep_cursor(), name="controllers cursor")
            for number in range(self._workers):
                group.create_task(self._work(), name=f"controllers worker {number}")

    async def _follow(self) -> None:
        await self._load_cursor()
        while True:
            try:
                if not self._seen:
                    await self._enqueue_all()
                async for events in self._hub.events("/", after=self._seen):
                    self._enqueue(events)
            except Compacted:
                self._seen = 0
            except (ApiError, StoreError) as error:
                _log.warning("the change feed was interrupted", error=str(error))
                await asyncio.sleep(_PAUSE_S)

    async def _load_cursor(self) -> None:
        while True:
            try:
                row = await self._store.get(self._cursor_key)
                break
            except StoreError as error:
                _log.warning("the controllers' cursor could not be read", error=str(error))
                await asyncio.sleep(_PAUSE_S)
        # Another set of controllers than the cursor was kept for has to look at everything.
        names = ",".join(sorted(self._controllers))
        position, _, kept_for = row.value.decode().partition(" ") if row is not None else ("", "", "")
        self._seen = self._saved = int(position) if position and kept_for == names else 0

    async def _enqueue_all(self) -> None:
        revision = await self._store.current_revision()
        for controller in self._controllers.values():
            async for key in controller.all_keys():
                self._queue.add((controller.name, key), revision)
        self._seen = revision

    def _enqueue(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.key.startswith(_META):
                continue
            for controller in self._controllers.values():
                for key in controller.keys(event):
                    self._queue.add((controller.name, key), event.revision)
            self._seen = event.revision

    async def _work(self) -> None:
        while True:
            name, key = await self._queue.take()
            try:
                again_s = await self._controllers[name].reconcile(key)
            except asyncio.CancelledError:
                raise
            except (ApiError, StoreError) as error:
                delay_s = self._queue.failed((name, key))
                _log.info("will try again", controller=name, key=key, error=str(error), delay_s=delay_s)
            except Exception:  # noqa: BLE001 - the worker loop: logged, and tried again later
                delay_s = self._queue.failed((name, key))
                _log.exception("a controller failed", controller=name, key=key, delay_s=delay_s)
            else:
                self._queue.done((name, key), again_s)

    async def _keep_cursor(self) -> None:
        while True:
            await asyncio.sleep(self._cursor_s)
            oldest = self._queue.oldest
            position = self._seen if oldest is None else min(self._seen, oldest - 1)
            if position <= self._saved:
                continue
            names = ",".join(sorted(self._controllers))
            try:
                await self._store.commit([Put(self._cursor_key, f"{position} {names}".encode())])
            except StoreError as error:
                _log.warning("the controllers' cursor could not be kept", error=str(error))
            else:
                self._saved = position
