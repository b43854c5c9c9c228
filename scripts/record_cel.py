"""
Record what cel-go answers to expressions, for tests of fairlead_schema.cel.

    python scripts/record_cel.py ORACLE tests/unit/fairlead_schema/cel/parse.jsonl [MORE.txt ...]

Each line of a recording is an object with what was asked (``text``; perhaps ``parse``, ``schema``, ``root``) and what
was answered. ORACLE is a program built with cel-go and k8s.io/apiserver that reads such lines, without answers, on
standard input and writes each with ``issues``, or with ``ast``, or with ``type`` and ``types``, and with ``decl`` for
what a schema without an expression declares. The recording is asked anew and written back; lines of MORE are
expressions to add (one that begins with ``J`` is a JSON string behind it).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ASKED = ("text", "parse", "schema", "root")
Line = dict[str, Any]


def main(oracle: str, recording: Path, more: list[Path]) -> None:
    """Ask ORACLE all of a recording and of the files, and write the recording."""
    lines = [json.loads(line) for line in recording.read_text().splitlines()[1:]] if recording.exists() else []
    parse = recording.stem == "parse"
    asked = [{key: line[key] for key in ASKED if key in line} for line in lines]
    asked += [{"text": text, **({"parse": True} if parse else {})} for path in more for text in expressions(path)]
    unique = {json.dumps(line, sort_keys=True): line for line in asked}
    answers = subprocess.run(
        [oracle], input="\n".join(map(json.dumps, unique.values())), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    with recording.open("w") as file:
        print(json.dumps({"made by": "scripts/record_cel.py"}), file=file)
        for question, answer in zip(unique.values(), answers, strict=True):
            line = question | json.loads(answer)
            if line["text"]:
                line.pop("decl", None)
            print(json.dumps(line), file=file)


def expressions(path: Path) -> list[str]:
    """Return the expressions of a file."""
    lines = [line for line in path.read_text().split("\n") if line.strip()]
    return [json.loads(line[1:]) if line.startswith('J"') else line for line in lines]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
