"""
One row per (target, object): state, cause, hash of the wanted object, what the target reported.

The row outlives the object as a tombstone and goes only when the syncer has confirmed; it is the proof without which
nothing is deleted downstream (design section 6, number 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.keys import NONE, namespace_key, parse_key
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
        cause: Of a tombstone: ``Deleted``, ``DeletedTogether``, ``Collected``, ``Moved``, ``Unassigned``,
            ``NamespaceDeleted``, ``WorkspaceDeleted``, ``Rebound`` (see the syncer protocol); else "".
        since: RFC 3339 time of the tombstone, shown as deletionTimestamp.
        generation: Upstream ``metadata.generation`` when the row was last touched.
        hash: Of what the target must run; the row is touched exactly when it changes.
        replicas: This target's share; None for kinds that are not divided.
        status: The raw downstream status, None until reported.
        observed: Upstream generation the target has applied and its controller observed; never goes back for a uid.
        report: The syncer's last report without the status (see the syncer protocol).
        identity: Under which the object's API is bound in its workspace; "" for kinds that are built in.
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
    identity: str = ""

    def encode(self) -> bytes:
        """Return the stored form."""
        return orjson.dumps(self)

    @property
    def downstream_uid(self) -> str:
        """Return the uid of the object the target made for this one; "" until reported."""
        return str(self.report.get("downstreamUID") or "")


def decode(row: Row) -> View:
    """Return the view of a row."""
    value: dict[str, Any] = orjson.loads(row.value)
    return View(**value)


def view_key(target_uid: str, object_key: str) -> str:
    """
    Return the row's key: the object's own key below the target's prefix, less its identity.

    A cluster has one API of a name and therefore one object: when the workspace's API is bound to another provider,
    the new object takes over the old one's row, as one that was made again under its name does.
    """
    _, group, plural, _, place = object_key.split("/", 4)
    return f"{PREFIX}{target_uid}/{group}/{plural}/{NONE}/{place}"


def split_key(key: str) -> tuple[str, str]:
    """Return (target uid, object key less its identity) of a row's key."""
    target, slash, rest = key.removeprefix(PREFIX).partition("/")
    return target, slash + rest


def object_key(key: str, view: View) -> str:
    """Return the key of the object that a row stands for."""
    _, group, plural, _, place = split_key(key)[1].split("/", 4)
    return f"/{group}/{plural}/{view.identity or NONE}/{place}"


def api_of(key: str) -> tuple[str, str]:
    """Return (group, plural) of a row's key."""
    parsed = parse_key(split_key(key)[1])
    return parsed.group, parsed.plural


def target_prefix(target_uid: str, group: str = "", resource: str = "") -> str:
    """Return the prefix of a target's rows, or of those of one resource."""
    prefix = f"{PREFIX}{target_uid}/"
    return f"{prefix}{group or 'core'}/{resource}/" if resource else prefix


def namespace_prefix(target_uid: str, group: str, resource: str, cluster: str, namespace: str) -> str:
    """Return the prefix of a target's rows of one resource in one namespace."""
    return f"{target_prefix(target_uid, group, resource)}{NONE}/{cluster}/{namespace}/"


def namespace_row_key(target_uid: str, cluster: str, namespace: str) -> str:
    """Return the key of the row that stands for a namespace itself."""
    return view_key(target_uid, namespace_key(cluster, namespace))
