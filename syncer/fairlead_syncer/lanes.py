"""
Whose turn it is: tenants take turns, and within a tenant what has to be done does so with what is only looked at again.

After a restart, or a list that had to be read anew, everything is looked at once. A new object, a change or a removal
never waits behind that: it stands in a line of its own, which comes up as often.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

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


def traits(key: Key) -> tuple[Hashable, ...]:
    """Return what an object is slow together with: its kind in its namespace, and its kind anywhere."""
    kind = (key.group, key.resource)
    return (key.cluster, key.namespace or key.name, *kind), kind


def stamps(state: State) -> Callable[[Key], Hashable]:
    """Return what names all that a refusal of an object follows from: what is asked for, and what is there."""

    def stamp(key: Key) -> Hashable:
        view, actual = state.views.get(key), state.actual.get(key)
        asked = None if view is None else (view["metadata"]["uid"], annotations_of(view).get(HASH), is_tombstone(view))
        there = None if actual is None else (actual["metadata"]["uid"], actual["metadata"].get("generation"))
        return asked, there

    return stamp


def _is_due(state: State, key: Key) -> bool:
    view = state.views.get(key)
    if view is None:
        return False
    actual = state.actual.get(key)
    if actual is None or is_tombstone(view):
        return True
    return annotations_of(view).get(HASH) != annotations_of(actual).get(HASH)
