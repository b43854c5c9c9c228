"""
Whose turn it is: tenants take turns, and within a tenant what has to be done does so with what is only looked at again.

After a restart, or a list that had to be read anew, everything is looked at once. A new object, a change or a removal
never waits behind that: it stands in a line of its own, which comes up as often.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead_syncer.plan import HASH, annotations_of, is_tombstone
from fairlead_syncer.state import State
from fairlead_syncer.target import Key

Lane = tuple[str, bool]
"""Logical cluster of the workspace, and whether there is something to do."""


def lanes(state: State) -> Callable[[Key], Lane]:
    """Return what names the lane of a key, by what is known as it is put in line."""

    def lane(key: Key) -> Lane:
        return key.cluster, _is_due(state, key)

    return lane


def _is_due(state: State, key: Key) -> bool:
    view = state.views.get(key)
    if view is None:
        return False
    actual = state.actual.get(key)
    if actual is None or is_tombstone(view):
        return True
    return annotations_of(view).get(HASH) != annotations_of(actual).get(HASH)
