"""How far each target is with a namespace's objects: what the scheduler and ``why`` go by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.keys import NONE, parse_key
from fairlead_control_plane.store.contract import Row, Store, prefix_end
from fairlead_control_plane.views import rows
from fairlead_transforms.summarize import Report, is_ready

_MAX_BLOCKED = 20


@dataclass(frozen=True, slots=True)
class NamespaceRows:
    """All rows a target has of one namespace: its objects', tombstones included, and the namespace's own."""

    objects: Sequence[Row]
    own: Row | None


async def read(
    store: Store, uid: str, cluster: str, namespace: str, resources: Iterable[tuple[str, str, str]]
) -> NamespaceRows:
    """Read a target's rows of one namespace, resource by resource."""
    found: list[Row] = []
    for group, plural, identity in resources:
        prefix = rows.view_key(uid, f"/{group or 'core'}/{plural}/{identity or NONE}/{cluster}/{namespace}/")
        found.extend((await store.range(prefix, prefix_end(prefix))).rows)
    return NamespaceRows(found, await store.get(rows.namespace_row_key(uid, cluster, namespace)))


def count(uid: str, found: NamespaceRows) -> JsonObject:
    """
    Return one entry of an Assignment's ``status.targets``.

    ``objects`` must run; ``applied`` of them the target has made; ``ready`` of them run in full; ``remaining`` rows
    exist at all, the namespace's own included; ``blocked`` says what cannot be applied and why (at most 20).
    """
    views = [(row, rows.decode(row)) for row in found.objects]
    live = [(row, view) for row, view in views if view.state == rows.SYNC]
    applied = [pair for pair in live if _is_applied(pair[1])]
    blocked = [_blocked(row, view) for row, view in views if view.report.get("synced") is False]
    if found.own is not None and (own := rows.decode(found.own)).report.get("synced") is False:
        blocked.insert(0, _blocked(found.own, own))
    return {
        "uid": uid,
        "objects": len(live),
        "applied": len(applied),
        "ready": sum(_is_ready(row, view) for row, view in applied),
        "remaining": len(views) + (found.own is not None),
        "blocked": blocked[:_MAX_BLOCKED],
    }


def _is_applied(view: rows.View) -> bool:
    return bool(view.report.get("synced")) and view.report.get("appliedHash") == view.hash


def _is_ready(row: Row, view: rows.View) -> bool:
    key = parse_key(rows.split_key(row.key)[1])
    spec = {} if view.replicas is None else {"replicas": view.replicas}
    return is_ready(key.group, key.plural, spec, Report("", view.status, view.observed), generation=view.generation)


def _blocked(row: Row, view: rows.View) -> JsonObject:
    key = parse_key(rows.split_key(row.key)[1])
    return {
        "group": key.group,
        "resource": key.plural,
        "name": key.name,
        "reason": view.report.get("reason", ""),
        "message": view.report.get("message", ""),
    }
