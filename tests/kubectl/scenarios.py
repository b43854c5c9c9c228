"""What kubectl is asked in turn, read from ``scenarios/``; and how a line of it is to be read."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml

_FOLDER = Path(__file__).parent / "scenarios"
PAIRS = ("workspace", "cluster")
_VARIABLE = re.compile(r"[A-Z_]+=")
SHORT = ("apply", "apply-server-side", "get", "change", "crd", "who")
"""The scenarios of ``make test``: each asks of the server what the others do not."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    Commands that follow from one another.

    Attributes:
        pair: Which two servers are asked, one of ``PAIRS``.
        is_alone: Whether others at the same time would change what it sees: kinds, or objects outside its namespace.
    """

    name: str
    pair: str
    commands: tuple[str, ...]
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A command taken apart: ``NAME=value`` words before it, kubectl's arguments, and the file after ``<``."""

    environment: dict[str, str]
    arguments: list[str]
    stdin: str


def load() -> list[Scenario]:
    """Return all scenarios in the order of their files."""
    found = []
    for pair in PAIRS:
        for file in sorted((_FOLDER / pair).glob("*.yaml")):
            for name, given in yaml.safe_load(file.read_text()).items():
                entry = given if isinstance(given, dict) else {"commands": given}
                found.append(Scenario(name, pair, tuple(entry["commands"]), entry.get("alone", False)))
    assert len({each.name for each in found}) == len(found), "two scenarios have the same name"
    return found


def parsed(command: str) -> Line:
    """Take a command line apart as a shell would."""
    words = shlex.split(command)
    environment = {}
    while words and _VARIABLE.match(words[0]):
        name, value = words.pop(0).split("=", 1)
        environment[name] = value
    stdin = ""
    if len(words) > 1 and words[-2] == "<":
        stdin = words[-1]
        words = words[:-2]
    return Line(environment, words, stdin)
