"""
Runs controllers on one change feed, with a cursor in the store so that a restart loses nothing.

A controller turns events into keys and reconciles a key by reading what it needs; only keys are kept in memory. Where
to go on is kept by :mod:`~fairlead_control_plane.controllers.cursor`. With no events there are no writes.

What a controller raises ends neither it nor the others. A key is tried again, later and later. An event it cannot read
makes it list what there is, once a minute at most, as that is all that is known to be affected.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

import structlog

from fairlead_api.errors import ApiError
from fairlead_control_plane.controllers.cursor import Cursor, position
from fairlead_control_plane.controllers.queue import NO_EVENT, Queue
from fairlead_control_plane.store.contract import Compacted, Event, Store, StoreError
from fairlead_control_plane.watch.hub import Hub

_log = structlog.get_logger()
_META = "/meta/"
_PAUSE_S = 1.0
_LIST_S = 60.0
"""Least time between an event that a controller cannot read and its next listing."""
_LISTING: tuple[str, ...] = ()
"""Stands in the queue for a listing of a controller's keys."""

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
        self._cursor = Cursor(store, name)
        self._workers = workers
        self._cursor_s = cursor_s
        self._queue: Queue[tuple[str, Key]] = Queue()
        self._seen = 0
        self._saved = 0
        self.failures = 0
        """How often a controller has raised; defects, not what the store or an admission refuses."""

    @property
    def queue_ready(self) -> int:
        """Count the keys that wait for a worker."""
        return self._queue.ready

    @property
    def queue_pending(self) -> int:
        """Count all keys that are not done: waiting, being worked on, or to be looked at again later."""
        return len(self._queue)

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
                    self._seen = await self._store.current_revision()
                    self._list(self._controllers)
                async for events in self._hub.events("/", after=self._seen):
                    self._enqueue(events)
            except Compacted:
                self._seen = 0
            except StoreError as error:
                _log.warning("the change feed was interrupted", error=str(error))
                await asyncio.sleep(_PAUSE_S)

    async def _load_cursor(self) -> None:
        while True:
            try:
                found = await self._cursor.load()
                break
            except StoreError as error:
                _log.warning("the controllers' cursor could not be read", error=str(error))
                await asyncio.sleep(_PAUSE_S)
        self._seen = self._saved = found.revision
        if self._seen:
            self._list(self._controllers.keys() - found.controllers)
        for name, key in found.waiting:
            if name in self._controllers:
                self._queue.add((name, key), NO_EVENT)

    def _list(self, names: Iterable[str]) -> None:
        for name in names:
            self._queue.add((name, _LISTING), NO_EVENT)

    def _enqueue(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.key.startswith(_META):
                continue
            for controller in self._controllers.values():
                try:
                    for key in controller.keys(event):
                        self._queue.add((controller.name, key), event.revision)
                except Exception:  # noqa: BLE001 - one event that cannot be read must not end all controllers
                    self.failures += 1
                    _log.exception("a controller cannot read an event", controller=controller.name, key=event.key)
                    self._queue.add((controller.name, _LISTING), event.revision, pause_s=_LIST_S)
            self._seen = event.revision

    async def _work(self) -> None:
        while True:
            name, key = await self._queue.take()
            try:
                again_s = await self._reconcile(self._controllers[name], key)
            except asyncio.CancelledError:
                raise
            except (ApiError, StoreError) as error:
                delay_s = self._queue.failed((name, key))
                _log.info("will try again", controller=name, key=key, error=str(error), delay_s=delay_s)
            except Exception:  # noqa: BLE001 - the worker loop: logged, and tried again later
                self.failures += 1
                delay_s = self._queue.failed((name, key))
                _log.exception("a controller failed", controller=name, key=key, delay_s=delay_s)
            else:
                self._queue.done((name, key), again_s)

    async def _reconcile(self, controller: Controller, key: Key) -> float | None:
        if key != _LISTING:
            return await controller.reconcile(key)
        async for found in controller.all_keys():
            self._queue.add((controller.name, found), NO_EVENT)
        return None

    async def _keep_cursor(self) -> None:
        while True:
            await asyncio.sleep(self._cursor_s)
            if self._seen <= self._saved:
                continue
            reached = position(self._seen, self._controllers, self._queue.waiting())
            if reached.revision <= self._saved:
                continue
            try:
                await self._cursor.save(reached)
            except StoreError as error:
                _log.warning("the controllers' cursor could not be kept", error=str(error))
            else:
                self._saved = reached.revision
