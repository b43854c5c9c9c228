"""
Simulated clusters as processes on this machine: one process each, server and player together.

A directory holds a folder for each cluster (``NAME/``: keys and store of its server, ``lab.json`` what was asked for,
``lab.pid``, ``lab.log``, and ``lab.ready`` while it plays) and ``kubeconfig`` with a context for each.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from fairlead_api import JsonObject
from fairlead_cli.failure import TIMED_OUT, Failure

PID, LOG, READY, SPEC, LOCK = "lab.pid", "lab.log", "lab.ready", "lab.json", "lab.lock"
KUBECONFIG = "kubeconfig"
REGIONS = ("eu-1", "us-1", "ap-1", "sa-1", "af-1", "me-1")
_STOP_S, _LOOK_S = 20.0, 0.02


@dataclass(frozen=True, slots=True)
class LabSpec:
    """
    What was asked for.

    Attributes:
        ready_after_s: From a pod's start to its readiness, in seconds.
    """

    name: str
    region: str
    nodes: int = 2
    ready_after_s: float = 1.0


def names(count: int) -> list[tuple[str, str]]:
    """Return the names and regions of the first clusters: ``lab-eu-1`` in ``eu-1`` and so on, six regions a round."""
    found = []
    for index in range(count):
        turn, place = divmod(index, len(REGIONS))
        region = f"{REGIONS[place].rpartition('-')[0]}-{turn + 1}"
        found.append((f"lab-{region}", region))
    return found


@dataclass(frozen=True, slots=True)
class Lab:
    """The folder of one simulated cluster."""

    path: Path

    @property
    def name(self) -> str:
        """Return its name."""
        return self.path.name

    @property
    def kubeconfig(self) -> Path:
        """Return the kubeconfig its server writes."""
        return self.path / "admin.kubeconfig"

    @property
    def is_running(self) -> bool:
        """Tell whether its process lives: it holds the lock as long as it does, however it ends."""
        if not (self.path / LOCK).exists():
            return False
        with (self.path / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @property
    def is_ready(self) -> bool:
        """Tell whether it plays."""
        return (self.path / READY).exists() and self.is_running

    def spec(self) -> LabSpec:
        """
        Return what was asked for when it was made.

        Raises:
            Failure: There is no such cluster.
        """
        try:
            return LabSpec(**json.loads((self.path / SPEC).read_text()))
        except (OSError, ValueError, TypeError) as error:
            known = ", ".join(lab.name for lab in found_in(self.path.parent)) or "none"
            raise Failure(
                f'there is no simulated cluster "{self.name}" in {self.path.parent}',
                f"there are: {known}",
                "make some with: fairlead lab up --clusters N",
            ) from error

    @contextmanager
    def owned(self) -> Iterator[None]:
        """
        Be its process while inside.

        Raises:
            Failure: Another one is.
        """
        with (self.path / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Failure(f"{self.name} runs already", fix="stop it with: fairlead lab down") from error
            (self.path / READY).unlink(missing_ok=True)
            (self.path / PID).write_text(f"{os.getpid()}\n")
            try:
                yield
            finally:
                (self.path / READY).unlink(missing_ok=True)

    def start(self, spec: LabSpec) -> subprocess.Popen[bytes] | None:
        """Start its process apart from this terminal; None when it runs already."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.is_running:
            return None
        (self.path / READY).unlink(missing_ok=True)
        (self.path / SPEC).write_text(json.dumps(asdict(spec)))
        command = [sys.executable, "-m", "fairlead_cli", "lab", "run", self.name, f"--directory={self.path.parent}"]
        with (self.path / LOG).open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def stop(self) -> bool:
        """Ask its process to end and wait for that; at once when it takes too long. False when it did not run."""
        if not self.is_running:
            return False
        pid = int((self.path / PID).read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not wait_for(lambda: not self.is_running, _STOP_S):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not self.is_running, _STOP_S)
        return True

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = (self.path / LOG).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def found_in(directory: Path) -> list[Lab]:
    """Return the simulated clusters of a directory, by name."""
    folders = sorted(directory.iterdir()) if directory.is_dir() else []
    return [Lab(folder) for folder in folders if (folder / SPEC).exists()]


def up(directory: Path, specs: Sequence[LabSpec], timeout_s: float) -> list[Lab]:
    """
    Start what does not run yet, wait until all play, and write their kubeconfig.

    Raises:
        Failure: One ended, or took too long.
    """
    directory = directory.absolute()
    labs = [Lab(directory / spec.name) for spec in specs]
    started = [lab.start(spec) for lab, spec in zip(labs, specs, strict=True)]
    for lab, process in zip(labs, started, strict=True):
        _wait_ready(lab, process, timeout_s)
    write_kubeconfig(directory)
    return labs


def _wait_ready(lab: Lab, process: subprocess.Popen[bytes] | None, timeout_s: float) -> None:
    wait_for(lambda: lab.is_ready or _has_ended(process), timeout_s)
    if lab.is_ready:
        return
    if _has_ended(process):
        raise Failure(f"{lab.name} ended", lab.last_words(), f"read {lab.path / LOG}")
    raise Failure(f"{lab.name} is not ready after {timeout_s:g} s", fix=f"read {lab.path / LOG}", code=TIMED_OUT)


def _has_ended(process: subprocess.Popen[bytes] | None) -> bool:
    return process is not None and process.poll() is not None


def down(directory: Path, *, keep: bool) -> list[str]:
    """Stop all clusters of a directory; return their names. Unless kept, their folders go too."""
    labs = found_in(directory.absolute())
    for lab in labs:  # first all are asked, then each is waited for
        if lab.is_running:
            with suppress(ProcessLookupError, OSError, ValueError):
                os.kill(int((lab.path / PID).read_text()), signal.SIGTERM)
    for lab in labs:
        lab.stop()
        if not keep:
            shutil.rmtree(lab.path)
    if not keep:
        (directory / KUBECONFIG).unlink(missing_ok=True)
        with suppress(OSError):
            directory.rmdir()
    return [lab.name for lab in labs]


def wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Look until something holds; return whether it did in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def kubeconfig_of(labs: Sequence[Lab]) -> JsonObject:
    """Return one kubeconfig with a context named after each cluster."""
    config: JsonObject = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for lab in labs:
        text = yaml.safe_load(lab.kubeconfig.read_text())
        current = _entry(text, "contexts", text["current-context"])["context"]
        config["clusters"].append(
            {"name": lab.name, "cluster": _entry(text, "clusters", current["cluster"])["cluster"]}
        )
        config["users"].append({"name": lab.name, "user": _entry(text, "users", current["user"])["user"]})
        config["contexts"].append({"name": lab.name, "context": {"cluster": lab.name, "user": lab.name}})
    config["current-context"] = labs[0].name if labs else ""
    return config


def _entry(config: Mapping[str, list[JsonObject]], section: str, name: str) -> JsonObject:
    return next(entry for entry in config[section] if entry["name"] == name)


def write_kubeconfig(directory: Path) -> Path:
    """Write the kubeconfig of all clusters of a directory that run, for its owner alone."""
    path, temporary = directory / KUBECONFIG, directory / f".{KUBECONFIG}.new"
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        yaml.safe_dump(kubeconfig_of([lab for lab in found_in(directory) if lab.is_ready]), file, sort_keys=False)
    temporary.replace(path)
    return path
