"""``fairlead start`` as a process: ready, refused in one line, ended in order."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

COMMAND = (sys.executable, "-c", "from fairlead_cli.main import main; main()", "start")


class Server:
    """A started server."""

    def __init__(self, process: subprocess.Popen[bytes], root: Path, url: str) -> None:
        self.process, self.root, self.url = process, root, url
        self._context = ssl.create_default_context(cafile=str(root / "ca.crt"))
        self.token = json.loads((root / "tokens.json").read_text())["shard-admin"]

    def ask(self, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, context=self._context, timeout=5) as answer:
            found: dict[str, object] = json.loads(answer.read())
            return found


@contextmanager
def started(root: Path, *options: str) -> Iterator[Server]:
    """Run a server until the block ends, then end it with SIGTERM and see that it ends well."""
    command = [*COMMAND, "--root-directory", str(root), "--secure-port", "0", "--no-scheduler", *options]
    with (root.parent / "log").open("w+") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            yield Server(process, root, _url(process, log))
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()


def _url(process: subprocess.Popen[bytes], log: TextIO) -> str:
    """Wait for the ready line, which comes within two seconds on an idle machine."""
    wait_until(lambda: process.poll() is not None or "\n" in _text(log), 20)
    found = re.search(r"ready at (https://\S+)", _text(log))
    assert found, _text(log)
    return found[1]


def _text(log: TextIO) -> str:
    log.seek(0)
    return log.read()


def refused(*options: str) -> tuple[int, str]:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("profile", ["cluster", "workspaces"])
def test_serves_and_keeps_objects_over_a_restart(tmp_path: Path, profile: str) -> None:
    """The certificate is our CA's; what was acknowledged is there after SIGTERM and start."""
    prefix = "/clusters/root" if profile == "workspaces" else ""
    path = f"{prefix}/api/v1/namespaces/default/configmaps"
    obj: dict[str, object] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
    with started(tmp_path / "r", "--profile", profile) as server:
        assert str(server.ask("/version")["gitVersion"]).startswith("v1.36.3+fairlead-")
        server.ask(path, obj)
        token = server.token
    with started(tmp_path / "r", "--profile", profile) as server:
        assert server.ask(f"{path}/a")["data"] == {"k": "v"}
        assert server.token == token


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """Same directory: one line, exit 1."""
    with started(tmp_path / "r"):
        code, text = refused("--root-directory", str(tmp_path / "r"), "--secure-port", "0")
        assert (code, text.count("\n")) == (1, 1)
        assert "another server uses" in text


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    """One line that names the flag, exit 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, text = refused("--root-directory", str(tmp_path / "r"), "--secure-port", port)
    assert (code, text.count("\n")) == (1, 1)
    assert "--secure-port" in text


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--bind-address", "nowhere"), 2, "--bind-address"),
        (("--external-url", "http://x"), 2, "--external-url"),
        (("--store", "etcd"), 2, "--etcd-servers"),
        (("--secure-port", "99999"), 2, "--secure-port"),
        (("--token-auth-file", "/nonexistent/tokens"), 1, "/nonexistent/tokens"),
        (("--client-ca-file", "/nonexistent/ca"), 1, "/nonexistent/ca"),
        (("--client-ca-file", os.devnull), 1, "--client-ca-file"),
    ],
)
def test_bad_configuration_is_one_line(tmp_path: Path, options: tuple[str, ...], code: int, words: str) -> None:
    """Exit 2 for flags, 1 for what they lead to; no traceback."""
    found, text = refused("--root-directory", str(tmp_path / "r"), "--secure-port", "0", *options)
    assert (found, text.count("\n")) == (code, 1), text
    assert words in text


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_corrupt_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """One line; the file is left as it was."""
    store = tmp_path / "r" / "store"
    store.mkdir(parents=True)
    (store / "fairlead.db").write_bytes(content)
    code, text = refused("--root-directory", str(tmp_path / "r"), "--secure-port", "0")
    assert (code, text.count("\n")) == (1, 1), text
    assert (store / "fairlead.db").read_bytes() == content


def test_an_unwritable_directory_is_refused(tmp_path: Path) -> None:
    """A file in its place stands for every reason (root may write anywhere)."""
    (tmp_path / "file").write_text("")
    code, text = refused("--root-directory", str(tmp_path / "file" / "r"))
    assert (code, text.count("\n")) == (1, 1)
    assert "--root-directory" in text


def test_help_names_every_flag() -> None:
    """And loads no server."""
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=20, check=True)
    flags = "root-directory external-url profile bind-address secure-port token-auth-file client-ca-file store"
    for flag in (*flags.split(), "etcd-servers"):
        assert f"--{flag} " in done.stdout
