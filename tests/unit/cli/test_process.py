"""The folder of an agent that runs as a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from fairlead_cli.process import CLUSTER, PID, STATE, AgentFolder
from fairlead_machinery import agentkeys, kubeconfig
from fairlead_machinery.kubeconfig import Credentials


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Folder and files can be read by nobody else, and the record is kept up to date."""
    folder = AgentFolder(tmp_path / "a")
    folder.note(uid="u", name="east")
    folder.note(tokenExpires="later")
    assert folder.record() == {"uid": "u", "name": "east", "tokenExpires": "later"}
    assert folder.path.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.path.iterdir())


def test_the_agent_gets_its_own_credential_only(tmp_path: Path) -> None:
    """Of the user's credentials the kubeconfig keeps what is about the server, nothing about the user."""
    folder = AgentFolder(tmp_path)
    mine = Credentials("https://h:1", ca=b"PEM", token="admin", certificate=b"cert", key=b"key")
    folder.write_cluster_kubeconfig(mine, "agents")
    found = kubeconfig.load([tmp_path / CLUSTER], explicit=True).credentials()
    assert (found.server, found.ca, found.token, found.certificate) == ("https://h:1", b"PEM", "", b"")
    assert Path(found.token_file).read_text() == "agents"
    assert not any("admin" in file.read_text() for file in tmp_path.iterdir())


def test_a_process_id_of_somebody_else_is_not_ours(tmp_path: Path) -> None:
    """An id counts only while its process names the SyncTarget's uid."""
    folder = AgentFolder(tmp_path)
    assert folder.pid("no-such-uid") == 0
    folder.write(PID, f"{os.getpid()}\n")
    assert folder.pid("no-such-uid-in-any-command-line") == 0


def test_forgetting_leaves_what_is_not_ours(tmp_path: Path) -> None:
    """Only our own files go; the folder goes when nothing else is in it."""
    folder = AgentFolder(tmp_path / "a")
    folder.note(uid="u")
    (folder.path / "mine").write_text("x")
    folder.forget()
    assert [file.name for file in folder.path.iterdir()] == ["mine"]
    (folder.path / "mine").unlink()
    folder.forget()
    assert not folder.path.exists()


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


def test_whose_key_it_is(tmp_path: Path) -> None:
    """The pinned one's or another's; with its state lost it has none, and before its first start none is expected."""
    folder, key = AgentFolder(tmp_path), agentkeys.new_key()
    mark = agentkeys.thumbprint(agentkeys.public_jwk(key))
    assert folder.has_key("")
    assert not folder.has_key(mark)
    (tmp_path / STATE).mkdir()
    (tmp_path / STATE / agentkeys.KEY).write_bytes(agentkeys.to_pem(key))
    assert folder.has_key(mark)
    assert folder.has_key("")
    assert not folder.has_key("another")
