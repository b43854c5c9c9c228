"""
The image's steps without an engine: a folder that becomes the root of the processes run from it.

The base image is played by this machine: its system folders and its Python. All of that is mounted
read-only, in a mount namespace of its own, so that a step can write nowhere but into the image. What this cannot show:
that the base image has the same libraries, and how an engine lays out layers.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import processes
from tests.support.clusters import NotSupported
from tests.support.dockerfile import Stage, Step, parse

STEP_TIMEOUT_S = 280.0
PYTHON = Path(sys.base_prefix)
"""The Python that plays the base image's, mounted where it is: it may need libraries of its surroundings."""
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib64", "dev", "proc")
_CONFIGURATION = (
    "ca-certificates.conf",
    "group",
    "hosts",
    "ld.so.cache",
    "nsswitch.conf",
    "passwd",
    "pip.conf",
    "resolv.conf",
    "ssl",
)
"""What is copied of ``/etc``, so that volumes can be mounted in there."""
_PIP = (
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_DEFAULT_TIMEOUT",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
)
"""How this machine reaches the package index; an engine would be told by its build arguments."""


class StepFailed(AssertionError):
    """A process from the image ended with another code than 0; the message holds what it wrote."""


@dataclass(slots=True)
class Image:
    """
    The state of an image while it is built, and after.

    Attributes:
        root: Holds what the image adds to its base.
        user: ``uid:gid``.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": f"{PYTHON}/bin:/usr/local/bin:/usr/bin:/bin"})
    folder: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def run(
        self,
        command: Sequence[str],
        *,
        volumes: Mapping[str, Path] | None = None,
        env: Mapping[str, str] | None = None,
        network: int | None = None,
        timeout_s: float = 60,
    ) -> str:
        """
        Run a program of the image to its end, as the image's user on a read-only root, and return what it wrote.

        Args:
            volumes: Folders or files of this machine by where they are mounted.
            network: Process id of what it shares the network with, 0 for this machine; its own loopback by default.

        Raises:
            StepFailed: It ended with another code than 0.
        """
        return _finished(self._contained(command, volumes or {}, env or {}, network), timeout_s)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        volumes: Mapping[str, Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        network: int | None = None,
    ) -> processes.Process:
        """Start a program of the image as :meth:`run` does, and return at once."""
        return processes.start(name, self._contained(command, volumes, env or {}, network), log=log)

    def step(self, command: str, *, cache: str = "") -> None:
        """Do what RUN does: as root, with this machine's network, writing into the image."""
        writable = {cache: _pip_cache()} if cache else {}
        given = {name: os.environ[name] for name in _PIP if name in os.environ}
        env = {"HOME": "/root", **given, **self.environment}
        inner = _with_environment(env, ["sh", "-euc", f"cd {shlex.quote(self.folder)}; {command}"])
        script = [*_mounts(self.root, writable), _entered(self.root, "0:0", inner)]
        _finished([*_UNSHARE, "sh", "-euc", "\n".join(script)], STEP_TIMEOUT_S)

    def _contained(
        self, command: Sequence[str], volumes: Mapping[str, Path], env: Mapping[str, str], network: int | None
    ) -> list[str]:
        inner = ["sh", "-c", f'cd {shlex.quote(self.folder)}; exec "$@"', "sh", *command]
        script = [
            *_mounts(self.root, volumes),
            f"mount -o remount,bind,ro {shlex.quote(str(self.root))}",
            "ip link set lo up" if network is None else "",
            _entered(self.root, self.user, _with_environment({**self.environment, **env}, inner)),
        ]
        shared = ["nsenter", f"--net=/proc/{network}/ns/net"] if network else []
        return [*(["unshare", "--net"] if network is None else shared), *_UNSHARE, "sh", "-euc", "\n".join(script)]


_UNSHARE = ["unshare", "--mount", "--propagation=private"]


def check_supported() -> None:
    """
    Make sure that this machine lets us mount.

    Raises:
        NotSupported: It does not.
    """
    missing = [name for name in ("unshare", "nsenter", "setpriv", "chroot", "mount", "ip") if not shutil.which(name)]
    if missing:
        raise NotSupported(f"the image's steps need {', '.join(missing)}")
    if subprocess.run([*_UNSHARE, "unshare", "--net", "true"], capture_output=True, check=False).returncode:
        raise NotSupported("the image's steps need the right to mount (root with CAP_SYS_ADMIN)")


def build(dockerfile: Path, folder: Path) -> Image:
    """
    Do all steps of a Dockerfile.

    Args:
        dockerfile: Its folder is the build context.
        folder: One root a stage is made in there.

    Raises:
        StepFailed: A step failed.
    """
    built: dict[str, Image] = {}
    for number, stage in enumerate(parse(dockerfile.read_text())):
        image = Image(folder / f"stage-{number}")
        _lay_base(image.root)
        for step in stage.steps:
            _do(image, step, dockerfile.parent, built)
        built[stage.name] = image
        _check_base(stage)
    return built[""]


def _check_base(stage: Stage) -> None:
    """Refuse a base whose Python is another than the one that plays it."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if f"/python:{version}-" not in stage.image:
        raise NotSupported(f"Python {version} cannot play {stage.image}")


def _do(image: Image, step: Step, context: Path, built: Mapping[str, Image]) -> None:
    words = step.words
    match step.instruction:
        case "RUN":
            image.step(words[0], cache=step.flag)
        case "COPY":
            source = built[step.flag].root if step.flag else context
            _copy(source, words[:-1], image.root, image.root / image.folder.lstrip("/"), words[-1])
        case "ENV":
            image.environment |= dict(word.split("=", 1) for word in words)
        case "WORKDIR":
            image.folder = words[0]
            (image.root / image.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "USER":
            image.user = words[0]
        case "ENTRYPOINT":
            image.entrypoint = words
        case _:
            image.command = words


def _copy(source: Path, names: Sequence[str], root: Path, folder: Path, target: str) -> None:
    """Copy as COPY does: a folder's content into the target, files into it when it ends with a slash."""
    to = root / target.lstrip("/") if target.startswith("/") else folder / target
    for name in names:
        found = source / name.lstrip("/")
        if found.is_dir():
            shutil.copytree(found, to, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to.mkdir(parents=True, exist_ok=True) if target.endswith("/") else to.parent.mkdir(exist_ok=True)
            shutil.copy(found, to)


def _lay_base(root: Path) -> None:
    """Make the folders that the base is mounted on."""
    for name in (*_SYSTEM, "etc", "tmp", "root", "opt", "var"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name in _CONFIGURATION:
        source, place = Path("/etc", name), root / "etc" / name
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("private"))
        elif source.exists():
            shutil.copy(source, place)


def _mounts(root: Path, volumes: Mapping[str, Path]) -> list[str]:
    """Return the shell lines that mount the base read-only and then volumes, outer ones first."""
    lines = [f"mount --bind {shlex.quote(str(root))} {shlex.quote(str(root))}"]
    for name in _SYSTEM:
        # A link such as /lib is followed: its target is a folder of the same name here.
        source = Path("/", name)
        if source.is_dir():
            how = "rbind" if name in {"dev", "proc"} else "bind"
            lines += _bind(source, root / name, how)
            if how == "bind":
                lines.append(f"mount -o remount,bind,ro {shlex.quote(str(root / name))}")
    if not PYTHON.is_relative_to("/usr"):
        (root / PYTHON.relative_to("/")).mkdir(parents=True, exist_ok=True)
        lines += _bind(PYTHON, root / PYTHON.relative_to("/"), "bind")
        lines.append(f"mount -o remount,bind,ro {shlex.quote(str(root / PYTHON.relative_to('/')))}")
    for where in sorted(volumes):
        place = root / where.lstrip("/")
        _make_place(place, volumes, where)
        lines += _bind(volumes[where], place, "bind")
    return lines


def _make_place(place: Path, volumes: Mapping[str, Path], where: str) -> None:
    """Make what a volume is mounted on; inside of another volume that is there too, as a runtime makes it."""
    inside = [other for other in volumes if other != where and where.startswith(other + "/")]
    if inside:
        outer = max(inside, key=len)
        place = volumes[outer] / where.removeprefix(outer + "/")
    if volumes[where].is_dir():
        place.mkdir(parents=True, exist_ok=True)
    elif not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def _bind(source: Path, place: Path, how: str) -> list[str]:
    return [f"mount --{how} {shlex.quote(str(source))} {shlex.quote(str(place))}"]


def _entered(root: Path, user: str, inner: Sequence[str]) -> str:
    uid, _, gid = user.partition(":")
    # The kernel's limits of a restricted container: another user, no groups, no capability, none to be had.
    drop = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
    within = inner if uid == "0" else [*drop, *inner]
    return "exec " + shlex.join(["chroot", str(root), *within])


def _with_environment(env: Mapping[str, str], command: Sequence[str]) -> list[str]:
    return ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in env.items()), *command]


def _pip_cache() -> Path:
    folder = Path(os.environ.get("PIP_CACHE_DIR") or Path.home() / ".cache" / "pip")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _finished(command: Sequence[str], timeout_s: float) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    if done.returncode:
        raise StepFailed(f"exit {done.returncode}: {command[-1][-600:]}\n{done.stdout}{done.stderr}")
    return done.stdout
