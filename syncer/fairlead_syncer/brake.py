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
"""Causes that are somebody's word about this one object, or lose nothing."""

Item = tuple[str, str]
"""What would be deleted, as text for people, and its upstream uid."""


@dataclass(slots=True)
class Brake:
    """
    Lets deletions pass up to a share of the target's objects within a window.

    Attributes:
        share: Part of all objects that may go within the window, 0 to 1; 1 switches the brake off.
        floor: Deletions always allowed within the window, so that small targets can breathe.
        window_s: Length of the window in seconds.
        held: What waits for approval, by uid. Empty while the brake is not on.
    """

    share: float = 0.3
    floor: int = 20
    window_s: float = 600.0
    held: dict[str, str] = field(default_factory=dict)
    _passed: deque[tuple[float, str]] = field(default_factory=deque)
    _approved: set[str] = field(default_factory=set)

    def allows(self, item: Item, cause: str, *, total: int, now_s: float) -> bool:
        """
        Tell whether an object may be deleted now; one that may not is held until its set is approved.

        Args:
            item: Text and uid.
            cause: Of the tombstone.
            total: Objects the target has, those to be deleted included.
            now_s: Monotonic seconds.
        """
        text, uid = item
        if cause in FREE_CAUSES:
            return True
        if uid in self._approved:
            self._approved.discard(uid)
            self.held.pop(uid, None)
            return True
        while self._passed and self._passed[0][0] <= now_s - self.window_s:
            self._passed.popleft()
        if any(passed == uid for _, passed in self._passed):
            return True  # asked again about one that is already going
        # Once on, it holds all that follows: half of a mistake is no better than a whole one.
        if self.held or len(self._passed) >= max(self.floor, int(total * self.share)):
            self.held[uid] = text
            return False
        self._passed.append((now_s, uid))
        return True

    def forget(self, uids: Iterable[str]) -> None:
        """Drop held deletions that are no longer asked for: what reappeared need not be approved."""
        for uid in uids:
            self.held.pop(uid, None)

    @property
    def digest(self) -> str:
        """Return the name of exactly the set that is held; "" while nothing is."""
        if not self.held:
            return ""
        return hashlib.sha256("\n".join(sorted(self.held)).encode()).hexdigest()[:16]

    def approve(self, digest: str) -> list[str]:
        """
        Let the held set pass if it is the one that was approved; return the uids that may go now.

        A set that changed since it was looked at has another digest and stays held.
        """
        if not digest or digest != self.digest:
            return []
        approved = list(self.held)
        self._approved.update(approved)
        self.held.clear()
        return approved
