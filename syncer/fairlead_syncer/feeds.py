"""
What is watched: views above, our objects below; started and stopped as the set of resources changes.

An event only updates the state and asks for a key to be looked at; nothing is decided here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Container, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_machinery.cache import ObjectKey
from fairlead_machinery.client import Client, Event, Gvr
from fairlead_machinery.reflector import Delta, Reflector
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.pods import Pods
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key
from fairlead_transforms.podtemplate import TARGET_LABEL

PODS = Gvr("", "v1", "pods")
_WATCH_S = 60
RESYNC_S = 600.0
"""About how often all is listed again, for what a watch may have missed."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Pair:
    """The two reflectors of one resource and their tasks."""

    above: Reflector
    below: Reflector
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Feeds:
    """Runs reflectors; the caller owns the feed by :meth:`stop`."""

    def __init__(
        self,
        state: State,
        views: Client,
        cluster: Client,
        pods: Pods,
        enqueue: Callable[[Key], None],
        *,
        resync_s: float = RESYNC_S,
    ) -> None:
        """Take sources, sinks, and about how often everything is compared with a complete list."""
        self._state = state
        self._views = views
        self._cluster = cluster
        self._pods = pods
        self._enqueue = enqueue
        self._resync_s = resync_s
        self._query = {"labelSelector": f"{TARGET_LABEL}={state.target.key}"}
        self._pairs: dict[Gvr, _Pair] = {}
        self._own: list[asyncio.Task[None]] = []
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def failures(self) -> list[str]:
        """Return what cannot be read now, for the heartbeat."""
        found = []
        for gvr, pair in self._pairs.items():
            for side, reflector in (("workspace", pair.above), ("cluster", pair.below)):
                if reflector.last_error:
                    found.append(f"{gvr} in the {side}: {reflector.last_error}")
        return found

    async def start(self) -> None:
        """Watch our namespaces and Pods in the cluster, and views of namespaces above."""
        await self.follow([NAMESPACES])
        await self._pairs[NAMESPACES].below.synced.wait()  # homes first: without them nothing below can be matched
        reflector = Reflector(self._cluster, PODS, self._on_pod, query=self._query)
        self._own.append(self._task("pods", reflector.run()))
        self._own.append(self._task("resync", self._resync(reflector)))

    async def _resync(self, pods: Reflector) -> None:
        """List everything again now and then, one after the other and at no common moment of all agents."""
        while True:
            await asyncio.sleep(self._resync_s * (0.75 + random.random() / 2))
            pairs = [reflector for pair in self._pairs.values() for reflector in (pair.below, pair.above)]
            for reflector in (*pairs, pods):
                try:
                    await reflector.resync()
                except (ApiError, Unreachable) as error:
                    _log.warning("cannot compare with a complete list", error=str(error))

    async def run(self) -> None:
        """Watch until cancelled; raises what ended a reflector, which must not go unnoticed."""
        try:
            await self.start()
            await self._broken
        finally:
            await self.stop()

    def _task(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def follow(self, gvrs: Iterable[Gvr]) -> None:
        """Watch exactly these resources beside what is watched already; those no longer named are dropped."""
        wanted = {*gvrs, NAMESPACES}
        for gvr in [gvr for gvr in self._pairs if gvr not in wanted]:
            await _cancel(self._pairs.pop(gvr).tasks)
            self._state.forget_resource(gvr.group, gvr.resource)
            _log.info("no longer synced", resource=str(gvr))
        for gvr in wanted - set(self._pairs):
            self._state.gvrs[gvr.group, gvr.resource] = gvr
            pair = _Pair(
                Reflector(_Views(self._views), gvr, self._above(gvr)),
                Reflector(self._cluster, gvr, self._below(gvr), query=self._query),
            )
            # What is ours below is known before views are acted on, lest everything be created again.
            pair.tasks = [
                self._task(f"below {gvr}", pair.below.run()),
                self._task(f"above {gvr}", self._after(pair.below, pair.above)),
            ]
            self._pairs[gvr] = pair

    async def stop(self) -> None:
        """End all reflectors."""
        await _cancel([*self._own, *(task for pair in self._pairs.values() for task in pair.tasks)])

    @staticmethod
    async def _after(first: Reflector, then: Reflector) -> None:
        await first.synced.wait()
        await then.run()

    def _above(self, gvr: Gvr) -> Callable[[Delta], None]:
        def on_delta(delta: Delta) -> None:
            if delta.key is None:
                return
            key = Key(gvr.group, gvr.resource, delta.key.cluster, delta.key.namespace, delta.key.name)
            if delta.kind == "deleted" or delta.object is None:
                self._state.drop_view(key)  # nothing follows from a view that is not there
                return
            self._state.put_view(key, delta.object)
            self._enqueue(key)
            if gvr == NAMESPACES:
                # A namespace that comes, and one that goes, is news for all that is in it.
                for inside, _ in self._state.views_in(key.cluster, key.name):
                    self._enqueue(inside)

        return on_delta

    def _below(self, gvr: Gvr) -> Callable[[Delta], None]:
        known: dict[ObjectKey, Key] = {}

        def on_delta(delta: Delta) -> None:
            if delta.key is None:
                self._forget_unseen(gvr, set(known.values()))
                return
            if gvr == NAMESPACES:
                self._note_home(delta)
                self._look_inside(known.get(delta.key))
            if delta.kind == "deleted" or delta.object is None:
                key = known.pop(delta.key, None)
                if key is not None:
                    self._state.actual.pop(key, None)
                    self._enqueue(key)
                return
            found = self._state.actual_key(gvr, delta.object)
            if found is not None:
                known[delta.key] = found
                if gvr != NAMESPACES:
                    self._state.put_actual(found, delta.object)
                self._enqueue(found)

        return on_delta

    def _forget_unseen(self, gvr: Gvr, there: Container[Key]) -> None:
        """
        Forget what is not there by a complete list: what we made and no watch has shown before it went again.

        What was made since that list is forgotten too; it is met, and read, when it is made once more.
        """
        api = (gvr.group, gvr.resource)
        for key in [key for key in self._state.actual if key[:2] == api and key not in there]:
            del self._state.actual[key]
            self._enqueue(key)

    def _note_home(self, delta: Delta) -> None:
        assert delta.key is not None, "the caller has looked"
        if delta.kind == "deleted" or delta.object is None:
            self._pods.forget_home(delta.key.name)
            self._state.homes.pop(delta.key.name, None)
            return
        home = self._state.home_of(delta.object)
        if home is not None:
            self._state.homes[delta.key.name] = home

    def _look_inside(self, namespace: Key | None) -> None:
        """Look at all that must be in a downstream namespace again: it changed, or is there no more."""
        if namespace is not None:
            for key, _ in self._state.views_in(namespace.cluster, namespace.name):
                self._enqueue(key)

    def _on_pod(self, delta: Delta) -> None:
        if delta.key is None:
            self._pods.compare_with_shown()  # a complete list: what is shown and not in it has vanished
            return
        if delta.kind == "deleted" or delta.object is None:
            self._pods.remove((delta.key.namespace, delta.key.name))
        else:
            self._pods.put(delta.object)


@dataclass(frozen=True, slots=True)
class _Views:
    """The views as a source whose watches are short: a connection that died without a word is noticed soon."""

    client: Client

    async def list(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None
    ) -> tuple[list[JsonObject], str]:
        """List completely."""
        return await self.client.list(gvr, namespace=namespace, query=query)

    def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        """Watch for a minute."""
        return self.client.watch(
            gvr, namespace=namespace, resource_version=resource_version, query=query, timeout_s=_WATCH_S
        )


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    running = list(tasks)
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
