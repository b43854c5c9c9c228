"""What the watch over agents' heartbeats survives."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_control_plane.controllers import synctargets
from fairlead_control_plane.controllers.synctargets import SyncTargetEffects, SyncTargetReports
from fairlead_control_plane.kinds.change import Change
from fairlead_control_plane.kinds.record import Resource


class Everything:
    """A registry, an index and heartbeats in one: two targets long silent, of which the first is gone by now."""

    def __init__(self) -> None:
        conditions = [{"type": "HeartbeatHealthy", "status": "True"}]
        self._all = [
            {"metadata": {"uid": n, "name": n}, "status": {"conditions": conditions}} for n in ("gone", "there")
        ]
        self.written = asyncio.Event()

    def all(self) -> list[dict[str, Any]]:
        """Return both targets."""
        return self._all

    def cluster_of(self, target: object) -> str:
        """Return the one logical cluster."""
        return "root" if target else ""

    def keep(self, uids: set[str]) -> None:
        """Note which heartbeats are remembered."""
        self.kept = uids

    def is_healthy(self, uid: str, was: bool) -> bool:
        """Tell that none is."""
        return not uid and was

    async def modify(self, resource: object, cluster: str, namespace: str, name: str, *_: object, **__: str) -> None:
        """Refuse the first."""
        if name == "gone":
            raise NotFound(f"{resource} {cluster} {namespace}{name} not found")
        self.written.set()


async def test_a_target_that_goes_meanwhile_does_not_end_the_watch_over_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever stops being there between the look and the write costs the other targets nothing."""
    monkeypatch.setattr(synctargets, "_CHECK_S", 0.0)
    fake = cast(Any, Everything())
    reports = SyncTargetReports(fake, fake, fake, fake, fake, lambda: "2026-01-01T00:00:00Z")
    task = asyncio.create_task(reports.run())
    try:
        await asyncio.wait_for(fake.written.wait(), 5)
        assert not task.done()
        assert fake.kept == {"gone", "there"}
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task  # if it ended by itself, this says why


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [{"path": "root:compute", "export": "kubernetes"}]),
        ({"spec": {"supportedAPIExports": [{"export": "own"}]}}, [{"export": "own"}]),
    ],
)
async def test_what_a_target_may_run_is_settled_as_it_is_created(spec: JsonObject, expected: list[JsonObject]) -> None:
    """Without a spec too; else its first update would bring the default, and perhaps another one."""
    effects = SyncTargetEffects(lambda: "https://host", lambda: "2026-01-01T00:00:00Z")
    resource = Resource("workload.kcp.io", "synctargets", "SyncTarget", ())
    new = {"metadata": {"name": "east", "uid": "u1"}, **spec}
    effect = await effects(Change(resource, "root", "", "east", None, new, cast(Any, None)))
    assert effect.new is not None
    assert effect.new["spec"]["supportedAPIExports"] == expected
