"""``python -m tests.fuzz``: see ``--help``."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.fuzz.asked import load
from tests.fuzz.groups import FOUND, Groups, named
from tests.fuzz.run import Options, Run, Surface, report, run, servers
from tests.fuzz.sides import Address, pair

PART = 100_000
"""Requests to each server before both are started anew."""


def main() -> int:
    """Run, or replay a saved sequence; 1 when there is a difference that has no name."""
    parser = argparse.ArgumentParser(prog="fuzz", description="The same random requests to our server and Kubernetes'")
    parser.add_argument("--requests", type=int, default=1500, help="about so many to each server")
    parser.add_argument("--seed", type=int, default=None, help="default: from the clock, and printed")
    parser.add_argument(
        "--only", default="", help="kinds that have one of these words, by commas; 'custom' for CRDs, 'reviews'"
    )
    parser.add_argument("--limit-s", type=float, default=0.0, help="end after so many seconds")
    parser.add_argument("--reducing-s", type=float, default=300.0, help="seconds for making shorter what was found")
    parser.add_argument("--all", action="store_true", help="show differences that are named, too")
    parser.add_argument("--replay", type=Path, nargs="*", default=[], help="saved sequences")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else time.time_ns() % 1_000_000
    print(f"seed {seed}", flush=True)
    options = Options(asked.requests, seed, asked.only, asked.limit_s, asked.reducing_s)
    groups = Groups(named())
    with tempfile.TemporaryDirectory(prefix="fairlead-fuzz-") as folder:
        if asked.replay:
            with servers(Path(folder)) as addresses:
                asyncio.run(_replay(addresses, groups, asked.replay))
        else:
            _run(Path(folder), options, groups)
    if asked.all:
        print(*groups.excused, sep="\n")
    return 1 if groups.unnamed else 0


def _run(folder: Path, options: Options, groups: Groups) -> None:
    """Send all requests, in parts to servers of their own: nothing that is left behind grows without end."""
    made: Run | None = None
    started = time.monotonic()
    for part in range(PART, options.requests + PART, PART):
        is_last = part >= options.requests
        wanted = replace(options, requests=min(part, options.requests), reducing_s=is_last * options.reducing_s)
        with servers(folder / str(part)) as addresses:
            made, found = asyncio.run(_part(addresses, wanted, made, groups))
        took_s = time.monotonic() - started
        print(f"{made.coverage.total} requests, {made.coverage.share_2xx:.1%} 2xx, {took_s:.0f} s", flush=True)
    assert made is not None
    print(report(made, found, options))
    print(f"{2 * made.coverage.total / took_s:.0f} requests a second, both servers together, starts included")
    FOUND.mkdir(exist_ok=True)
    for group in groups.unnamed:
        print("saved", group.save(FOUND, options.seed))


async def _part(
    addresses: tuple[Address, Address], options: Options, made: Run | None, groups: Groups
) -> tuple[Run, Surface]:
    async with pair(*addresses) as two:
        made = made or Run(two, groups, told=lambda group: print("found", group.key, flush=True))
        made.pair = two
        return made, await run(options, made)


async def _replay(addresses: tuple[Address, Address], groups: Groups, files: list[Path]) -> None:
    async with pair(*addresses) as two:
        for file in files:
            made = Run(two, groups)
            await made.sequence(load(file.read_text()))
            key = json.loads(file.read_text())["key"]
            print("still differs" if key in groups.found else "the same by now", key)
    print(*groups.found.values(), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
