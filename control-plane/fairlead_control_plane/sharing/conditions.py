"""Conditions of kcp's kinds, several at a time (one at a time: :mod:`fairlead_api.conditions`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairlead_api import JsonObject, conditions


def condition(name: str, is_true: bool, *, reason: str = "", message: str = "", severity: str = "Error") -> JsonObject:
    """Return a condition without time; reason, message and severity only when it is False."""
    return conditions.true(name) if is_true else conditions.false(name, reason, severity, message)


def merged(current: Iterable[JsonObject], new: Iterable[JsonObject], now: str) -> list[JsonObject]:
    """Return the conditions with ``new`` in their places; ``now`` is RFC 3339 text."""
    found = list(current)
    for made in new:
        found = conditions.set_condition(found, made, now)
    return found


def with_ready(found: Sequence[JsonObject], now: str, *, parts: Sequence[str]) -> list[JsonObject]:
    """Return the conditions with ``Ready`` summing up ``parts``, the most important first."""
    ready = conditions.summary(found, parts)
    return list(found) if ready is None else conditions.set_condition(found, ready, now)
