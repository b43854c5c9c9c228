"""``python -m tests.simulation``: run days by seed; see ``--help``."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.simulation import clock


def main() -> int:
    """Run seeds; print what is wrong; return 1 when something is."""
    parser = argparse.ArgumentParser(prog="simulation", description="Simulate days and check the invariants")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from --start on")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="these seeds")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--history", type=Path, help="write the history of the last seed here, as JSONL")
    parser.add_argument("--most", type=int, default=10, help="most violations printed of a seed")
    parser.add_argument("--mutant", help="have the agents do what must never be done, see mutants.py")
    parser.add_argument("--first", action="store_true", help="end with the first seed that has a violation")
    parser.add_argument("--log", action="store_true", help="let the product log")
    parser.add_argument("--digests", action="store_true", help="print the digest of each history")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of what a seed decides
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    if options.jobs > 1:
        return _in_parallel(options)
    clock.install()
    return _run(options)


def _in_parallel(options: argparse.Namespace) -> int:
    """Run a part of the seeds in each of several processes; return the worst exit code."""
    command = [sys.executable, "-m", "tests.simulation", f"--most={options.most}"]
    command += ["--digests"] if options.digests else []
    command += ["--first"] if options.first else []
    command += [f"--mutant={options.mutant}"] if options.mutant else []
    chosen = list(options.only or range(options.start, options.start + options.seeds))
    parts = [chosen[number :: options.jobs] for number in range(options.jobs)]
    running = [subprocess.Popen([*command, "--only", *map(str, part)]) for part in parts if part]
    return max(process.wait() for process in running)


def _run(options: argparse.Namespace) -> int:
    import structlog  # noqa: PLC0415 - after the clocks have been replaced, as all of the product

    from tests.simulation import day  # noqa: PLC0415
    from tests.support.checking.history import encode  # noqa: PLC0415

    _configure(structlog, quiet=not options.log)
    day.install()
    if options.mutant:
        from tests.simulation.mutants import MUTANTS  # noqa: PLC0415

        MUTANTS[options.mutant]()
    seeds = options.only or range(options.start, options.start + options.seeds)
    wrong: list[int] = []
    for seed in seeds:
        outcome = day.simulate(seed)
        wrong += [seed] if outcome.violations else []
        if options.digests:
            print(f"seed {seed}: {outcome.digest}", flush=True)
        for violation in outcome.violations[: options.most]:
            print(f"seed {seed}: {violation}", flush=True)
        if len(outcome.violations) > options.most:
            print(f"seed {seed}: and {len(outcome.violations) - options.most} more", flush=True)
        if options.history:
            options.history.write_bytes(encode(outcome.records))
        if wrong and options.first:
            break
    print(f"{len(seeds)} seeds, {len(wrong)} with violations: {' '.join(map(str, wrong)) or 'none'}", flush=True)
    return 1 if wrong else 0


def _configure(structlog: Any, *, quiet: bool) -> None:
    """Log plainly and in virtual time, or not at all."""
    level = logging.CRITICAL if quiet else logging.INFO

    def stamp(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"at": f"{clock.now_s():.2f}", **event, "exc_info": False}

    if quiet:
        logging.disable(logging.CRITICAL)
    else:
        logging.basicConfig(level=logging.WARNING)
    structlog.configure(
        processors=[stamp, structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )


if __name__ == "__main__":
    sys.exit(main())
