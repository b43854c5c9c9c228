"""How far each target is with a namespace's objects: what the scheduler and ``why`` go by."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.keys import parse_key
from fairlead_control_plane.store.contract import Row, Store, prefix_end
from fairlead_control_plane.views import rows
from fairlead_transforms.summarize import Report, is_ready

_MAX_BLOCKED = 20
NOT_SYNCED = "APINotSynced"


@dataclass(frozen=True, slots=True)
class NamespaceRows:
    """All rows a target has of one namespace: its objects', tombstones included, and the namespace's own."""

    objects: Sequence[Row]
    own: Row | None


async def read(store: Store, uid: str, cluster: str, namespace: str, apis: Iterable[tuple[str, str]]) -> NamespaceRows:
    """Read a target's rows of one namespace, API by API."""
    found: list[Row] = []
    for group, plural in apis:
        prefix = rows.namespace_prefix(uid, group, plural, cluster, namespace)
        found.extend((await store.range(prefix, prefix_end(prefix))).rows)
    return NamespaceRows(found, await store.get(rows.namespace_row_key(uid, cluster, namespace)))


def count(uid: str, found: NamespaceRows, accepted: Container[tuple[str, str]]) -> JsonObject:
    """
    Return one entry of an Assignment's ``status.targets``.

    ``objects`` must run; ``applied`` of them the target has made; ``ready`` of them run in full; ``remaining`` rows
    exist at all, the namespace's own included; ``blocked`` says what cannot be applied and why (at most 20);
    ``drifted``, if any, which fields somebody has changed in the cluster (at most 20).

    What is of an API that the target does not accept (any more) is left as it is down there, nobody hears how it is,
    and it cannot be removed: it counts as before and is blocked.
    """
    views = [(row, rows.decode(row)) for row in found.objects]
    live = [(row, view) for row, view in views if view.state == rows.SYNC]
    applied = [pair for pair in live if _is_applied(pair[1])]
    blocked = [
        _blocked(row, view) if rows.api_of(row.key) in accepted else _unknown(row)
        for row, view in views
        if view.report.get("synced") is False or rows.api_of(row.key) not in accepted
    ]
    if found.own is not None and (own := rows.decode(found.own)).report.get("synced") is False:
        blocked.insert(0, _blocked(found.own, own))
    told = live if found.own is None else [(found.own, rows.decode(found.own)), *live]
    drifted = [{**_named(row), **one} for row, view in told for one in view.report.get("drift") or ()]
    counted = {
        "uid": uid,
        "objects": len(live),
        "applied": len(applied),
        "ready": sum(_is_ready(row, view) for row, view in applied),
        "remaining": len(views) + (found.own is not None),
        "blocked": blocked[:_MAX_BLOCKED],
    }
    return {**counted, "drifted": drifted[:_MAX_BLOCKED]} if drifted else counted


def waived(here: NamespaceRows, left: Sequence[NamespaceRows]) -> int:
    """
    Return how many objects need not be applied here for a namespace to come here from the targets that it leaves.

    Those that were refused here, and by each of those targets as well, which never had them: nothing is lost.
    """
    never = [
        {_object(row) for row in one.objects if _is_refused(row) and not rows.decode(row).downstream_uid}
        for one in left
    ]
    return sum(all(_object(row) in each for each in never) and _is_refused(row) for row in here.objects) if never else 0


def _object(row: Row) -> tuple[str, str]:
    return rows.split_key(row.key)[1], rows.decode(row).uid


def _is_refused(row: Row) -> bool:
    view = rows.decode(row)
    return view.state == rows.SYNC and view.report.get("synced") is False


def _is_applied(view: rows.View) -> bool:
    return bool(view.report.get("synced")) and view.report.get("appliedHash") == view.hash


def _is_ready(row: Row, view: rows.View) -> bool:
    key = parse_key(rows.split_key(row.key)[1])
    spec = {} if view.replicas is None else {"replicas": view.replicas}
    return is_ready(key.group, key.plural, spec, Report("", view.status, view.observed), generation=view.generation)


def _blocked(row: Row, view: rows.View) -> JsonObject:
    return _said(row, view.report.get("reason", ""), view.report.get("message", ""))


def _unknown(row: Row) -> JsonObject:
    name = ".".join(part for part in reversed(rows.api_of(row.key)) if part)
    return _said(
        row,
        NOT_SYNCED,
        f"{name} is not synced to this cluster now: the cluster does not offer it, or no supported export has it; "
        "what is there stays as it is until it is synced again",
    )


def _said(row: Row, reason: str, message: str) -> JsonObject:
    return {**_named(row), "reason": reason, "message": message}


def _named(row: Row) -> JsonObject:
    key = parse_key(rows.split_key(row.key)[1])
    return {"group": key.group, "resource": key.plural, "name": key.name}
