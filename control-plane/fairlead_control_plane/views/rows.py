"""
One row per (target, object): state, cause, hash of the wanted object, what the target reported.

The row outlives the object as a tombstone and goes only when the syncer has confirmed; it is the proof without which
nothing is deleted downstream (design section 6, number 1).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.keys import NONE
from fairlead_control_plane.store.contract import Row

PREFIX = "/views/"
SYNC, REMOVED = "Sync", "Removed"


@dataclass(frozen=True, slots=True)
class View:
    """
    The value of a row.

    Attributes:
        uid: Of the upstream object; a row whose uid changed stands for another object of the same name.
        api_version, kind: Of the object as stored, so that a tombstone can still be shown.
        state: ``Sync`` (must run) or ``Removed`` (tombstone).
        cause: Of a tombstone: ``Deleted``, ``Collected``, ``Moved``, ``Unassigned``, ``NamespaceDeleted``,
            ``WorkspaceDeleted`` (see the syncer protocol); else "".
        since: RFC 3339 time of the tombstone, shown as deletionTimestamp.
        generation: Upstream ``metadata.generation`` when the row was last touched.
        hash: Of what the target must run; the row is touched exactly when it changes.
        replicas: This target's share; None for kinds that are not divided.
        status: The raw downstream status, None until reported.
        observed: Upstream generation the target has applied and its controller observed; never goes back for a uid.
        report: The syncer's last report without the status (see the syncer protocol).
    """

    uid: str
    api_version: str
    kind: str
    state: str = SYNC
    cause: str = ""
    since: str = ""
    generation: int = 0
    hash: str = ""
    replicas: int | None = None
    status: JsonObject | None = None
    observed: int = 0
    report: JsonObject = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the stored form."""
        return orjson.dumps(asdict(self))

    @property
    def downstream_uid(self) -> str:
        """Return the uid of the object the target made for this one; "" until reported."""
        return str(self.report.get("downstreamUID") or "")


def decode(row: Row) -> View:
    """Return the view of a row."""
    value: dict[str, Any] = orjson.loads(row.value)
    return View(**value)


def view_key(target_uid: str, object_key: str) -> str:
    """Return the row's key: the object's own key below the target's prefix."""
    return f"{PREFIX}{target_uid}{object_key}"


def split_key(key: str) -> tuple[str, str]:
    """Return (target uid, object key) of a row's key."""
    target, slash, rest = key.removeprefix(PREFIX).partition("/")
    return target, slash + rest


def target_prefix(target_uid: str, group: str = "", resource: str = "") -> str:
    """Return the prefix of a target's rows, or of those of one resource under any identity."""
    prefix = f"{PREFIX}{target_uid}/"
    return f"{prefix}{group or 'core'}/{resource}/" if resource else prefix


def namespace_row_key(target_uid: str, cluster: str, namespace: str) -> str:
    """Return the key of the row that stands for a namespace itself."""
    return view_key(target_uid, f"/core/namespaces/{NONE}/{cluster}/{NONE}/{namespace}")
