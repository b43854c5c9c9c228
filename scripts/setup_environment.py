"""
Make or refresh ``.venv`` from the hashed lock files; does nothing when it already matches.

Run through ``scripts/setup``. Standard library only, because nothing is installed yet. Two runs at once wait for each
other; a run that was interrupted is noticed by its marker, and the next one starts from an empty environment.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / ".setup-unfinished"
PACKAGE_FOLDERS = ("machinery", "transforms", "scheduler", "syncer", "control-plane", "lab", "cli")
LOCKS = {"run": ROOT / "requirements.txt", "dev": ROOT / "requirements-dev.txt"}
"""What each profile installs; ``dev`` holds everything ``run`` does, plus the tools."""


class SetupFailed(Exception):
    """A step failed; the message is one line that says what to do."""


def stamp(profile: str) -> Path:
    """Return the file that holds the fingerprint of the last complete installation of a profile."""
    return VENV / f".setup-{profile}"


def fingerprint(profile: str) -> str:
    """Hash everything an installation depends on: lock, project metadata (its commands), this script, place, Python."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {ROOT}".encode())
    for path in (LOCKS[profile], ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(profile: str) -> bool:
    """Say whether ``.venv`` already holds what the profile asks for (``dev`` satisfies ``run``)."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    satisfied_by = ("run", "dev") if profile == "run" else ("dev",)
    return any(stamp(name).is_file() and stamp(name).read_text().strip() == fingerprint(name) for name in satisfied_by)


def run(command: Sequence[str | Path], fix: str) -> None:
    """
    Run a step; only what it writes to standard error is shown.

    Raises:
        SetupFailed: It ended with another code than 0.
    """
    if subprocess.run([str(part) for part in command], cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode:
        raise SetupFailed(f"setup: {' '.join(str(part) for part in command[:4])} ... failed; {fix}")


def is_usable() -> bool:
    """Say whether the environment there is complete enough to install into, and of this Python's version."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    question = "import sys, pip; print(sys.version_info[:2])"
    answer = subprocess.run([str(PYTHON), "-c", question], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == str(sys.version_info[:2])


def install(profile: str) -> None:
    """
    Install the profile's lock file and the project itself (editable).

    Raises:
        SetupFailed: A step failed; the unfinished marker stays, so that the next run starts afresh.
    """
    if not is_usable():
        print(f"setup: making .venv with Python {sys.version.split()[0]}", flush=True)
        fix = "on Debian and Ubuntu install the python3-venv package that belongs to this Python"
        run([sys.executable, "-m", "venv", "--clear", "--without-pip", VENV], fix)
        UNFINISHED.touch()
        run([PYTHON, "-m", "ensurepip", "--default-pip"], fix)
    UNFINISHED.touch()
    for name in LOCKS:
        stamp(name).unlink(missing_ok=True)
    print(f"setup: installing {LOCKS[profile].name} (only needed when it changes)", flush=True)
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    retry = "look at the lines above (network, proxy, disk space) and run it again"
    run([*pip, "--require-hashes", "-r", LOCKS[profile]], retry)
    # Two calls, because an editable has no hash.
    run([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT], retry)
    # Where PYTHONDONTWRITEBYTECODE is set, every start would otherwise compile the project anew.
    run([PYTHON, "-m", "compileall", "-q", "-j", "0", *PACKAGE_FOLDERS], "correct the file named above")
    staged = stamp(profile).with_suffix(".new")
    staged.write_text(fingerprint(profile) + "\n")
    staged.replace(stamp(profile))
    UNFINISHED.unlink()


def main() -> int:
    """Bring ``.venv`` up to date; 0 when it is, 1 with one line on standard error when it cannot be."""
    parser = argparse.ArgumentParser(description="Make or refresh .venv from the lock files.")
    parser.add_argument("profile", choices=sorted(LOCKS), nargs="?", default="dev")
    profile: str = parser.parse_args().profile
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(profile):
            install(profile)
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; the next run starts from an empty .venv", file=sys.stderr)
        return 130
    finally:
        os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
