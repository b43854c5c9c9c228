"""``kubectl ws`` against a running server."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import binaries
from tests.support.servers import PROGRAMS, FairleadServer, run_program


class Shell:
    """A user's terminal: a kubeconfig of their own."""

    def __init__(self, server: FairleadServer, folder: Path) -> None:
        self.kubeconfig = folder / "config"
        shutil.copy(server.kubeconfig, self.kubeconfig)
        self._env = {"KUBECONFIG": str(self.kubeconfig), "HOME": str(folder)}

    def ws(self, *arguments: str, code: int = 0) -> str:
        """Run ``kubectl ws`` and return what it printed, errors when it is to fail."""
        done = run_program("kubectl-ws", *arguments, env=self._env)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout

    def loaded_by_ws(self, *arguments: str) -> set[str]:
        """Run ``kubectl ws`` and return the modules it loaded."""
        done = run_program("kubectl-ws", *arguments, env={**self._env, "PYTHONPROFILEIMPORTTIME": "1"})
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip() for line in lines}

    def completed(self, *words: str) -> list[str]:
        """Return what kubectl offers after these words, the last one unfinished, without descriptions."""
        path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        command = [str(binaries.binary("kubectl")), "__complete", *words]
        environment = {**os.environ, **self._env, "PATH": path}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=20)
        return [line.partition("\t")[0] for line in done.stdout.splitlines()]

    def walk(self, keys: list[bytes]) -> str:
        """Run ``kubectl ws tree -i`` on a terminal and press keys, each once something was drawn; return all of it."""
        ours, theirs = os.openpty()
        command = [str(PROGRAMS / "kubectl-ws"), "tree", "-i"]
        environment = {**os.environ, **self._env, "COLUMNS": "100", "LINES": "30"}
        with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            seen = b""
            with contextlib.suppress(OSError):  # its end has gone
                while part := os.read(ours, 65536):
                    seen += part
                    if keys and part.endswith(b"Press Enter to switch to this workspace"):
                        os.write(ours, keys.pop(0))
            os.close(ours)
            assert process.wait(10) == 0, seen
        return seen.decode()


@pytest.fixture
def shell(fairlead: FairleadServer, tmp_path: Path) -> Shell:
    """Give a user at the root workspace."""
    return Shell(fairlead, tmp_path)


def test_a_walk_through_the_tree(shell: Shell) -> None:
    """Creating, entering, going up, back, home, and looking around say what kcp says."""
    assert shell.ws(".") == "Current workspace is 'root'.\n"
    ready = 'Workspace "org" (type root:organization) is ready to use.\n'
    assert shell.ws("create", "org", "--enter").endswith(
        ready + "Current workspace is 'root:org' (type root:organization).\n"
    )
    assert shell.ws("create", "team", "--type", "universal").endswith("is ready to use.\n")
    assert shell.ws("team") == "Current workspace is 'root:org:team' (type root:universal).\n"
    assert shell.ws("..") == "Current workspace is 'root:org' (type root:organization).\n"
    assert shell.ws("-") == "Current workspace is 'root:org:team'.\n"
    assert shell.ws("..:..") == "Current workspace is 'root' (type root).\n"
    assert shell.ws("org:team") == "Current workspace is 'root:org:team' (type root:universal).\n"
    assert shell.ws(":") == "Current workspace is 'root'.\n"
    tree = ".\n└── root\n    ├── compute\n    └── org\n        └── team\n"
    assert shell.ws("tree") == tree
    assert shell.ws("~") == shell.ws("use", "~")
    assert shell.ws(":root:org", "--short") == "root:org\n"
    assert shell.ws("current", "--short") == "root:org\n"


def test_ways_to_show_the_tree(shell: Shell) -> None:
    """Full names, phases, and a walk with the keyboard that ends in the workspace it was left with Enter."""
    shell.ws("create", "org", "--enter")
    shell.ws("create", "team")
    assert shell.ws("tree", "--full") == ".\n└── root:org\n    └── root:org:team\n"
    assert shell.ws("tree", "--wide") == ".\n└── org lc=Ready\n    └── team ws=Ready lc=Ready\n"
    assert "there is no terminal" in shell.ws("tree", "-i", code=2)
    screen = shell.walk([b"\x1b[C", b"j", b"\r"])  # it begins at org: opened, one down, Enter
    assert "root:org:team" in screen
    assert screen.endswith("Current workspace is 'root:org:team' (type root:universal).\r\n")
    shell.walk([b"k", b"q"])
    assert shell.ws("current", "--short") == "root:org:team\n"


def test_completion_knows_what_is_there(shell: Shell) -> None:
    """Kubectl's own protocol: workspaces by name and by path, and what else may be typed."""
    shell.ws("create", "org")
    assert shell.completed("ws", "o") == ["org", ":4"]
    assert shell.completed("ws", "use", ":root:o") == [":root:org", ":4"]
    assert {"org", "compute", "tree"} < set(shell.completed("ws", ""))
    assert shell.completed("fairlead", "cluster", "drain", "") == [":4"]


def test_refusals(shell: Shell) -> None:
    """What is not there, or was there before, is refused in kcp's words, and nothing moves."""
    before = shell.kubeconfig.read_text()
    assert shell.ws("nope", code=1) == 'Error: workspace "root:nope" not found\n'
    assert shell.ws("..", code=1) == "Error: cannot go up from root\n"
    assert shell.kubeconfig.read_text() == before
    shell.ws("create", "a", "--type", "root:universal")
    assert 'workspaces.tenancy.kcp.io "a" already exists' in shell.ws("create", "a", code=1)
    assert 'Workspace "a" (type root:universal) already exists.' in shell.ws("create", "a", "--ignore-existing")
    refusal = shell.ws("create", "a", "--ignore-existing", "--type", "root:organization", code=1)
    assert "it already exists with different type root:universal" in refusal


def test_contexts_and_compute(shell: Shell, fairlead: FairleadServer) -> None:
    """A workspace with compute has the API and a Placement; a context of its own leaves the current one alone."""
    shell.ws("create", "shop", "--type", "universal", "--compute", "--create-context", "shop")
    config = yaml.safe_load(shell.kubeconfig.read_text())
    assert config["current-context"] == "root"
    assert any(one["name"] == "shop" for one in config["contexts"])
    env = {"KUBECONFIG": str(shell.kubeconfig)}
    found = run_program("kubectl-ws", "use", "shop", "--context", "root", env=env)
    assert found.returncode == 0, found.stderr
    server = next(
        one["cluster"] for one in yaml.safe_load(shell.kubeconfig.read_text())["clusters"] if one["name"] == "shop"
    )
    shown = fairlead.kubectl("--server", server["server"], "get", "deployments,placements", "-o", "name")
    assert shown.startswith("placement.scheduling.kcp.io/placement-")
    assert shell.ws("delete", "shop", "-w", ":root") == 'workspace.tenancy.kcp.io "shop" deleted\n'
    assert "not found" in shell.ws(":root:shop", code=1)


@pytest.mark.parametrize("words", [("--help",), (".",)])
def test_offline_commands_load_only_what_they_need(shell: Shell, words: tuple[str, ...]) -> None:
    """Help and printing the workspace are quick because they load no client and no models."""
    loaded = shell.loaded_by_ws(*words)
    assert "click" in loaded, "nothing was seen"
    assert not loaded & {"aiohttp", "pydantic", "structlog", "uvloop", "fairlead_machinery.client"}
