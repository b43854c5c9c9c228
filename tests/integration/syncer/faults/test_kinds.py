"""One kind, one namespace, some objects in trouble (F37, F38, F39): everything else goes on."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

from fairlead_api import JsonObject
from tests.integration.syncer.faults.stage import DEPLOYMENTS, MAPS, Stage, deployment
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, config_map
from tests.support import proxy
from tests.support.chaos import Weather, chaos_link
from tests.support.waiting import wait_until

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
SLOW_S, LONG_S = 4, 10
SOON_S = SLOW_S + 4.0
"""What is new waits for no more than one answer that does not come, however many objects wait for theirs."""
MOST = 40
"""Requests about one object or namespace within five seconds that are no hot loop."""


@contextmanager
def _webhook(stage: Stage, way: str, slow_s: int = SLOW_S, namespace: str = "default") -> Iterator[None]:
    """Have every ConfigMap of a namespace that is labelled ``hook`` asked about at a webhook that does not work."""
    with chaos_link("127.0.0.1", 1) as link:
        link.be(Weather(way))
        bundle = base64.b64encode(stage.proxy_authority.read_bytes()).decode()
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
        hook = {
            "name": "hook.example.com",
            "clientConfig": {"url": f"https://127.0.0.1:{link.port}/", "caBundle": bundle},
            "rules": [rule],
            "objectSelector": {"matchLabels": {"hook": "yes"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": stage.home(namespace)}},
            "timeoutSeconds": slow_s,
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
        stage.down.ok("POST", WEBHOOKS, {**kind, "metadata": {"name": "f37"}, "webhooks": [hook]})
        wait_until(lambda: _is_asked(stage, stage.home(namespace)), SYNC_TIMEOUT_S)
        try:
            yield
        finally:
            stage.down.ok("DELETE", f"{WEBHOOKS}/f37")


def _is_asked(stage: Stage, home: str) -> bool:
    """Tell whether the cluster uses the webhook by now, which takes it a moment."""
    probe = config_map("probe", "1")
    probe["metadata"]["labels"] = {"hook": "yes"}
    code, _ = stage.down.call("POST", f"/api/v1/namespaces/{home}/configmaps", probe)
    if code == 201:
        stage.down.ok("DELETE", f"/api/v1/namespaces/{home}/configmaps/probe")
    return code != 201


@pytest.mark.parametrize("way", ["reset", "silent"])
def test_f37_a_broken_webhook_delays_only_what_it_is_asked_about(stage: Stage, way: str) -> None:
    """A dozen objects wait for a webhook that fails or never answers; others pass them, and their users read why."""
    names = [f"f37-{way}-{number}" for number in range(12)]
    with _webhook(stage, way):
        for name in names:
            obj: JsonObject = config_map(name, "1")
            obj["metadata"]["labels"] = {"hook": "yes"}
            stage.team.ok("POST", MAPS, obj)
        for number in range(3):
            began_s = time.monotonic()
            stage.write(f"f37-{way}-other", str(number))
            stage.wait_value(f"f37-{way}-other", str(number))
            assert time.monotonic() - began_s < SOON_S
        wait_until(lambda: "webhook" in stage.report(f"configmaps/{names[0]}").get("message", ""), SYNC_TIMEOUT_S)
    for name in names:
        wait_until(lambda n=name: stage.down_map(n), 70)  # type: ignore[misc]  # a default


def test_f37_a_namespace_with_a_slow_webhook_delays_no_other(stage: Stage) -> None:
    """Its objects wait ten seconds each and more; new ones elsewhere are made within two."""
    stage.make_namespace("f37-slow")
    stage.write("first", "1", "f37-slow")
    stage.wait_value("first", "1", "f37-slow")
    took_s = []
    with _webhook(stage, "silent", LONG_S, "f37-slow"):
        for number in range(12):
            obj: JsonObject = config_map(f"slow-{number}", "1")
            obj["metadata"]["labels"] = {"hook": "yes"}
            stage.team.ok("POST", "/api/v1/namespaces/f37-slow/configmaps", obj)
        for number in range(8):
            below = f"/apis/apps/v1/namespaces/{stage.home()}/deployments/f37-{number}"
            began_s = time.monotonic()
            stage.team.ok("POST", DEPLOYMENTS, deployment(f"f37-{number}"))
            wait_until(lambda path=below: stage.down.get(path), SYNC_TIMEOUT_S)  # type: ignore[misc]  # a default
            took_s.append(time.monotonic() - began_s)
            _wait(LONG_S / 8)
    assert sorted(took_s)[-2] < 2.0, took_s
    stage.may_delete = {f"deployments/f37-{number}" for number in range(8)}
    for number in range(8):
        stage.team.ok("DELETE", f"{DEPLOYMENTS}/f37-{number}")
    for number in range(12):
        wait_until(lambda n=number: stage.down_map(f"slow-{n}", "f37-slow"), 90)  # type: ignore[misc]  # a default


def _wait(seconds: float) -> None:
    end_s = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end_s, seconds + 1)


def _absent() -> proxy.Fault:
    """Answer as a server that never heard of a group."""

    async def answer(_: proxy.Exchange) -> web.StreamResponse:
        return web.Response(status=404, text="404 page not found\n")

    return answer


@pytest.mark.parametrize("side", ["downstream", "upstream"])
def test_f38_a_kind_that_is_gone_pauses_alone(stage: Stage, side: str) -> None:
    """Its API is away on one side: objects of the kind stay as they are, others go on; it comes back by itself."""
    name = f"f38-{side}"
    stage.team.ok("POST", DEPLOYMENTS, deployment(name))
    below = f"/apis/apps/v1/namespaces/{stage.home()}/deployments/{name}"
    wait_until(lambda: stage.down.get(below), SYNC_TIMEOUT_S)
    uid = (stage.down.get(below) or {})["metadata"]["uid"]
    where, path = (stage.below, "/apis/apps/v1") if side == "downstream" else (stage.proxy, "/clusters/*/apis/apps/v1")
    where.inject(_absent(), path=path)
    where.sever()
    stage.team.merge(f"{DEPLOYMENTS}/{name}", deployment(name, "web:2"))
    for number in range(2):
        stage.write(name, str(number))
        stage.wait_value(name, str(number))
    assert (stage.down.get(below) or {})["metadata"]["uid"] == uid
    where.heal()
    where.sever()
    wait_until(lambda: _image(stage, below) == "web:2", SYNC_TIMEOUT_S + 20)
    assert (stage.down.get(below) or {})["metadata"]["uid"] == uid
    stage.may_delete = {f"deployments/{name}"}
    stage.team.ok("DELETE", f"{DEPLOYMENTS}/{name}")
    wait_until(lambda: stage.down.get(below) is None, SYNC_TIMEOUT_S)


def _image(stage: Stage, below: str) -> str:
    return str((stage.down.get(below) or {})["spec"]["template"]["spec"]["containers"][0]["image"])


def _requests_about(stage: Stage, text: str) -> int:
    """Count the requests of the next five seconds, on both sides, whose path holds a text."""
    seen = (len(stage.proxy.seen), len(stage.below.seen))
    end_s = time.monotonic() + 5
    wait_until(lambda: time.monotonic() > end_s, 6)
    paths = [path for _, path in [*stage.proxy.seen[seen[0] :], *stage.below.seen[seen[1] :]]]
    return sum(text in path for path in paths)


def test_f39_a_namespace_stuck_in_the_cluster_is_waited_for(stage: Stage) -> None:
    """Somebody's finalizer keeps it Terminating: nothing new goes into it, nobody loops, the user reads why."""
    stage.make_namespace("f39")
    stage.write("before", "1", "f39")
    stage.wait_value("before", "1", "f39")
    home = f"/api/v1/namespaces/{stage.home('f39')}"
    first = stage.down.ok("GET", home)["metadata"]["uid"]
    stage.down.merge(home, {"metadata": {"finalizers": ["example.com/foreign"]}})
    stage.down.ok("DELETE", home)
    wait_until(lambda: stage.down_map("before", "f39") is None, SYNC_TIMEOUT_S)
    stage.write("meanwhile", "1", "f39")
    wait_until(lambda: "Terminating" in str(stage.progress("f39").get("blocked")), SYNC_TIMEOUT_S)
    assert _requests_about(stage, stage.home("f39")) <= MOST
    assert _requests_about(stage, "/f39/") <= MOST
    assert stage.down_map("meanwhile", "f39") is None
    stage.down.merge(home, {"metadata": {"finalizers": None}})
    for name in ("before", "meanwhile"):
        wait_until(lambda n=name: stage.down_map(n, "f39"), 90)  # type: ignore[misc]  # a default
    assert stage.down.ok("GET", home)["metadata"]["uid"] != first
    wait_until(lambda: not stage.progress("f39").get("blocked"), SYNC_TIMEOUT_S)
    stage.may_delete = {"configmaps/before", "configmaps/meanwhile", "configmaps/kcp-root-ca.crt"}
    stage.drop_namespace("f39")


def test_f39_a_namespace_stuck_in_the_workspace_is_left_alone(stage: Stage) -> None:
    """A user's finalizer keeps an object and its namespace upstream; it is no hot loop, and ends when that goes."""
    stage.make_namespace("f39-up")
    path = "/api/v1/namespaces/f39-up/configmaps"
    kept = config_map("kept", "1")
    kept["metadata"]["finalizers"] = ["example.com/foreign"]
    stage.team.ok("POST", path, kept)
    stage.wait_value("kept", "1", "f39-up")
    stage.may_delete = {"configmaps/kept", "configmaps/kcp-root-ca.crt", f"namespaces/{stage.home('f39-up')}"}
    stage.team.ok("DELETE", "/api/v1/namespaces/f39-up")
    wait_until(lambda: (stage.team.get(f"{path}/kept") or {})["metadata"].get("deletionTimestamp"), SYNC_TIMEOUT_S)
    code, _ = stage.team.call("POST", path, config_map("late", "1"))
    assert code == 403
    assert _requests_about(stage, stage.home("f39-up")) <= MOST
    assert _requests_about(stage, "/f39-up/") <= MOST
    stage.team.merge(f"{path}/kept", {"metadata": {"finalizers": None}})
    wait_until(lambda: stage.team.get("/api/v1/namespaces/f39-up") is None, SYNC_TIMEOUT_S)
    stage.forget("f39-up")
    wait_until(lambda: stage.down.get(f"/api/v1/namespaces/{stage.home('f39-up')}") is None, SYNC_TIMEOUT_S)
