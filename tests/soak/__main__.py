"""``python -m tests.soak``: one soak; see ``--help``. Ends with 1 when something is wrong."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from tests.soak.evidence import Evidence
from tests.soak.plan import Size
from tests.soak.run import Verdict, judge, soak
from tests.support import processes


def main() -> int:
    """Run one soak, print its report and what is wrong."""
    parser = argparse.ArgumentParser(prog="soak", description="Real clusters, users and faults; then the judgement")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, help="any, unless given; printed")
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--deeds-per-second", type=float, default=1.0)
    parser.add_argument("--keep", action="store_true", help="keep the folder also when nothing is wrong")
    parser.add_argument("--out", type=Path, help="write the report here, too")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="judge again what another run has left")
    options = parser.parse_args()
    if options.judge is not None:
        return int(bool(_told(judge(Evidence.kept_in(options.judge), options.judge), options.out)))
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 30)
    size = Size(options.minutes, options.objects, options.deeds_per_second)
    folder = processes.run_directory()
    is_fine = False
    try:
        verdict = soak(seed, size, folder)
        is_fine = not _told(verdict, options.out)
    finally:
        if is_fine and not options.keep:
            processes.discard_run_directory()
        else:
            print(f"seed {seed}; logs, histories and data: {folder}")
    return 0 if is_fine else 1


def _told(verdict: Verdict, out: Path | None) -> list[str]:
    """Print the report and what is wrong; return the latter."""
    told = "\n".join([verdict.report, *(f"WRONG: {one}" for one in verdict.problems)])
    print(told)
    if out is not None:
        out.write_text(told + "\n")
    return verdict.problems


if __name__ == "__main__":
    sys.exit(main())
