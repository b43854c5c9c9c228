"""
What was seen on several clusters: watch events, merged in the order in which they came.

Polling would miss a moment; a watch does not. What the demo and the tests assert of a drain they assert of this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple

from fairlead_api import JsonObject
from fairlead_api.conditions import is_true
from fairlead_api.errors import ApiError
from fairlead_machinery.client import Client, Gvr, Unreachable, is_gone

_AGAIN_S = 0.2


class Seen(NamedTuple):
    """One event; ``place`` names the cluster or workspace, ``at_s`` is of a monotonic clock."""

    at_s: float
    place: str
    type: str
    object: JsonObject


Key = tuple[str, str, str, str]
"""Place, kind, namespace, name."""


def key_of(seen: Seen) -> Key:
    """Return which object an event is about."""
    metadata = seen.object["metadata"]
    return seen.place, seen.object.get("kind", ""), metadata.get("namespace", ""), metadata["name"]


def is_ready_pod(obj: JsonObject) -> bool:
    """Tell whether a pod is ready to serve: Ready, and not going."""
    is_going = "deletionTimestamp" in obj["metadata"]
    return not is_going and is_true((obj.get("status") or {}).get("conditions"), "Ready")


def ready_pods(events: Iterable[Seen], places: Iterable[str]) -> Iterator[tuple[float, int]]:
    """Give the time and the number of ready pods in all of some places after each event about their pods."""
    wanted, ready = frozenset(places), set[Key]()
    for seen in events:
        if seen.place not in wanted or seen.object.get("kind") != "Pod":
            continue
        if seen.type != "DELETED" and is_ready_pod(seen.object):
            ready.add(key_of(seen))
        else:
            ready.discard(key_of(seen))
        yield seen.at_s, len(ready)


def fewest_ready(events: Iterable[Seen], places: Iterable[str], since_s: float) -> int:
    """Return the fewest ready pods at any moment from a time on, the state at that time included."""
    before, fewest = 0, None
    for at_s, count in ready_pods(events, places):
        if at_s <= since_s:
            before = count
        else:
            fewest = count if fewest is None else min(fewest, count)
    return before if fewest is None else min(before, fewest)


@dataclass(slots=True)
class History:
    """
    Everything seen so far.

    Attributes:
        objects: The newest state of what there is.
    """

    events: list[Seen] = field(default_factory=list)
    objects: dict[Key, JsonObject] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, seen: Seen) -> None:
        """Take an event in, and wake who waits."""
        self.events.append(seen)
        if seen.type == "DELETED":
            self.objects.pop(key_of(seen), None)
        else:
            self.objects[key_of(seen)] = seen.object
        self._changed.set()

    def all(self, place: str, kind: str) -> list[JsonObject]:
        """Return what there is of a kind in a place."""
        return [obj for key, obj in self.objects.items() if key[:2] == (place, kind)]

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition on this history holds; return whether it did in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return condition()
        return True


async def follow(
    history: History, client: Client, place: str, gvr: Gvr, begun: asyncio.Event, *, selector: str = ""
) -> None:
    """
    Record all events of a resource until cancelled; ``begun`` is set once what there was is recorded.

    Raises:
        Expired: Events were lost; a history with a gap proves nothing.
    """
    query = {"labelSelector": selector} if selector else {}
    clock = asyncio.get_running_loop().time
    items, version = await client.list(gvr, query=query)
    for item in items:
        history.add(Seen(clock(), place, "ADDED", item))
    begun.set()
    while True:
        try:
            async with aclosing(client.watch(gvr, resource_version=version, query=query)) as stream:
                async for event in stream:
                    version = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK":
                        history.add(Seen(clock(), place, event.type, event.object))
        except ApiError as error:
            if is_gone(error):
                raise
            await asyncio.sleep(_AGAIN_S)
        except Unreachable:
            await asyncio.sleep(_AGAIN_S)  # the version is kept: nothing is missed
