"""
Pods coming up: hidden when the cluster says so, also late, and never because nothing was heard.

Aspects: the namespace's end overtaking its Pods'; Pods that vanished while nobody looked; the rate.
"""

from typing import Any

import pytest

from fairlead_api.errors import Forbidden
from fairlead_syncer.pods import Pods
from fairlead_syncer.state import State
from fairlead_syncer.target import SyncTarget

HOME = ("c", "default")


class Above:
    """Remembers what is shown, as the upsyncer's virtual workspace does."""

    def __init__(self) -> None:
        self.shown: dict[str, Any] = {}
        self.is_assigned = True

    async def show_pod(self, cluster: str, namespace: str, name: str, body: Any) -> None:
        self._check((cluster, namespace))
        self.shown[name] = body

    async def hide_pod(self, cluster: str, namespace: str, name: str) -> None:
        self._check((cluster, namespace))
        self.shown.pop(name, None)

    async def shown_pods(self, cluster: str, namespace: str) -> list[str]:
        self._check((cluster, namespace))
        return list(self.shown)

    def _check(self, home: tuple[str, str]) -> None:
        assert home == HOME
        if not self.is_assigned:
            raise Forbidden("not assigned")


@pytest.fixture
def above() -> Above:
    return Above()


@pytest.fixture
def asked() -> list[tuple[tuple[str, str], float]]:
    return []


@pytest.fixture
def pods(above: Above, asked: list[tuple[tuple[str, str], float]]) -> Pods:
    state = State(SyncTarget("root", "east", "t1", "host", "443", b"secret"))
    state.homes["kcp-1"] = HOME
    return Pods(state, above, lambda key, wait_s: asked.append((key, wait_s)))  # type: ignore[arg-type]  # a stand-in


def pod(name: str, version: str = "1") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "kcp-1", "name": name, "uid": f"u-{name}", "resourceVersion": version},
        "spec": {},
    }


async def test_a_namespace_that_ends_first_takes_its_pods_along(pods: Pods, above: Above) -> None:
    """The news of its end may overtake that of its Pods'; they are hidden all the same."""
    pods.put(pod("a"))
    await pods.reconcile(("kcp-1", "a"))
    pods.forget_home("kcp-1")
    pods._state.homes.clear()
    await pods.reconcile(("kcp-1", "a"))
    assert above.shown == {}


async def test_what_vanished_meanwhile_is_hidden(
    pods: Pods, above: Above, asked: list[tuple[tuple[str, str], float]]
) -> None:
    """Once, after the first complete list, what is shown is compared with what there is."""
    above.shown = {"gone": {}, "here": {}}
    pods.put(pod("here"))
    pods.compare_with_shown()
    pods.compare_with_shown()
    assert asked.count((("kcp-1", ""), 0.0)) == 1
    await pods.reconcile(("kcp-1", ""))
    assert asked[-1] == (("kcp-1", "gone"), 0.0)
    await pods.reconcile(("kcp-1", "gone"))
    assert list(above.shown) == ["here"]


async def test_the_same_version_is_sent_once(pods: Pods, above: Above) -> None:
    """A restart of a watch repeats everything; upstream need not hear it."""
    pods.put(pod("a"))
    await pods.reconcile(("kcp-1", "a"))
    above.shown.clear()
    pods.put(pod("a"))
    await pods.reconcile(("kcp-1", "a"))
    assert above.shown == {}


async def test_a_namespace_that_left_is_no_error(pods: Pods, above: Above) -> None:
    """Upstream says no for good: nothing is retried."""
    above.is_assigned = False
    pods.put(pod("a"))
    assert await pods.reconcile(("kcp-1", "a")) is None
