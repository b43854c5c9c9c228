"""Where Fairlead may answer kubectl otherwise than Kubernetes does: ``allowed.yaml``, each line with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.kubectl.compare import Rules

_FILE = Path(__file__).parent / "allowed.yaml"


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern in what a server (``ours`` or ``theirs``) of a pair says, what stands for it, and why that is right."""

    pair: str
    server: str
    pattern: str
    word: str
    reason: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """Rules; and the commands, as ``scenario: command``, whose answers differ or come in any order, with the reason."""

    rules: tuple[Rule, ...]
    commands: dict[str, str]
    shuffled: dict[str, str]

    def rules_of(self, pair: str, server: str) -> Rules:
        """Return what is replaced in what a server says."""
        chosen = (rule for rule in self.rules if (rule.pair, rule.server) == (pair, server))
        return tuple((re.compile(rule.pattern, re.MULTILINE), rule.word) for rule in chosen)


def load() -> Allowed:
    """Read the file; a line without a reason is a mistake."""
    given = yaml.safe_load(_FILE.read_text())
    rules = tuple(Rule(**each) for each in given["rules"])
    commands, shuffled = (
        {
            f"{scenario}: {command}": reason
            for scenario, reasons in given[kind].items()
            for command, reason in reasons.items()
        }
        for kind in ("commands", "shuffled")
    )
    assert all(rule.reason for rule in rules)
    assert all((*commands.values(), *shuffled.values()))
    return Allowed(rules, commands, shuffled)
