"""
SyncTargets: their key and URLs from the first moment, their status from heartbeats.

Source: kcp TMC, synctarget, heartbeat and exports controllers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, BadRequest
from fairlead_api.names import sync_target_key
from fairlead_control_plane.auth import agents
from fairlead_control_plane.controllers.agents import (
    INVENTORY,
    inventory_condition,
    is_inventory,
    lost_condition,
    standby_condition,
    version_condition,
)
from fairlead_control_plane.controllers.allowances import are_passed
from fairlead_control_plane.controllers.heartbeats import Heartbeats, conditions, timed
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import StoreError
from fairlead_control_plane.views.rows import View
from fairlead_control_plane.views.targets import TargetIndex

_log = structlog.get_logger()
KEY_LABEL = "internal.workload.kcp.io/key"
INTERVAL_S = 20
"""How often agents are asked to send a heartbeat; kcp's."""
HELD_INTERVAL_S = 5
"""The same while deletions are held: whoever approves them waits for the answer."""
_CHECK_S = 1.0
_MOST_APIS = 5000
_MOST_EXAMPLES, _LONGEST_TEXT = 5, 1024
_FIELDS: dict[str, type] = {
    "syncerVersion": str, "properties": dict, "apis": list, "authorized": dict, "held": dict, "clusterLost": str,
    "leftovers": dict, "passed": list,
}  # fmt: skip
_OWN_VERSION = metadata.version("fairlead")
ROTATE_ANNOTATION = "workload.fairlead.io/rotate-key"
"""Of a SyncTarget: thumbprint of the agent's key that is to be replaced; any other key is left alone."""
_CONDITION_FIELDS = frozenset({"status", "severity", "reason", "message"})
_STATES = frozenset({"True", "False", "Unknown"})
_DEFAULT_EXPORTS = ({"path": "root:compute", "export": "kubernetes"},)

Announce = Callable[[JsonObject, str, str, str], Awaitable[None]]
ExportedResources = Callable[[str, str], Any]
"""Awaitable list of ``{"group", "resource", "versions", "identityHash"}`` of an APIExport, given path and name."""


@dataclass(frozen=True, slots=True)
class SyncTargetEffects:
    """Completes a SyncTarget as it is created: key label, exports, virtual workspace URLs, first conditions."""

    external_url: Callable[[], str]
    now: Callable[[], str]

    async def __call__(self, change: Change) -> Effect:
        """See :data:`fairlead_control_plane.kinds.change.Effects`."""
        is_target = (change.resource.group, change.resource.plural) == ("workload.kcp.io", "synctargets")
        if not is_target or change.new is None or change.old is not None:
            return Effect()
        metadata = change.new["metadata"]
        labels = {**metadata.get("labels", {}), KEY_LABEL: sync_target_key(change.cluster, change.name)}
        place = f"{change.cluster}/{change.name}/{metadata['uid']}"
        urls = {f"{name}URL": f"{self.external_url()}/services/{name}/{place}" for name in ("syncer", "upsyncer")}
        first = conditions([], healthy=False, ever=False, authorized=None, now=self.now())
        status = {**change.new.get("status", {}), "virtualWorkspaces": [urls], "conditions": first}
        # One without a spec is not defaulted; the first update of it would be, and what is synced must not follow.
        spec = {"supportedAPIExports": [dict(one) for one in _DEFAULT_EXPORTS], **(change.new.get("spec") or {})}
        return Effect(new={**change.new, "metadata": {**metadata, "labels": labels}, "spec": spec, "status": status})


class SyncTargetReports:
    """
    Takes heartbeats and keeps conditions true as time passes.

    Attributes:
        announce: Writes an Event about an object: (object, type, reason, message); None for no Events.
    """

    def __init__(
        self,
        registry: Registry,
        targets: TargetIndex,
        synctargets: Resource,
        beats: Heartbeats,
        exported: ExportedResources,
        now: Callable[[], str],
    ) -> None:
        self.announce: Announce | None = None
        self._registry = registry
        self._targets = targets
        self._resource = synctargets
        self._beats = beats
        self._exported = exported
        self._now = now

    async def heartbeat(self, target: JsonObject, body: JsonObject) -> JsonObject:
        """
        Note that an agent lives, and what it says of its cluster; return when it should speak again.

        Args:
            target: The SyncTarget.
            body: ``syncerVersion``, ``properties`` (strings), ``apis`` (``[{group, resource, versions}]`` that the
                cluster offers and the agent may write), ``authorized`` (``{status, reason, message}``), ``held``
                (``{digest, count, examples}`` of the deletions that wait for approval, count 0 when none does),
                ``passed`` (``[{count, ageSeconds}]`` of the deletions that counted for its brake of late),
                ``clusterLost`` (why the agent cannot speak to its cluster), ``leftovers`` (``{count, kinds, examples}``
                of what bears its marks and no view explains). Fields of other versions are passed over.

        Raises:
            BadRequest: A field has the wrong type.
        """
        seen = _checked(body)
        if "passed" in seen:
            if not are_passed(seen["passed"]):
                raise BadRequest("heartbeat passed must be a list of at most 20 {count, ageSeconds}")
            self._beats.allowances.told(target["metadata"]["uid"], seen["passed"])
        # An agent that cannot speak to its cluster lives, but the cluster is not heard of.
        due = not seen.get("clusterLost") and self._beats.beat(target["metadata"]["uid"])
        synced = await self._synced_resources(target, seen.get("apis"))
        now = self._now()

        def change(obj: JsonObject) -> JsonObject | None:
            status = self._status(obj, seen, synced, now)
            if due:
                status["lastSyncerHeartbeatTime"] = now
            if status == obj.get("status"):
                return None
            obj["status"] = status
            return obj

        before = (target.get("status") or {}).get("heldDeletions")
        current = await self._modify(target, change)
        await self._tell_held(current, before)
        spec, is_held = current.get("spec") or {}, bool((current.get("status") or {}).get("heldDeletions"))
        return {
            "intervalSeconds": HELD_INTERVAL_S if is_held else INTERVAL_S,
            "serverTime": now,
            "podSecurity": spec.get("podSecurity") or "baseline",
            "tenantPolicy": spec.get("tenantPolicy") or {},
            "rotateKey": _key_to_replace(current),
            "deletionsHeld": is_held,
            "deletionsPassed": self._beats.allowances.of(target["metadata"]["uid"]),
            "approvedDeletions": spec.get("approvedDeletions") or "",
        }

    def deleting(self, target: JsonObject, view: View) -> None:
        """Note that an agent is about to delete what a row says must go."""
        self._beats.allowances.asked(target["metadata"]["uid"], view)

    async def _tell_held(self, target: JsonObject, before: JsonObject | None) -> None:
        """Say by an Event that deletions are held, once for each set, and when none are any more."""
        if self.announce is None:
            return
        held = (target.get("status") or {}).get("heldDeletions")
        condition = held_condition(target, held)
        if held and condition and held["digest"] != (before or {}).get("digest"):
            await self.announce(target, "Warning", "DeletionsHeld", condition["message"])
        elif before and not held:
            message = f"the {before['count']} deletions of set {before['digest']} are held no longer"
            await self.announce(target, "Normal", "DeletionsReleased", message)

    async def run(self) -> None:
        """Write the transitions that come by time alone, for ever."""
        while True:
            await asyncio.sleep(_CHECK_S)
            targets = self._targets.all()
            self._beats.keep({target["metadata"]["uid"] for target in targets})
            for target in targets:
                if self._is_stale(target):
                    try:
                        await self._write_health(target)
                    except (ApiError, StoreError) as error:
                        # It was deleted, or the disk is full; who is still there is looked at again.
                        _log.warning("health not written", target=target["metadata"]["name"], error=str(error))

    def _is_stale(self, target: JsonObject) -> bool:
        was = _was_healthy(target)
        return was and not self._beats.is_healthy(target["metadata"]["uid"], was)

    async def _write_health(self, target: JsonObject) -> None:
        def change(obj: JsonObject) -> JsonObject | None:
            status = self._status(obj, {}, None, self._now())
            if status == obj.get("status"):
                return None
            obj["status"] = status
            return obj

        await self._modify(target, change)

    async def _modify(self, target: JsonObject, change: Callable[[JsonObject], JsonObject | None]) -> JsonObject:
        uid = target["metadata"]["uid"]

        def same(obj: JsonObject) -> JsonObject | None:
            return change(obj) if obj["metadata"]["uid"] == uid else None

        cluster, name = self._targets.cluster_of(target), target["metadata"]["name"]
        return await self._registry.modify(self._resource, cluster, "", name, same, subresource="status")

    def _status(self, obj: JsonObject, seen: JsonObject, synced: list[JsonObject] | None, now: str) -> JsonObject:
        """Return the next status; equal to the old one when nothing that matters changed."""
        old = obj.get("status") or {}
        status = dict(old)
        was = _was_healthy(obj)
        healthy = self._beats.is_healthy(obj["metadata"]["uid"], was)
        ever = healthy or bool(old.get("lastSyncerHeartbeatTime"))
        before = old.get("conditions") or []
        authorized = seen.get("authorized") or next(
            (
                {k: v for k, v in c.items() if k not in {"type", "lastTransitionTime"}}
                for c in before
                if c["type"] == "SyncerAuthorized"
            ),
            None,
        )
        if "held" in seen:
            status["heldDeletions"] = seen["held"]
            if not seen["held"]["count"]:
                del status["heldDeletions"]
        held = held_condition(obj, status.get("heldDeletions"))
        for field in ("syncerVersion", "properties"):
            if field in seen:
                status[field] = seen[field]
        known = conditions(before, healthy=healthy, ever=ever, authorized=authorized, held=held, now=now)
        status["conditions"] = [*known, *timed(self._of_agents(obj, status, seen), before, now)]
        if synced is not None:
            status["syncedResources"] = synced
        return status

    def _of_agents(self, obj: JsonObject, status: JsonObject, seen: JsonObject) -> list[JsonObject]:
        """Return what is to be said of the agents; a heartbeat that is none, as time passes, changes no word of it."""
        lost = seen.get("clusterLost")
        before = {one["type"]: one for one in (obj.get("status") or {}).get("conditions") or ()}
        told = inventory_condition(obj["metadata"]["name"], seen.get("leftovers"))
        found = (
            version_condition(str(status.get("syncerVersion") or ""), _OWN_VERSION),
            standby_condition(self._beats.waiting(obj["metadata"]["uid"])),
            lost_condition(lost) or (None if seen else before.get("ClusterReachable")),
            told or before.get(INVENTORY),
        )
        return [one for one in found if one is not None]

    async def _synced_resources(self, target: JsonObject, apis: list[JsonObject] | None) -> list[JsonObject] | None:
        """Judge every resource of the supported exports against what the cluster offers; None when it did not say."""
        if apis is None:
            return None
        offered = {(api.get("group", ""), api["resource"]): api.get("versions") or [] for api in apis}
        own_path = self._targets.cluster_of(target)
        found: list[JsonObject] = []
        for export in (target.get("spec") or {}).get("supportedAPIExports") or _DEFAULT_EXPORTS:
            for one in await self._exported(export.get("path") or own_path, export["export"]):
                have = offered.get((one["group"], one["resource"]))
                common = have is not None and set(have) & set(one["versions"])
                found.append({**one, "state": "Accepted" if common else "Incompatible"})
        return sorted(found, key=lambda one: (one["group"], one["resource"]))


def _key_to_replace(target: JsonObject) -> str:
    """Return the thumbprint of the agent's key if somebody asked for exactly this one to be replaced; else ""."""
    key = agents.pinned_key(target)
    wanted = str((target["metadata"].get("annotations") or {}).get(ROTATE_ANNOTATION, ""))
    return wanted if key is not None and wanted == agents.thumbprint(key) else ""


def _was_healthy(target: JsonObject) -> bool:
    stored: Sequence[JsonObject] = (target.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "HeartbeatHealthy" and one["status"] == "True" for one in stored)


def held_condition(target: JsonObject, held: JsonObject | None) -> JsonObject | None:
    """
    Return what DeletionsHeld says of a SyncTarget, without its type; None while nothing is held.

    Args:
        target: The SyncTarget.
        held: Its ``status.heldDeletions``: ``{digest, count, examples}``.
    """
    if not held:
        return None
    digest, approved = held["digest"], (target.get("spec") or {}).get("approvedDeletions") or ""
    other = f"; set {approved} was approved, which is another" if approved and approved != digest else ""
    command = f"kubectl fairlead cluster approve {target['metadata']['name']} --set {digest}"
    message = (
        f"{held['count']} deletions came in a burst and wait for approval, among them "
        f"{', '.join(held['examples'])}{other}; to let exactly these go: {command}"
    )
    return {"status": "True", "severity": "Warning", "reason": "BurstOfDeletions", "message": message}


def _checked(body: JsonObject) -> JsonObject:
    body = {name: value for name, value in body.items() if name in _FIELDS}
    for name, value in body.items():
        if not isinstance(value, _FIELDS[name]):
            raise BadRequest(f"heartbeat field {name!r} has the wrong type")
    if max(len(body.get("clusterLost", "")), len(body.get("syncerVersion", ""))) > _LONGEST_TEXT:
        raise BadRequest(f"heartbeat clusterLost and syncerVersion may have {_LONGEST_TEXT} characters")
    if len(body.get("apis", ())) > _MOST_APIS or not all(_is_api(api) for api in body.get("apis", ())):
        raise BadRequest(f"heartbeat apis must be a list of at most {_MOST_APIS} {{group, resource, versions}}")
    for name in ("properties", "authorized"):
        if not all(isinstance(value, str) for value in body.get(name, {}).values()):
            raise BadRequest(f"heartbeat {name} must map text to text")
    if "authorized" in body and (
        not set(body["authorized"]) <= _CONDITION_FIELDS or body["authorized"].get("status") not in _STATES
    ):
        raise BadRequest("heartbeat authorized must be {status, severity, reason, message}")
    if "held" in body and not _is_held(body["held"]):
        raise BadRequest(f"heartbeat held must be {{digest, count, examples}} with at most {_MOST_EXAMPLES} examples")
    if "leftovers" in body and not is_inventory(body["leftovers"]):
        raise BadRequest("heartbeat leftovers must be {count, kinds, examples} with at most 20 kinds and 5 examples")
    return body


def _is_held(held: JsonObject) -> bool:
    digest, count, examples = held.get("digest"), held.get("count"), held.get("examples")
    return (
        set(held) == {"digest", "count", "examples"}
        and isinstance(digest, str)
        and len(digest) <= _LONGEST_TEXT
        and type(count) is int
        and count >= 0
        and bool(digest) == (count > 0)
        and isinstance(examples, list)
        and len(examples) <= _MOST_EXAMPLES
        and all(isinstance(one, str) and len(one) <= _LONGEST_TEXT for one in examples)
    )


def _is_api(api: object) -> bool:
    return (
        isinstance(api, dict)
        and isinstance(api.get("resource"), str)
        and isinstance(api.get("group", ""), str)
        and isinstance(api.get("versions", []), list)
        and all(isinstance(version, str) for version in api.get("versions", []))
    )
