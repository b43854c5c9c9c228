"""Agents that do what must never be done; each has to be found out by some day (``--mutant``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead_api import JsonObject
from fairlead_machinery.client import Gvr
from fairlead_machinery.reflector import Delta
from fairlead_syncer import plan
from fairlead_syncer.down import Down
from fairlead_syncer.feeds import Feeds
from fairlead_syncer.target import Key
from fairlead_syncer.upstream import Upstream
from fairlead_transforms.names import downstream_name


def no_fresh_check() -> None:
    """Delete without having asked upstream right before."""

    async def check(*_: object) -> None:
        """Believe what is remembered."""

    Upstream.check = check  # type: ignore[method-assign,assignment]


def absence_means_delete() -> None:
    """Delete what no view speaks of any more, as if a view that vanishes were a cause."""
    reconcile, heard_above = Down.reconcile, Feeds._above

    def above(self: Any, gvr: Gvr) -> Callable[[Delta], None]:
        on_delta = heard_above(self, gvr)

        def and_looks(delta: Delta) -> None:
            on_delta(delta)
            if delta.key is not None and delta.kind == "deleted":
                place = delta.key
                self._enqueue(Key(gvr.group, gvr.resource, place.cluster, place.namespace, place.name))

        return and_looks

    Feeds._above = above  # type: ignore[method-assign]

    async def deleting(self: Any, key: Key) -> float | None:
        actual, gvr = self._state.actual.get(key), self._state.gvrs.get((key.group, key.resource))
        if key not in self._state.views and actual is not None and gvr is not None:
            name = downstream_name(key.group, key.resource, key.name)
            uid = actual["metadata"]["uid"]
            await self._cluster.delete(gvr, name, namespace=self._home(key), uid=uid)
            return None
        return await reconcile(self, key)

    Down.reconcile = deleting  # type: ignore[method-assign]


def everything_is_ours() -> None:
    """Take every object of the right name for ours."""

    def is_ours(*_: object) -> bool:
        return True

    plan.is_ours = is_ours  # type: ignore[assignment]


def confirm_without_removing() -> None:
    """Say that an object is gone without having looked, or done anything."""
    bring = Down._bring

    async def confirming(self: Any, key: Key, gvr: Gvr, view: JsonObject) -> float | None:
        if plan.is_tombstone(view):
            await self._confirm(key, gvr, view["metadata"]["uid"])
            return None
        return await bring(self, key, gvr, view)

    Down._bring = confirming  # type: ignore[method-assign]


def report_older_status() -> None:
    """Report, of each object, the status that it had before."""
    report = Upstream.report
    before: dict[Key, JsonObject | None] = {}

    async def reporting(
        self: Upstream, gvr: Gvr, key: Key, uid: str, status: JsonObject | None, said: JsonObject
    ) -> str:
        older, before[key] = before.get(key, status), status
        return await report(self, gvr, key, uid, older, said)

    Upstream.report = reporting  # type: ignore[method-assign,assignment]


MUTANTS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        no_fresh_check,
        absence_means_delete,
        everything_is_ours,
        confirm_without_removing,
        report_older_status,
    )
}
