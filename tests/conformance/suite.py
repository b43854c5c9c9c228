"""
Run tests of ``e2e.test``, each with a limit, several at once; [Serial] ones one by one.

To start ``e2e.test`` takes longer than most of its tests, so some share a process. What has not passed there, by itself
or because another held it up, is run again in one of its own, and that is its result: the output of a test that failed
stays in a file, of one that passed it goes.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from tests.support.binaries import binary

_COUNTS = re.compile(r"Ran (\d+) of \d+ Specs")
_FAILED = re.compile(r"^\s*\[(FAILED|SKIPPED)\] (?!in \[)(.+)\n\s*(.*)$", re.MULTILINE)
_TIMED_OUT = "A suite timeout occurred"
_REASON_CHARACTERS = 300
_GRACE_S = 20.0
_TOGETHER = 12
"""Tests that share a process: about a minute's worth."""
_WITHOUT_NODES = ("--allowed-not-ready-nodes=-1", "--minStartupPods=-1", "--num-nodes=0")
_WITH_NODES = ("--minStartupPods=0", "--system-daemonsets-startup-timeout=1s", "--node-schedulable-timeout=30s")


@dataclass(frozen=True, slots=True)
class Target:
    """What the tests are run against: a context of a kubeconfig, an administrator's, and whether it shows nodes."""

    kubeconfig: Path
    context: str
    has_nodes: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """
    How one test went.

    Attributes:
        reason: Its first complaint, empty when it passed.
        log: What it wrote, when it failed.
    """

    name: str
    passed: bool
    seconds: float
    reason: str = ""
    log: Path | None = None


def read_list(path: Path) -> list[str]:
    """Return the names that a list has, in its order; lines with ``#`` are for people."""
    lines = path.read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def run(
    target: Target, names: Sequence[str], logs: Path, *, limit_s: float, jobs: int, told: Callable[[Result], None]
) -> list[Result]:
    """
    Run tests and return how each went, in order.

    Args:
        logs: Folder for the output of the tests that fail.
        limit_s: A test that takes longer has failed.
        jobs: How many at once.
        told: Hears of each result as it comes.
    """
    logs.mkdir(parents=True, exist_ok=True)

    def one(name: str) -> Result:
        result = _run_one(target, name, logs, limit_s)
        told(result)
        return result

    def some(names: Sequence[str]) -> list[Result]:
        passed = {result.name: result for result in _run_together(target, names, logs, limit_s)}
        for result in passed.values():
            told(result)
        return [passed[name] if name in passed else one(name) for name in names]

    alone = [name for name in names if "[Serial]" in name]
    pool = ThreadPoolExecutor(jobs)
    try:
        groups = _groups([name for name in names if name not in alone])
        found = {result.name: result for results in pool.map(some, groups) for result in results}
    finally:
        pool.shutdown(cancel_futures=True)  # who interrupts a run does not wait for the rest of the list
    found |= {result.name: result for group in _groups(alone) for result in some(group)}
    return [found[name] for name in names]


def _groups(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[at : at + _TOGETHER] for at in range(0, len(names), _TOGETHER)]


def _run_together(target: Target, names: Sequence[str], logs: Path, limit_s: float) -> list[Result]:
    """Run tests one after another in one process, which has as long as one test has, and return those that passed."""
    began_s = time.monotonic()
    log, report = (logs / f"together-{_file_name(names[0])}.{end}" for end in ("log", "xml"))
    _ended([*_command(target, names, limit_s), f"--ginkgo.junit-report={report}"], log, limit_s)
    each_s = (time.monotonic() - began_s) / len(names)
    passed = passed_names(report.read_text(), names) if report.exists() else []
    for path in (log, report):
        path.unlink(missing_ok=True)
    return [Result(name, passed=True, seconds=each_s) for name in passed]


def passed_names(report: str, names: Sequence[str]) -> list[str]:
    """Return which tests have passed by a report in JUnit's form, where labels stand behind their names."""
    found = []
    for case in ElementTree.fromstring(report).iter("testcase"):
        shown = case.get("name", "").removeprefix("[It] ")
        if case.get("status") == "passed":
            found += [max((name for name in names if f"{shown} ".startswith(f"{name} ")), key=len, default="")]
    return [name for name in found if name]


def _run_one(target: Target, name: str, logs: Path, limit_s: float) -> Result:
    began_s = time.monotonic()
    log = logs / f"{_file_name(name)}.log"
    code = _ended(_command(target, [name], limit_s), log, limit_s)
    seconds = time.monotonic() - began_s
    result = judge(name, code, log.read_text(errors="replace"), seconds)
    if not result.passed:
        return replace(result, log=log)
    log.unlink()
    return result


def _ended(command: Sequence[str | Path], log: Path, limit_s: float) -> int | None:
    """Run a program to its end and return its exit code; None when it had to be ended."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            return process.wait(limit_s + _GRACE_S)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def judge(name: str, code: int | None, output: str, seconds: float) -> Result:
    """Say how a test went by the exit code (None: it was ended) and the output of its process."""
    if code is None:
        return Result(name, passed=False, seconds=seconds, reason="took longer than its limit")
    ran = _COUNTS.search(output)
    if complaint := _complaint(output):
        return Result(name, passed=False, seconds=seconds, reason=complaint)
    if ran is None or ran[1] != "1":
        return Result(name, passed=False, seconds=seconds, reason=f"{ran[1] if ran else 0} tests have this name")
    passed = code == 0 and "1 Passed" in output
    return Result(name, passed=passed, seconds=seconds, reason="" if passed else f"exit code {code}")


def _complaint(output: str) -> str:
    """Return why a test failed or skipped itself, in one line that is not endless; nothing when it did neither."""
    found = _FAILED.search(output)
    if found is None:
        return ""
    told = f"not done in its limit: {found[3]}" if found[2].startswith(_TIMED_OUT) else found[2]
    if found[1] == "SKIPPED":
        told = f"skipped: {told}"
    return told if len(told) <= _REASON_CHARACTERS else f"{told[:_REASON_CHARACTERS]}..."


def _command(target: Target, names: Sequence[str], limit_s: float) -> list[str | Path]:
    return [
        binary("e2e.test"),
        f"--kubeconfig={target.kubeconfig}",
        f"--context={target.context}",
        f"--kubectl-path={binary('kubectl')}",
        "--provider=skeleton",
        "--kube-api-content-type=application/json",
        *(_WITH_NODES if target.has_nodes else _WITHOUT_NODES),
        "--ginkgo.no-color",
        f"--ginkgo.timeout={limit_s:.0f}s",
        f"--ginkgo.focus=({'|'.join(re.escape(name) for name in names)})$",
    ]


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:180]


def summary(results: Iterable[Result]) -> str:
    """Return what a run prints at its end: what failed by name, with the file to read, then passed of listed."""
    found = list(results)
    failed = [f"FAIL {one.name}\n     {one.reason}\n     {one.log}" for one in found if not one.passed]
    return "\n".join([*failed, f"conformance: {len(found) - len(failed)} of {len(found)} listed tests pass"])
