"""Refusals in masses (F33, F34): lists and retries stay few, and in the end the newest state stands."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from tests.integration.syncer.faults.stage import DEPLOYMENTS, Stage, deployment
from tests.integration.syncer.joined import SYNC_TIMEOUT_S
from tests.support import proxy
from tests.support.waiting import wait_until

STORM_S = 5.0
FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"
SOON_S = 2.0
FEWEST = 3
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
    assert len(tries) <= FEWEST
    stage.write("f34-422", "2")
    wait_until(lambda: len(tries) > FEWEST or tries[-1] - began_s >= STORM_S, SOON_S)
    stage.below.heal()
    stage.write("f34-422", "3")
    wait_until(lambda: ((stage.down_map("f34-422") or {}).get("data") or {}).get("k") == "3", SOON_S)
    wait_until(lambda: not stage.report("configmaps/f34-422"), SYNC_TIMEOUT_S)


def _makes_soon(stage: Stage, name: str) -> bool:
    """Make a Deployment and tell whether the cluster has it soon; then drop it."""
    below = f"/apis/apps/v1/namespaces/{stage.home()}/deployments/{name}"
    stage.may_delete |= {f"deployments/{name}"}
    began_s = time.monotonic()
    stage.team.ok("POST", DEPLOYMENTS, deployment(name))
    wait_until(lambda: stage.down.get(below), SYNC_TIMEOUT_S)
    took_s = time.monotonic() - began_s
    stage.team.ok("DELETE", f"{DEPLOYMENTS}/{name}")
    return took_s < SOON_S


def test_f34_a_retry_after_holds_no_worker(stage: Stage) -> None:
    """A dozen objects are to be tried later; meanwhile what is new has its turn, and they come as they are last."""
    names = [f"f34-held-{number}" for number in range(12)]
    tries: list[float] = []
    stage.below.inject(_refuse(429, "8", tries), method="POST", path="/configmaps")
    for name in names:
        stage.write(name, "1")
    wait_until(lambda: len(tries) >= len(names), SYNC_TIMEOUT_S)
    for name in names:
        stage.write(name, "2")
    assert [_makes_soon(stage, f"f34-{number}") for number in range(3)].count(True) >= 2
    stage.below.heal()
    for name in names:
        stage.wait_value(name, "2")
        [event] = stage.events_of("configmaps", name, "create")
        assert event["requestObject"]["data"] == {"k": "2"}
        assert stage.events_of("configmaps", name, "patch") == []


@contextmanager
def _one_at_a_time(stage: Stage) -> Iterator[str]:
    """Have the cluster's API server refuse the agent's writes of ConfigMaps for now while there is one; yield a uid."""
    limited = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
    level = {"type": "Limited", "limited": limited}
    rule = {"verbs": ["create", "patch"], "apiGroups": [""], "resources": ["configmaps"], "namespaces": ["*"]}
    schema = {
        "priorityLevelConfiguration": {"name": "f34"},
        "matchingPrecedence": 50,
        "rules": [{"subjects": [{"kind": "User", "user": {"name": stage.user}}], "resourceRules": [rule]}],
    }
    made = (("prioritylevelconfigurations", "PriorityLevelConfiguration", level), ("flowschemas", "FlowSchema", schema))
    uid = ""
    for plural, kind, spec in made:
        body = {"apiVersion": FLOWS.removeprefix("/apis/"), "kind": kind, "metadata": {"name": "f34"}, "spec": spec}
        uid = stage.down.ok("POST", f"{FLOWS}/{plural}", body)["metadata"]["uid"]
    try:
        yield uid
    finally:
        for plural, _, _ in made:
            stage.down.ok("DELETE", f"{FLOWS}/{plural}/f34")


@contextmanager
def _writing(stage: Stage) -> Iterator[None]:
    """Be the agent in the middle of a write, whose body takes its time."""
    token = json.loads((stage.folder / "cluster.kubeconfig").read_text())["users"][0]["user"]["token"]
    server = urlsplit(stage.cluster.server)
    assert server.hostname is not None, "an address"
    head = (
        f"POST /api/v1/namespaces/{stage.home()}/configmaps HTTP/1.1", f"Host: {server.netloc}",
        f"Authorization: Bearer {token}", "Content-Type: application/json", "Content-Length: 1000",
    )  # fmt: skip
    with (
        socket.create_connection((server.hostname, server.port or 443)) as plain,
        stage.down.tls.wrap_socket(plain, server_hostname=server.hostname) as connection,
    ):
        connection.sendall("\r\n".join([*head, "", "{"]).encode())
        yield


def test_f34_flow_control_of_a_real_server(stage: Stage) -> None:
    """Its 429 with ``Retry-After: 1`` is heeded for each object, others go on, and the last state stands."""
    refused: list[float] = []
    flows: set[str] = set()

    async def note(exchange: proxy.Exchange) -> web.StreamResponse:
        answer = await exchange.stream()
        flows.add(answer.headers.get("X-Kubernetes-Pf-Flowschema-Uid", ""))
        if answer.status == 429:
            assert answer.headers["Retry-After"] == "1"
            refused.append(time.monotonic())
        return answer

    stage.below.inject(note, method="POST", path="/configmaps")
    numbers = itertools.count()
    with _one_at_a_time(stage) as uid:
        wait_until(lambda: uid in flows or not stage.write(f"f34-flow-{next(numbers)}"), SYNC_TIMEOUT_S, every_s=0.5)
        with _writing(stage):
            wait_until(lambda: refused or not stage.write(f"f34-flow-{next(numbers)}"), SYNC_TIMEOUT_S, every_s=0.5)
            began_s = time.monotonic()
            for value in range(5):
                stage.write("f34-flow", str(value))
            assert [_makes_soon(stage, f"f34-{number}") for number in range(3)].count(True) >= 2
            _last(began_s)
            assert stage.down_map("f34-flow") is None
        stage.wait_value("f34-flow", "4")
    tries = [event["responseStatus"]["code"] for event in stage.events_of("configmaps", "f34-flow", "create")]
    assert tries[-1] == 201
    assert set(tries[:-1]) <= {429}
    assert len(tries) <= FEW
    for number in range(next(numbers)):
        stage.wait_value(f"f34-flow-{number}", "1")


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
