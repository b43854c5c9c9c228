"""How a day's programs are set: the rare as well as the usual."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mood:
    """
    Settings that a seed chooses.

    Attributes:
        resync_s: How often agents look at everything anew.
        history_s: How far back a watch may begin: 20 has nearly every one that was cut off begin anew (410).
        bin_hours: How long what was deleted is kept.
        key_lifetime_s: After which an agent replaces its key; 0 for never.
    """

    resync_s: float = 200.0
    history_s: float = 300.0
    bin_hours: float = 72.0
    key_lifetime_s: float = 0.0

    @classmethod
    def of(cls, seed: int) -> Mood:
        """Choose the mood of a seed."""
        chance = random.Random(f"mood {seed}")
        return cls(
            chance.choice([600.0, 600.0, 200.0]),
            chance.choice([300.0, 300.0, 20.0]),
            chance.choice([0.0, 2.0, 8.0, 72.0]),
            chance.choice([0.0, 4 * 3600.0, 10 * 3600.0]),
        )
