"""
Record what Kubernetes makes of expressions with its libraries, for tests of fairlead_schema.cel.libraries.

    python scripts/record_cel_libraries.py tests/unit/fairlead_schema/cel/libraries.jsonl [MORE.txt ...]

Builds scripts/cel_oracle with Go against k8s.io/apiserver, asks it all expressions of the recording and of the files
(one a line), and writes the recording. The first line of a recording says where it comes from.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("cel_oracle") / "main.go"
MODULE = "module cel_oracle\n\ngo 1.26\n\nrequire k8s.io/apiserver v0.36.3\n"


def build(folder: Path) -> Path:
    """Return the program, built in a folder."""
    shutil.copy(SOURCE, folder)
    (folder / "go.mod").write_text(MODULE)
    subprocess.run(["go", "mod", "tidy"], cwd=folder, check=True)
    subprocess.run(["go", "build", "-o", "oracle", "."], cwd=folder, check=True)
    return folder / "oracle"


def main(recording: Path, more: list[Path]) -> None:
    """Ask all of a recording and of the files, and write the recording."""
    known = recording.read_text().splitlines()[1:] if recording.exists() else []
    asked = [json.loads(line)["e"] for line in known]
    asked += [line for path in more for line in path.read_text().split("\n") if line.strip()]
    questions = "\n".join(json.dumps(expression) for expression in dict.fromkeys(asked))
    with tempfile.TemporaryDirectory() as folder:
        oracle = build(Path(folder))
        answers = subprocess.run([oracle], input=questions, capture_output=True, text=True, check=True).stdout
    recording.write_text(json.dumps({"made by": "scripts/record_cel_libraries.py"}) + "\n" + answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
