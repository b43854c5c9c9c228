"""Simulated days: some chosen anew each time, those that once failed always; the same seed is the same day."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REGRESSIONS = Path(__file__).with_name("seeds.txt")
NEW_DAYS = 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def days(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run days in processes of their own: they replace this one's clocks."""
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def seeds_in(file: Path) -> list[str]:
    """Return the seeds of a file: the first word of each line that is no comment."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]


def test_the_same_seed_is_the_same_day() -> None:
    """Also in another process; else a failing seed would be worth nothing."""
    first, second = (days("--only", "3", "11", "--digests") for _ in range(2))
    digests = re.findall(r"^seed (\d+): ([0-9a-f]{16})$", first.stdout, re.MULTILINE)
    assert [seed for seed, _ in digests] == ["3", "11"], first.stdout + first.stderr
    assert digests[0][1] != digests[1][1]
    assert first.stdout == second.stdout


def test_days_that_once_failed() -> None:
    """Each seed of ``seeds.txt`` found something that has been mended."""
    done = days("--jobs=2", "--only", *seeds_in(REGRESSIONS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_days() -> None:
    """Zero violations; a failing seed is named and belongs into ``seeds.txt`` with what it found."""
    start = random.SystemRandom().randrange(1_000_000)
    print(f"seeds {start} to {start + NEW_DAYS - 1}")
    done = days("--jobs=2", f"--seeds={NEW_DAYS}", f"--start={start}")
    assert done.returncode == 0, f"from {start} on\n{done.stdout}{done.stderr}"
