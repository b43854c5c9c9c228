"""A short soak for each commit: what the long one finds in half an hour begins to show in a minute and a half."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.plan import Size
from tests.soak.run import soak
from tests.support import processes

SEED = 1
SIZE = Size(minutes=1.5, objects=60, seconds_per_fault=12.0, longest_s=15.0)


def _folder() -> Path:
    folder = processes.run_directory() / "soak"
    folder.mkdir()
    return folder


@pytest.mark.timeout(1200)
def test_both_sides_agree_after_faults() -> None:
    """Edits, cuts and kills from a seed: then both sides agree, and nothing was deleted without a cause."""
    verdict = soak(SEED, SIZE, _folder())
    assert not verdict.problems, f"seed {SEED}\n{verdict.report}\n" + "\n".join(verdict.problems)
