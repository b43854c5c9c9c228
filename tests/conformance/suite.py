"""Run tests of ``e2e.test`` one by one, each with a limit, several at once; [Serial] ones alone."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.support.binaries import binary

LISTED = Path(__file__).with_name("listed.txt")
_COUNTS = re.compile(r"Ran (\d+) of \d+ Specs")
_FAILED = re.compile(r"^\s*\[FAILED\] (?!in \[)(.+)$", re.MULTILINE)
_GRACE_S = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """How one test went; ``reason`` is its first complaint, empty when it passed."""

    name: str
    passed: bool
    seconds: float
    reason: str = ""


def listed(text: str | None = None) -> list[str]:
    """Return the names of the recorded list, in its order."""
    lines = (LISTED.read_text() if text is None else text).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def run(
    kubeconfig: Path, names: Sequence[str], logs: Path, *, limit_s: float, jobs: int, told: Callable[[Result], None]
) -> list[Result]:
    """
    Run tests and return how each went, in order.

    Args:
        kubeconfig: Its current context is an administrator's.
        logs: Folder for the output of each test.
        limit_s: A test that takes longer has failed.
        jobs: How many at once.
        told: Hears of each result as it comes.
    """
    logs.mkdir(parents=True, exist_ok=True)

    def one(name: str) -> Result:
        result = _run_one(kubeconfig, name, logs, limit_s)
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


def _run_one(kubeconfig: Path, name: str, logs: Path, limit_s: float) -> Result:
    began_s = time.monotonic()
    log = logs / f"{_file_name(name)}.log"
    with log.open("w") as output:
        process = subprocess.Popen(_command(kubeconfig, name, limit_s), stdout=output, stderr=subprocess.STDOUT)
        try:
            code: int | None = process.wait(limit_s + _GRACE_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    seconds = time.monotonic() - began_s
    return judge(name, code, log.read_text(errors="replace"), seconds)


def judge(name: str, code: int | None, output: str, seconds: float) -> Result:
    """Say how a test went by the exit code (None: it was ended) and the output of its process."""
    if code is None:
        return Result(name, passed=False, seconds=seconds, reason="took longer than its limit")
    ran = _COUNTS.search(output)
    complaint = _FAILED.search(output)
    if complaint is not None:
        return Result(name, passed=False, seconds=seconds, reason=complaint[1])
    if ran is None or ran[1] != "1":
        return Result(name, passed=False, seconds=seconds, reason=f"{ran[1] if ran else 0} tests have this name")
    passed = code == 0 and "1 Passed" in output
    return Result(name, passed=passed, seconds=seconds, reason="" if passed else f"exit code {code}")


def _command(kubeconfig: Path, name: str, limit_s: float) -> list[str | Path]:
    return [
        binary("e2e.test"),
        f"--kubeconfig={kubeconfig}",
        "--context=system:admin",
        "--provider=skeleton",
        "--kube-api-content-type=application/json",
        "--minStartupPods=0",
        "--system-daemonsets-startup-timeout=1s",
        "--node-schedulable-timeout=30s",
        "--ginkgo.no-color",
        f"--ginkgo.timeout={limit_s:.0f}s",
        f"--ginkgo.focus={re.escape(name)}$",
    ]


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:180]


def summary(results: Iterable[Result]) -> str:
    """Return what ``make conformance`` prints at its end: what failed by name, then passed of listed."""
    found = list(results)
    failed = [f"FAIL {result.name}\n     {result.reason}" for result in found if not result.passed]
    return "\n".join([*failed, f"conformance: {len(found) - len(failed)} of {len(found)} listed tests pass"])
