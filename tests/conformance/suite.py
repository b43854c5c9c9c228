"""
Run tests of ``e2e.test`` one by one, each with a limit, several at once; [Serial] ones alone.

The output of a test that failed stays in a file of its own; of one that passed it goes.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.binaries import binary

_COUNTS = re.compile(r"Ran (\d+) of \d+ Specs")
_FAILED = re.compile(r"^\s*\[(FAILED|SKIPPED)\] (?!in \[)(.+)\n\s*(.*)$", re.MULTILINE)
_TIMED_OUT = "A suite timeout occurred"
_REASON_CHARACTERS = 300
_GRACE_S = 20.0


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

    alone = [name for name in names if "[Serial]" in name]
    pool = ThreadPoolExecutor(jobs)
    try:
        found = {result.name: result for result in pool.map(one, (name for name in names if name not in alone))}
    finally:
        pool.shutdown(cancel_futures=True)  # who interrupts a run does not wait for the rest of the list
    found |= {name: one(name) for name in alone}
    return [found[name] for name in names]


def _run_one(target: Target, name: str, logs: Path, limit_s: float) -> Result:
    began_s = time.monotonic()
    log = logs / f"{_file_name(name)}.log"
    with log.open("w") as output:
        process = subprocess.Popen(_command(target, name, limit_s), stdout=output, stderr=subprocess.STDOUT)
        try:
            code: int | None = process.wait(limit_s + _GRACE_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    seconds = time.monotonic() - began_s
    result = judge(name, code, log.read_text(errors="replace"), seconds)
    if not result.passed:
        return replace(result, log=log)
    log.unlink()
    return result


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


def _command(target: Target, name: str, limit_s: float) -> list[str | Path]:
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
        f"--ginkgo.focus={re.escape(name)}$",
    ]


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:180]


def summary(results: Iterable[Result]) -> str:
    """Return what a run prints at its end: what failed by name, with the file to read, then passed of listed."""
    found = list(results)
    failed = [f"FAIL {one.name}\n     {one.reason}\n     {one.log}" for one in found if not one.passed]
    return "\n".join([*failed, f"conformance: {len(found) - len(failed)} of {len(found)} listed tests pass"])
