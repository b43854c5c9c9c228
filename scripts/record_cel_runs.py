"""
Record what cel-go and Kubernetes make of expressions when they run, for tests of fairlead_schema.cel.

    python scripts/record_cel_runs.py ORACLE tests/unit/fairlead_schema/cel/runs.jsonl [MORE.txt ...]

The first line of a recording says what expressions see: ``vars`` (types by name) and ``values``, or ``schema`` and the
values of ``self`` and ``oldSelf``. The others have the expression (``expr``), perhaps a ``limit``, and the answer:
``value`` with its type, or ``error``; ``cost``, and ``estimate`` before the run; or ``program``, why there is none.
ORACLE is a program built with k8s.io/apiserver that reads all of that on a line, without answers, and writes answers.
Expressions that do not compile are left out: those are record_cel.py's. Lines of MORE are expressions to add.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ANSWERS = ("value", "error", "cost", "estimate", "program")
Line = dict[str, Any]


def main(oracle: str, recording: Path, more: list[Path]) -> None:
    """Ask ORACLE all of a recording and of the files, and write the recording."""
    header, *lines = map(json.loads, recording.read_text().splitlines())
    asked = [{key: line[key] for key in ("expr", "limit") if key in line} for line in lines]
    asked += [{"expr": text} for path in more for text in path.read_text().splitlines() if text.strip()]
    unique = list({json.dumps(line, sort_keys=True): line for line in asked}.values())
    questions = "\n".join(json.dumps(header | line) for line in unique)
    answers = subprocess.run([oracle], input=questions, capture_output=True, text=True, check=True).stdout.splitlines()
    with recording.open("w") as file:
        print(json.dumps(header), file=file)
        for line, answer in zip(unique, map(json.loads, answers), strict=True):
            if "compile" not in answer:
                found = {key: answer[key] for key in ANSWERS if key in answer}
                print(json.dumps(line | found), file=file)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
