"""
Watches of our own objects namespace by namespace, for an agent that may read nowhere else.

Watches cost both sides memory, so there are no more than are of use: in a namespace that is there and ours, of the
kinds that something in it is of. All of a namespace end with it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_machinery.client import Client, Event, Gvr
from fairlead_machinery.reflector import Delta, Reflector
from fairlead_syncer.rights import Rights

LISTS_AT_ONCE = 16
"""After a start, or when the cluster was away, all begin anew."""
_WATCH_S, _SPREAD_S = 240, 120

Task = Callable[[str, Coroutine[Any, Any, None]], "asyncio.Task[None]"]
"""Starts a task that must not end by itself."""


class Watcher(Protocol):
    """Takes in what is seen of one kind; :meth:`end` when nothing more will be seen."""

    def __call__(self, delta: Delta) -> None:
        """Take in one change."""

    def end(self) -> None:
        """Forget all that was seen."""


@dataclass(frozen=True, slots=True)
class _Watch:
    reflector: Reflector
    task: asyncio.Task[None]
    on_delta: Watcher


class Inside:
    """
    The watches of an agent.

    Args:
        cluster: Where; its connections must not be bounded below the number of watches, which need one each where the
            cluster speaks no HTTP/2.
        rights: Held in a namespace before it is read.
        query: With every list and watch.
        start: Starts a watch's task; see :data:`Task`.
    """

    def __init__(self, cluster: Client, rights: Rights, query: Mapping[str, str], start: Task) -> None:
        self._cluster = cluster
        self._rights = rights
        self._query = dict(query)
        self._start = start
        self._slots = asyncio.Semaphore(LISTS_AT_ONCE)
        self._watches: dict[tuple[str, Gvr], _Watch] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._watches)

    def add(self, namespace: str, gvr: Gvr, make: Callable[[], Watcher]) -> None:
        """Watch a kind in a namespace, unless it is watched already."""
        if (namespace, gvr) in self._watches:
            return
        source = _Source(self._cluster, self._rights, self._slots)
        on_delta = make()
        reflector = Reflector(source, gvr, on_delta, namespace=namespace, query=self._query)
        task = self._start(f"{gvr} in {namespace}", reflector.run())
        self._watches[namespace, gvr] = _Watch(reflector, task, on_delta)

    def __contains__(self, what: tuple[str, Gvr]) -> bool:
        """Tell whether a kind is watched in a namespace."""
        return what in self._watches

    async def holds_any(self, namespace: str, gvr: Gvr) -> bool:
        """
        Tell whether there is anything with our marks of a kind in a namespace.

        Raises:
            ApiError, Unreachable: It cannot be told now.
        """
        found, _ = await _Source(self._cluster, self._rights, self._slots).list(
            gvr, namespace=namespace, query=self._query
        )
        return bool(found)

    def is_unread(self, namespace: str, gvr: Gvr) -> bool:
        """Tell whether a kind is watched there and what there is has not been seen yet."""
        watch = self._watches.get((namespace, gvr))
        return watch is not None and not watch.reflector.synced.is_set()

    def end(self, *, namespace: str = "", gvr: Gvr | None = None) -> list[asyncio.Task[None]]:
        """End the watches of a namespace, of a kind, or all; return their tasks, which are about to end."""
        ended = []
        for key in [key for key in self._watches if namespace in {"", key[0]} and gvr in {None, key[1]}]:
            watch = self._watches.pop(key)
            watch.task.cancel()
            watch.on_delta.end()
            ended.append(watch.task)
        return ended

    def reflectors(self) -> list[Reflector]:
        """Return what reads now."""
        return [watch.reflector for watch in self._watches.values()]

    def failures(self) -> Iterator[str]:
        """Yield what cannot be read now."""
        for (namespace, gvr), watch in self._watches.items():
            if watch.reflector.last_error:
                yield f"{gvr} in {namespace} in the cluster: {watch.reflector.last_error}"


@dataclass(frozen=True, slots=True)
class _Source:
    """One namespace of the cluster, read with the rights that we have there."""

    client: Client
    rights: Rights
    slots: asyncio.Semaphore

    async def list(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None
    ) -> tuple[list[JsonObject], str]:
        """List completely, a few at a time; what is refused is asked with rights looked at anew the next time."""
        async with self.slots:
            await self.rights.hold(namespace)
            try:
                return await self.client.list(gvr, namespace=namespace, query=query)
            except Forbidden:
                self.rights.forget(namespace)
                raise

    async def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        """Watch for some minutes, not all for the same time: they would all begin anew at once."""
        timeout_s = _WATCH_S + random.randrange(_SPREAD_S)
        stream = self.client.watch(
            gvr, namespace=namespace, resource_version=resource_version, query=query, timeout_s=timeout_s
        )
        try:
            async for event in stream:
                yield event
                del event  # the next may be hours away
        except Forbidden:
            self.rights.forget(namespace)
            raise
        finally:
            await stream.aclose()
