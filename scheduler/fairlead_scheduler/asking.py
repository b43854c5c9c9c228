"""
Asks what no watch tells: which logical cluster a path means, and whether a Placement's author may use its Locations.

Answers are kept for a while; a path that means nothing yet is asked for again soon.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, NotFound
from fairlead_scheduler.picture import Picture
from fairlead_scheduler.plane import ACCESS_REVIEWS, LOGICAL_CLUSTERS, Plane
from fairlead_scheduler.world import Name

RESOLVED_S, UNRESOLVED_S, ALLOWED_S = 600.0, 10.0, 60.0
REQUESTED_BY = "internal.scheduling.kcp.io/requested-by"
_CLUSTER, _PATH = "kcp.io/cluster", "kcp.io/path"


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer and until when (seconds) it is taken for true."""

    value: bool
    until_s: float


class Asking:
    """
    Keeps ``world.clusters``, ``world.paths`` and ``world.refused`` true.

    Args:
        plane: Whom to ask.
        picture: What is known.
        clock_s: Seconds, growing.
    """

    def __init__(self, plane: Plane, picture: Picture, clock_s: Callable[[], float]) -> None:
        self._plane = plane
        self._world = picture.world
        self._clock_s = clock_s
        self._resolved_until_s: dict[str, float] = {}
        self._forget_at_s = 0.0
        self._answers: dict[tuple[str, str], _Answer] = {}  # requester (as recorded), location cluster

    async def refresh(self, cluster: str) -> float | None:
        """
        Bring everything up to date that one workspace's Placements depend on.

        Returns:
            Seconds after which to ask again; None when nothing was asked that could change.
        """
        placements = self._world.placements.of(cluster)
        moments = [await self._placement(cluster, name, obj) for name, obj in placements.items()]
        self._world.refused.difference_update(
            {key for key in self._world.refused if key[0] == cluster and key[1] not in placements}
        )
        until_s = min((moment for moment in moments if moment is not None), default=None)
        return None if until_s is None else max(until_s - self._clock_s(), 0.1)

    async def _placement(self, cluster: str, name: str, obj: JsonObject) -> float | None:
        path = obj["spec"].get("locationWorkspace") or ""
        key: Name = (cluster, name)
        if not path:
            await self._resolve(cluster)  # for its path, which messages show
            self._world.refused.discard(key)
            return None
        until_s = await self._resolve(path)
        where = self._world.clusters[path]
        if where in {"", cluster}:
            self._world.refused.discard(key)
            return until_s
        requester = (obj["metadata"].get("annotations") or {}).get(REQUESTED_BY, "")
        answer = await self._may_use(requester, where)
        (self._world.refused.discard if answer.value else self._world.refused.add)(key)
        return min(until_s, answer.until_s)

    async def _resolve(self, path: str) -> float:
        """Ask for the logical cluster behind a path, or a cluster's path; return until when that is believed."""
        until_s = self._resolved_until_s.get(path, 0.0)
        if until_s > self._clock_s():
            return until_s
        self._forget()
        cluster = ""
        try:
            found = await self._plane.at(path).get(LOGICAL_CLUSTERS, "cluster")
        except (NotFound, Forbidden):
            pass
        else:
            marks = found["metadata"].get("annotations") or {}
            cluster = marks.get(_CLUSTER, path)
            self._world.paths[cluster] = marks.get(_PATH, cluster)
        self._world.clusters[path] = cluster
        until_s = self._clock_s() + (RESOLVED_S if cluster else UNRESOLVED_S)
        self._resolved_until_s[path] = until_s
        return until_s

    def _forget(self) -> None:
        """
        Drop what nobody has asked for since it was believed.

        Every workspace is refreshed before it is looked at, and while it depends on a path again when that is due.
        """
        now_s = self._clock_s()
        if now_s < self._forget_at_s:
            return
        self._forget_at_s = now_s + RESOLVED_S
        for path in [path for path, until_s in self._resolved_until_s.items() if until_s + RESOLVED_S < now_s]:
            del self._resolved_until_s[path]
            del self._world.clusters[path]
        for cluster in self._world.paths.keys() - self._world.clusters.values():
            del self._world.paths[cluster]

    async def _may_use(self, requester: str, where: str) -> _Answer:
        """Ask whether a user may use Locations of a workspace; who is not recorded may not."""
        known = self._answers.get((requester, where))
        now_s = self._clock_s()
        if known is not None and known.until_s > now_s:
            return known
        allowed = False
        if requester:
            try:
                answer = await self._plane.at(where).create(ACCESS_REVIEWS, _review(json.loads(requester)))
                allowed = bool((answer.get("status") or {}).get("allowed"))
            except (NotFound, Forbidden, ValueError):
                pass  # the workspace is gone, or the record is damaged
        self._answers = {key: one for key, one in self._answers.items() if one.until_s > now_s}
        made = self._answers[requester, where] = _Answer(allowed, now_s + ALLOWED_S)
        return made


def _review(user: JsonObject) -> JsonObject:
    """Return the question whether a user (name, uid, groups, extra) may use Locations."""
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user.get("name", ""),
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "resourceAttributes": {"verb": "use", "group": "scheduling.kcp.io", "resource": "locations"},
        },
    }
