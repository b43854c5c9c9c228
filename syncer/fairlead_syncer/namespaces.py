"""
Downstream namespaces: made with the first object, gone after the last, never while they hold anything foreign.

Source: kcp TMC, syncer namespace controller; design section 6, number 3.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, NotFound
from fairlead_machinery.client import Client, Gvr
from fairlead_syncer import plan
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key
from fairlead_transforms.downstream import LOCATOR, TENANT
from fairlead_transforms.podtemplate import TARGET_LABEL

_POD_SECURITY = "pod-security.kubernetes.io/enforce"
_RECHECK_S = 0.5
# What every namespace gets from the cluster itself; it goes with the namespace.
_CLUSTERS_OWN = frozenset({("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")})
_DERIVED = frozenset({"events", "endpoints", "endpointslices", "replicasets", "pods", "controllerrevisions", "leases"})
_log = structlog.get_logger(__name__)


class NamespaceTaken(ApiError):
    """The cluster has a namespace of that name which is not ours."""

    code, reason = 409, "NamespaceTaken"


class Namespaces:
    """
    Keeps downstream namespaces.

    Args:
        listable: Returns every namespaced resource the agent can list, to look for foreign objects.
        enqueue: Asks for a key to be looked at again.
        pod_security: Level the namespaces enforce.
    """

    def __init__(
        self,
        state: State,
        cluster: Client,
        confirm: Callable[..., object],
        listable: Callable[[], list[Gvr]],
        enqueue: Callable[[Key], None],
        pod_security: str,
    ) -> None:
        self._state = state
        self._cluster = cluster
        self._confirm = confirm
        self._listable = listable
        self._enqueue = enqueue
        self._pod_security = pod_security
        self._made: set[str] = set()

    def look_again(self, cluster: str, namespace: str) -> None:
        """Look whether a namespace can go now."""
        self._enqueue(Key("", "namespaces", cluster, "", namespace))

    async def ensure(self, cluster: str, namespace: str) -> str:
        """
        Make sure that the downstream namespace is there and ours; return its name.

        Raises:
            NamespaceTaken: Somebody else's has that name; nothing in it is touched.
            Conflict: It is being deleted; try again.
        """
        name = self._state.target.namespace(cluster, namespace)
        if name in self._made:
            return name
        try:
            found = await self._cluster.get(NAMESPACES, name)
        except NotFound:
            try:
                found = await self._cluster.create(NAMESPACES, self._wanted(name, cluster, namespace))
            except AlreadyExists:
                found = await self._cluster.get(NAMESPACES, name)
        if self._state.home_of(found) != (cluster, namespace):
            raise NamespaceTaken(f"the cluster already has a namespace {name!r} that is not of this workspace")
        if found["metadata"].get("deletionTimestamp"):
            raise Conflict(f"namespace {name} is being deleted")
        self._state.homes[name] = (cluster, namespace)
        self._made.add(name)
        return name

    def _wanted(self, name: str, cluster: str, namespace: str) -> JsonObject:
        target = self._state.target
        labels = {TARGET_LABEL: target.key, TENANT: target.tenant(cluster), _POD_SECURITY: self._pod_security}
        annotations = {LOCATOR: target.locator(cluster, namespace).to_json()}
        metadata = {"name": name, "labels": labels, "annotations": annotations}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}

    async def reconcile(self, key: Key, view: JsonObject) -> float | None:
        """Delete a namespace that must go, once nothing in it stands against that; confirm when it is gone."""
        if not plan.is_tombstone(view):
            return None
        name = self._state.target.namespace(key.cluster, key.name)
        self._made.discard(name)
        try:
            found = await self._cluster.get(NAMESPACES, name)
        except NotFound:
            found = None
        if found is None or self._state.home_of(found) != (key.cluster, key.name):
            self._state.homes.pop(name, None)
            await self._confirm_gone(key, view)
            return None
        why = await self._why_not(key, view, name)
        if why:
            _log.info("namespace stays", namespace=name, why=why)
            return _RECHECK_S * 4
        if not found["metadata"].get("deletionTimestamp"):
            metadata = found["metadata"]
            await self._cluster.delete(
                NAMESPACES, name, uid=metadata["uid"], resource_version=metadata["resourceVersion"]
            )
        return _RECHECK_S

    async def _why_not(self, key: Key, view: JsonObject, name: str) -> str:
        views = [one for _, one in self._state.views_in(key.cluster, key.name)]
        live = [one for one in views if not plan.is_tombstone(one)]
        pending = [one for one in views if plan.is_tombstone(one)]
        why = plan.may_delete_namespace(view, live, pending, [])
        return why or plan.may_delete_namespace(view, [], [], await self._foreign(name))

    async def _foreign(self, name: str) -> list[str]:
        """Return what a namespace holds that neither we nor the cluster itself put there, as ``resource/name``."""
        found = []
        for gvr in self._listable():
            if gvr.resource in _DERIVED:
                continue
            items, _ = await self._cluster.list(gvr, namespace=name)
            for item in items:
                metadata = item["metadata"]
                ours = (metadata.get("labels") or {}).get(TARGET_LABEL) == self._state.target.key
                own = (gvr.resource, metadata["name"]) in _CLUSTERS_OWN
                if not ours and not own and not metadata.get("ownerReferences"):
                    found.append(f"{gvr.resource}/{metadata['name']}")
        return found

    async def _confirm_gone(self, key: Key, view: JsonObject) -> None:
        await self._confirm(NAMESPACES, key, view["metadata"]["uid"])  # type: ignore[misc]  # a coroutine function
        self._state.views.pop(key, None)
