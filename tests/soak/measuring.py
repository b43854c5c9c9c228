"""What the processes of a soak take: memory, open files, and connections through links."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.soak.stage import Stage

SAMPLE_EVERY_S = 5.0
_LONG_LIFE_S = 240.0
_RSS_SPARE_MIB, _FDS_SPARE, _GROWTH = 64.0, 64, 1.5


class Sample(NamedTuple):
    """One process at one moment."""

    at_s: float
    role: str
    pid: int
    rss_mib: float
    fds: int


class Meter:
    """Samples our own processes for as long as :meth:`run` does."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.samples: list[Sample] = []

    async def run(self) -> None:
        """Sample now and then."""
        while True:
            pids = {"server": self._stage.server.process.pid, "scheduler": self._stage.scheduler_pid()}
            for name, agent in self._stage.agents.items():
                pids[f"agent {name}"] = agent.process.pid if agent.process is not None else 0
            for role, pid in pids.items():
                with suppress(OSError, IndexError):
                    self.samples.append(_look(role, pid))
            await asyncio.sleep(SAMPLE_EVERY_S)


def growth(samples: Iterable[Sample]) -> list[str]:
    """Say which process went on growing: took much more in its second half than ever in its first."""
    lives: defaultdict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        lives[sample.role, sample.pid].append(sample)
    problems = []
    for (role, pid), life in lives.items():
        if life[-1].at_s - life[0].at_s < _LONG_LIFE_S:
            continue
        first, second = life[: len(life) // 2], life[len(life) // 2 :]
        before, after = max(one.rss_mib for one in first), max(one.rss_mib for one in second)
        if after > before * _GROWTH + _RSS_SPARE_MIB:
            problems.append(f"{role} ({pid}) grew from {before:.0f} to {after:.0f} MiB")
        opened, left = max(one.fds for one in first), max(one.fds for one in second)
        if left > opened * _GROWTH + _FDS_SPARE:
            problems.append(f"{role} ({pid}) grew from {opened} to {left} open files")
    return problems


def _look(role: str, pid: int) -> Sample:
    """
    Return a sample of a process.

    Raises:
        OSError, IndexError: It has ended.
    """
    folder = Path("/proc") / str(pid)
    pages = int((folder / "statm").read_text().split()[1])
    rss_mib = pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return Sample(time.time(), role, pid, rss_mib, len(os.listdir(folder / "fd")))
