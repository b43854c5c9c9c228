"""How many replicas each target runs, so that the sum is what the user asked for (design section 5)."""

from __future__ import annotations

from collections.abc import Sequence


def even(replicas: int, targets: Sequence[str]) -> dict[str, int]:
    """
    Split ``replicas`` (>= 0) evenly; the remainder goes one each to the first targets in sorted order.

    Returns:
        Share by target key. Invariant: shares differ by at most one and their sum is ``replicas``; independent of the
        order of ``targets``. Source: kcp TMC, deployment coordinator.
    """
    ordered = sorted(targets)
    if not ordered:
        return {}
    share, remainder = divmod(replicas, len(ordered))
    return {target: share + (index < remainder) for index, target in enumerate(ordered)}
