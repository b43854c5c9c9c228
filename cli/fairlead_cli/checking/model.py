"""
What a check is and what comes of it. Pure.

Source of the manner: linkerd's ``check`` (categories, three marks, a hint for each failure, one verdict).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from fairlead_api import JsonObject

DOCUMENT = "docs/reference/checks.md"
CHECK_S = 30.0
"""How long a check may take unless it says otherwise."""


class Level(Enum):
    """How a check ended; the values stand in ``-o json``."""

    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something to be told.

    Attributes:
        text: What was seen.
        fix: What to do about it, best a command; "" when there is nothing better than the document.
        level: How bad it is; None for the severity of its check.
    """

    text: str
    fix: str = ""
    level: Level | None = None


def not_verified(why: str, fix: str = "") -> Finding:
    """Return the finding of a check that could not be made: a warning, never a success."""
    return Finding(f"not verified: {why}", fix, Level.WARNING)


@dataclass(frozen=True, slots=True)
class Spec:
    """
    A check, without the work.

    Attributes:
        id: Also its anchor in :data:`DOCUMENT`; never changes.
        category: Its category's name.
        description: What holds when it succeeds.
        severity: Of a failure, unless the finding says otherwise.
        fatal: After an error the rest of the category makes no sense.
        timeout_s: How long it may take.
    """

    id: str
    category: str
    description: str
    severity: Level = Level.ERROR
    fatal: bool = False
    timeout_s: float = CHECK_S

    @property
    def hint(self) -> str:
        """Where to read about it."""
        return f"{DOCUMENT}#{self.id}"


Work = Callable[[], Awaitable[Finding | None]]
"""Looks; returns None when all is well. Errors of servers and connections may be raised: they are findings."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check with its work."""

    spec: Spec
    work: Work


@dataclass(frozen=True, slots=True)
class Category:
    """
    Checks under one heading, in order.

    Attributes:
        name: Of the category, the same for all subjects.
        subject: What is checked, such as a cluster's name; "" when there is only one.
        checks: What to do.
        forget: Called before a check is tried again: what was read before it is read anew.
    """

    name: str
    subject: str
    checks: Sequence[Check]
    forget: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a check."""

    spec: Spec
    level: Level
    text: str = ""
    fix: str = ""

    def to_json(self) -> JsonObject:
        """Return its entry in ``-o json``; ``error``, ``fix`` and ``hint`` only where there is something to say."""
        body: JsonObject = {"id": self.spec.id, "description": self.spec.description, "result": self.level.value}
        if self.level is not Level.SUCCESS:
            body["error"] = self.text
            body |= {"fix": self.fix} if self.fix else {}
            body["hint"] = self.spec.hint
        return body


@dataclass(slots=True)
class Section:
    """The results of one category so far."""

    name: str
    subject: str
    results: list[Result] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its heading."""
        return f"{self.name} {self.subject}".rstrip()


@dataclass(slots=True)
class Report:
    """All results so far."""

    sections: list[Section] = field(default_factory=list)

    def count(self, level: Level) -> int:
        """Count the results of a level."""
        return sum(result.level is level for section in self.sections for result in section.results)

    @property
    def success(self) -> bool:
        """Tell whether nothing is wrong; warnings are allowed."""
        return not self.count(Level.ERROR)

    def is_stopped(self, name: str) -> bool:
        """Tell whether a category ended early: what builds on it need not be tried."""
        results = [result for section in self.sections if section.name == name for result in section.results]
        return any(result.spec.fatal and result.level is Level.ERROR for result in results)

    def to_json(self) -> JsonObject:
        """Return the document of ``-o json``."""
        return {
            "success": self.success,
            "categories": [
                {
                    "categoryName": section.name,
                    "subject": section.subject,
                    "checks": [result.to_json() for result in section.results],
                }
                for section in self.sections
            ],
        }
