"""
Events on users' objects: what stands against their being synced, for as long as it does.

Source: k8s.io/client-go/tools/record, whose correlator counts what is the same in an Event that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry

RENEW_S = 300
"""An Event of the same words is written again no sooner."""
_LONGEST_MESSAGE = 1024
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Announcer:
    """Writes Events; the same words about the same object are one Event, which counts. ``now_s`` is since the epoch."""

    registry: Registry
    events: Resource
    now_s: Callable[[], float]

    async def __call__(self, obj: JsonObject, kind: str, reason: str, message: str) -> None:
        """Write an Event of type ``kind``; that none can be written must not fail what it is about."""
        cluster = obj["metadata"]["annotations"]["kcp.io/cluster"]
        event = self._event(obj, kind, reason, message)
        try:
            await self.registry.create(self.events, cluster, event)
        except AlreadyExists:
            await self._renew(cluster, event)
        except ApiError as error:  # a full or vanishing namespace
            _log.warning("an Event could not be written", reason=reason, error=error.message)

    async def _renew(self, cluster: str, event: JsonObject) -> None:
        """Count the Event that is there, seldom: whoever says it again says it at every look."""

        def change(found: JsonObject) -> JsonObject | None:
            if str(found.get("lastTimestamp") or "") > _text(self.now_s() - RENEW_S):
                return None
            return {**found, "count": int(found.get("count") or 1) + 1, "lastTimestamp": event["lastTimestamp"]}

        metadata = event["metadata"]
        try:
            await self.registry.modify(self.events, cluster, metadata["namespace"], metadata["name"], change)
        except ApiError as error:
            _log.warning("an Event could not be renewed", reason=event["reason"], error=error.message)

    def _event(self, obj: JsonObject, kind: str, reason: str, message: str) -> JsonObject:
        metadata = obj["metadata"]
        digest = sha256("\0".join([metadata["uid"], reason, message]).encode()).hexdigest()[:16]
        namespace, now = metadata.get("namespace", ""), _text(self.now_s())
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{digest}", "namespace": namespace or "default"},
            "involvedObject": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "name": metadata["name"],
                **({"namespace": namespace} if namespace else {}),
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:_LONGEST_MESSAGE],
            "source": {"component": "fairlead-syncer"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _text(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
