"""
Real processes for tests: own process group, own log file, stopped by process id even when the run is interrupted.

Logs go below :func:`run_directory`, which is removed at the end of a run in which nothing failed, and else printed.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.waiting import POLL_EVERY_S

STOP_GRACE_S = 5.0
LOG_TAIL_BYTES = 3000


class ProcessFailed(Exception):
    """A process ended or did not become ready; the message ends with the tail of its log."""


@functools.cache
def run_directory() -> Path:
    """Return the folder that holds this run's logs and data, made at first use."""
    return Path(tempfile.mkdtemp(prefix="fairlead-tests-"))


def discard_run_directory() -> None:
    """Remove the run's folder; for a run that nobody will want to look into."""
    if run_directory.cache_info().currsize:
        shutil.rmtree(run_directory(), ignore_errors=True)


@functools.cache
def _reaper() -> subprocess.Popen[str]:
    script = Path(__file__).with_name("reaper.py")
    command = [sys.executable, "-S", "-E", str(script)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True, cwd="/")


def _tell_reaper(line: str) -> None:
    pipe = _reaper().stdin
    if pipe is not None and not pipe.closed:
        pipe.write(line + "\n")
        pipe.flush()


@atexit.register
def _release_reaper() -> None:
    if _reaper.cache_info().currsize:
        reaper = _reaper()
        if reaper.stdin is not None:
            reaper.stdin.close()
        reaper.wait(STOP_GRACE_S)


def free_ports(count: int) -> list[int]:
    """
    Return distinct TCP ports of 127.0.0.1 that nobody listens on.

    Programs that pick their own port (``--secure-port 0``) should; another process may take these before they are used.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Process:
    """One running program; use it as a context manager or call :meth:`stop`."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._popen = popen

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._popen.pid

    @property
    def return_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        with contextlib.suppress(FileNotFoundError):
            return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        return ""

    def wait_ready(self, is_ready: Callable[[], object], timeout_s: float) -> None:
        """
        Wait until ``is_ready`` returns something true.

        Raises:
            ProcessFailed: It ended first, or ``timeout_s`` seconds passed.
        """
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if self.return_code is not None:
                raise ProcessFailed(f"{self.name} ended with {self.return_code}, log {self.log}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} not ready in {timeout_s:g} s, log {self.log}:\n{self.log_tail()}")
            time.sleep(POLL_EVERY_S)

    def wait(self, timeout_s: float) -> int:
        """Wait for its end and return its exit code; ProcessFailed when it takes longer than ``timeout_s``."""
        try:
            code = self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired as late:
            problem = f"{self.name} still runs after {timeout_s:g} s, log {self.log}:\n{self.log_tail()}"
            raise ProcessFailed(problem) from late
        _tell_reaper(f"-{self.pid}")
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing happens when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def pause(self) -> None:
        """Freeze it: its connections stay open and nobody answers."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after :meth:`pause`."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a power failure of that program would."""
        self.signal(signal.SIGKILL)
        self.wait(STOP_GRACE_S)

    def stop(self, grace_s: float = STOP_GRACE_S) -> int:
        """Ask it to end, kill it after ``grace_s`` seconds; return its exit code."""
        if self._popen.poll() is None:
            self.resume()
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace_s)
        # Also when the leader ended by itself: what it started may still be there.
        self.signal(signal.SIGKILL)
        return self.wait(STOP_GRACE_S)

    def __enter__(self) -> Process:
        """Hand out the running process."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Process:
    """
    Start a program.

    Args:
        name: For messages.
        command: Program and arguments.
        log: File for its output, both streams; appended to.
        env: Added to this process's environment.
        cwd: Where it runs; the folder of its log by default, so that nothing it drops lands in the repository.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd or log.parent,
            start_new_session=True,
        )
    _tell_reaper(f"+{popen.pid}")
    return Process(name, popen, log)
