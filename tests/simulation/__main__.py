"""``python -m tests.simulation``: run days by seed; see ``--help``."""

from __future__ import annotations

import argparse
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from tests.simulation import clock

_DAYS, _CPU = "days", "CPU milliseconds"
_INVARIANT = re.compile(r"I\d+ ")


def main() -> int:
    """Run seeds; print what is wrong; return 1 when something is."""
    parser = argparse.ArgumentParser(prog="simulation", description="Simulate days and check the invariants")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from --start on")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="these seeds")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--length", choices=["short", "day"], default="day", help="a day has 24 hours; short: half of one"
    )
    parser.add_argument("--pace", choices=["paced", "real"], default="paced", help="of heartbeats in quiet hours")
    parser.add_argument("--f20", choices=["refused", "silent"], help="cut an agent off for 24 hours and nothing else")
    parser.add_argument("--tally", type=Path, help="write how often each thing was done and judged here, as JSON")
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
    command += [f"--length={options.length}", f"--pace={options.pace}"]
    command += ["--digests"] if options.digests else []
    command += ["--first"] if options.first else []
    command += [f"--mutant={options.mutant}"] if options.mutant else []
    chosen = list(options.only or range(options.start, options.start + options.seeds))
    parts = [chosen[number :: options.jobs] for number in range(options.jobs)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(options.jobs)]
        running = [
            subprocess.Popen([*command, f"--tally={file}", "--only", *map(str, part)])
            for part, file in zip(parts, files, strict=True)
            if part
        ]
        worst = max(process.wait() for process in running)
        done: Counter[str] = Counter()
        for file in files:
            done.update(orjson.loads(file.read_bytes()) if file.exists() else {})
    _tell(done, options)
    return worst


def _run(options: argparse.Namespace) -> int:
    import structlog  # noqa: PLC0415 - after the clocks have been replaced, as all of the product

    from tests.simulation import day  # noqa: PLC0415
    from tests.support.checking.history import encode  # noqa: PLC0415

    _configure(structlog, quiet=not options.log)
    day.install()
    if options.mutant:
        from tests.simulation.mutants import MUTANTS  # noqa: PLC0415

        MUTANTS[options.mutant]()
    from tests.simulation.script import LENGTHS  # noqa: PLC0415

    if options.f20:
        return _cut_off(options.f20)

    seeds = options.only or range(options.start, options.start + options.seeds)
    wrong: list[int] = []
    done: Counter[str] = Counter()
    for seed in seeds:
        began_s = time.process_time()
        outcome = day.simulate(seed, LENGTHS[options.length], evenly=options.pace == "real")
        done.update(outcome.tally)
        done[_CPU] += round(1000 * (time.process_time() - began_s))
        done[_DAYS] += 1
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
    if options.tally:
        options.tally.write_bytes(orjson.dumps(done))
    else:
        _tell(done, options)
    print(f"{len(seeds)} seeds, {len(wrong)} with violations: {' '.join(map(str, wrong)) or 'none'}", flush=True)
    return 1 if wrong else 0


def _cut_off(how: str) -> int:
    from tests.simulation import outage  # noqa: PLC0415

    wrong, seen = outage.simulate(how)
    print(seen, *wrong, sep="\n", flush=True)
    return 1 if wrong else 0


def _tell(done: Counter[str], options: argparse.Namespace) -> None:
    """Say how often each thing was judged, done and broken, so that days in which nothing happened are seen."""
    days, cpu_s = done.pop(_DAYS, 0), done.pop(_CPU, 0) / 1000
    print(f"{days} days ({options.length}), {cpu_s / max(days, 1):.1f} CPU seconds each")
    judged = {name: count for name, count in done.items() if _INVARIANT.match(name)}
    for name, count in judged.items():
        print(f"  {count:9} {name.replace('_', ' ')}")
    print("  " + ", ".join(f"{name} {count}" for name, count in sorted(done.items()) if name not in judged), flush=True)


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
