"""Run the rows that were asked for; 1 when a row failed, 2 for a row that does not exist."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

import orjson
import uvloop

from bench import report
from bench.client import BadAnswer
from bench.compute import joined
from bench.rows import ROWS, Row
from bench.subjects import Ours, Reference, Running, Subject, fresh_folder
from fairlead_api import JsonObject
from tests.support import processes
from tests.support.binaries import BinariesUnavailable
from tests.support.processes import ProcessFailed

PROBLEMS = (BadAnswer, ProcessFailed, BinariesUnavailable, OSError, ExceptionGroup)
SUBJECTS: tuple[Subject, ...] = (Ours(), Reference())
Values = dict[str, list[list[float]]]


class RowFailed(Exception):
    """A row has no number that means anything; the message says why."""


def _measure(row: Row, running: Running) -> list[float]:
    # A loop for each measurement, so that nothing of the last one is left on it.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        async def once() -> list[float]:
            return await row.measure(running)

        return runner.run(once())


def _prepare(row: Row, running: Running) -> None:
    if row.prepare is not None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

            async def once() -> None:
                assert row.prepare is not None
                await row.prepare(running)

            runner.run(once())


def _order(round_number: int) -> list[str]:
    names = [subject.name for subject in SUBJECTS]
    return names if round_number % 2 == 0 else names[::-1]


def _run_shared(row: Row, stack: contextlib.ExitStack, values: Values, problems: dict[str, str]) -> None:
    """Measure servers that run side by side over all rounds."""
    running: dict[str, Running] = {}
    for subject in SUBJECTS:
        try:
            running[subject.name] = stack.enter_context(subject.run(fresh_folder(subject.name)))
            _prepare(row, running[subject.name])
        except PROBLEMS as problem:
            problems[subject.name] = _words(problem)
    if row.is_joined and not problems:
        folder = fresh_folder("agent")
        running["ours"] = stack.enter_context(joined(running["ours"], running["reference"], folder))
    for round_number in range(row.rounds):
        for name in _order(round_number):
            if name not in problems and (row.has_reference or name == "ours"):
                try:
                    values[name].append(_measure(row, running[name]))
                except PROBLEMS as problem:
                    problems[name] = _words(problem)


def _run_fresh(row: Row, values: Values, problems: dict[str, str]) -> None:
    """Measure servers that are started anew for each round, one at a time."""
    by_name = {subject.name: subject for subject in SUBJECTS}
    for round_number in range(row.rounds):
        for name in _order(round_number):
            if name not in problems:
                try:
                    with by_name[name].run(fresh_folder(name)) as running:
                        values[name].append(_measure(row, running))
                except PROBLEMS as problem:
                    problems[name] = _words(problem)


def _words(problem: BaseException) -> str:
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    # A failed process tells its whole log; where that is stands in the first line, why it ended mostly in the last.
    lines = str(problem).strip().splitlines() or [""]
    return f"{type(problem).__name__}: {lines[0]}" + (f" ... {lines[-1]}" if len(lines) > 1 else "")


def run_row(row: Row) -> tuple[list[JsonObject], dict[str, str]]:
    """Measure one row; return its entries, and for each subject that failed why."""
    values: Values = {subject.name: [] for subject in SUBJECTS}
    problems: dict[str, str] = {}
    if row.is_fresh:
        _run_fresh(row, values, problems)
    else:
        with contextlib.ExitStack() as stack:
            _run_shared(row, stack, values, problems)
    return report.entries(row, values["ours"], values["reference"]), problems


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure beside kube-apiserver and etcd.")
    parser.add_argument("--rows", default="", help=f"any of: {' '.join(ROWS)}; all by default")
    parser.add_argument("--out", default="", help="file for the JSON report")
    options = parser.parse_args()
    names = options.rows.split() or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        print(f"bench: no row {', '.join(unknown)}; there are {' '.join(ROWS)}", file=sys.stderr)
        return 2
    document: JsonObject = {"machine": report.machine(), "versions": report.versions(), "rows": []}
    failed = False
    for name in names:
        entries, problems = run_row(ROWS[name])
        document["rows"] += entries
        for entry in entries:
            print(report.line(entry), flush=True)
        for subject, problem in problems.items():
            failed = True
            print(f"bench: row {name} FAILED for {subject}: {problem}", file=sys.stderr, flush=True)
    if options.out:
        Path(options.out).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    if not failed:
        processes.discard_run_directory()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
