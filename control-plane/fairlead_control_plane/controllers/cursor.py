"""
How far the controllers have come: one row, so that a restart loses nothing and repeats little.

The row names a revision and the keys not done by then. A key that fails or asks to be looked at again for days stands
in it and holds nothing back; so history may be forgotten behind it.

This holds under ``kill -9``. Invariant: of each event up to the row's revision, every key is done or stands in the row;
later events are read again. The row is written whole in one transaction, from one moment of the queue, and a key leaves
the queue only when its reconciling has returned, its own writes durable. So whichever row a kill leaves behind, an old
one or a new one, what is missing follows from it; what was done since is done again, which must be repeatable anyway.

Where more keys wait than the row takes, its revision stays before the rest of them for a while. Then the controller
that has most is left out, and lists after a restart: its keys may wait for days, or follow from no event but from a
listing (:data:`~fairlead_control_plane.controllers.queue.NO_EVENT`), and no revision is before these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from operator import itemgetter

import orjson

from fairlead_control_plane.controllers.queue import NO_EVENT
from fairlead_control_plane.store.contract import Put, Store

_PREFIX = "/meta/controllers/"
_MOST_KEYS = 500
"""In the row, each a few hundred bytes at most; while more wait, the revision stays below what asked for the rest."""
_LONGEST_BACK = 10_000
"""Revisions that a restart may read again for what is not in the row."""

Item = tuple[str, tuple[str, ...]]
"""A controller's name and a key of its own."""


@dataclass(frozen=True, slots=True)
class Position:
    """
    Where to go on.

    Attributes:
        revision: Of the last event seen; 0: none.
        controllers: Those for whom it holds; any other has to look at everything.
        waiting: What is not done of the events up to ``revision``.
    """

    revision: int = 0
    controllers: frozenset[str] = frozenset()
    waiting: tuple[Item, ...] = ()


def position(seen: int, controllers: Iterable[str], waiting: Iterable[tuple[int, Item]]) -> Position:
    """
    Return where a restart may go on.

    Args:
        seen: Revision of the last event that is in the queue or done.
        waiting: What is in the queue, with the revision of the event that first asked for it.
    """
    names, left = set(controllers), list(waiting)
    while len(oldest := nsmallest(_MOST_KEYS + 1, left, key=itemgetter(0))) > _MOST_KEYS:
        before = oldest[_MOST_KEYS][0] - 1
        if before >= max(NO_EVENT, seen - _LONGEST_BACK):
            seen = before
            break
        [(crowd, _)] = Counter(name for _, (name, _) in left).most_common(1)
        names.discard(crowd)
        left = [one for one in left if one[1][0] != crowd]
    kept = tuple(item for since, item in oldest if since <= seen)
    return Position(seen, frozenset(names), kept)


class Cursor:
    """The row of a runner."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._key = _PREFIX + name

    async def load(self) -> Position:
        """
        Read the row; one that is missing, or of another format, knows nothing.

        Raises:
            StoreError: It could not be read.
        """
        row = await self._store.get(self._key)
        try:
            found = orjson.loads(row.value) if row is not None else None
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            return Position()
        waiting = tuple((name, tuple(key)) for name, key in found["waiting"])
        return Position(found["revision"], frozenset(found["controllers"]), waiting)

    async def save(self, reached: Position) -> None:
        """
        Write the row.

        Raises:
            StoreError: It could not be written.
        """
        value = {
            "revision": reached.revision,
            "controllers": sorted(reached.controllers),
            "waiting": reached.waiting,
        }
        await self._store.commit([Put(self._key, orjson.dumps(value))])
