"""Checks a history against every invariant and says what does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.support.checking import agreement, calm, causes
from tests.support.checking.history import Record
from tests.support.checking.wanted import Limits, World

Invariant = Callable[[World, Limits], Iterator[str]]

INVARIANTS: tuple[tuple[str, Invariant], ...] = (
    ("I9", causes.no_delete_without_cause),
    ("I9", causes.every_delete_is_asked_for),
    ("I9", causes.nothing_stays_unwanted),
    ("I10", agreement.wanted_objects_run),
    ("I13", agreement.reports_never_go_back),
    ("I13", agreement.status_is_that_of_a_target),
    ("I14", causes.agents_write_only_what_is_assigned),
    ("I15", agreement.namespaces_are_one_to_one),
    ("I16", causes.foreign_objects_stay_as_they_are),
    ("I17", causes.no_secret_where_it_is_not_assigned),
    ("I18", calm.it_comes_to_rest),
    ("I19", calm.writes_are_in_proportion),
    ("I19", calm.what_is_counted_is_bounded),
)
"""Number and function of each; the numbers are those of the reliability reference."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must not be."""

    invariant: str
    message: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.message}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What came of checking a history.

    Attributes:
        violations: By invariant and in the order of the history.
        judged: How many things were held against each invariant, by ``<number> <function>``; all are in it.
    """

    violations: list[Violation]
    judged: dict[str, int]


def judge(records: Iterable[Record], limits: Limits | None = None) -> Verdict:
    """Hold a history against every invariant."""
    world = World(records)
    bounds = limits or Limits()
    violations, names = [], []
    for number, holds in INVARIANTS:
        world.judging = f"{number} {holds.__name__}"
        names.append(world.judging)
        violations += [Violation(number, message) for message in holds(world, bounds)]
    return Verdict(violations, {name: world.judged[name] for name in names})


def check(records: Iterable[Record], limits: Limits | None = None) -> list[Violation]:
    """Return every violation in a history, by invariant and in the order of the history."""
    return judge(records, limits).violations
