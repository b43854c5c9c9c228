"""
Absence is never a cause (invariant 1): whatever the agent is told or not told, nothing is deleted for it.

The proxy between agent and control plane lies in every way it can; the judge is the cluster's own audit log.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web

from tests.integration.syncer.joined import BOTH_MODES, SYNC_TIMEOUT_S, Joined
from tests.support import proxy
from tests.support.proxy import Fault
from tests.support.waiting import wait_until

FAULTS: dict[str, Callable[[], Fault]] = {
    "empty list": proxy.empty_list,
    "half a list": lambda: proxy.keep_items(0.5),
    "401": lambda: proxy.status(401),
    "403": lambda: proxy.status(403),
    "404": lambda: proxy.status(404),
    "410": lambda: proxy.status(410),
    "503": lambda: proxy.status(503),
    "stale replica": proxy.stale,
    "cut at once": lambda: proxy.cut(0),
    "cut in the middle": lambda: proxy.cut(300),
    "half open": proxy.half_open,
    "senseless 200": lambda: proxy.canned(200, {}),
}
NAMES = ("one", "two", "three", "four")


def _wait_for_requests(joined: Joined, count: int) -> None:
    wait_until(lambda: len(joined.proxy.seen) > count, SYNC_TIMEOUT_S)


def _also_for_watches(fault: Fault) -> Fault:
    """Send watches that would be left alone back to listing, where the lie is told."""
    expired = proxy.status(410)

    async def lie(exchange: proxy.Exchange) -> web.StreamResponse:
        is_watch = exchange.request.query.get("watch") == "true"
        return await (expired if is_watch else fault)(exchange)

    return lie


@BOTH_MODES
@pytest.mark.timeout(400)
def test_no_fault_deletes_and_each_heals(joined: Joined) -> None:
    """After each fault, also over a restart of the agent in its midst, what was written meanwhile arrives."""
    for name in NAMES:
        joined.write(name, "0")
    for name in NAMES:
        joined.wait_value(name, "0")
    began = joined.audited()
    for number, (fault, make) in enumerate(FAULTS.items(), 1):
        seen = len(joined.proxy.seen)
        joined.proxy.inject(_also_for_watches(make()), path="/services/")
        joined.proxy.sever()
        joined.write("one", str(number))
        if number % 3 == 0:
            joined.kill_agent()
            joined.start_agent()
        # The agent has asked again and been lied to, so it had its chance to do harm.
        _wait_for_requests(joined, seen + 2)
        joined.proxy.heal()
        joined.proxy.sever()
        if joined.agent is not None and joined.agent.return_code is not None:
            raise AssertionError(f"the agent ended on {fault}: {joined.agent.log_tail()}")
        joined.wait_value("one", str(number))
        assert joined.agent_writes("delete", "deletecollection", since=began) == [], fault
    for name in NAMES[1:]:
        assert joined.down_map(name) is not None


def test_a_stale_tombstone_deletes_nothing(joined: Joined) -> None:
    """A replica that still shows a removal which was taken back is asked about it before anything is deleted."""
    joined.write("kept", "1")
    uid = joined.wait_value("kept", "1")["metadata"]["uid"]
    joined.stop_agent()
    joined.assign("default", "Leaving")
    wait_until(lambda: joined.progress().get("objects") == 0, SYNC_TIMEOUT_S)
    lie = proxy.stale()
    joined.proxy.inject(lie, method="GET", path="/clusters/*/api/v1/configmaps")
    began = joined.audited()
    joined.proxy.inject(proxy.status(503), method="DELETE", path="/services/")
    joined.start_agent()
    wait_until(lambda: any(m == "DELETE" and "dryRun" in p for m, p in joined.proxy.seen), SYNC_TIMEOUT_S)
    joined.assign("default", "Sync")
    wait_until(lambda: joined.progress().get("objects", 0) >= 2, SYNC_TIMEOUT_S)
    joined.proxy.heal()
    joined.proxy.inject(lie, method="GET", path="/clusters/*/api/v1/configmaps")
    seen = len(joined.proxy.seen)
    wait_until(lambda: any(m == "DELETE" for m, _ in joined.proxy.seen[seen:]), SYNC_TIMEOUT_S)
    joined.proxy.heal()
    joined.proxy.sever()
    joined.write("kept", "2")
    assert joined.wait_value("kept", "2")["metadata"]["uid"] == uid
    assert joined.agent_writes("delete", since=began) == []
