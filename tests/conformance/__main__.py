"""``python -m tests.conformance``: see ``--help``."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.conformance import suite
from tests.conformance.cluster import conformance_cluster
from tests.support.binaries import KUBERNETES_VERSION
from tests.support.process_cluster import start_all

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the recorded list, or some of it; 1 when a test fails that is listed."""
    parser = argparse.ArgumentParser(prog="conformance", description="Run Kubernetes' conformance tests")
    parser.add_argument("--only", default="", help="tests whose name has this in it")
    parser.add_argument("--names", type=Path, help="a list other than the recorded one")
    parser.add_argument("--reference", action="store_true", help="against a real kube-apiserver, to extend the list")
    parser.add_argument("--jobs", type=int, default=3, help="how many at once")
    parser.add_argument("--limit-s", type=float, default=240.0, help="seconds for each test")
    parser.add_argument("--logs", type=Path, help="keep the output of each test in this folder")
    parser.add_argument("--result", type=Path, help="write the result here, as JSON")
    options = parser.parse_args()
    names = [name for name in suite.listed(options.names and options.names.read_text()) if options.only in name]
    with tempfile.TemporaryDirectory(prefix="fairlead-conformance-") as temporary:
        folder = Path(temporary)
        logs = options.logs or folder / "logs"
        with _cluster(folder, reference=options.reference) as kubeconfig:
            results = suite.run(kubeconfig, names, logs, limit_s=options.limit_s, jobs=options.jobs, told=_tell)
    print(suite.summary(results), flush=True)
    if options.result:
        options.result.write_text(json.dumps(_record(results), indent=1) + "\n")
    return 0 if all(result.passed for result in results) else 1


@contextlib.contextmanager
def _cluster(folder: Path, *, reference: bool) -> Iterator[Path]:
    if not reference:
        with conformance_cluster(folder) as server:
            yield server.kubeconfig
        return
    (cluster,) = start_all(["system:admin"], folder, nodes=2)
    try:
        yield cluster.kubeconfig
    finally:
        cluster.stop()


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
