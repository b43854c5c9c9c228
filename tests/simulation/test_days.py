"""Simulated days: the first ones and those that once failed; the same seed is the same day."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
REGRESSIONS = Path(__file__).with_name("seeds.txt")
FIRST_DAYS = 8
WHOLE_DAY = 1
"""The seed of one of 24 hours; what nobody has met yet is what ``make simulate`` looks for."""
MUTANT_DAYS = 20
"""Within how many days each mutant has to be found out; most are on the first."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def days(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run days in processes of their own: they replace this one's clocks."""
    lengths = () if any(one.startswith("--length") for one in arguments) else ("--length=short",)
    command = [sys.executable, "-m", "tests.simulation", *lengths, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def seeds_in(file: Path) -> list[str]:
    """Return the seeds of a file: the first word of each line that is no comment."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]


def test_the_same_seed_is_the_same_day() -> None:
    """Also in another process; else a failing seed would be worth nothing."""
    with ThreadPoolExecutor(2) as two:
        first, second = two.map(lambda _: days("--only", "3", "11", "--digests"), range(2))
    digests = re.findall(r"^seed (\d+): ([0-9a-f]{16})$", first.stdout, re.MULTILINE)
    assert [seed for seed, _ in digests] == ["3", "11"], first.stdout + first.stderr
    assert digests[0][1] != digests[1][1]
    told = [re.sub(r"[\d.]+ CPU seconds", "", one.stdout) for one in (first, second)]
    assert told[0] == told[1]


def test_days_that_once_failed() -> None:
    """Each seed of ``seeds.txt`` found something that has been mended."""
    done = days("--jobs=2", "--only", *seeds_in(REGRESSIONS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_first_days() -> None:
    """Zero violations."""
    done = days("--jobs=2", f"--seeds={FIRST_DAYS}", "--start=0")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_whole_day() -> None:
    """Zero violations in 24 hours with quiet between what happens, and with what is broken for hours."""
    done = days(f"--start={WHOLE_DAY}", "--length=day")
    assert done.returncode == 0, done.stdout + done.stderr


def test_f20_a_day_without_the_control_plane() -> None:
    """F20: an agent hears nothing for 24 hours, without a word: nothing goes, all is made good after."""
    done = days("--f20=silent")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"0 deletions and [1-9]\d* objects standing after 24 hours", done.stdout), done.stdout


def test_agents_that_do_what_must_not_be_are_found_out() -> None:
    """A simulation that finds nothing in these would find nothing at all."""
    with ThreadPoolExecutor(2) as two:
        runs = two.map(lambda name: (name, days("--mutant", name, "--first", f"--seeds={MUTANT_DAYS}")), MUTANTS)
    for mutant, done in runs:
        found = re.search(r"^seed \d+: I\d+: ", done.stdout, re.MULTILINE)
        assert found, f"{mutant} did what it liked\n{done.stdout}{done.stderr}"
        assert done.returncode == 1
