"""Scenarios, run against both servers of a pair and judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.kubectl import compare
from tests.kubectl.allowed import Allowed
from tests.kubectl.compare import Kubectl, Side
from tests.kubectl.scenarios import Scenario
from tests.support.binaries import KUBERNETES_VERSION, OLDER_KUBECTL, binary

NEWEST = ".".join(KUBERNETES_VERSION.removeprefix("v").split(".")[:2])
VERSIONS = {NEWEST: KUBERNETES_VERSION, **OLDER_KUBECTL}
"""Minor to the version of kubectl."""


@dataclass(frozen=True, slots=True)
class Result:
    """
    What came of a scenario.

    Attributes:
        differences: Lines of diffs, each headed by its command; empty when all is well.
        differing: How many commands they are of.
        allowed: How many commands differ with a reason.
        outlived: Reasons that were not needed, as ``scenario: command``.
    """

    scenario: Scenario
    differences: tuple[str, ...] = ()
    differing: int = 0
    allowed: int = 0
    outlived: tuple[str, ...] = ()


def program(minor: str) -> Path:
    """Return kubectl of a minor, after building it if it has to be."""
    return binary("kubectl" if minor == NEWEST else f"kubectl-{minor}")


def run(scenario: Scenario, pair: tuple[Side, Side], minor: str, allowed: Allowed) -> Result:
    """Run a scenario in a namespace of its own, which is left to be deleted."""
    kubectl = Kubectl(program(minor), f"{scenario.name}-{minor.replace('.', '')}")
    _enter(kubectl, pair)
    differences: list[str] = []
    differing = excused = 0
    excuses: dict[str, bool] = {}
    for command in scenario.commands:
        ours, theirs = kubectl.both(pair, command)
        name = f"{scenario.name}: {command}"
        shown = [compare.compared(command, each, has_order=name not in allowed.shuffled) for each in (ours, theirs)]
        found = compare.difference(command, *shown)
        if name in allowed.commands:
            excused += bool(found)
            excuses[name] = bool(found) or excuses.get(name, False)
        elif found:
            differing += 1
            differences += found
    kubectl.both(pair, "delete namespace {ns} --wait=false")
    outlived = tuple(name for name, was_needed in excuses.items() if not was_needed)
    return Result(scenario, tuple(differences), differing, excused, outlived)


def run_all(
    scenarios: Sequence[Scenario], pair: tuple[Side, Side], minor: str, allowed: Allowed, *, jobs: int
) -> Iterator[Result]:
    """Run those that may share the servers side by side, then the others one by one."""
    program(minor)
    with ThreadPoolExecutor(jobs) as pool:
        shared = [each for each in scenarios if not each.is_alone]
        yield from pool.map(lambda scenario: run(scenario, pair, minor, allowed), shared)
    for scenario in scenarios:
        if scenario.is_alone:
            yield run(scenario, pair, minor, allowed)


def _enter(kubectl: Kubectl, pair: tuple[Side, Side]) -> None:
    """Make the namespace and wait until it has what a new one gets."""
    for command in ("create namespace {ns}", "wait sa/default cm/kube-root-ca.crt --for=create --timeout=30s"):
        for outcome in kubectl.both(pair, command):
            assert outcome.code == 0, outcome
