"""Whether an agent runs is told from its process, not from a file it left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

from fairlead_cli.process import PID, AgentFolder

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)", "uid-1"]


def test_only_the_agents_own_living_process_counts(tmp_path: Path) -> None:
    """A running agent is found; another's process, and one that has ended but was not waited for, is not."""
    folder = AgentFolder(tmp_path)
    process = subprocess.Popen(SLEEP)
    try:
        (tmp_path / PID).write_text(str(process.pid))
        while not Path(f"/proc/{process.pid}/cmdline").read_bytes().endswith(b"uid-1\0"):
            time.sleep(0.01)  # between fork and exec it still has our command line
        assert folder.pid("uid-1") == process.pid
        assert folder.pid("uid-2") == 0
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert folder.pid("uid-1") == 0
    finally:
        process.kill()
        process.wait()


def test_no_file_no_agent(tmp_path: Path) -> None:
    """Nothing was started here."""
    assert AgentFolder(tmp_path).pid("uid-1") == 0
