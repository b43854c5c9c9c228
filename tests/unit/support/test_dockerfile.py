"""Reading a Dockerfile: what ours uses is understood, anything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dockerfile import NotUnderstood, Step, parse

ROOT = Path(__file__).parents[3]


def test_steps() -> None:
    """Continued lines are one step, comments none; flags and lists are read."""
    build, final = parse(
        "# syntax\nFROM a:1 AS build\nRUN --mount=type=cache,target=/c \\\n    # why\n    one && \\\n    two\n"
        'COPY a b ./\nFROM a:1\nCOPY --from=build /x /x\nENV A=1 B="2 3"\nUSER 1:1\nENTRYPOINT ["x", "y"]\n'
    )
    assert (build.name, final.name) == ("build", "")
    assert build.steps == [Step("RUN", ("one && two",), "/c"), Step("COPY", ("a", "b", "./"))]
    assert final.steps == [
        Step("COPY", ("/x", "/x"), "build"),
        Step("ENV", ("A=1", "B=2 3")),
        Step("USER", ("1:1",)),
        Step("ENTRYPOINT", ("x", "y")),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "ADD https://x /x",
        "RUN --network=none x",
        "RUN --mount=type=cache,target=/a --mount=type=cache,target=/b x",
        "COPY --chown=1 a b",
        "ENTRYPOINT fairlead",
        "RUN",
        "RUN x \\",
        "FROM --platform=x y",
    ],
)
def test_what_is_not_read_is_refused(line: str) -> None:
    """A step that would be done in another way than an engine does it is an error."""
    with pytest.raises(NotUnderstood):
        parse(f"FROM a:1\n{line}\n")


def test_ours() -> None:
    """The image runs without root and without a shell, and has the program that manifests start first in its path."""
    stages = parse((ROOT / "Dockerfile").read_text())
    last = {step.instruction: step.words for step in stages[-1].steps}
    assert last["USER"] == ("65532:65532",)
    assert last["ENTRYPOINT"] == ("fairlead",)
    assert last["ENV"][0].startswith("PATH=/opt/fairlead/bin:")
    assert {stage.image for stage in stages} == {"docker.io/library/python:3.11-slim-bookworm"}
    assert any("--require-hashes" in step.words[0] for step in stages[0].steps if step.instruction == "RUN")


def test_context_holds_what_is_copied() -> None:
    """.dockerignore lets in exactly what COPY names."""
    copied = {
        word.removeprefix("./")
        for stage in parse((ROOT / "Dockerfile").read_text())
        for step in stage.steps
        if step.instruction == "COPY" and not step.flag
        for word in step.words[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text().split()
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
