"""``python -m tests.kubectl``: see ``--help``."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kubectl import allowed, scenarios
from tests.kubectl.pairs import STARTS
from tests.kubectl.run import VERSIONS, Result, run_all
from tests.kubectl.scenarios import PAIRS, Scenario
from tests.support.binaries import KUBERNETES_VERSION

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run all scenarios, or some; 1 when a command differs without a reason."""
    parser = argparse.ArgumentParser(prog="kubectl-matrix", description="Real kubectl against Fairlead and Kubernetes")
    parser.add_argument("--versions", default=",".join(VERSIONS), help="minors of kubectl, by commas")
    parser.add_argument("--only", default="", help="scenarios whose name, or pair, has one of these words, by commas")
    parser.add_argument("--jobs", type=int, default=3, help="scenarios at once")
    parser.add_argument("--result", type=Path, help="write the result here, as JSON")
    options = parser.parse_args()
    minors = options.versions.split(",")
    words = options.only.split(",")
    chosen = [each for each in scenarios.load() if any(word in f"{each.pair}/{each.name}" for word in words)]
    results: dict[str, list[Result]] = {minor: [] for minor in minors}
    with tempfile.TemporaryDirectory(prefix="fairlead-kubectl-") as temporary:
        for pair in PAIRS:
            asked = [each for each in chosen if each.pair == pair]
            for _ in _run(Path(temporary) / pair, pair, asked, results, options.jobs):
                if options.result:  # each time, so that a run that is ended early has something to show
                    options.result.write_text(json.dumps(_record(results), indent=1) + "\n")
    for minor, made in results.items():
        print(f"kubectl {VERSIONS[minor]}: {_counts(made)}", flush=True)
    return 1 if any(result.differing for made in results.values() for result in made) else 0


def _run(folder: Path, pair: str, chosen: list[Scenario], results: dict[str, list[Result]], jobs: int) -> Iterator[str]:
    """Start a pair of servers and run its scenarios with each kubectl in turn; yield the minor that is done."""
    if not chosen:
        return
    differences = allowed.load()
    with contextlib.ExitStack() as parts:
        sides = parts.enter_context(STARTS[pair](folder, differences))
        for minor, made in results.items():
            started = time.monotonic()
            for result in run_all(chosen, sides, minor, differences, jobs=jobs):
                made.append(result)
                _tell(result, minor)
            print(f"{pair} with kubectl {minor}: {time.monotonic() - started:.0f} s", flush=True)
            yield minor


def _tell(result: Result, minor: str) -> None:
    count = len(result.scenario.commands)
    mark = "DIFF" if result.differing else "same"
    print(f"{mark} {minor} {result.scenario.name}: {count} commands, {result.allowed} allowed", flush=True)
    print("".join(f"  {line}\n" for line in result.differences), end="", flush=True)
    for name in result.outlived:
        print(f"  allowed, but the same: {name}", flush=True)


def _record(results: dict[str, list[Result]]) -> dict[str, object]:
    return {
        "tree": _tree(),
        "server": KUBERNETES_VERSION,
        "kubectl": {
            VERSIONS[minor]: {
                pair: _counts([result for result in made if result.scenario.pair == pair]) for pair in PAIRS
            }
            for minor, made in results.items()
        },
        "differing": {
            VERSIONS[minor]: [result.scenario.name for result in made if result.differing]
            for minor, made in results.items()
        },
    }


def _counts(results: list[Result]) -> dict[str, int]:
    commands = sum(len(result.scenario.commands) for result in results)
    allowed_count = sum(result.allowed for result in results)
    differing = sum(result.differing for result in results)
    return {
        "scenarios": len(results),
        "commands": commands,
        "same": commands - allowed_count - differing,
        "allowed": allowed_count,
        "differ": differing,
    }


def _tree() -> str:
    command = ["git", "rev-parse", "HEAD^{tree}"]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
