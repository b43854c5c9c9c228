"""
An agent as a process on this machine: its folder, its start, its end.

The folder (``~/.fairlead/clusters/NAME`` unless said otherwise, 0700) holds ``cluster.json`` (what was joined),
``upstream.kubeconfig`` without credentials, ``cluster.kubeconfig`` with the token file, ``agent.pid``, ``agent.log``
and ``state/`` (the agent's own: key and token).

Where an agent is stands on its SyncTarget, too: ``cluster`` for one that runs as a Deployment, else the folder as a
``file:`` URL with the machine's name (RFC 8089). So a folder elsewhere is found again, and other machines know whose
it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from fairlead_api import JsonObject
from fairlead_machinery.kubeconfig import Credentials

PID, LOG, RECORD = "agent.pid", "agent.log", "cluster.json"
UPSTREAM, CLUSTER, TOKEN, AUTHORITY = "upstream.kubeconfig", "cluster.kubeconfig", "cluster.token", "cluster-ca.crt"
BOOTSTRAP, STATE = "bootstrap-token", "state"
_ENDED = frozenset("ZXx")
"""States of a process that has ended, as in proc(5)."""


IN_CLUSTER = "cluster"


def default_folder(name: str) -> Path:
    """Return where an agent's folder is unless the user says otherwise."""
    return Path.home() / ".fairlead" / "clusters" / name


def host_of(where: str) -> str:
    """Return the machine that an agent runs on as a process; "" when it does not, or nothing is known."""
    return urlsplit(where).netloc if where.startswith("file:") else ""


@dataclass(frozen=True, slots=True)
class AgentFolder:
    """The folder of one agent."""

    path: Path

    @classmethod
    def of(cls, name: str, uid: str, where: str, said: str = "") -> AgentFolder:
        """
        Return the folder of a SyncTarget's agent, whether it is there or not.

        Args:
            name: Of the SyncTarget.
            uid: Of the SyncTarget: another of the same name has another agent.
            where: Where its agent is, as it stands there.
            said: The folder the user named; "" for none.
        """
        if said:
            return cls(Path(said).absolute())
        if host_of(where) == socket.gethostname():
            found = cls(Path(unquote(urlsplit(where).path)))
            if found.record().get("uid") == uid:
                return found
        return cls(default_folder(name))

    @property
    def url(self) -> str:
        """Say where the agent is, for its SyncTarget."""
        return f"file://{socket.gethostname()}{quote(str(self.path))}"

    def make(self) -> None:
        """Make it, for its owner alone."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, name: str, text: str) -> Path:
        """Replace a file in it atomically, for its owner alone."""
        path, temporary = self.path / name, self.path / f".{name}.new"
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        temporary.replace(path)
        return path

    def record(self) -> JsonObject:
        """Return what was noted when the cluster was joined; ``{}`` when nothing was."""
        try:
            found = json.loads((self.path / RECORD).read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, **fields: object) -> None:
        """Add to the record."""
        self.make()
        self.write(RECORD, json.dumps({**self.record(), **fields}, indent=1))

    def write_cluster_kubeconfig(self, credentials: Credentials, token: str) -> None:
        """Write how the agent reaches the cluster: as its own service account, with a token that can be renewed."""
        cluster: JsonObject = {"server": credentials.server}
        if credentials.ca:
            self.write(AUTHORITY, credentials.ca.decode())
            cluster["certificate-authority"] = AUTHORITY
        if credentials.insecure:
            cluster["insecure-skip-tls-verify"] = True
        if credentials.tls_server_name:
            cluster["tls-server-name"] = credentials.tls_server_name
        if credentials.proxy_url:
            cluster["proxy-url"] = credentials.proxy_url
        self.write(TOKEN, token)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "cluster", "cluster": cluster}],
            "users": [{"name": "agent", "user": {"tokenFile": TOKEN}}],
            "contexts": [{"name": "agent", "context": {"cluster": "cluster", "user": "agent"}}],
            "current-context": "agent",
        }
        self.write(CLUSTER, json.dumps(config, indent=1))

    def pid(self, uid: str) -> int:
        """Return the process id of the running agent of a SyncTarget's uid; 0 when it does not run."""
        try:
            pid = int((self.path / PID).read_text())
            os.kill(pid, 0)
            if not Path("/proc/self").exists():
                return pid
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            # One that has ended and that nobody has waited for still takes signals; its command line is empty, but so
            # is, for a moment, that of one that is just being started.
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return 0
        if state in _ENDED:
            return 0
        # A process id may be another's by now.
        return pid if not words or uid.encode() in words else 0

    def start(self, uid: str, arguments: list[str], bootstrap_token: str) -> int:
        """Start the agent apart from this terminal; return its process id."""
        token_file = self.write(BOOTSTRAP, bootstrap_token)
        command = [
            *(sys.executable, "-m", "fairlead_cli", "syncer"),
            f"--from-kubeconfig={self.path / UPSTREAM}",
            f"--to-kubeconfig={self.path / CLUSTER}",
            f"--sync-target-uid={uid}",
            f"--state-directory={self.path / STATE}",
            f"--bootstrap-token-file={token_file}",
            *arguments,
        ]
        with (self.path / LOG).open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        self.write(PID, f"{process.pid}\n")
        return process.pid

    def has_key(self, pinned: str) -> bool:
        """Tell whether the agent's key has this thumbprint, or none is pinned yet; not when its state is lost."""
        from fairlead_machinery import agentkeys  # noqa: PLC0415 - slow to load

        try:
            key = agentkeys.from_pem((self.path / STATE / agentkeys.KEY).read_bytes())
        except (OSError, ValueError):
            return not pinned
        return not pinned or agentkeys.thumbprint(agentkeys.public_jwk(key)) == pinned

    def stop(self, uid: str) -> int:
        """Ask the agent to end; return its process id, 0 when it did not run."""
        pid = self.pid(uid)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        return pid

    def kill(self, uid: str) -> None:
        """End the agent at once."""
        if pid := self.pid(uid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def last_words(self) -> str:
        """Return the last line of its log; "" without one."""
        try:
            lines = (self.path / LOG).read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""

    def forget(self) -> None:
        """Remove what is ours in the folder, and the folder if nothing else is in it."""
        names = (PID, LOG, RECORD, UPSTREAM, CLUSTER, TOKEN, AUTHORITY, BOOTSTRAP)
        for name in names:
            (self.path / name).unlink(missing_ok=True)
        state = self.path / STATE
        for file in state.iterdir() if state.is_dir() else ():
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            state.rmdir()
        self.forget_if_empty()

    def forget_if_empty(self) -> None:
        """Remove the folder if nothing is in it."""
        with contextlib.suppress(OSError):
            self.path.rmdir()
