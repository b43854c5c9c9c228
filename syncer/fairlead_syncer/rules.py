"""
What holds tenants to their share in a downstream namespace: ResourceQuota and LimitRange, where the SyncTarget names
any.

They are the agent's own: no view stands behind them, tenants cannot take their names, and they go with the namespace,
which goes after everything in it (CVE-2024-7598: policies must outlast what they hold).
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Forbidden, NotFound
from fairlead_machinery.client import JSON_PATCH, Client, Gvr
from fairlead_syncer import plan
from fairlead_syncer.state import State
from fairlead_transforms.podtemplate import TARGET_LABEL
from fairlead_transforms.policy import QUOTA_NAME, namespace_objects

_KINDS = ("resourcequotas", "limitranges")
_MANAGER = "syncer"


class Unfit(ApiError):
    """A downstream namespace cannot take objects; ``reason`` and ``message`` are for their users."""


class RulesNotKept(Unfit):
    """The SyncTarget names a quota or limits, and the cluster does not have them: nothing runs there without."""

    code, reason = 409, "PolicyNotEnforced"


class Rules:
    """Keeps the rules of namespaces."""

    def __init__(self, state: State, cluster: Client) -> None:
        self._state = state
        self._cluster = cluster

    async def keep(self, namespace: str, *, only_add: bool = False) -> None:
        """
        Have exactly the rules that the policy names in a namespace of ours; ``only_add`` leaves what it names no more.

        Raises:
            RulesNotKept: The cluster does not let the agent, or somebody else's rule has the name.
        """
        wanted = dict(namespace_objects(self._state.policy))
        for plural in _KINDS:
            if plural in wanted:
                await self._have(namespace, plural, wanted[plural])
            elif not only_add:
                await self._remove(namespace, plural)

    def made(self, gvr: Gvr, item: JsonObject) -> bool:
        """Tell whether an object in the cluster is a rule that this agent made."""
        metadata = item["metadata"]
        mark = self._mark(metadata.get("namespace", ""), gvr.resource)
        is_rule = not gvr.group and gvr.resource in _KINDS and metadata["name"] == QUOTA_NAME
        place = self._state.homes.get(metadata.get("namespace", ""))
        is_given = place is not None and self._state.is_given(*place, item)
        return is_rule and (is_given or plan.annotations_of(item).get(plan.PROOF) == mark)

    async def _have(self, namespace: str, plural: str, body: JsonObject) -> None:
        gvr = Gvr("", "v1", plural)
        marks = {
            "labels": {TARGET_LABEL: self._state.target.key},
            "annotations": {plan.PROOF: self._mark(namespace, plural)},
        }
        desired = {**body, "metadata": {**body["metadata"], "namespace": namespace, **marks}}
        try:
            found = await self._cluster.find(gvr, QUOTA_NAME, namespace=namespace)
            if found is not None and not self.made(gvr, found):
                raise RulesNotKept(f"the cluster has {plural} {QUOTA_NAME!r} in {namespace} that is not the agent's")
            if found is None:
                await self._cluster.create(gvr, desired, namespace=namespace, query={"fieldManager": _MANAGER})
            elif found["spec"] != desired["spec"]:
                patch = [
                    {"op": "test", "path": "/metadata/uid", "value": found["metadata"]["uid"]},
                    {"op": "replace", "path": "/spec", "value": desired["spec"]},
                ]
                await self._cluster.patch(gvr, QUOTA_NAME, patch, type_=JSON_PATCH, namespace=namespace)
        except Forbidden as error:
            raise RulesNotKept(
                f"the agent may not keep {plural} of the SyncTarget's policy: {error.message}"
            ) from error

    async def _remove(self, namespace: str, plural: str) -> None:
        gvr = Gvr("", "v1", plural)
        try:
            found = await self._cluster.find(gvr, QUOTA_NAME, namespace=namespace)
            if found is not None and self.made(gvr, found):
                metadata = found["metadata"]
                uid, version = metadata["uid"], metadata["resourceVersion"]
                await self._cluster.delete(gvr, QUOTA_NAME, namespace=namespace, uid=uid, resource_version=version)
        except (Forbidden, NotFound):
            return  # an agent without that right has made none

    def _mark(self, namespace: str, plural: str) -> str:
        return self._state.target.namespace_proof(f"{namespace}/{plural}")
