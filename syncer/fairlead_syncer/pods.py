"""
Pods coming up, at most one write a second each except when phase or readiness change.

A Pod goes upstream when the cluster has it and is taken away when the cluster says that it is gone: by an event or by a
complete list, never because nothing was heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, NotFound
from fairlead_syncer.state import State
from fairlead_syncer.upstream import Upstream
from fairlead_transforms.upstream import owner, to_upstream_pod

MIN_INTERVAL_S = 1.0

PodKey = tuple[str, str]
"""Downstream namespace and name; with an empty name: what is shown of that namespace must be compared."""

Home = tuple[str, str]
"""Logical cluster and upstream namespace."""


class Pods:
    """Shows the Pods of our workloads upstream; keeps those of assigned namespaces only."""

    def __init__(self, state: State, upstream: Upstream, enqueue_after: Callable[[PodKey, float], None]) -> None:
        self._state = state
        self._upstream = upstream
        self._enqueue_after = enqueue_after
        self._pods: dict[PodKey, JsonObject] = {}
        self._shown: dict[PodKey, tuple[float, object, str]] = {}
        self._left: dict[str, Home] = {}  # homes of namespaces that went, while Pods of theirs are still to be hidden
        self._compared: set[str] = set()

    def put(self, pod: JsonObject) -> None:
        """Take in a Pod as the cluster has it now."""
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        before = self._pods.get(key)
        self._pods[key] = pod
        urgent = before is None or _urgent(before) != _urgent(pod)
        shown = self._shown.get(key)
        wait_s = 0.0
        if shown is not None and not urgent:
            wait_s = max(shown[0] + MIN_INTERVAL_S - asyncio.get_running_loop().time(), 0.0)
        self._enqueue_after(key, wait_s)

    def remove(self, key: PodKey) -> None:
        """Take note that the cluster no longer has a Pod."""
        if self._pods.pop(key, None) is not None or key in self._shown:
            self._enqueue_after(key, 0.0)

    def forget_home(self, namespace: str) -> None:
        """Take note that a downstream namespace is gone, and all Pods in it."""
        home = self._state.homes.get(namespace)
        gone = [key for key in self._shown if key[0] == namespace]
        if home is not None and gone:
            self._left[namespace] = home
        self._compared.discard(namespace)
        for key in gone:
            self._pods.pop(key, None)
            self._enqueue_after(key, 0.0)

    def compare_with_shown(self, only: str = "") -> None:
        """Look once, for each of our namespaces or ``only`` one, for Pods that vanished while this agent was away."""
        for namespace in [only] if only else self._state.homes:
            if namespace not in self._compared:
                self._compared.add(namespace)
                self._enqueue_after((namespace, ""), 0.0)

    async def reconcile(self, key: PodKey) -> float | None:
        """Show one Pod as it is, or stop showing it."""
        home = self._state.homes.get(key[0]) or self._left.get(key[0])
        if home is None:
            return None
        try:
            if not key[1]:
                await self._compare(key[0], home)
            elif key in self._pods:
                await self._show(key, home, self._pods[key])
            else:
                await self._upstream.hide_pod(*home, key[1])
                self._drop(key)
        except (Forbidden, NotFound):
            # The namespace has left, or its workspace does not show pods: nothing to show, nothing to retry.
            self._drop(key)
        return None

    async def _compare(self, namespace: str, home: Home) -> None:
        for name in await self._upstream.shown_pods(*home):
            if (namespace, name) not in self._pods:
                self._enqueue_after((namespace, name), 0.0)

    async def _show(self, key: PodKey, home: Home, pod: JsonObject) -> None:
        version = pod["metadata"].get("resourceVersion", "")
        shown = self._shown.get(key)
        if shown is not None and shown[2] == version:
            return
        body: JsonObject = {"pod": _shape(pod, home[1])}
        belongs = owner(pod)
        if belongs is not None:
            body["owner"] = dict(zip(("group", "resource", "name"), belongs, strict=True))
        await self._upstream.show_pod(*home, key[1], body)
        self._shown[key] = (asyncio.get_running_loop().time(), _urgent(pod), version)

    def _drop(self, key: PodKey) -> None:
        self._shown.pop(key, None)
        if key[0] in self._left and not any(other[0] == key[0] for other in self._shown):
            del self._left[key[0]]


def _shape(pod: JsonObject, namespace: str) -> JsonObject:
    """Return what goes up; identity and times are the cluster's."""
    shaped = to_upstream_pod(pod, namespace)
    for field in ("uid", "creationTimestamp", "deletionTimestamp"):
        if field in pod["metadata"]:
            shaped["metadata"][field] = pod["metadata"][field]
    return shaped


def _urgent(pod: JsonObject) -> object:
    """Return what users wait for: phase, readiness, deletion."""
    status = pod.get("status") or {}
    ready = [c.get("status") for c in status.get("conditions") or () if c.get("type") == "Ready"]
    return status.get("phase"), ready, pod["metadata"].get("deletionTimestamp")
