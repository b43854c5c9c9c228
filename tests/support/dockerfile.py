"""
A Dockerfile as steps, as far as ours uses the language; anything else is refused instead of guessed.

Source: Dockerfile reference, "Format" and the instructions named in :data:`INSTRUCTIONS`.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

INSTRUCTIONS = frozenset({"RUN", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD"})
_FLAGS = {"RUN": re.compile(r"mount=type=cache,target=(/\S+)"), "COPY": re.compile(r"from=(\S+)")}


class NotUnderstood(ValueError):
    """A line uses more of the language than this reads; the message holds its number."""


@dataclass(frozen=True, slots=True)
class Step:
    """
    One instruction.

    Attributes:
        words: Of COPY and ENV its words, of ENTRYPOINT and CMD the list, of the others the rest of the line alone.
        flag: The folder of RUN's cache, the stage COPY takes from; "" without.
    """

    instruction: str
    words: tuple[str, ...]
    flag: str = ""


@dataclass(slots=True)
class Stage:
    """From one FROM to the next."""

    image: str
    name: str
    steps: list[Step] = field(default_factory=list)


def parse(text: str) -> list[Stage]:
    """
    Read a Dockerfile.

    Raises:
        NotUnderstood: A line is none of what ours needs.
    """
    stages: list[Stage] = []
    for number, line in _lines(text):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            named = re.fullmatch(r"(\S+)(?: AS (\S+))?", rest)
            if not named:
                raise NotUnderstood(f"line {number}: {line}")
            stages.append(Stage(named[1], named[2] or ""))
        elif instruction in INSTRUCTIONS and stages:
            stages[-1].steps.append(_step(number, instruction, rest.strip()))
        else:
            raise NotUnderstood(f"line {number}: {line}")
    return stages


def _lines(text: str) -> list[tuple[int, str]]:
    """Return logical lines with the number of their first one; comments and empty lines are gone."""
    found, parts = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        parts.append(line.rstrip().removesuffix("\\").strip())
        if not line.rstrip().endswith("\\"):
            found.append((number - len(parts) + 1, " ".join(parts)))
            parts = []
    if parts:
        raise NotUnderstood(f"the last line goes on: {parts[-1]}")
    return found


def _step(number: int, instruction: str, rest: str) -> Step:
    flag = ""
    if rest.startswith("--"):
        given, _, rest = rest[2:].partition(" ")
        known = _FLAGS[instruction].fullmatch(given) if instruction in _FLAGS else None
        if not known:
            raise NotUnderstood(f"line {number}: --{given}")
        flag, rest = known[1], rest.strip()
    if not rest or rest.startswith("--"):
        raise NotUnderstood(f"line {number}: {instruction} {rest}")
    if instruction in {"ENTRYPOINT", "CMD"}:
        if not rest.startswith("["):
            raise NotUnderstood(f"line {number}: {instruction} needs a shell, and the image should not")
        return Step(instruction, tuple(json.loads(rest)))
    if instruction in {"COPY", "ENV"}:
        return Step(instruction, tuple(shlex.split(rest)), flag)
    return Step(instruction, (rest,), flag)
