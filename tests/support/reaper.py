"""
Kills what a test run started when the run is gone, however it ended.

Runs as a process of its own. Reads ``+PID`` and ``-PID`` lines; when its standard input ends, which the system makes
sure of even after ``kill -9``, every process group that was not taken off the list is killed.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Read until the run is gone, then clean up."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
