"""Each difference once, with the smallest sequence that showed it; and those that are named, with their reason."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.asked import Request
from tests.fuzz.comparing import Difference
from tests.fuzz.sides import Answer

NAMED_FILE = Path(__file__).with_name("named.txt")
FOUND = Path(__file__).with_name("found")
_SHOWN = 1500


@dataclass(frozen=True, slots=True)
class Named:
    """A line of the file: a pattern over keys, in which ``*`` stands for anything, and why that may differ."""

    pattern: str
    reason: str

    def covers(self, key: str) -> bool:
        """Say whether a group is meant."""
        return re.fullmatch(re.escape(self.pattern).replace(r"\*", ".*"), key) is not None


def named(text: str | None = None) -> list[Named]:
    """Read the file of named differences: ``pattern -- reason`` in each line that is no comment."""
    lines = (NAMED_FILE.read_text() if text is None else text).splitlines()
    parts = (line.partition(" -- ") for line in lines if line.strip() and not line.startswith("#"))
    return [Named(pattern.strip(), reason.strip()) for pattern, _, reason in parts]


@dataclass(slots=True)
class Group:
    """
    Differences that are likely one and the same.

    Attributes:
        key: One line: verb, kind, codes, what differs and where.
        count: How often it was met.
        requests: The smallest sequence so far whose last request showed it.
        difference: What that one showed.
        reason: Of the line that names it; empty when none does.
    """

    key: str
    requests: list[Request]
    difference: Difference
    reason: str = ""
    count: int = 0

    def save(self, folder: Path, seed: int) -> Path:
        """Write the sequence where ``--replay`` finds it; return the file."""
        path = folder / f"{hashlib.sha256(self.key.encode()).hexdigest()[:12]}.json"
        found = {"key": self.key, "seed": seed, "ours": self.difference.ours, "theirs": self.difference.theirs}
        found["requests"] = [request.to_json() for request in self.requests]
        path.write_text(json.dumps(found, indent=1, default=str) + "\n")
        return path

    def __str__(self) -> str:
        last = self.requests[-1]
        lines = [f"{self.count:6} x {self.key}", *([f"  named: {self.reason}"] if self.reason else ())]
        lines.append(f"  after {len(self.requests) - 1}: {json.dumps(last.to_json())}"[:_SHOWN])
        lines += [f"  ours:   {json.dumps(self.difference.ours, default=str)}"[:_SHOWN]]
        lines += [f"  theirs: {json.dumps(self.difference.theirs, default=str)}"[:_SHOWN]]
        return "\n".join(lines)


def key_of(request: Request, codes: tuple[int, int], difference: Difference) -> str:
    """Return the line that stands for a group."""
    kind = re.sub(r"\$\{id\}", "ID", request.kind)
    return f"{request.verb} {kind} {codes[0]}/{codes[1]} {difference.what} {difference.where}".replace("\n", " ")


@dataclass(slots=True)
class Groups:
    """All groups of a run."""

    names: list[Named]
    found: dict[str, Group] = field(default_factory=dict)

    def add(self, requests: list[Request], answers: tuple[Answer, Answer], difference: Difference) -> Group:
        """Count a difference that the last of these requests showed."""
        key = key_of(requests[-1], (answers[0].code, answers[1].code), difference)
        group = self.found.get(key)
        if group is None:
            reason = next((name.reason for name in self.names if name.covers(key)), "")
            group = self.found[key] = Group(key, requests, difference, reason)
        elif len(requests) < len(group.requests):
            group.requests, group.difference = requests, difference
        group.count += 1
        return group

    @property
    def unnamed(self) -> list[Group]:
        """Those that no line of the file covers, the most frequent first."""
        return sorted((each for each in self.found.values() if not each.reason), key=lambda each: -each.count)

    @property
    def excused(self) -> list[Group]:
        """Those that are named."""
        return sorted((each for each in self.found.values() if each.reason), key=lambda each: -each.count)
