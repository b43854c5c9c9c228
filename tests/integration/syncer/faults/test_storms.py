"""Refusals in masses (F33, F34): lists and retries stay few, and in the end the newest state stands."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import pytest
from aiohttp import web

from tests.integration.syncer.faults.stage import Stage
from tests.integration.syncer.joined import SYNC_TIMEOUT_S
from tests.support import proxy
from tests.support.waiting import wait_until

STORM_S = 5.0
FEW = 16
"""Tries of one thing within a storm: pauses double, so that it is about ten from the first millisecond on."""


def _last(since_s: float) -> None:
    end_s = since_s + STORM_S
    wait_until(lambda: time.monotonic() > end_s, STORM_S + 1)


def test_f33_watches_that_expire_at_once_lose_nothing(stage: Stage) -> None:
    """All watches are answered with 410 for a while: lists come with growing pauses, others are served as ever."""
    expired = proxy.status(410)

    async def storm(exchange: proxy.Exchange) -> web.StreamResponse:
        is_watch = exchange.request.query.get("watch") == "true"
        return await (expired(exchange) if is_watch else exchange.stream())

    stage.write("f33-0", "1")
    stage.wait_value("f33-0", "1")
    for side in (stage.proxy, stage.below):
        side.inject(storm, method="GET")
    seen = (len(stage.proxy.seen), len(stage.below.seen))
    began_s = time.monotonic()
    for side in (stage.proxy, stage.below):
        side.sever()
    took_s = []
    for number in range(1, 20):
        asked_s = time.monotonic()
        stage.write(f"f33-{number}", "1")
        took_s.append(time.monotonic() - asked_s)
    _last(began_s)
    for side, since in zip((stage.proxy, stage.below), seen, strict=True):
        lists = Counter(path.partition("?")[0] for method, path in side.seen[since:] if "limit=500" in path)
        assert lists
        assert max(lists.values()) <= FEW, lists
    assert sorted(took_s)[-2] < 1.0
    for number in range(20):
        stage.wait_value(f"f33-{number}", "1")
    for side in (stage.proxy, stage.below):
        side.heal()
    stage.write("f33-0", "2")
    stage.wait_value("f33-0", "2")


def _refuse(code: int, retry_after: str, tries: list[float]) -> proxy.Fault:
    """Refuse, and remember when."""

    async def answer(_: proxy.Exchange) -> web.StreamResponse:
        tries.append(time.monotonic())
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "not now", "code": code}
        headers = {"Retry-After": retry_after} if retry_after else {}
        return web.json_response(body, status=code, headers=headers)

    return answer


@pytest.mark.parametrize(("code", "retry_after"), [(429, ""), (503, "2"), (500, "")])
def test_f34_a_refusing_cluster_is_asked_ever_less(stage: Stage, code: int, retry_after: str) -> None:
    """Tries of one write are few, no sooner than was said; then only the newest state is written, once."""
    name = f"f34-{code}-{retry_after or 'none'}"
    tries: list[float] = []
    stage.below.inject(_refuse(code, retry_after, tries), method="POST", path="/configmaps")
    began_s = time.monotonic()
    for value in range(5):
        stage.write(name, str(value))
    _last(began_s)
    assert 2 <= len(tries) <= FEW
    if retry_after:
        assert min(later - sooner for sooner, later in itertools.pairwise(tries)) >= float(retry_after) * 0.9
    stage.below.heal()
    stage.wait_value(name, "4")
    events = [event for verb in ("create", "patch") for event in stage.events_of("configmaps", name, verb)]
    taken = [event["requestObject"] for event in events if event["responseStatus"]["code"] < 300]
    written = [body["data"]["k"] for body in taken if isinstance(body, dict) and "data" in body]
    assert written[-1] == "4"
    assert len(written) <= 2, "the try that was under way, and the newest"


def test_f34_what_will_not_be_taken_is_said(stage: Stage) -> None:
    """A refusal that trying again cannot mend: few tries, and the user reads why."""
    tries: list[float] = []
    stage.below.inject(_refuse(422, "", tries), method="POST", path="/configmaps")
    began_s = time.monotonic()
    stage.write("f34-422", "1")
    wait_until(lambda: stage.report("configmaps/f34-422").get("reason") == "Refused", SYNC_TIMEOUT_S)
    _last(began_s)
    assert len(tries) <= FEW
    stage.below.heal()
    stage.team.ok("DELETE", "/api/v1/namespaces/default/configmaps/f34-422")
    wait_until(lambda: not stage.report("configmaps/f34-422"), SYNC_TIMEOUT_S)


def test_f34_a_refusing_control_plane_is_asked_ever_less(stage: Stage) -> None:
    """Reports that are refused delay nothing else, and the last one arrives."""
    stage.write("f34-up", "1")
    stage.wait_value("f34-up", "1")
    tries: list[float] = []
    stage.proxy.inject(_refuse(429, "", tries), method="PUT", path="/configmaps/f34-up/status")
    began_s = time.monotonic()
    stage.write("f34-up", "2")
    stage.wait_value("f34-up", "2")
    stage.write("f34-other", "1")
    stage.wait_value("f34-other", "1")
    _last(began_s)
    assert 2 <= len(tries) <= FEW
    stage.proxy.heal()
    wait_until(lambda: stage.progress()["applied"] == stage.progress()["objects"], SYNC_TIMEOUT_S)
