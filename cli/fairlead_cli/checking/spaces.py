"""All workspaces a user can see, and one kind of object in all of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli import kinds, places
from fairlead_cli.assignments import cluster_of
from fairlead_cli.session import Session
from fairlead_machinery.client import Client, Gvr

MOST = 500
"""How many workspaces are entered one by one."""
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Everywhere:
    """
    Objects of one kind.

    Attributes:
        objects: What was found, by logical cluster.
        unseen: How many workspaces could not be looked into, or were too many; those below them are not counted.
    """

    objects: dict[str, list[JsonObject]]
    unseen: int


async def everywhere(session: Session, gvr: Gvr) -> Everywhere:
    """
    Return the objects of a kind that an export of ``root`` offers, in all workspaces.

    In one request for those who may; else workspace by workspace from the topmost one down.
    """
    top = session.top
    try:
        export = await top.at(names.ROOT).get(kinds.API_EXPORTS, gvr.group)
        identity = (export.get("status") or {}).get("identityHash", "")
        found, _ = await top.at(names.WILDCARD).list(Gvr(gvr.group, gvr.version, f"{gvr.resource}:{identity}"))
    except (Forbidden, NotFound):
        return await _one_by_one(session, gvr)
    objects: dict[str, list[JsonObject]] = {}
    for one in found:
        objects.setdefault(cluster_of(one), []).append(one)
    return Everywhere(objects, 0)


async def _one_by_one(session: Session, gvr: Gvr) -> Everywhere:
    objects: dict[str, list[JsonObject]] = {}
    slots = asyncio.Semaphore(_AT_ONCE)
    level, seen, unseen = [places.top(session.place.path)], 0, 0
    while level:
        room = MOST - seen
        unseen += len(level[room:])
        level = level[:room]
        seen += len(level)
        answers = await asyncio.gather(*(_look(session.top, cluster, gvr, slots) for cluster in level))
        below: list[str] = []
        for cluster, (found, children, refused) in zip(level, answers, strict=True):
            unseen += refused
            below += children
            if found:
                objects[cluster_of(found[0]) or cluster] = found
        level = below
    return Everywhere(objects, unseen)


async def _look(
    top: Client, cluster: str, gvr: Gvr, slots: asyncio.Semaphore
) -> tuple[list[JsonObject], list[str], bool]:
    """Return a workspace's objects, the clusters of those below it, and whether something was refused."""
    async with slots:
        found, refused_here = await _list(top.at(cluster), gvr)
        spaces, refused_below = await _list(top.at(cluster), kinds.WORKSPACES)
    children = [str((one.get("spec") or {}).get("cluster") or "") for one in spaces]
    return found, [one for one in children if one], refused_here or refused_below


async def _list(place: Client, gvr: Gvr) -> tuple[list[JsonObject], bool]:
    """Return what is there, and whether it may not be seen; a workspace without that kind has none."""
    try:
        return (await place.list(gvr))[0], False
    except NotFound:
        return [], False
    except Forbidden:
        return [], True
