"""
What has been brought and told already: the echo of our own words and deeds needs no second look.

Each object comes back twice, as an event of the cluster (we made it) and as a changed view (we reported it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead_api import JsonObject
from fairlead_syncer.plan import HASH, annotations_of
from fairlead_syncer.target import Key


@dataclass(frozen=True, slots=True)
class _Outcome:
    view: JsonObject
    told: str
    made: tuple[str, str]


class Settled:
    """Remembers, by key, what a look ended with."""

    def __init__(self) -> None:
        self._outcomes: dict[Key, _Outcome] = {}

    def note(self, key: Key, view: JsonObject, told: str, actual: JsonObject) -> None:
        """Take note that ``actual`` is what ``view`` asks for and was reported, which made ``told`` of the view."""
        self._outcomes[key] = _Outcome(view, told, _version(actual))

    def holds(self, key: Key, view: JsonObject, actual: JsonObject | None) -> bool:
        """
        Tell whether nothing has happened since but what we did ourselves.

        The view is the very one of then, or what our report made of it. One with the same resourceVersion that was
        read again is not: the control plane may have lost what we told it, having been restored from a backup. And
        what our report made asks for something else when the user was faster than the report.
        """
        last = self._outcomes.get(key)
        if last is None or actual is None or last.made != _version(actual):
            return False
        if view is last.view:
            return True
        is_echo = view["metadata"]["resourceVersion"] == last.told and _asks(view) == _asks(last.view)
        if last.told and is_echo:
            self._outcomes[key] = replace(last, view=view)  # what was before it need not be kept
            return True
        return False

    def forget(self, key: Key) -> None:
        """Drop an object that must not run here any more."""
        self._outcomes.pop(key, None)


def _asks(view: JsonObject) -> tuple[str, str]:
    return view["metadata"]["uid"], annotations_of(view).get(HASH, "")


def _version(actual: JsonObject) -> tuple[str, str]:
    return actual["metadata"]["uid"], actual["metadata"]["resourceVersion"]
