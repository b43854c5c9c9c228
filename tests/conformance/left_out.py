"""
Write ``docs/reference/conformance.md``: how much of the suite is run, and why the rest is not.

``left_out.yaml`` has the reasons. ``python -m tests.conformance.left_out`` asks ``e2e.test`` for the names of all tests
and fails when one is neither on a list nor has a reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.conformance.suite import read_list
from tests.support.binaries import KUBERNETES_VERSION, binary

HERE = Path(__file__).parent
_PAGE = HERE.parents[1] / "docs" / "reference" / "conformance.md"
_SPEC = re.compile(r"^\s+\S+\.go:\d+: (.+)$", re.MULTILINE)
_MARK = "[Conformance]"
_INTRODUCTION = f"""\
# Conformance

Kubernetes' own end-to-end tests ({KUBERNETES_VERSION}) are run against the server: `make conformance` for its `cluster`
profile, in which Kubernetes' controller manager and scheduler and kwok are its clients, and `make conformance
WORKSPACE=1` for a workspace with the compute kinds bound, to which no cluster is joined.
[How to run them](../how-to/run-the-tests.md#kubernetes-conformance-suite).

A test is on a list when Kubernetes itself, made of the same parts, passes it twice; the lists are
`tests/conformance/listed.txt`, `extra.txt` (tests that Kubernetes does not ask of a conformant cluster) and
`workspace.txt`. This page is made by `python -m tests.conformance.left_out`.
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Tests that are left out for the same reason; ``names`` is found in theirs."""

    why: str
    label: str
    names: re.Pattern[str]


def read_groups(where: str) -> list[Group]:
    """Return the groups of ``cluster`` or ``workspace``, in their order."""
    reasons = yaml.safe_load((HERE / "left_out.yaml").read_text())[where]
    return [
        Group(reason["why"], label, re.compile(names))
        for reason in reasons
        for label, names in reason["groups"].items()
    ]


def table(left_out: Iterable[str], groups: Sequence[Group]) -> str:
    """
    Return a Markdown table with a row for each reason.

    Raises:
        ValueError: A test is in no group, or a group has no test.
    """
    counts = dict.fromkeys(groups, 0)
    for name in left_out:
        group = next((each for each in groups if each.names.search(name)), None)
        if group is None:
            raise ValueError(f"no reason is given for {name}")
        counts[group] += 1
    empty = [group.label for group, count in counts.items() if not count]
    if empty:
        raise ValueError(f"no test is left out for: {', '.join(empty)}")
    lines = ["| why | tests | which |", "|---|---|---|"]
    for why in dict.fromkeys(group.why for group in groups):
        found = {group.label: count for group, count in counts.items() if group.why == why}
        which = ", ".join(f"{label} ({count})" for label, count in found.items())
        lines.append(f"| {why} | {sum(found.values())} | {which} |")
    return "\n".join(lines) + "\n"


def page(names: Iterable[str]) -> str:
    """Return the page; ``names`` are those of all tests of the suite."""
    asked = sorted(name for name in names if _MARK in name)
    lists = {name: read_list(HERE / f"{name}.txt") for name in ("listed", "extra", "workspace")}
    in_cluster = table(sorted(set(asked) - set(lists["listed"])), read_groups("cluster"))
    known = lists["listed"] + lists["extra"]
    in_workspace = table([name for name in known if name not in set(lists["workspace"])], read_groups("workspace"))
    return f"""{_INTRODUCTION}
## The cluster profile
{len(asked)} tests carry `[Conformance]`. {len(lists["listed"])} of them are run, and {len(lists["extra"])} others.
{_outcome("result.json")} Left out:

{in_cluster}
## A workspace
Of those {len(known)}, {len(lists["workspace"])} are run in a workspace. {_outcome("workspace-result.json")} Left out:

{in_workspace}"""


def _outcome(file: str) -> str:
    record = json.loads((HERE / file).read_text())
    return f"Last recorded: {record['passed']} of {record['listed']} passed (`tests/conformance/{file}`)."


def main() -> int:
    """Write the page."""
    shown = subprocess.run([binary("e2e.test"), "--list-tests"], capture_output=True, text=True, check=True).stdout
    _PAGE.write_text(page(_SPEC.findall(shown)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
