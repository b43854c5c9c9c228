"""
What the brake holds, by object: asked before every removal, told with every heartbeat.

Nothing polls: a held object is looked at again when its set has been told (to say so in its row), when that set is
approved, and when its view changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_syncer import plan
from fairlead_syncer.brake import Brake
from fairlead_syncer.state import State
from fairlead_syncer.target import Key

_EXAMPLES = 5
_log = structlog.get_logger(__name__)


class Deletions:
    """
    Puts removals before the brake.

    Args:
        now_s: Monotonic seconds.
        enqueue: Asks for a key to be looked at again.

    Attributes:
        has_begun: Whether the control plane has said how the agent's last life ended. Nothing is deleted before.
        news: Set while what is held, or has passed, is not what was told last.
    """

    def __init__(self, state: State, brake: Brake, now_s: Callable[[], float], enqueue: Callable[[Key], None]) -> None:
        self._state = state
        self._brake = brake
        self._now_s = now_s
        self._enqueue = enqueue
        self._removals: dict[Key, str] = {}  # held or approved, by object
        self._told = ""
        self._counted = self._counted_told = 0
        self.has_begun = False
        self.news = asyncio.Event()

    def allows(self, key: Key, view: JsonObject, cause: str) -> bool:
        """
        Tell whether what a view says must go may be deleted now; what may not is held from now on.

        Raises:
            Conflict: It cannot be told yet; try again.
        """
        if not self.has_begun:
            raise Conflict("whether deletions are held is not known before the first heartbeat")
        removal = _removal(view)
        if self._removals.get(key, removal) != removal:
            self.forget(key)
        item = (_text(key), removal)
        if self._brake.allows(item, cause, total=len(self._state.views), now_s=self._now_s()):
            self._compare()
            return True
        if key not in self._removals:
            self._removals[key] = removal
            self.news.set()
        return False

    def forget(self, key: Key) -> None:
        """Take note that an object is gone, or must run after all."""
        removal = self._removals.pop(key, None)
        if removal is not None:
            self._brake.forget([removal])
            self._compare()

    def refusal(self) -> plan.Refuse | None:
        """Return what to say of a held object; None while its set is not told yet, which brings it here again."""
        digest = self._brake.digest
        if not digest or digest != self._told:
            return None
        message = (
            f"one of {len(self._brake.held)} deletions that wait for approval, as they came in a burst "
            f"(set {digest}; kubectl fairlead cluster approve {self._state.target.name})"
        )
        return plan.Refuse("DeletionHeld", message)

    def summary(self) -> JsonObject:
        """Return the ``held`` of a heartbeat: digest, count and at most five examples of what is held now."""
        for key in [key for key, removal in self._removals.items() if not self._is_asked(key, removal)]:
            self.forget(key)
        held = sorted(self._brake.held.values())
        return {"digest": self._brake.digest, "count": len(held), "examples": held[:_EXAMPLES]}

    def passed(self) -> list[JsonObject]:
        """Return the ``passed`` of a heartbeat: how many deletions have passed within the window, and how long ago."""
        self._counted = self._brake.counted
        return [{"count": count, "ageSeconds": int(age_s)} for age_s, count in self._brake.passed(self._now_s())]

    def told(self, summary: JsonObject) -> None:
        """Take note that the control plane knows a summary; of another set than before every object tells."""
        self._counted_told = self._counted
        if summary["digest"] != self._told:
            self._told = summary["digest"]
            self._look_again(self._removals)
        self._compare()

    def approve(self, digest: str) -> None:
        """Let the held set go if it has this digest; any other stays held."""
        approved = self._brake.approve(digest)
        if approved:
            _log.warning("deletions approved", digest=digest, count=len(approved))
            self._look_again(self._removals)
            self._compare()

    def begin(self, *, were_held: bool, passed: Sequence[JsonObject] = ()) -> None:
        """
        Begin; with the allowance used up where deletions ``were_held`` when this agent's last life ended.

        What had ``passed`` by then (as :meth:`passed`) is spent in any case: else each life would have a share of its
        own, and an agent that is killed again and again would delete everything.
        """
        self._brake.resume(((float(one["ageSeconds"]), int(one["count"])) for one in passed), self._now_s())
        if were_held:
            self._brake.spend(self._now_s())
        self.has_begun = True

    def _is_asked(self, key: Key, removal: str) -> bool:
        view = self._state.views.get(key)
        return view is not None and plan.is_tombstone(view) and _removal(view) == removal

    def _look_again(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            self._enqueue(key)

    def _compare(self) -> None:
        if self._brake.digest == self._told and self._brake.counted == self._counted_told:
            self.news.clear()
        else:
            self.news.set()


def _removal(view: JsonObject) -> str:
    """Name one removal: an object that is assigned again and then removed again is another, not approved one."""
    metadata = view["metadata"]
    return f"{metadata['uid']} {plan.annotations_of(view).get(plan.ROW, '')} {metadata.get('deletionTimestamp', '')}"


def _text(key: Key) -> str:
    resource = f"{key.resource}.{key.group}" if key.group else key.resource
    name = f"{key.namespace}/{key.name}" if key.namespace else key.name
    return f"{resource} {name} of {key.cluster}"
