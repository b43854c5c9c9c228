"""
What holds tenants to their share in a downstream namespace: ResourceQuota, LimitRange and NetworkPolicy, where the
SyncTarget names any.

They are the agent's own: no view stands behind them, tenants cannot take their names, and they go with the namespace,
which goes after everything in it (CVE-2024-7598: policies must outlast what they hold). What somebody in the cluster
makes of them, or of the namespace's level of pod security, is put back when the namespace is looked at, at each resync
at the latest, and told as drift of the namespace.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound
from fairlead_machinery.client import JSON_PATCH, Client, Gvr
from fairlead_syncer import drift
from fairlead_syncer.drift import Drift
from fairlead_syncer.proofs import OWN_MANAGER, OWN_MANAGERS, PROOF, is_proved
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key
from fairlead_syncer.upstream import Upstream
from fairlead_transforms.podtemplate import TARGET_LABEL
from fairlead_transforms.policy import QUOTA_NAME, RULES, namespace_objects

POD_SECURITY = "pod-security.kubernetes.io/enforce"
_AS_USER = drift.Policy()


class Unfit(ApiError):
    """A downstream namespace cannot take objects; ``reason`` and ``message`` are for their users."""


class RulesNotKept(Unfit):
    """The SyncTarget names a rule, and the cluster does not have it: nothing runs there without."""

    code, reason = 409, "PolicyNotEnforced"


@dataclass(frozen=True, slots=True)
class _Made:
    """The spec of a rule as we asked for it, and as the server gave it back: defaulted, quantities in its own form."""

    asked: JsonObject
    given: JsonObject


class Rules:
    """Keeps the rules of namespaces; ``upstream`` hears what was put back."""

    def __init__(self, state: State, cluster: Client, upstream: Upstream) -> None:
        self._state = state
        self._cluster = cluster
        self._upstream = upstream
        self._held: dict[tuple[str, Gvr], _Made] = {}
        self._without: set[tuple[str, Gvr]] = set()  # what we have seen to it that it is not there
        self._seen: dict[str, list[Drift]] = {}  # what was found changed, and is not told yet
        self._told: set[str] = set()
        self._looked: set[str] = set()

    def look(self, found: JsonObject) -> None:
        """Take note of what somebody has made of a namespace's level, which :meth:`keep` tells."""
        wanted = {"metadata": {"labels": {POD_SECURITY: self._state.policy.pod_security}}}
        name = found["metadata"]["name"]
        # One that was handed over to us never had a level, which nobody took away.
        known = OWN_MANAGERS if name in self._looked else {*OWN_MANAGERS, drift.UNKNOWN}
        changed = [one for one in drift.settle(wanted, found, _AS_USER)[1] if one.manager not in known]
        self._looked.add(name)
        if changed:
            self._seen[name] = changed

    async def keep(self, namespace: str, *, only_add: bool = False) -> None:
        """
        Have exactly the rules that the policy names in a namespace of ours, and tell what somebody had made of them.

        With ``only_add`` what the policy names no more is left, and nothing is told.

        Raises:
            RulesNotKept: The cluster does not let the agent, or somebody else's rule has the name.
        """
        cluster, name = self._state.homes.get(namespace, ("", ""))
        named = namespace_objects(self._state.policy, self._state.target.tenant(cluster))
        wanted = {Gvr(group, "v1", plural): body for group, plural, body in named}
        for gvr in (Gvr(group, "v1", plural) for group, plural in RULES):
            if gvr in wanted:
                self._without.discard((namespace, gvr))
                changed = await self._have(namespace, gvr, wanted[gvr])
                if changed:
                    self._seen[namespace] = [*self._seen.get(namespace, ()), *changed]
            elif not only_add and (namespace, gvr) not in self._without:
                self._held.pop((namespace, gvr), None)
                await self._remove(namespace, gvr)
                self._without.add((namespace, gvr))
        view = self._state.views.get(key := Key("", "namespaces", cluster, "", name))
        if not only_add and view is not None:
            await self._tell(namespace, key, view)

    async def _tell(self, namespace: str, key: Key, view: JsonObject) -> None:
        """Tell upstream what was put back, and the next time that all is as it must be."""
        seen = self._seen.get(namespace, [])
        if seen or namespace in self._told:
            body = {"drift": [one.to_json() for one in seen[: drift.MOST]]}
            await self._upstream.report(NAMESPACES, key, view["metadata"]["uid"], None, body)
            self._seen.pop(namespace, None)
            (self._told.add if seen else self._told.discard)(namespace)

    def forget(self, namespace: str) -> None:
        """Take note that a namespace is gone, and what stood in it."""
        self._told.discard(namespace)
        self._looked.discard(namespace)
        self._seen.pop(namespace, None)
        self._without = {one for one in self._without if one[0] != namespace}
        for one in [one for one in self._held if one[0] == namespace]:
            del self._held[one]

    def made(self, gvr: Gvr, item: JsonObject) -> bool:
        """Tell whether an object in the cluster is a rule that this agent made."""
        metadata = item["metadata"]
        mark = self._mark(metadata.get("namespace", ""), gvr.resource)
        is_rule = (gvr.group, gvr.resource) in RULES and metadata["name"] == QUOTA_NAME
        place = self._state.homes.get(metadata.get("namespace", ""))
        is_given = place is not None and self._state.is_given(*place, item)
        return is_rule and (is_given or is_proved(item, mark))

    async def _have(self, namespace: str, gvr: Gvr, body: JsonObject) -> list[Drift]:
        marks = {
            "labels": {TARGET_LABEL: self._state.target.key},
            "annotations": {PROOF: self._mark(namespace, gvr.resource)},
        }
        desired = {**body, "metadata": {**body["metadata"], "namespace": namespace, **marks}}
        query = {"fieldManager": OWN_MANAGER}
        try:
            found = await self._cluster.find(gvr, QUOTA_NAME, namespace=namespace)
            if found is not None and not self.made(gvr, found):
                message = f"the cluster has {gvr.resource} {QUOTA_NAME!r} in {namespace} that is not the agent's"
                raise RulesNotKept(message)
            mended = self._mended(namespace, gvr, found, desired)
            if found is None:
                found = await self._cluster.create(gvr, desired, namespace=namespace, query=query)
            elif not self._is_as_made(namespace, gvr, found, desired):
                patch = [
                    {"op": "test", "path": "/metadata/uid", "value": found["metadata"]["uid"]},
                    {"op": "replace", "path": "/spec", "value": desired["spec"]},
                ]
                found = await self._cluster.patch(
                    gvr, QUOTA_NAME, patch, type_=JSON_PATCH, namespace=namespace, query=query
                )
        except AlreadyExists as error:
            raise Conflict(error.message) from error  # made at this moment: looked at again
        except (Forbidden, Invalid) as error:
            raise RulesNotKept(
                f"the agent cannot keep {gvr.resource} of the SyncTarget's policy: {error.message}"
            ) from error
        self._held[namespace, gvr] = _Made(desired["spec"], found["spec"])
        return mended

    def _is_as_made(self, namespace: str, gvr: Gvr, found: JsonObject, desired: JsonObject) -> bool:
        known = self._held.get((namespace, gvr))
        is_known = known is not None and known.asked == desired["spec"] and known.given == found["spec"]
        return is_known or bool(found["spec"] == desired["spec"])

    def _mended(self, namespace: str, gvr: Gvr, found: JsonObject | None, desired: JsonObject) -> list[Drift]:
        """Return what somebody else has made of a rule of ours; nothing where only our policy is another."""
        name = f"{gvr.resource}/{QUOTA_NAME}"
        if found is None:
            return [Drift(name, drift.UNKNOWN, "", left=False)] if (namespace, gvr) in self._held else []
        if self._is_as_made(namespace, gvr, found, desired):
            return []
        drifts = drift.settle({"metadata": {}, "spec": desired["spec"]}, found, _AS_USER)[1]
        found_by = [(f"{name}: {one.path}", one.manager, one.since) for one in drifts]
        entries = found["metadata"].get("managedFields") or ()
        last = max(((str(one.get("time") or ""), str(one.get("manager") or "")) for one in entries), default=("", ""))
        if not found_by:  # something was added, or taken from what we have given up since
            found_by = [(f"{name}: spec", last[1], last[0])]
        return [Drift(path, who, since, left=False) for path, who, since in found_by if who not in OWN_MANAGERS]

    async def _remove(self, namespace: str, gvr: Gvr) -> None:
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
