"""What the scheduler remembers of workspaces it asked for, and for how long."""

from __future__ import annotations

from typing import Any, cast

from fairlead_api import JsonObject
from fairlead_scheduler.asking import RESOLVED_S, Asking
from fairlead_scheduler.picture import Picture


class Everywhere:
    """A control plane in which every path is a workspace; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def at(self, path: str) -> Everywhere:
        """Go to a path."""
        self.asked.append(path)
        return self

    async def get(self, *_: object) -> JsonObject:
        """Return the logical cluster of the last path."""
        path = self.asked[-1]
        return {"metadata": {"annotations": {"kcp.io/cluster": path.rpartition(":")[2], "kcp.io/path": path}}}


async def test_workspaces_that_are_gone_are_forgotten() -> None:
    """Hundreds of them leave nothing; one still in use is asked for again when that is due, and then believed."""
    plane, picture, now_s = Everywhere(), Picture(), [0.0]
    asking, world = Asking(cast(Any, plane), picture, lambda: now_s[0]), picture.world
    world.placements["stays", "p"] = {"metadata": {}, "spec": {"locationWorkspace": "root:homes"}}
    world.placements["bare", "p"] = {"metadata": {}, "spec": {}}
    for number in range(200):
        world.placements[f"w{number}", "p"] = {"metadata": {}, "spec": {"locationWorkspace": f"root:l{number}"}}
        await asking.refresh(f"w{number}")
        del world.placements[f"w{number}", "p"]
    for _ in range(3):
        now_s[0] += RESOLVED_S + 1
        await asking.refresh("bare")
        await asking.refresh("stays")
    assert world.clusters == {"root:homes": "homes", "bare": "bare"}
    assert world.paths == {"homes": "root:homes", "bare": "bare"}
    assert asking._resolved_until_s.keys() == world.clusters.keys()
    assert plane.asked[-2:] == ["bare", "root:homes"]
