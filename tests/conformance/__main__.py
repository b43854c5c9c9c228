"""``python -m tests.conformance``: see ``--help``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.conformance import suite, targets
from tests.support import processes
from tests.support.binaries import KUBERNETES_VERSION

_ROOT = Path(__file__).resolve().parents[2]
_HERE = Path(__file__).parent
_LISTS = {
    "cluster": (targets.cluster, ("listed.txt", "extra.txt")),
    "workspace": (targets.workspace, ("workspace.txt",)),
    "reference": (targets.reference, ("listed.txt", "extra.txt")),
}
"""Where the tests are run: what starts it, and the lists that are meant for it."""


def main() -> int:
    """Run the recorded lists, or some of them; 1 when a test fails."""
    parser = argparse.ArgumentParser(prog="conformance", description="Run Kubernetes' conformance tests")
    parser.add_argument("--only", default="", help="tests whose name has this in it")
    parser.add_argument("--names", type=Path, help="a list other than the recorded ones")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workspace", action="store_const", dest="where", const="workspace", help="in a workspace")
    where.add_argument(
        "--reference", action="store_const", dest="where", const="reference", help="in Kubernetes, to extend a list"
    )
    parser.add_argument("--jobs", type=int, default=3, help="how many at once")
    parser.add_argument("--limit-s", type=float, default=240.0, help="seconds for each test")
    parser.add_argument("--logs", type=Path, help="keep the output of tests that fail in this folder")
    parser.add_argument("--result", type=Path, help="write the result here, as JSON")
    options = parser.parse_args()
    start, lists = _LISTS[options.where or "cluster"]
    paths = [options.names] if options.names else [_HERE / name for name in lists]
    names = [name for path in paths for name in suite.read_list(path) if options.only in name]
    folder = processes.run_directory()
    logs = options.logs or folder / "failed"
    with start(folder / "servers") as target:
        results = suite.run(target, names, logs, limit_s=options.limit_s, jobs=options.jobs, told=_tell)
    print(suite.summary(results), flush=True)
    if options.result:
        options.result.write_text(json.dumps(_record(results), indent=1) + "\n")
    if not all(result.passed for result in results):
        print(f"logs of the servers and of the tests that failed: {folder}", flush=True)
        return 1
    processes.discard_run_directory()
    return 0


def _tell(result: suite.Result) -> None:
    mark = "pass" if result.passed else "FAIL"
    print(f"{mark} {result.seconds:5.0f} s  {result.name}{': ' * bool(result.reason)}{result.reason}", flush=True)


def _record(results: list[suite.Result]) -> dict[str, object]:
    tree = subprocess.run(
        ["git", "rev-parse", "HEAD^{tree}"], cwd=_ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "tree": tree,
        "kubernetes": KUBERNETES_VERSION,
        "listed": len(results),
        "passed": sum(result.passed for result in results),
        "failed": {result.name: result.reason for result in results if not result.passed},
    }


if __name__ == "__main__":
    sys.exit(main())
