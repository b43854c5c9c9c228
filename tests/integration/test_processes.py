"""Processes that tests start end with the run, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
_RUN = """
import sys, time
from pathlib import Path
from tests.support import processes
started = processes.start("sleeper", ["sleep", "600"], log=Path(sys.argv[1]) / "sleeper.log")
print(started.pid, flush=True)
time.sleep(600)
"""


def _is_running(pid: int) -> bool:
    # A process nobody waited for yet is dead all the same.
    stat = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(stat.strip()) and not stat.startswith("Z")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_takes_its_processes_along(tmp_path: Path, how: signal.Signals) -> None:
    """What a run started is gone after the run, also when it was killed outright."""
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert run.stdout is not None
    with run.stdout:
        pid = int(run.stdout.readline())
    assert _is_running(pid)
    run.send_signal(how)
    run.wait(10)
    wait_until(lambda: not _is_running(pid), 10)


def test_a_process_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    """A program that ends instead of getting ready fails with its exit code and what it wrote."""
    command = ["sh", "-c", "echo no such flag; exit 7"]
    with (
        processes.start("broken", command, log=tmp_path / "broken.log") as process,
        pytest.raises(processes.ProcessFailed, match=r"(?s)broken ended with 7, log .*no such flag"),
    ):
        process.wait_ready(lambda: False, 10)


def test_stop_ends_the_whole_group(tmp_path: Path) -> None:
    """Children of a stopped process are gone too, also of one that ignores being asked."""
    script = "trap '' TERM; sleep 600 & echo $!; wait; wait"
    process = processes.start("stubborn", ["sh", "-c", script], log=tmp_path / "stubborn.log")
    process.wait_ready(lambda: process.log_tail().strip(), 10)
    child = int(process.log_tail())
    assert process.stop(grace_s=0.1) == -signal.SIGKILL
    wait_until(lambda: not _is_running(child), 10)
