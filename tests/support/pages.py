"""
The commands of a how-to page, run as its reader would: block after block, in one terminal.

A fence that begins with ``sh`` is run; one with any other language is something to look at. What no test can run has a
comment before it that says why: ``<!-- not run: REASON -->``; the page's test names these, so that none slips in.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
_SHELLS = frozenset({"", "bash", "shell", "zsh"})
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


class PageUnclear(ValueError):
    """A page has a fence of which nobody can say whether it is run; the message names the line."""


class CommandFailed(AssertionError):
    """A block of a page failed; the message holds where, what and what it wrote."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    The commands of one fence.

    Attributes:
        line: Where the fence begins, from 1.
        not_run: Why no test runs it; "" when one does.
    """

    page: str
    line: int
    text: str
    not_run: str = ""


def blocks(page: Path) -> list[Block]:
    """
    Return the fences of commands, in order.

    Raises:
        PageUnclear: A fence has no language or a shell's other name, or is not closed.
    """
    found: list[Block] = []
    language, start, inside = "", 0, False
    held: list[str] = []
    reason = ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```") and not inside:
            language, start, inside, held = line[3:].strip(), number, True, []
            if language in _SHELLS:
                raise PageUnclear(f"{page.name}:{number}: write ```sh for commands, and what it is for anything else")
        elif line == "```":
            inside = False
            if language == "sh":
                found.append(Block(page.name, start, "\n".join(held) + "\n", reason))
            reason = ""
        elif inside:
            held.append(line)
        elif line.strip():
            match = _NOT_RUN.fullmatch(line.strip())
            reason = match[1] if match else ""
    if inside:
        raise PageUnclear(f"{page.name}:{start}: the fence is not closed")
    return found


@dataclass(slots=True)
class Terminal:
    """
    A shell that blocks are typed into: variables live on from one block to the next.

    Attributes:
        folder: Where every block begins, and the home of whoever types.
        environment: What is exported beforehand; of this process's only PATH is inherited, unless it is given.
        replacements: What a reader would put in place of the page's examples, by the example.
        used: Which of these were found so far.
    """

    folder: Path
    environment: dict[str, str]
    replacements: Mapping[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    timeout_s: float = 120

    def run(self, block: Block) -> str:
        """
        Run a block to its end and return what it wrote.

        Raises:
            CommandFailed: One of its commands failed, or it took longer than ``timeout_s``.
        """
        # Exporting everything is how variables reach the next block; a reader's terminal simply keeps them.
        state = shlex.quote(str(self.folder / ".exported"))
        script = f"set -a\n[ ! -e {state} ] || . {state}\n{self._replaced(block.text)}\nexport -p > {state}\n"
        command = ["bash", "-euo", "pipefail", "-c", script]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environment}
        where = f"{block.page}:{block.line}"
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                check=False, timeout=self.timeout_s,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise CommandFailed(f"{where}: still running after {self.timeout_s:g} s:\n{block.text}") from late
        if done.returncode:
            raise CommandFailed(f"{where}: exit {done.returncode}\n{block.text}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _replaced(self, text: str) -> str:
        for example, real in self.replacements.items():
            if example in text:
                self.used.add(example)
                text = text.replace(example, real)
        return text
