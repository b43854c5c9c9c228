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
"""Downstream namespace and name."""


class Pods:
    """Shows the Pods of our workloads upstream; keeps those of assigned namespaces only."""

    def __init__(self, state: State, upstream: Upstream, enqueue_after: Callable[[PodKey, float], None]) -> None:
        self._state = state
        self._upstream = upstream
        self._enqueue_after = enqueue_after
        self._pods: dict[PodKey, JsonObject] = {}
        self._shown: dict[PodKey, tuple[float, object, str]] = {}

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
        self._pods.pop(key, None)
        self._enqueue_after(key, 0.0)

    async def reconcile(self, key: PodKey) -> float | None:
        """Show one Pod as it is, or stop showing it."""
        home = self._state.homes.get(key[0])
        if home is None:
            return None
        pod = self._pods.get(key)
        try:
            if pod is None:
                await self._upstream.hide_pod(*home, key[1])
                self._shown.pop(key, None)
                return None
            version = pod["metadata"].get("resourceVersion", "")
            shown = self._shown.get(key)
            if shown is not None and shown[2] == version:
                return None
            body: JsonObject = {"pod": _shape(pod, home[1])}
            belongs = owner(pod)
            if belongs is not None:
                body["owner"] = dict(zip(("group", "resource", "name"), belongs, strict=True))
            await self._upstream.show_pod(*home, key[1], body)
            self._shown[key] = (asyncio.get_running_loop().time(), _urgent(pod), version)
        except (Forbidden, NotFound):
            # The namespace has left, or its workspace does not show pods: nothing to show, nothing to retry.
            self._shown.pop(key, None)
        return None


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
