"""Caches that fill late, events that are lost, answers that are old (F24, F25, F26)."""

from __future__ import annotations

import asyncio
import threading

import pytest
from aiohttp import web

from fairlead_machinery.reflector import OLDER_LISTS
from tests.integration.syncer.faults.stage import MAPS, Stage
from tests.integration.syncer.joined import SYNC_TIMEOUT_S
from tests.support import proxy
from tests.support.waiting import wait_until

LATE_S = 3.0
FASTER = 40
REPAIR_S = 40.0
"""Two resyncs of an agent whose loop runs that much faster."""
LOST_ABOVE = frozenset({("ADDED", "f25-new"), ("MODIFIED", "f25-changed"), ("MODIFIED", "f25-removed")})
LOST_BELOW = frozenset({("MODIFIED", "f25-edited"), ("DELETED", "f25-ended")})


@pytest.mark.parametrize("side", ["upstream", "downstream"])
def test_f24_a_late_cache_deletes_nothing(stage: Stage, side: str) -> None:
    """An agent that starts and hears of one side late neither deletes nor makes anew what is there."""
    for name in ("f24-a", "f24-b"):
        stage.write(name, "1")
    uids = {name: stage.wait_value(name, "1")["metadata"]["uid"] for name in ("f24-a", "f24-b")}
    stage.kill_agent()
    stage.team.ok("DELETE", f"{MAPS}/f24-b")
    stage.write("f24-a", "2")
    stage.began = stage.audited()
    late = stage.proxy if side == "upstream" else stage.below
    late.inject(proxy.delay(LATE_S), method="GET", path="/configmaps")
    seen = len(late.seen)
    stage.start_agent()
    wait_until(lambda: any("/configmaps" in path for _, path in late.seen[seen:]), SYNC_TIMEOUT_S)
    assert stage.agent_writes(since=stage.began) == [], "one side is not known yet"
    stage.may_delete = {"configmaps/f24-b"}
    stage.wait_value("f24-a", "2")
    stage.wait_gone("f24-b")
    assert stage.uid_below("f24-a") == uids["f24-a"]
    assert not stage.agent_writes("create", since=stage.began)


def _lost(lost: frozenset[tuple[str, str]]) -> proxy.Fault:
    """Lose the events of these types about these objects."""
    return proxy.drop_events(lambda event: (event["type"], event["object"]["metadata"].get("name")) not in lost)


def test_f25_a_lost_event_is_repaired(stage: Stage) -> None:
    """Whichever event is lost on the way: reading all again, here on a faster clock, finds what it would have said."""
    stage.restart_agent(FAULTS_FASTER=str(FASTER))
    for name in ("changed", "removed", "edited", "ended"):
        stage.write(f"f25-{name}", "1")
    for name in ("changed", "removed", "edited", "ended"):
        stage.wait_value(f"f25-{name}", "1")
    began = (len(stage.proxy.seen), len(stage.below.seen))
    for where, lost in ((stage.proxy, LOST_ABOVE), (stage.below, LOST_BELOW)):
        where.inject(_lost(lost), method="GET", path="/configmaps")
        where.sever()
    for where, since in zip((stage.proxy, stage.below), began, strict=True):
        wait_until(lambda w=where, s=since: any("configmaps?watch=" in p for _, p in w.seen[s:]), SYNC_TIMEOUT_S)  # type: ignore[misc]  # defaults
    home = f"/api/v1/namespaces/{stage.home()}/configmaps"
    stage.may_delete = {"configmaps/f25-removed"}
    stage.write("f25-new", "2")
    stage.write("f25-changed", "2")
    stage.team.ok("DELETE", f"{MAPS}/f25-removed")
    stage.down.merge(f"{home}/f25-edited", {"data": {"k": "edited"}})
    stage.down.ok("DELETE", f"{home}/f25-ended")
    wanted = {"new": "2", "changed": "2", "removed": None, "edited": "1", "ended": "1"}

    def found() -> dict[str, str | None]:
        maps = {name: stage.down_map(f"f25-{name}") for name in wanted}
        return {name: None if one is None else one["data"]["k"] for name, one in maps.items()}

    wait_until(lambda: found() == wanted or (found(), False)[1], REPAIR_S)


class _Replica:
    """A replica of a server: keeps lists once it is told to, and later answers with them, its watches ended by 410."""

    def __init__(self, side: proxy.FaultProxy) -> None:
        self.kept: dict[str, tuple[int, str, bytes]] = {}
        self.is_stale = False
        self.told = 0
        side.inject(self.answer, method="GET", path="/configmaps")

    async def answer(self, exchange: proxy.Exchange) -> web.StreamResponse:
        path = exchange.request.path
        if exchange.request.query.get("watch") == "true":
            is_expired = self.is_stale or path not in self.kept  # so that it is listed at all
            return await (_EXPIRED(exchange) if is_expired else exchange.stream())
        if not self.is_stale:
            self.kept[path] = await exchange.forward()
        elif path not in self.kept:
            return await exchange.stream()
        else:
            self.told += 1
        code, content_type, body = self.kept[path]
        return web.Response(status=code, body=body, headers={"Content-Type": content_type})


_EXPIRED = proxy.status(410)


@pytest.mark.parametrize("side", ["upstream", "downstream"])
def test_f26_a_stale_replica_behind_a_410_is_not_believed(stage: Stage, side: str) -> None:
    """Watches end with 410 and lists come from before the last changes: nothing is written by them, nor made anew."""
    where = stage.proxy if side == "upstream" else stage.below
    name, new = f"f26-{side}", f"f26-{side}-new"
    stage.write(name, "1")
    stage.wait_value(name, "1")
    replica = _Replica(where)
    where.sever()
    wait_until(lambda: replica.kept, SYNC_TIMEOUT_S)
    stage.write(name, "2")
    stage.wait_value(name, "2")
    stage.write(new, "1")
    uid = stage.wait_value(new, "1")["metadata"]["uid"]
    stage.began = stage.audited()
    replica.is_stale = True
    where.sever()
    wait_until(lambda: replica.told > OLDER_LISTS, SYNC_TIMEOUT_S)
    told = replica.told
    stage.write(name, "3")
    if side == "downstream":  # the other side is as good as ever
        stage.wait_value(name, "3")
    wait_until(lambda: replica.told > told, SYNC_TIMEOUT_S)
    where.heal()
    stage.wait_value(name, "3")
    written = [event["requestObject"]["data"] for event in stage.events_of("configmaps", name, "patch")]
    assert written == [{"k": "3"}]
    assert stage.events_of("configmaps", new, "create") == []
    assert stage.uid_below(new) == uid


def _held(release: threading.Event) -> proxy.Fault:
    """Carry a request out at once and answer only when told to."""

    async def late(exchange: proxy.Exchange) -> web.StreamResponse:
        code, content_type, body = await exchange.forward()
        await asyncio.to_thread(release.wait, 20.0)
        return web.Response(status=code, body=body, headers={"Content-Type": content_type})

    return late


def test_f26_a_late_answer_hides_no_newer_event(stage: Stage) -> None:
    """An edit that is seen while the answer to our own write is on its way is mended all the same."""
    for value in ("1", "one"):  # the first change takes two requests
        stage.write("f26-late", value)
        stage.wait_value("f26-late", value)
    release = threading.Event()
    below = f"/api/v1/namespaces/{stage.home()}/configmaps/f26-late"
    stage.below.inject(_held(release), method="PATCH", path="/configmaps/f26-late")
    stage.write("f26-late", "2")
    stage.wait_value("f26-late", "2")
    stage.below.heal()
    stage.down.merge(below, {"data": {"k": "edited"}})
    stage.write("f26-other", "1")  # its way is as long as the edit's event
    stage.wait_value("f26-other", "1")
    release.set()
    stage.wait_value("f26-late", "2")
