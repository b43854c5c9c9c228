"""
What is watched: views above, our objects below; started and stopped as the set of resources changes.

An event only updates the state and asks for a key to be looked at; nothing is decided here. Below, a kind is watched
in each namespace of ours where something is of it, or, in wide mode, once in the whole cluster.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Container, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_machinery.cache import ObjectKey
from fairlead_machinery.client import Client, Event, Gvr
from fairlead_machinery.component import TaskEnded
from fairlead_machinery.reflector import Delta, Reflector
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.inside import Inside
from fairlead_syncer.leftovers import Leftovers
from fairlead_syncer.pods import Pods
from fairlead_syncer.rights import Rights
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key
from fairlead_syncer.tokens import SECRETS
from fairlead_transforms import podtemplate
from fairlead_transforms.podtemplate import TARGET_LABEL

PODS = Gvr("", "v1", "pods")
_WATCH_S = 60
RESYNC_S = 600.0
"""About how often all is listed again, for what a watch may have missed."""
_SWEEP_EVERY = 6
"""After how many of these times kinds that are not watched in a namespace are looked for there."""
_GRACE_SHARE = 0.1
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Pair:
    """The reflectors of one resource and their tasks; below there is none where namespaces are watched one by one."""

    above: Reflector
    below: Reflector | None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Feeds:
    """
    Runs reflectors; the caller owns the feed by :meth:`stop`.

    Args:
        resync_s: About how often everything is compared with a complete list.
        rights: Held in each namespace before it is read; None for an agent that may read the whole cluster.
    """

    def __init__(  # noqa: PLR0913 - its surroundings
        self,
        state: State,
        views: Client,
        cluster: Client,
        pods: Pods,
        enqueue: Callable[[Key], None],
        *,
        rights: Rights | None = None,
        resync_s: float = RESYNC_S,
    ) -> None:
        self._state = state
        self._views = views
        self._cluster = cluster
        self._pods = pods
        self._enqueue = enqueue
        self._resync_s = resync_s
        self._query = {"labelSelector": f"{TARGET_LABEL}={state.target.key}"}
        self._inside = None if rights is None else Inside(cluster, rights, self._query, self._task)
        self._waiting: dict[tuple[str, Gvr], set[Key]] = {}
        self._pairs: dict[Gvr, _Pair] = {}
        self._uids: dict[str, str] = {}  # of our namespaces, by name
        self._leftovers = Leftovers(state, asyncio.get_running_loop().time, resync_s * _GRACE_SHARE)
        self._has_followed, self._has_swept = asyncio.Event(), self._inside is None
        self._pod_feed: Reflector | None = None
        self._own: list[asyncio.Task[None]] = []
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def failures(self) -> list[str]:
        """Return what cannot be read now, for the heartbeat."""
        found = []
        for gvr, pair in self._pairs.items():
            for side, reflector in (("workspace", pair.above), ("cluster", pair.below)):
                if reflector is not None and reflector.last_error:
                    found.append(f"{gvr} in the {side}: {reflector.last_error}")
        return [*found, *(self._inside.failures() if self._inside is not None else ())]

    async def start(self) -> None:
        """Watch our namespaces and Pods in the cluster, and views of namespaces above."""
        await self.follow([NAMESPACES])
        namespaces = self._pairs[NAMESPACES].below
        assert namespaces is not None, "they are watched in the whole cluster, always"
        await namespaces.synced.wait()  # homes first: without them nothing below can be matched
        if self._inside is None:
            self._pod_feed = Reflector(self._cluster, PODS, _PodWatcher(self._pods), query=self._query)
            self._own.append(self._task("pods", self._pod_feed.run()))
        else:
            self._own.append(self._task("sweep", self._sweep(self._inside)))
        self._own.append(self._task("resync", self._resync()))

    async def _resync(self) -> None:
        """List everything again now and then, one after the other and at no common moment of all agents."""
        while True:
            await asyncio.sleep(self._resync_s * (0.75 + random.random() / 2))
            for reflector in self._reflectors():
                try:
                    await reflector.resync()
                except (ApiError, Unreachable) as error:
                    _log.warning("cannot compare with a complete list", error=str(error))
            self.look_again()

    def look_again(self) -> None:
        """Look at what no event tells of: what holds tenants in our namespaces, and what was refused and still is."""
        for cluster, namespace in list(self._state.homes.values()):
            self._enqueue(Key("", "namespaces", cluster, "", namespace))
        for key in sorted(self._state.refused):
            self._enqueue(key)

    async def _sweep(self, inside: Inside) -> None:
        """Watch, now and then, also what bears our marks in our namespaces though nothing of its kind must be there."""
        await self._has_followed.wait()
        while True:
            for namespace in list(self._state.homes):
                for gvr in [gvr for gvr in self._pairs if gvr != NAMESPACES and (namespace, gvr) not in inside]:
                    try:
                        is_there = await inside.holds_any(namespace, gvr)
                    except (ApiError, Unreachable) as error:
                        _log.info("cannot look for leftovers", namespace=namespace, kind=str(gvr), error=str(error))
                        continue
                    if is_there and namespace in self._state.homes and gvr in self._pairs:
                        inside.add(namespace, gvr, partial(_Watcher, self, gvr, namespace))
            self._has_swept = True
            await asyncio.sleep(self._resync_s * _SWEEP_EVERY * (0.75 + random.random() / 2))

    def leftovers(self) -> JsonObject | None:
        """Return what bears our marks and no view explains; None before that can be told."""
        pairs = self._pairs.values()
        is_read = all(pair.above.synced.is_set() for pair in pairs) and all(
            pair.below.synced.is_set() for pair in pairs if pair.below is not None
        )
        return self._leftovers.summary() if self._has_followed.is_set() and self._has_swept and is_read else None

    def _reflectors(self) -> list[Reflector]:
        pairs = [reflector for pair in self._pairs.values() for reflector in (pair.below, pair.above)]
        inside = self._inside.reflectors() if self._inside is not None else []
        return [reflector for reflector in (*pairs, *inside, self._pod_feed) if reflector is not None]

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
        if task.cancelled() and not task.cancelling():
            error = TaskEnded(f"{task.get_name()} was cancelled from inside")  # nobody of ours ended it
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def follow(self, gvrs: Iterable[Gvr]) -> None:
        """Watch exactly these resources beside what is watched already; those no longer named are dropped."""
        wanted = {*gvrs, NAMESPACES}
        if len(wanted) > 1:
            self._has_followed.set()
        for gvr in [gvr for gvr in self._pairs if gvr not in wanted]:
            await _cancel(self._pairs.pop(gvr).tasks)
            if self._inside is not None:
                self._inside.end(gvr=gvr)
            self._state.forget_resource(gvr.group, gvr.resource)
            self._leftovers.drop(gvr)
            _log.info("no longer synced", resource=str(gvr))
        for gvr in wanted - set(self._pairs):
            self._state.gvrs[gvr.group, gvr.resource] = gvr
            above = Reflector(_Views(self._views), gvr, self._above(gvr))
            if self._inside is not None and gvr != NAMESPACES:
                self._pairs[gvr] = _Pair(above, None, [self._task(f"above {gvr}", above.run())])
                continue
            below = Reflector(self._cluster, gvr, _Watcher(self, gvr), query=self._query)
            # What is ours below is known before views are acted on, lest everything be created again.
            tasks = [self._task(f"below {gvr}", below.run()), self._task(f"above {gvr}", self._after(below, above))]
            self._pairs[gvr] = _Pair(above, below, tasks)

    def enter(self, namespace: str) -> None:
        """Watch what is of use in a downstream namespace that is there and ours."""
        home = self._state.homes.get(namespace)
        if self._inside is None or home is None:
            return
        self._inside.add(namespace, PODS, lambda: _PodWatcher(self._pods, namespace))
        for key, view in sorted(self._state.views_in(*home), key=itemgetter(0)):
            self._watch_kind(namespace, key, view)

    def _watch_kind(self, namespace: str, key: Key, view: JsonObject) -> None:
        """Watch the kind of a view where the object lies, and the Secrets that its pods are given."""
        assert self._inside is not None, "the caller has looked"
        needed = [self._state.gvrs.get((key.group, key.resource))]
        if podtemplate.service_account(key.group, key.resource, view) is not None:
            needed.append(self._state.gvrs.get(("", SECRETS.resource)))
        for gvr in needed:
            if gvr is not None:
                self._inside.add(namespace, gvr, partial(_Watcher, self, gvr, namespace))

    def _ask(self, key: Key) -> None:
        """
        Ask for a key to be looked at, as soon as what is there below has been seen.

        Only what there was before this agent is waited for: what is made from now on, it makes itself.
        """
        gvr = self._state.gvrs.get((key.group, key.resource))
        if gvr is not None and self._inside is not None and key.namespace:
            namespace = self._state.target.namespace(key.cluster, key.namespace)
            pair = self._pairs.get(gvr)
            is_starting = pair is None or not pair.above.synced.is_set()
            if is_starting and self._inside.is_unread(namespace, gvr):
                self._waiting.setdefault((namespace, gvr), set()).add(key)
                return
        self._enqueue(key)

    def ask_for_waiting(self, namespace: str, gvr: Gvr) -> None:
        """Ask for what waited for a namespace's objects to be seen."""
        for key in sorted(self._waiting.pop((namespace, gvr), ())):
            self._enqueue(key)

    async def stop(self) -> None:
        """End all reflectors."""
        inside = self._inside.end() if self._inside is not None else ()
        await _cancel([*self._own, *inside, *(task for pair in self._pairs.values() for task in pair.tasks)])

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
            if self._inside is not None and gvr != NAMESPACES:
                namespace = self._state.target.namespace(key.cluster, key.namespace)
                if namespace in self._state.homes:
                    self._watch_kind(namespace, key, delta.object)
            self._ask(key)
            if gvr == NAMESPACES:
                # A namespace that comes, and one that goes, is news for all that is in it.
                for inside, _ in self._state.views_in(key.cluster, key.name):
                    self._ask(inside)

        return on_delta

    def take_in(self, gvr: Gvr, delta: Delta, known: dict[ObjectKey, Key], namespace: str = "") -> None:
        """
        Take in one change of our objects below.

        Args:
            gvr, namespace: What is watched; "" for the whole cluster.
            delta: The change.
            known: What was seen before by the same watch; changed in place.
        """
        if delta.key is None:
            self._forget_unseen(gvr, set(known.values()), namespace)
            return
        if gvr == NAMESPACES:
            self._note_home(delta)
            self._look_inside(known.get(delta.key))
            self._forget_replaced(delta, known)
        if delta.kind == "deleted" or delta.object is None:
            key = known.pop(delta.key, None)
            self._leftovers.forget(gvr, delta.key.namespace, delta.key.name)
            if key is not None:
                self._state.actual.pop(key, None)
                self._ask(key)
            return
        found = self._state.actual_key(gvr, delta.object)
        self._leftovers.note(gvr, delta.object, is_known=found is not None)
        if found is not None:
            known[delta.key] = found
            if gvr != NAMESPACES:
                self._state.put_actual(found, delta.object)
            self._ask(found)

    def _forget_unseen(self, gvr: Gvr, there: Container[Key], namespace: str) -> None:
        """
        Forget what is not there by a complete list, of a namespace or of all.

        It is what we made and no watch has shown before it went again.

        What was made since that list is forgotten too; it is met, and read, when it is made once more.
        """
        api = (gvr.group, gvr.resource)
        home = self._state.homes.get(namespace)
        for key in [key for key in self._state.actual if key[:2] == api and key not in there]:
            if not namespace or home == (key.cluster, key.namespace):
                del self._state.actual[key]
                self._ask(key)

    def _note_home(self, delta: Delta) -> None:
        assert delta.key is not None, "the caller has looked"
        if delta.kind == "deleted" or delta.object is None:
            if self._inside is not None:
                self._inside.end(namespace=delta.key.name)
            self._pods.forget_home(delta.key.name)
            self._state.homes.pop(delta.key.name, None)
            self._uids.pop(delta.key.name, None)
            return
        home = self._state.home_of(delta.object)
        if home is not None:
            self._state.homes[delta.key.name] = home
            self._uids[delta.key.name] = delta.object["metadata"]["uid"]
            self.enter(delta.key.name)

    def _forget_replaced(self, delta: Delta, known: dict[ObjectKey, Key]) -> None:
        """Forget a namespace in whose place there is one now that is not ours, made between two looks of the watch."""
        if delta.key is None or delta.object is None or self._state.home_of(delta.object) is not None:
            return
        uid, key = self._uids.get(delta.key.name), known.get(delta.key)
        if key is not None and uid != delta.object["metadata"]["uid"]:
            self._note_home(Delta("deleted", delta.key))
            del known[delta.key]
            self._ask(key)

    def _look_inside(self, namespace: Key | None) -> None:
        """Look at all that must be in a downstream namespace again: it changed, or is there no more."""
        if namespace is not None:
            for key, _ in self._state.views_in(namespace.cluster, namespace.name):
                self._ask(key)


@dataclass(frozen=True, slots=True)
class _Watcher:
    """Takes in our objects of one kind, of one namespace or of all."""

    feeds: Feeds
    gvr: Gvr
    namespace: str = ""
    known: dict[ObjectKey, Key] = field(default_factory=dict)

    def __call__(self, delta: Delta) -> None:
        """Take in one change."""
        self.feeds.take_in(self.gvr, delta, self.known, self.namespace)
        if delta.key is None and self.namespace:
            self.feeds.ask_for_waiting(self.namespace, self.gvr)

    def end(self) -> None:
        """Take note that nothing more will be heard: what was there is not known to be there any more."""
        for key in list(self.known):
            self.feeds.take_in(self.gvr, Delta("deleted", key), self.known)
        self.feeds.ask_for_waiting(self.namespace, self.gvr)


@dataclass(frozen=True, slots=True)
class _PodWatcher:
    """Takes in Pods of our workloads, of one namespace or of all."""

    pods: Pods
    namespace: str = ""

    def __call__(self, delta: Delta) -> None:
        """Take in one change."""
        if delta.key is None:
            self.pods.compare_with_shown(self.namespace)  # a complete list: what is shown and not in it has vanished
        elif delta.kind == "deleted" or delta.object is None:
            self.pods.remove((delta.key.namespace, delta.key.name))
        else:
            self.pods.put(delta.object)

    def end(self) -> None:
        """Leave what is shown: that a namespace is gone is told by itself."""


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
