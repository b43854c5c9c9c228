"""The feed of namespaces when its watch breaks."""

from __future__ import annotations

import asyncio
from typing import cast

from fairlead_api import JsonObject
from fairlead_scheduler.namespaces import Namespaces
from fairlead_scheduler.picture import Picture
from fairlead_scheduler.plane import Plane

SHOP = "shop"


def namespace(name: str, version: int) -> JsonObject:
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "resourceVersion": str(version),
            "annotations": {"kcp.io/cluster": SHOP},
        }
    }


class OneWorkspace:
    """A plane with one workspace, whose first list is answered late."""

    def __init__(self) -> None:
        self.items = [namespace("first", 1)]
        self.version = 1
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    def at(self, cluster: str) -> OneWorkspace:
        """Return itself, whatever is asked for."""
        del cluster
        return self

    async def list(self, gvr: object) -> tuple[list[JsonObject], str]:
        """Answer with what was there when asked."""
        del gvr
        found = list(self.items), str(self.version)
        self.asked.set()
        await self.answer.wait()
        return found

    async def pages(self, gvr: object, *, limit: int) -> object:
        """Yield one page, for its version."""
        del gvr, limit
        yield {"metadata": {"resourceVersion": str(self.version)}}


async def test_a_list_that_was_under_way_in_a_gap_is_made_again() -> None:
    """What changed between a list and the watch's new beginning is told by neither; so that list does not count."""
    plane, picture = OneWorkspace(), Picture()
    picture.put("placements", (SHOP, "p"), {"metadata": {"name": "p", "resourceVersion": "1"}, "spec": {}})
    feed = Namespaces(cast(Plane, plane), picture, lambda touched: None)
    await feed._begin()
    listing = asyncio.create_task(feed.ensure(SHOP))
    await plane.asked.wait()
    plane.items.append(namespace("second", 2))
    plane.version = 2
    await feed._begin()  # the watch broke and begins after the change
    plane.answer.set()
    await listing
    assert feed.is_listed(SHOP)
    assert set(picture.world.namespaces.of(SHOP)) == {"first", "second"}
