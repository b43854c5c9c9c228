"""
The Kubernetes programs that tests start: found, or built once from Go modules.

``KUBEBUILDER_ASSETS`` is asked first, then a cache outside the repository, keyed by version; what neither holds is
built with ``go`` (design section 8). ``python -m tests.support.binaries`` builds everything that is missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "v1.36.3"
OLDER_KUBECTL = {"1.35": "v1.35.4", "1.34": "v1.34.4"}
"""Minor to version: what the Go module proxy has of the two minors before; built only for the kubectl matrix."""
ETCD_VERSION = "v3.6.8"
KWOK_VERSION = "v0.8.0"
HELM_VERSION = "v4.3.1"
PROGRESS_EVERY_S = 20.0
"""Seconds between two lines of progress; a cold API server takes minutes."""


class BinariesUnavailable(Exception):
    """A program is neither there nor can it be built; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class GoModule:
    """
    A Go module that programs are built from.

    Attributes:
        programs: Program name to the package that holds its main function; of ``*.test`` its tests.
        linker_flags: Value of ``-ldflags``.
        is_kubernetes: Whether its staging modules have to be replaced by released ones.
    """

    name: str
    path: str
    version: str
    programs: Mapping[str, str]
    linker_flags: str = "-s -w"
    is_kubernetes: bool = False


_VERSION_VARIABLE = "-X k8s.io/component-base/version"


def _kubernetes_flags(version: str) -> str:
    return (
        f"-s -w {_VERSION_VARIABLE}.gitVersion={version} {_VERSION_VARIABLE}.gitMajor=1"
        f" {_VERSION_VARIABLE}.gitMinor={version.split('.')[1]}"
    )


_KUBERNETES_PROGRAMS = ("kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler")
MODULES = (
    GoModule("etcd", "go.etcd.io/etcd/server/v3", ETCD_VERSION, {"etcd": "go.etcd.io/etcd/server/v3"}),
    GoModule(
        "kubernetes",
        "k8s.io/kubernetes",
        KUBERNETES_VERSION,
        {program: f"k8s.io/kubernetes/cmd/{program}" for program in _KUBERNETES_PROGRAMS},
        _kubernetes_flags(KUBERNETES_VERSION),
        is_kubernetes=True,
    ),
    *(
        GoModule(
            "kubernetes",
            "k8s.io/kubernetes",
            version,
            {f"kubectl-{minor}": "k8s.io/kubernetes/cmd/kubectl"},
            _kubernetes_flags(version),
            is_kubernetes=True,
        )
        for minor, version in OLDER_KUBECTL.items()
    ),
    GoModule(
        "e2e", "k8s.io/kubernetes", KUBERNETES_VERSION, {"e2e.test": "k8s.io/kubernetes/test/e2e"}, is_kubernetes=True
    ),
    GoModule("kwok", "sigs.k8s.io/kwok", KWOK_VERSION, {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}),
    GoModule(
        "helm",
        "helm.sh/helm/v4",
        HELM_VERSION,
        {"helm": "helm.sh/helm/v4/cmd/helm"},
        f"-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION}"
        " -X helm.sh/helm/v4/internal/version.metadata=",
    ),
)
PROGRAMS = tuple(program for module in MODULES for program in module.programs)
_FOR_LONG_RUNS = frozenset({"e2e.test", *(f"kubectl-{minor}" for minor in OLDER_KUBECTL)})
"""What `make test` does not need and takes minutes to build."""
CLUSTER_PROGRAMS = tuple(program for program in PROGRAMS if program not in _FOR_LONG_RUNS | {"helm"})
"""What a cluster is made of; only tests of the charts and the conformance run need the rest."""


def cache_directory() -> Path:
    """Return the folder outside the repository that builds are kept in; it need not exist yet."""
    if chosen := os.environ.get("FAIRLEAD_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairlead"


def module_of(program: str) -> GoModule:
    """Return the module that builds a program; KeyError for a name that is not in ``PROGRAMS``."""
    for module in MODULES:
        if program in module.programs:
            return module
    raise KeyError(program)


def find(program: str) -> Path | None:
    """Return the program where it is there already, else None."""
    module = module_of(program)
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        given = Path(assets) / program
        if os.access(given, os.X_OK):
            return given
    cached = _folder(module) / program
    return cached if os.access(cached, os.X_OK) else None


def missing(programs: tuple[str, ...] = CLUSTER_PROGRAMS) -> list[str]:
    """Return those of the programs that would have to be built."""
    return [program for program in programs if find(program) is None]


def why_unavailable(programs: tuple[str, ...] = CLUSTER_PROGRAMS) -> str:
    """Return why the programs can neither be found nor built, in one line; empty when they can be."""
    absent = missing(programs)
    if not absent or shutil.which("go"):
        return ""
    return f"no {', '.join(absent)} in KUBEBUILDER_ASSETS or {cache_directory()}, and no Go to build them"


def binary(program: str) -> Path:
    """
    Return a program, after building it if it has to be.

    Raises:
        BinariesUnavailable: It is not there and there is no Go, or the build failed (its output is in the message).
    """
    if found := find(program):
        return found
    if reason := why_unavailable((program,)):
        raise BinariesUnavailable(reason)
    module = module_of(program)
    with _locked(module):
        # Another run may have built it while this one waited for the lock.
        return find(program) or _build(module, program)


def _folder(module: GoModule) -> Path:
    return cache_directory() / "bin" / f"{module.name}-{module.version}"


@contextlib.contextmanager
def _locked(module: GoModule) -> Iterator[None]:
    """Hold the lock of a module's build; the system gives it up when the holder dies."""
    folder = cache_directory() / "build"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{module.name}-{module.version}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"another run builds {module.name} {module.version}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(module: GoModule, program: str) -> Path:
    work = cache_directory() / "build" / f"{module.name}-{module.version}"
    work.mkdir(parents=True, exist_ok=True)
    (work / "go.mod").write_text(_go_mod(module, work))
    staged = work / f"{program}.partial"
    package = module.programs[program]
    command = [
        "go",
        *(["test", "-c"] if program.endswith(".test") else ["build"]),
        "-mod=mod",
        "-buildvcs=false",
        "-ldflags",
        module.linker_flags,
        "-o",
        str(staged),
        package,
    ]
    _run_with_progress(command, work, f"building {program} {module.version}")
    finished = _folder(module) / program
    finished.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(finished)
    return finished


def _go_mod(module: GoModule, work: Path) -> str:
    """Write out a module that requires just one other; Kubernetes' own replacements point into its source tree."""
    downloaded = _run(["go", "mod", "download", "-json", f"{module.path}@{module.version}"], work)
    theirs = Path(json.loads(downloaded)["GoMod"]).read_text()
    language = re.findall(r"^(?:go|godebug) .+$", theirs, re.MULTILINE)
    lines = [f"module fairlead.local/{module.name}", *language, f"require {module.path} {module.version}"]
    if module.is_kubernetes:
        staging = re.findall(r"^\s*(?:replace\s+)?(k8s\.io/\S+) => \./staging", theirs, re.MULTILINE)
        # Released together with the module they come from: v0.36.3 with v1.36.3.
        released = module.version.replace("v1.", "v0.", 1)
        lines += [f"replace {name} => {name} {released}" for name in staging]
    return "\n".join(lines) + "\n"


def _environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


def _run(command: list[str], folder: Path) -> str:
    # The module file of an earlier version would be read, and may be half written.
    (folder / "go.mod").unlink(missing_ok=True)
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BinariesUnavailable(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def _run_with_progress(command: list[str], folder: Path, what: str) -> None:
    log = folder / "build.log"
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=_environment(), stdout=output, stderr=subprocess.STDOUT)
        try:
            while True:
                _say(f"{what} ({time.monotonic() - started:.0f} s)")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(PROGRESS_EVERY_S)
                    break
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        raise BinariesUnavailable(f"{what} failed, see {log}: {log.read_text().strip()[-2000:]}")


def _say(line: str) -> None:
    print(f"test binaries: {line}", file=sys.stderr, flush=True)


def main() -> int:
    """Build what is missing and print where each program is; 1 with one line when that cannot be."""
    try:
        for program in PROGRAMS:
            if program not in _FOR_LONG_RUNS:
                print(f"{program:24} {binary(program)}", flush=True)
    except BinariesUnavailable as problem:
        _say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
