"""
The same kubectl against two servers, and what may differ in what it says.

Only uids, times, revisions, addresses and hashes are replaced by words; everything else must be equal, but for the
differences of :mod:`accepted`.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.support.binaries import binary

MANIFESTS = Path(__file__).parent / "manifests"
COMMAND_TIMEOUT_S = 60

_PLAIN = (
    (r"https://127\.0\.0\.1:\d+(?:/clusters/[a-z0-9:-]+)?", "SERVER"),
    (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "UID"),
    (r"\b20(?!24)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "TIME"),
    (r"\b20(?!24)\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4} UTC", "TIME"),
    (r"\b20(?!24)\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?", "TIME"),
    (r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} 20\d\d \d\d:\d\d:\d\d \+\d{4}", "TIME"),
    (r'([rR]esource ?[vV]ersion"?: +"?)\d+', r"\1REVISION"),
    (r'("resourceVersion":)"\d+"', r'\1"REVISION"'),
    (r"\b10\.\d+\.\d+\.\d+\b", "ADDRESS"),
    (r"(nodePort: |--.*  |/)3[0-2]\d{3}\b", r"\1PORT"),
    (r"\b(?:\d+[dhms])+(?= |$)", "AGE"),
    (r"^@@.*@@.*$", "@@"),
    (r"^E\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "E "),
    (r"^W\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "W "),
    (r"/tmp/(?:LIVE|MERGED)-\d+", "FOLDER"),
    (r"\t2\d{3}-\S+ \S+ \S+ \S+", ""),
    (r"(?<=\S)[ \t]{2,}", "  "),
    (r"[ \t]+$", ""),
)
_CAUSES = re.compile(r"(?:^\* .*\n)+", re.MULTILINE)
_RULES = tuple((re.compile(pattern, re.MULTILINE), word) for pattern, word in _PLAIN)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers: how kubectl reaches it, and which of its words are replaced before comparing."""

    kubeconfig: Path
    rules: tuple[tuple[re.Pattern[str], str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What kubectl did."""

    code: int
    output: str
    problems: str

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.output}--- stderr\n{self.problems}"


def run(side: Side, command: str, namespace: str, *, raw: bool = False) -> Outcome:
    """Run a command line of kubectl in the folder of manifests; ``raw`` keeps what it says as it is."""
    words = [str(binary("kubectl")), f"--kubeconfig={side.kubeconfig}", f"--namespace={namespace}"]
    done = subprocess.run(
        words + shlex.split(command),
        capture_output=True,
        text=True,
        check=False,
        cwd=MANIFESTS,
        timeout=COMMAND_TIMEOUT_S,
        env={**os.environ, "KUBECTL_EXTERNAL_DIFF": "diff -U0 -N", "TZ": "UTC"},
    )
    if raw:
        return Outcome(done.returncode, done.stdout, done.stderr)
    return Outcome(done.returncode, normal(done.stdout, side), normal(done.stderr, side))


def normal(text: str, side: Side) -> str:
    """Replace what differs between any two servers, and what is accepted of this one."""
    for pattern, word in (*_RULES, *side.rules):
        text = pattern.sub(word, text)
    # Kubernetes walks the fields of custom resources in random order.
    return _CAUSES.sub(lambda found: "".join(sorted(found[0].splitlines(keepends=True))), text)


def difference(command: str, ours: str, theirs: str) -> list[str]:
    """Return the lines of a diff from theirs to ours, headed by the command; none when they are equal."""
    changed = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "kubernetes", "fairlead", "", "", 1, "")
    lines = list(changed)
    return [f"$ kubectl {command}", *lines] if lines else []


def both(left: Side, right: Side, command: str, namespace: str) -> tuple[Outcome, Outcome]:
    """Run a command against both servers at the same time."""
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(run, side, command, namespace) for side in (left, right))
        return first.result(), second.result()
