"""Rights in a cluster that nobody limits, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fairlead_machinery.client import Gvr


class Granted:
    """In place of :class:`fairlead_syncer.rights.Rights`: everything is allowed, so nothing is bound."""

    def __init__(self) -> None:
        self.unseen: dict[str, list[str]] = {}

    async def hold(self, namespace: str) -> None:
        """Have it already."""

    def forget(self, namespace: str) -> None:
        """Lose nothing."""

    async def regain(self, namespace: str) -> bool:
        """Have lost nothing."""
        return False

    def made(self, *_: object) -> bool:
        """Have bound nothing."""
        return False

    async def review(self, gvrs: Sequence[Gvr]) -> tuple[list[Gvr], list[Gvr]]:
        """Allow all."""
        return list(gvrs), []


def granted() -> Any:
    """Return such rights, as what they stand for."""
    return Granted()
