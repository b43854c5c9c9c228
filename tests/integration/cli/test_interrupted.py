"""Ctrl-C and second tries: what is half done is taken back or finished by the same command, and said."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.integration.cli.desk import DEPLOYMENT, Desk, dump
from tests.support.servers import PROGRAMS
from tests.support.waiting import wait_until


@pytest.mark.parametrize("word", ["SyncTarget", "rights", "started", "waiting"])
def test_join(desk: Desk, word: str) -> None:
    """After Ctrl-C at any step nothing is left, or everything is there; either way the same command joins."""
    before = dump(desk.east)
    said = desk.interrupt(word, "cluster", "join", "east", "--context", desk.east.context, "--as-process")
    if desk.cluster("list", "-o", "name"):
        assert "east is joined, its agent is starting" in said
    else:
        assert "taken back" in said
        assert wait_until(lambda: dump(desk.east) == before, 20)
        assert not list(desk.folder.rglob("agent.pid"))
    assert "takes work" in desk.join("east", desk.east)
    desk.cluster("remove", "east", "--yes")
    assert wait_until(lambda: dump(desk.east) == before, 20)


def test_drain_and_remove(desk: Desk) -> None:
    """A drain goes on without its command; a removal is finished by saying it again."""
    before = dump(desk.east)
    desk.join("east", desk.east)
    desk.run("kubectl-ws", "create", "shop", "--compute")
    url = f"{desk.server.url}/clusters/root:shop"
    desk.server.kubectl(f"--server={url}", "apply", "-f", "-", stdin=DEPLOYMENT)
    desk.server.kubectl(f"--server={url}", "rollout", "status", "deployment/web", "--timeout=60s")
    said = desk.interrupt("moving", "cluster", "drain", "east", "--yes")
    assert "east goes on draining. Come back with: kubectl fairlead cluster drain east" in said
    assert "is being drained" in desk.run("kubectl-fairlead", "why", "deploy/web", "-w", "shop")
    assert "somebody uncordoned it meanwhile" in _uncordoned_while_draining(desk)
    desk.join("west", desk.west)
    assert "east drained" in desk.cluster("drain", "east", "--yes")
    said = desk.interrupt("nothing is left", "cluster", "remove", "east", "--yes")
    assert "run the same command again to finish" in said
    assert "removed" in desk.cluster("remove", "east", "--yes")
    assert wait_until(lambda: dump(desk.east) == before, 20)
    assert "not found" in desk.cluster("remove", "east", "--yes", code=1)
    desk.run("kubectl-ws", "delete", "shop")
    desk.cluster("remove", "west", "--yes")


def _uncordoned_while_draining(desk: Desk) -> str:
    """Have the drain that another command waits for ended; return what that command says."""
    command = [str(PROGRAMS / "kubectl-fairlead"), "cluster", "drain", "east", "--yes"]
    environment = {**os.environ, **desk.environment()}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as it:
        assert it.stderr is not None
        assert any("moving" in line for line in it.stderr)
        desk.cluster("uncordon", "east")
        said = it.stderr.read()
        assert it.wait(30) == 1, said
    return said


def test_an_agent_elsewhere_is_found_again(desk: Desk) -> None:
    """A folder of one's own need not be named again; it is not given to a second agent."""
    folder = str(desk.folder / "agents" / "east")
    desk.join("east", desk.east, "--state-directory", folder)
    assert "pid:" in desk.cluster("list")
    refusal = desk.join("west", desk.west, "--state-directory", folder, code=1)
    assert "choose another --state-directory" in refusal
    assert "pid:" in desk.cluster("list")
    assert "takes work" in desk.join("east", desk.east)  # the same agent, in the same folder
    desk.cluster("remove", "east", "--yes")
    assert not list(desk.folder.rglob("agent.pid"))


def test_a_directory_that_cannot_be_written(desk: Desk) -> None:
    """It is found out before anything is made."""
    (desk.folder / "file").write_text("")
    refusal = desk.join("east", desk.east, "--state-directory", str(desk.folder / "file" / "x"), code=1)
    assert len(refusal.splitlines()) == 1
    assert "state directory" in refusal
    assert desk.cluster("list", "-o", "name") == ""


def test_a_full_disk(desk: Desk) -> None:
    """So is a disk that takes no more: a limit on the size of files stands for it."""
    limit = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)); "
    run = limit + "sys.argv[0] = 'kubectl-fairlead'; from fairlead_cli.plugin import main; main()"
    command = [sys.executable, "-c", run, "cluster", "join", "east", "--context", desk.east.context, "--as-process"]
    environment = {**os.environ, **desk.environment(), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be written · File too large" in done.stderr
    assert desk.cluster("list", "-o", "name") == ""


def test_where_clusters_are_is_said(desk: Desk) -> None:
    """Whoever stands in a team's workspace is told where the clusters are."""
    desk.join("east", desk.east)
    desk.run("kubectl-ws", "create", "shop", "--enter")
    assert desk.cluster("list") == ""
    refusal = desk.cluster("drain", "east", "--yes", code=1)
    assert refusal == 'Error: SyncTarget "east" not found in root:shop · it is in root · say -w root\n'
    desk.cluster("remove", "east", "--yes", "-w", "root")
