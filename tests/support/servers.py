"""Our own server as a real process, as a user would start it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from fairlead_api import JsonObject
from tests.support import processes
from tests.support.clusters import run_kubectl

PROGRAMS = Path(sys.executable).parent
"""Where the project's commands are installed, beside the interpreter."""
START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 2.0
ROOT_CONTEXT = "root"
ADMIN_CONTEXT = "system:admin"
_BINDING: JsonObject = {
    "apiVersion": "apis.kcp.io/v1alpha1",
    "kind": "APIBinding",
    "metadata": {"name": "kubernetes"},
    "spec": {"reference": {"export": {"path": "root:compute", "name": "kubernetes"}}},
}


@dataclass(slots=True)
class FairleadServer:
    """
    A running ``fairlead start``.

    Attributes:
        directory: Its root directory.
        arguments: What it was started with beyond directory and port.
        environment: Added to its environment, also when it is started again.
    """

    directory: Path
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    process: processes.Process = field(init=False)
    _port: int = 0

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, with the contexts ``root``, ``base`` and ``system:admin``."""
        return self.directory / "admin.kubeconfig"

    @property
    def url(self) -> str:
        """Scheme, host and port, without the path of a workspace."""
        parts = urlsplit(self._of_context("cluster", ADMIN_CONTEXT)["server"])
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def token(self) -> str:
        """The administrator's bearer token."""
        return str(self._of_context("user", ADMIN_CONTEXT)["token"])

    def tls(self) -> ssl.SSLContext:
        """Return what a client needs to trust the server."""
        cluster = self._of_context("cluster", ADMIN_CONTEXT)
        if embedded := cluster.get("certificate-authority-data"):
            return ssl.create_default_context(cadata=base64.b64decode(embedded).decode())
        return ssl.create_default_context(cafile=self.directory / cluster["certificate-authority"])

    def launch(self) -> None:
        """Start it without waiting; again on the port it had, when it was started before."""
        command: list[str | Path] = [PROGRAMS / "fairlead", "start", f"--root-directory={self.directory}"]
        command += [f"--secure-port={self._port}", *self.arguments]
        log = self.directory.with_suffix(".log")
        self.process = processes.start("fairlead start", command, log=log, env=self.environment)

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until ``/readyz`` says so; ``ProcessFailed`` when it ends first or takes longer."""
        self.process.wait_ready(self.is_ready, timeout_s)
        self._port = urlsplit(self.url).port or 0

    def is_ready(self) -> bool:
        """Say whether ``/readyz`` answers with 200."""
        try:
            request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.token}"})
            with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S, context=self.tls()) as answer:
                return bool(answer.status == 200)
        except (FileNotFoundError, KeyError, TypeError, StopIteration, yaml.YAMLError):
            # Not written yet, or only half.
            return False
        except (urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError):
            return False

    def restart(self) -> None:
        """Start it again on the same port after it was killed or stopped, and wait until it is ready."""
        self.launch()
        self.wait_ready()

    def kubectl(
        self, *arguments: str, context: str = ROOT_CONTEXT, stdin: str | None = None, timeout_s: float = 60
    ) -> str:
        """Run real kubectl against it and return what it wrote; ``KubectlFailed`` when it fails."""
        return run_kubectl(self.kubeconfig, f"--context={context}", *arguments, stdin=stdin, timeout_s=timeout_s)

    def command(
        self, program: str, *arguments: str, timeout_s: float = 60, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the project's commands (``fairlead``, ``kubectl-ws``, ...) with this server's kubeconfig."""
        return run_program(
            program, *arguments, timeout_s=timeout_s, env={"KUBECONFIG": str(self.kubeconfig), **(env or {})}
        )

    def _of_context(self, kind: str, name: str) -> JsonObject:
        """Return the ``cluster`` or ``user`` that a context of the kubeconfig names."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        context = next(each["context"] for each in config["contexts"] if each["name"] == name)
        found: JsonObject = next(each[kind] for each in config[f"{kind}s"] if each["name"] == context[kind])
        return found


def run_program(
    program: str, *arguments: str, timeout_s: float = 60, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one of the project's commands to its end; the exit code is the caller's to judge."""
    return subprocess.run(
        [str(PROGRAMS / program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
    )


@contextlib.contextmanager
def fairlead_server(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[FairleadServer]:
    """
    Run ``fairlead start`` on a free port for the length of a ``with`` block.

    Args:
        folder: Its root directory is made in there.
        arguments: More flags, such as ``--store=etcd``.
        env: Added to its environment.
    """
    server = FairleadServer(folder / "fairlead", arguments, dict(env or {}))
    server.launch()
    try:
        server.wait_ready()
        yield server
    finally:
        server.process.stop()


def make_workspace(server: FairleadServer, name: str, *, compute: bool = False) -> str:
    """Make a universal workspace below root, bind compute when asked to; return its URL."""
    made = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}}
    server.kubectl("create", "-f", "-", stdin=json.dumps(made))
    server.kubectl("wait", f"workspace/{name}", "--for=jsonpath={.status.phase}=Ready", "--timeout=20s")
    url = f"{server.url}/clusters/root:{name}"
    if compute:
        server.kubectl(f"--server={url}", "create", "-f", "-", stdin=json.dumps(_BINDING))
        server.kubectl(f"--server={url}", "wait", "apibinding/kubernetes", "--for=condition=Ready", "--timeout=20s")
    return url
