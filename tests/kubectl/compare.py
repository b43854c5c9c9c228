"""
The same kubectl against two servers, and what may differ in what it says.

Only uids, times and ages, revisions, addresses with their ports, and random suffixes (those of kubectl's own temporary
files, too) are replaced by words, and the width of columns that these make wider; everything else must be equal, but
for the differences of ``allowed.yaml``.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.kubectl.scenarios import parsed

MANIFESTS = Path(__file__).parent / "manifests"
COMMAND_TIMEOUT_S = 60
NEVER_ENDED = -1
"""In place of an exit code; never equal on both sides, because the message says which one it was."""

_RANDOM = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of names that Kubernetes makes up."""
_PLAIN = (
    (r"https://127\.0\.0\.1:\d+(?:/clusters/[a-z0-9:-]+)?", "SERVER"),
    (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "UID"),
    (r"\b20(?!24)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "TIME"),
    (r"\b20(?!24)\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4} UTC", "TIME"),
    (r"\b20(?!24)\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?", "TIME"),
    (r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} 20\d\d \d\d:\d\d:\d\d \+\d{4}", "TIME"),
    (r'([rR]esource ?[vV]ersion"?: +"?)\d+', r"\1REVISION"),
    (r'(\\*"resourceVersion\\*":)\\*"\d+\\*"', r'\1"REVISION"'),
    (r'("continue":)"\w+"', r'\1"REVISION"'),
    (r"(resource version to be \d+, was )\d+", r"\1REVISION"),
    (r"\b127\.0\.0\.1:\d+", "SERVER"),
    (r"\b(?:10\.\d+|198\.51)\.\d+\.\d+\b", "ADDRESS"),
    (r"((?:nodePort|NodePort): +|:)3[0-2]\d{3}\b", r"\1PORT"),
    (r"\b3[0-2]\d{3}(?=/(?:TCP|UDP|SCTP)\b)", "PORT"),
    (r"(?:^|(?<=  )|(?<= over ))(?<!cpu:  )(?:\d+[dhms])+(?=  | \(|\)|[ \t]*$)", "AGE"),
    (r"^@@.*@@.*$", "@@"),
    (r"^([EWI])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", r"\1 "),
    (r"\S*/(?:LIVE|MERGED)-\d+", "FOLDER"),
    (r"\S*/kubectl\S*-edit-\d+\.yaml", "FILE"),
    (rf"(?<=[a-z0-9]-)[{_RANDOM}]{{5}}\b", "HASH"),
    (r"\t2\d{3}-\S+ \S+ \S+ \S+", ""),
    (r"(?<=\S)[ \t]{2,}", "  "),
    (r"[ \t]+$", ""),
)
_CAUSES = re.compile(r"(?:^\* .*\n)+", re.MULTILINE)
_RULES = tuple((re.compile(pattern, re.MULTILINE), word) for pattern, word in _PLAIN)
_ASKED = re.compile(r"\$\((.*?)\)")
_EXPLAINED = re.compile(
    r"^(?:exit|KIND|GROUP|VERSION|FIELD|error|--- |\s*enum:|.*\t<|.*<(?!empty)\S+>$).*", re.MULTILINE
)
"""The lines of ``kubectl explain`` that are compared: descriptions are Kubernetes' prose, which is not copied."""

Rules = tuple[tuple[re.Pattern[str], str], ...]


@dataclass(frozen=True, slots=True)
class Side:
    """
    One of the two servers.

    Attributes:
        kubeconfig: How kubectl reaches it; its user ``master`` may do everything.
        home: A folder for what kubectl keeps about it, which nobody else uses.
        rules: Which of its words are replaced before comparing.
    """

    kubeconfig: Path
    home: Path
    rules: Rules = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What kubectl did."""

    code: int
    output: str
    problems: str

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.output}--- stderr\n{self.problems}"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A kubectl in a namespace: how one command is run against one side."""

    program: Path
    namespace: str

    def run(self, side: Side, command: str) -> Outcome:
        """
        Run a line of a scenario in the folder of manifests.

        ``{ns}`` in it is the namespace and ``$(...)`` what kubectl says to these words at the same side.
        """
        command = command.replace("{ns}", self.namespace)
        command = _ASKED.sub(lambda asked: self._raw(side, asked[1]).output, command)
        done = self._raw(side, command)
        return Outcome(done.code, normal(done.output, side.rules), normal(done.problems, side.rules))

    def both(self, pair: tuple[Side, Side], command: str) -> tuple[Outcome, Outcome]:
        """Run a line against both sides at the same time."""
        with ThreadPoolExecutor(2) as pool:
            ours, theirs = pool.map(lambda side: self.run(side, command), pair)
            return ours, theirs

    def _raw(self, side: Side, command: str) -> Outcome:
        line = parsed(command)
        try:
            done = subprocess.run(
                [str(self.program), f"--namespace={self.namespace}", *line.arguments],
                input=(MANIFESTS / line.stdin).read_text() if line.stdin else "",
                capture_output=True,
                text=True,
                check=False,
                cwd=MANIFESTS,
                timeout=COMMAND_TIMEOUT_S,
                env={**os.environ, **_environment(side), **line.environment},
            )
        except subprocess.TimeoutExpired:
            return Outcome(NEVER_ENDED, "", f"has not ended at {side.kubeconfig.name} after {COMMAND_TIMEOUT_S} s\n")
        return Outcome(done.returncode, done.stdout, done.stderr)


def _environment(side: Side) -> dict[str, str]:
    temporary = side.home / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(side.home),
        "KUBECONFIG": str(side.kubeconfig),
        "TMPDIR": str(temporary),
        "KUBECTL_EXTERNAL_DIFF": "diff -U0 -N",
        "KUBE_EDITOR": "true",
        "TZ": "UTC",
    }


def normal(text: str, rules: Rules = ()) -> str:
    """Replace what differs between any two servers, and what ``rules`` say of this one."""
    for pattern, word in (*_RULES, *rules):
        text = pattern.sub(word, text)
    # Kubernetes walks the fields of custom resources in random order.
    return _CAUSES.sub(lambda found: "".join(sorted(found[0].splitlines(keepends=True))), text)


def compared(command: str, outcome: Outcome, *, has_order: bool = True) -> str:
    """Return what is compared of an outcome; ``has_order`` is false where kubectl itself shuffles the lines."""
    arguments = parsed(command).arguments
    if "--raw" in arguments:
        outcome = replace(outcome, output=_sorted_keys(outcome.output))
    if not has_order:
        return "\n".join(sorted(str(outcome).splitlines()))
    if "explain" not in arguments:
        return str(outcome)
    return "\n".join(_EXPLAINED.findall(str(outcome)))


def _sorted_keys(text: str) -> str:
    """Return a JSON document with its keys in order, because theirs says nothing; other text as it is."""
    try:
        return json.dumps(json.loads(text), sort_keys=True, indent=1) + "\n"
    except json.JSONDecodeError:
        return text


def difference(command: str, ours: str, theirs: str) -> list[str]:
    """Return the lines of a diff from theirs to ours, headed by the command; none when they are equal."""
    changed = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "kubernetes", "fairlead", "", "", 1, "")
    lines = list(changed)
    return [f"$ kubectl {command}", *lines] if lines else []
