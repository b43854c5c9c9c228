"""Run the attacks that were asked for on our server and on kube-apiserver, and print what the others noticed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import orjson
import uvloop

from bench import report
from bench.attacks import bodies, definitions, objects, patches, reads, rules
from bench.attacks.attack import Attack
from bench.attacks.ground import ground
from bench.attacks.running import Result, measure
from bench.attacks.victim import Place, settle
from bench.subjects import Ours, Reference, Running, fresh_folder
from fairlead_api import JsonObject
from tests.support import processes

ATTACKS: tuple[Attack, ...] = (
    *bodies.ATTACKS,
    *objects.ATTACKS,
    *patches.ATTACKS,
    *definitions.ATTACKS,
    *rules.ATTACKS,
    *reads.ATTACKS,
)
_HEAD = f"{'attack':34} {'server':9} {'idle p50/p99/max ms':>22} {'attacked p50/p99/max ms':>26}  answers, longest s"


def chosen(only: str) -> list[Attack]:
    """Return the attacks with one of some words (with commas between them) in their names; all for none."""
    words = [word for word in only.split(",") if word]
    return [attack for attack in ATTACKS if not words or any(word in attack.name for word in words)]


async def _assail(running: Running, attacks: list[Attack], executor: ProcessPoolExecutor) -> list[JsonObject]:
    victim, attacker = await ground(running, "victim"), await ground(running, "attacker")
    await settle(victim)
    found = []
    for attack in attacks:
        if attack.has_reference or running.name == "ours":
            result = await measure(attack, attacker, Place.of(victim), executor)
            print(_line(attack, running.name, result), flush=True)
            found.append({"attack": attack.name, "server": running.name, **result.entry()})
    return found


def _line(attack: Attack, server: str, result: Result) -> str:
    start = f"{attack.name:34} {server:9}"
    if result.idle is None or result.attacked is None:
        return f"{start} not prepared: {result.refusal}"
    sides = [f"{seen.p50_ms:.1f}/{seen.p99_ms:.0f}/{seen.most_ms:.0f}" for seen in (result.idle, result.attacked)]
    answers = " ".join(f"{code}x{count}" for code, count in sorted(result.answers.items()))
    failed = f" FAILED {result.attacked.failed}" if result.attacked.failed else ""
    return f"{start} {sides[0]:>22} {sides[1]:>26}  {answers} {result.longest_s:.2f}{failed} {result.said[:70]!r}"


def main() -> int:
    """Attack, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description="Attack one user, ask the others.")
    parser.add_argument("--only", default="", help="words of attacks' names, with commas between them")
    parser.add_argument("--servers", default="ours,reference", help="which of both")
    parser.add_argument("--out", default="", help="file for the JSON report")
    options = parser.parse_args()
    attacks = chosen(options.only)
    if not attacks:
        print(f"attacks: none of that name; there are {', '.join(attack.name for attack in ATTACKS)}", file=sys.stderr)
        return 2
    print(_HEAD, flush=True)
    found: list[JsonObject] = []
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        executor = stack.enter_context(ProcessPoolExecutor(1, mp_context=context))
        for subject in (Ours(), Reference()):
            if subject.name in options.servers:
                runs = subject.run(fresh_folder(subject.name))
                with runs as running, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    found += runner.run(_assail(running, attacks, executor))
    if options.out:
        document = {"machine": report.machine(), "versions": report.versions(), "attacks": found}
        Path(options.out).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    processes.discard_run_directory()
    return 0


if __name__ == "__main__":
    sys.exit(main())
