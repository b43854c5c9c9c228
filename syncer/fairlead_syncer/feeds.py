"""
What is watched: views above, our objects below; started and stopped as the set of resources changes.

An event only updates the state and asks for a key to be looked at; nothing is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from fairlead_machinery.cache import ObjectKey
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.reflector import Delta, Reflector
from fairlead_syncer.pods import Pods
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key
from fairlead_transforms.podtemplate import TARGET_LABEL

PODS = Gvr("", "v1", "pods")
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
        self, state: State, views: Client, cluster: Client, pods: Pods, enqueue: Callable[[Key], None]
    ) -> None:
        self._state = state
        self._views = views
        self._cluster = cluster
        self._pods = pods
        self._enqueue = enqueue
        self._query = {"labelSelector": f"{TARGET_LABEL}={state.target.key}"}
        self._pairs: dict[Gvr, _Pair] = {}
        self._own: list[asyncio.Task[None]] = []

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
        self._own.append(asyncio.create_task(reflector.run(), name="pods"))

    async def follow(self, gvrs: Iterable[Gvr]) -> None:
        """Watch exactly these resources beside what is watched already; those no longer named are dropped."""
        wanted = {*gvrs, NAMESPACES}
        for gvr in [gvr for gvr in self._pairs if gvr not in wanted]:
            await _cancel(self._pairs.pop(gvr).tasks)
            self._state.gvrs.pop((gvr.group, gvr.resource), None)
            _log.info("no longer synced", resource=str(gvr))
        for gvr in wanted - set(self._pairs):
            self._state.gvrs[gvr.group, gvr.resource] = gvr
            pair = _Pair(
                Reflector(self._views, gvr, self._above(gvr)),
                Reflector(self._cluster, gvr, self._below(gvr), query=self._query),
            )
            # What is ours below is known before views are acted on, lest everything be created again.
            pair.tasks = [
                asyncio.create_task(pair.below.run(), name=f"below {gvr}"),
                asyncio.create_task(self._after(pair.below, pair.above), name=f"above {gvr}"),
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
                self._state.views.pop(key, None)  # nothing follows from a view that is not there
                return
            self._state.views[key] = delta.object
            self._enqueue(key)

        return on_delta

    def _below(self, gvr: Gvr) -> Callable[[Delta], None]:
        known: dict[ObjectKey, Key] = {}

        def on_delta(delta: Delta) -> None:
            if delta.key is None:
                return
            if gvr == NAMESPACES:
                self._note_home(delta)
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
                    self._state.actual[found] = delta.object
                self._enqueue(found)

        return on_delta

    def _note_home(self, delta: Delta) -> None:
        assert delta.key is not None, "the caller has looked"
        if delta.kind == "deleted" or delta.object is None:
            self._state.homes.pop(delta.key.name, None)
            return
        home = self._state.home_of(delta.object)
        if home is not None:
            self._state.homes[delta.key.name] = home

    def _on_pod(self, delta: Delta) -> None:
        if delta.key is None:
            return
        if delta.kind == "deleted" or delta.object is None:
            self._pods.remove((delta.key.namespace, delta.key.name))
        else:
            self._pods.put(delta.object)


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    running = list(tasks)
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
