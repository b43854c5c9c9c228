"""The processes of the demo: a control plane, simulated clusters and their agents, in one folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fairlead_cli import labs
from fairlead_cli.failure import Failure
from fairlead_cli.process import AgentFolder

_READY, _STOP_S, _START_S, _COMMAND_S = "Fairlead is ready at ", 20.0, 60.0, 150.0


@dataclass(frozen=True, slots=True)
class Stage:
    """
    The folder of a demo.

    It holds ``control-plane/`` with ``control-plane.log`` and ``.pid`` beside it, ``clusters/`` (see ``labs``),
    ``agents/NAME/`` (see ``process``) and ``app.yaml``.
    """

    path: Path

    @property
    def control_plane(self) -> Path:
        """Return the control plane's root directory."""
        return self.path / "control-plane"

    @property
    def clusters(self) -> Path:
        """Return the simulated clusters' directory."""
        return self.path / "clusters"

    @property
    def log(self) -> Path:
        """Return the control plane's log."""
        return self.path / "control-plane.log"

    @property
    def admin(self) -> Path:
        """Return the control plane's kubeconfig."""
        return self.control_plane / "admin.kubeconfig"

    @property
    def kubeconfig(self) -> str:
        """Return the value of KUBECONFIG that knows the control plane and the clusters."""
        return os.pathsep.join(map(str, (self.admin, self.clusters / labs.KUBECONFIG)))

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment of the demo's commands: the user's, with our kubeconfig and our plugins."""
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        return {**os.environ, "KUBECONFIG": self.kubeconfig, "PATH": path}

    def agent(self, name: str) -> AgentFolder:
        """Return the folder of a cluster's agent."""
        return AgentFolder(self.path / "agents" / name)

    def start_control_plane(self) -> subprocess.Popen[bytes]:
        """Start the control plane apart from this terminal."""
        command = [sys.executable, "-m", "fairlead_cli", "start", f"--root-directory={self.control_plane}"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*command, "--secure-port=0"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self.path / "control-plane.pid").write_text(f"{process.pid}\n")
        return process

    def wait_ready(self, process: subprocess.Popen[bytes]) -> str:
        """
        Wait for the control plane; return its URL.

        Raises:
            Failure: It ended or took too long.
        """
        url = ""

        def is_over() -> bool:
            nonlocal url
            ready = [line for line in self.log.read_text(errors="replace").splitlines() if line.startswith(_READY)]
            url = ready[0].removeprefix(_READY).split()[0] if ready else ""
            return bool(url) or process.poll() is not None

        labs.wait_for(is_over, _START_S)
        if not url:
            raise Failure("the control plane did not start", self.last_words(), f"read {self.log}")
        return url

    def last_words(self) -> str:
        """Return the last line of the control plane's log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    async def run(self, command: Sequence[str]) -> str:
        """
        Run a command, ours or kubectl; return what it printed.

        Raises:
            Failure: It failed.
        """
        process = await asyncio.create_subprocess_exec(
            *_program(command),
            env=dict(self.environment),
            cwd=self.path,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_COMMAND_S):
                out, said = await process.communicate()
        except (TimeoutError, asyncio.CancelledError) as error:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                raise Failure(f"{' '.join(command)} took more than {_COMMAND_S:g} s") from error
            raise
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
            raise Failure(f"{' '.join(command)} failed", lines[-1].removeprefix("Error: "))
        return out.decode(errors="replace").rstrip()

    def stop(self) -> None:
        """Stop everything, agents first."""
        folders = sorted((self.path / "agents").iterdir()) if (self.path / "agents").is_dir() else []
        agents = [(agent, str(agent.record().get("uid", ""))) for agent in map(AgentFolder, folders)]
        agents = [(agent, uid) for agent, uid in agents if uid]
        pid = self._control_plane_pid()
        for agent, uid in agents:
            agent.stop(uid)
        for agent, uid in agents:
            if not labs.wait_for(lambda agent=agent, uid=uid: not agent.pid(uid), _STOP_S):  # type: ignore[misc]  # mypy cannot infer lambdas with defaults
                agent.kill(uid)
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        labs.down(self.clusters, keep=True)
        if pid and not labs.wait_for(lambda: not self._control_plane_pid(), _STOP_S):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.path)

    def _control_plane_pid(self) -> int:
        """Return the control plane's process id; 0 when it does not run."""
        try:
            pid = int((self.path / "control-plane.pid").read_text())
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # ours, when the demo itself started it
            os.kill(pid, 0)
            words = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc/self").exists() else b""
        except (OSError, ValueError):
            return 0
        # A process id may be another's by now.
        return pid if not words or str(self.control_plane).encode() in words else 0


def _program(command: Sequence[str]) -> list[str]:
    """Return how to start a command as the user types it; our plugins work without kubectl."""
    plugins = {"fairlead": "fairlead_cli.plugin", "ws": "fairlead_cli.workspaces"}
    if command[0] == "kubectl" and (module := plugins.get(command[1])):
        return [sys.executable, "-c", f"from {module} import main; main()", *command[2:]]
    return list(command)
