"""
Stops a burst of deletions, says so, and waits for approval of exactly that set (design section 6, number 2).

A mistake above, a selector that suddenly matches nothing, a restored backup, a script gone wrong, looks like many
deletions at once, each with a valid cause. What users delete one by one and what moves because its replacement is
ready is not counted; everything else is, within a sliding window, against what this target runs. Pure: time comes in.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

FREE_CAUSES = frozenset({"Deleted", "Moved", "Replaced"})
"""Causes that are somebody's word about this one object, or lose nothing. ``Replaced`` is the plan's own: an object of
the same name takes the place at once."""

_SLOTS = 10
"""In how many parts of the window what has passed is told."""

Item = tuple[str, str]
"""What would be deleted, as text for people, and a name of this one removal that no later one has."""


@dataclass(slots=True)
class Brake:
    """
    Lets deletions pass up to a share of the target's objects within a window.

    Attributes:
        share: Part of all objects that may go within the window, 0 to 1; 1 switches the brake off.
        floor: Deletions always allowed within the window, so that small targets can breathe.
        window_s: Length of the window in seconds.
        held: What waits for approval: text by removal. Empty while the brake is not on.
        counted: How many have passed that count, ever; it changes exactly when :meth:`passed` must be told anew.
    """

    share: float = 0.3
    floor: int = 20
    window_s: float = 600.0
    held: dict[str, str] = field(default_factory=dict)
    counted: int = 0
    _earlier: list[tuple[float, int]] = field(default_factory=list)
    _passed: deque[tuple[float, str, int]] = field(default_factory=deque)
    _going: set[str] = field(default_factory=set)
    _approved: set[str] = field(default_factory=set)
    _spent_until_s: float = float("-inf")
    _digest: str = ""

    def allows(self, item: Item, cause: str, *, total: int, now_s: float) -> bool:
        """
        Tell whether an object may be deleted now; one that may not is held until its set is approved.

        Args:
            item: Text and removal.
            cause: Of the tombstone.
            total: Objects the target has, those to be deleted included.
            now_s: Monotonic seconds.
        """
        text, removal = item
        if cause in FREE_CAUSES or self.share >= 1 or removal in self._approved:
            return True
        while self._passed and self._passed[0][0] <= now_s - self.window_s:
            self._going.discard(self._passed.popleft()[1])
        if removal in self._going:
            return True  # asked again about one that is already going
        # Once on, it holds all that follows: half of a mistake is no better than a whole one.
        if self.held or now_s < self._spent_until_s or self._spent(now_s) >= self._allowance(total):
            if removal not in self.held:
                self.held[removal] = text
                self._digest = ""
            return False
        self._passed.append((now_s, removal, total))
        self._going.add(removal)
        self.counted += 1
        return True

    def _spent(self, now_s: float) -> int:
        """Return how many have passed within the window, this agent's earlier lives included."""
        self._earlier = [one for one in self._earlier if one[0] > now_s - self.window_s]
        return len(self._passed) + sum(count for _, count in self._earlier)

    def passed(self, now_s: float) -> list[tuple[float, int]]:
        """
        Return what has passed within the window: (age in seconds, how many), oldest first.

        Some at a time share the age of the youngest of them: at most one more than there are slots in a window.
        """
        found: dict[int, tuple[float, int]] = {}
        for at_s, count in (*self._earlier, *((one[0], 1) for one in self._passed)):
            if at_s > now_s - self.window_s:
                slot = int(at_s * _SLOTS // self.window_s)
                latest_s, before = found.get(slot, (at_s, 0))
                found[slot] = (max(at_s, latest_s), before + count)
        return [(now_s - at_s, count) for _, (at_s, count) in sorted(found.items())]

    def resume(self, passed: Iterable[tuple[float, int]], now_s: float) -> None:
        """Count what an earlier life of this agent has let pass, as it told with :meth:`passed`."""
        self._earlier = [(now_s - age_s, count) for age_s, count in passed]

    def _allowance(self, total: int) -> int:
        """Return how many may pass: a share of what there was as the window began, not of what is left by now."""
        before = self._passed[0][2] if self._passed else 0
        return max(self.floor, int(max(total, before) * self.share))

    def forget(self, removals: Iterable[str]) -> None:
        """Drop deletions that are done or no longer asked for: what reappeared need not be approved, nor is it."""
        for removal in removals:
            self._approved.discard(removal)
            if self.held.pop(removal, None) is not None:
                self._digest = ""

    def spend(self, now_s: float) -> None:
        """Take the window's allowance for used up: an agent that starts anew is no reason for another."""
        self._spent_until_s = now_s + self.window_s

    @property
    def digest(self) -> str:
        """Return the name of exactly the set that is held; "" while nothing is."""
        if self.held and not self._digest:
            self._digest = hashlib.sha256("\n".join(sorted(self.held)).encode()).hexdigest()[:16]
        return self._digest if self.held else ""

    def approve(self, digest: str) -> list[str]:
        """
        Let the held set pass if it is the one that was approved; return the removals that may go now.

        A set that changed since it was looked at has another digest and stays held. What was approved may be asked
        about until it is forgotten: a deletion that failed is tried again. The window begins anew, as somebody has
        judged this burst; else its last echo, a namespace that follows its objects, would need a second approval.
        """
        if not digest or digest != self.digest:
            return []
        approved = list(self.held)
        self._approved.update(approved)
        self.held.clear()
        self._passed.clear()
        self._earlier.clear()
        self._going.clear()
        self._spent_until_s = float("-inf")
        return approved
