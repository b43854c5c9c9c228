"""The demo as a newcomer runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(180)]


def run(*arguments: str, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with a temporary folder and a PATH of its own."""
    environment = {**os.environ, "TMPDIR": str(folder), "HOME": str(folder), "PATH": path}
    command = [sys.executable, "-m", "fairlead_cli", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=170)


def test_the_demo_tells_its_story_and_leaves_nothing(tmp_path: Path) -> None:
    """Without kubectl too, all steps succeed, the clusters are called simulated, and no file or process is left."""
    done = run(folder=tmp_path, path="/nowhere")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout
    assert "ready pods never fell below 3" in done.stdout
    assert "\x1b" not in done.stdout
    assert not list(tmp_path.glob("fairlead-demo-*"))
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in processes


@pytest.mark.parametrize("word", ["Start a control plane", "Join the clusters", "Drain"])
def test_ctrl_c_leaves_nothing(tmp_path: Path, word: str) -> None:
    """Interrupted at any step it ends with 130, and no file or process is left."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "fairlead_cli", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if word in line:
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        assert process.wait(60) == 130
    assert not list(tmp_path.glob("fairlead-demo-*"))
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in processes


def test_keep_leaves_it_running_until_stopped(tmp_path: Path) -> None:
    """With --keep the control plane answers afterwards; --stop ends and removes everything."""
    done = run("--keep", folder=tmp_path, path=os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("fairlead-demo-*")
    plane = int((folder / "control-plane.pid").read_text())
    os.kill(plane, 0)
    assert str(folder) in done.stdout
    stopped = run("--stop", str(folder), folder=tmp_path, path=os.environ["PATH"])
    assert stopped.returncode == 0, stopped.stderr
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(plane, 0)
