"""
Follows the namespaces of workspaces that have Placements, and of no others.

One watch of all workspaces runs from the start; what it says of a workspace nobody asked for is dropped. When a
workspace is first asked for, its namespaces are listed; list and watch meet by resourceVersion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_machinery.cache import key_of
from fairlead_machinery.client import Unreachable, is_gone
from fairlead_scheduler.picture import Picture, Touched, is_older
from fairlead_scheduler.plane import EVERYWHERE, NAMESPACES, Plane
from fairlead_scheduler.world import Name

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 10.0
KIND = "namespaces"
log = structlog.get_logger(__name__)


class Namespaces:
    """
    The feed.

    Args:
        plane: Where to read.
        picture: Where namespaces go.
        touched: Hears whom a change concerns.
    """

    def __init__(self, plane: Plane, picture: Picture, touched: Callable[[Touched], None]) -> None:
        self._plane = plane
        self._picture = picture
        self._touched = touched
        self._listed: set[str] = set()
        self._gaps = 0  # how many times the watch began: a list that was under way then may miss changes
        self._deleted: dict[str, dict[str, JsonObject]] = {}  # during a list: what was deleted meanwhile, by cluster
        self.following = asyncio.Event()
        """Set while the watch has begun: a list made from now on misses nothing."""

    def is_listed(self, cluster: str) -> bool:
        """Tell whether all namespaces of a workspace are known."""
        return cluster in self._listed

    async def ensure(self, cluster: str) -> None:
        """Make sure that a workspace's namespaces are known, or are no longer held when nobody needs them."""
        if not self._picture.is_workload(cluster):
            self._forget(cluster)
            return
        while cluster not in self._listed:
            await self.following.wait()
            await self._list(cluster)

    async def run(self) -> None:
        """Follow until cancelled; after a gap everything asked for is listed again."""
        version, pause_s = "", _FIRST_PAUSE_S
        while True:
            try:
                if not version:
                    version = await self._begin()
                version = await self._follow(version)
                pause_s = _FIRST_PAUSE_S
            except (ApiError, Unreachable) as error:
                if isinstance(error, ApiError) and is_gone(error):
                    version = ""
                log.warning("cannot follow namespaces", error=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _begin(self) -> str:
        """Return the version to follow from; what was listed before it may miss changes and is listed again."""
        version = ""
        async for page in self._plane.at(EVERYWHERE).pages(NAMESPACES, limit=1):
            version = str(page["metadata"]["resourceVersion"])
            break
        again, self._listed = self._listed, set()
        self._gaps += 1
        self.following.set()
        self._touched(Touched(workloads=set(again)))
        return version

    async def _follow(self, version: str) -> str:
        events = self._plane.at(EVERYWHERE).watch(NAMESPACES, resource_version=version)
        async with aclosing(events) as stream:
            async for event in stream:
                version = event.object["metadata"].get("resourceVersion", version)
                if event.type != "BOOKMARK":
                    self._take(event.type, event.object)
        return version

    def _take(self, kind: str, obj: JsonObject) -> None:
        key = key_of(obj)
        name: Name = (key.cluster, key.name)
        if key.cluster in self._deleted and kind == "DELETED":
            self._deleted[key.cluster][key.name] = obj
        if not self._picture.is_workload(key.cluster):
            self._forget(key.cluster)
        elif kind == "DELETED":
            self._touched(self._picture.remove(KIND, name, obj))
        else:
            self._touched(self._picture.put(KIND, name, obj))

    async def _list(self, cluster: str) -> None:
        """Take in all namespaces of a workspace as of one moment; the watch may be ahead of that or behind it."""
        gaps, deleted = self._gaps, dict[str, JsonObject]()
        self._deleted[cluster] = deleted
        try:
            items, version = await self._plane.at(cluster).list(NAMESPACES)
        finally:
            del self._deleted[cluster]
        there = {item["metadata"]["name"]: item for item in items}
        moment: JsonObject = {"metadata": {"resourceVersion": version}}
        for name in [name for name in self._picture.world.namespaces.of(cluster) if name not in there]:
            self._picture.remove(KIND, (cluster, name), moment)
        for name, item in there.items():
            if name not in deleted or is_older(deleted[name], item):
                self._picture.put(KIND, (cluster, name), item)
        if gaps == self._gaps:
            self._listed.add(cluster)

    def _forget(self, cluster: str) -> None:
        self._listed.discard(cluster)
        for name in list(self._picture.world.namespaces.of(cluster)):
            self._picture.remove(KIND, (cluster, name))
