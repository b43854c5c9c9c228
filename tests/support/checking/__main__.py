"""``python -m tests.support.checking HISTORY.jsonl``: violations as JSONL on standard output; 1 when there is one."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from tests.support.checking.checker import check
from tests.support.checking.history import decode


def main() -> int:
    """Check the history of a file."""
    parser = argparse.ArgumentParser(prog="checking", description="Check a recorded history against the invariants")
    parser.add_argument("history", type=Path)
    found = check(decode(parser.parse_args().history.read_bytes()))
    for violation in found:
        sys.stdout.buffer.write(orjson.dumps(asdict(violation)) + b"\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
