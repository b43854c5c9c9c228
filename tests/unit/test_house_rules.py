"""The rules of the house that no other tool checks: where packages lie, what they are called, how big things get."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("machinery", "transforms", "scheduler", "syncer", "control-plane", "lab", "cli")
CHECKED = (*ROOMS, "bench", "scripts", "tests")
MODULE_LINES, FUNCTION_LINES = 500, 60
NEAR = 0.9
"""From this share of a limit on, a size is reported."""
WITHOUT_MEANING = {"util", "utils", "helper", "helpers", "common", "misc", "base"}


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _packages_on_disk() -> dict[str, str]:
    """Return package name to its path from the root."""
    found = (folder for room in ROOMS for folder in (ROOT / room).iterdir() if folder.is_dir())
    return {
        folder.name: folder.relative_to(ROOT).as_posix() for folder in found if not folder.name.startswith((".", "__"))
    }


def _modules() -> Iterator[Path]:
    for folder in CHECKED:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _layers(contract: dict[str, Any]) -> set[str]:
    return {name for layer in contract["layers"] for name in re.split(r"\s*[|:]\s*", layer)}


def test_every_package_is_named_everywhere() -> None:
    """A package on disk is built, checked for imports, and has its layer; and nothing else is named."""
    on_disk = _packages_on_disk()
    config = _pyproject()["tool"]
    linter = config["importlinter"]
    assert set(config["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(on_disk.values())
    assert set(linter["root_packages"]) == set(on_disk)
    assert _layers(linter["contracts"][0]) == set(on_disk)


def test_control_plane_rooms_are_layers() -> None:
    """Each room of the control plane has its place in the order in which a request flows down."""
    folder = ROOT / "control-plane" / "fairlead_control_plane"
    rooms = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    contract = next(each for each in _pyproject()["tool"]["importlinter"]["contracts"] if "containers" in each)
    assert rooms - {"__init__", "__pycache__"} == _layers(contract)


def test_rooms_hold_packages_only() -> None:
    """A top folder holds packages whose names cannot clash, and no loose modules."""
    assert [name for name in _packages_on_disk() if not name.startswith("fairlead_")] == []
    assert [str(path) for room in ROOMS for path in (ROOT / room).glob("*.py")] == []


def test_names_say_something() -> None:
    """No module or package has a name that could hold anything."""
    parts = {path: {path.stem, *path.relative_to(ROOT).parts[:-1]} for path in _modules()}
    assert [str(path) for path, names in parts.items() if names & WITHOUT_MEANING] == []


def _function_sizes(module: Path) -> Iterator[tuple[str, int]]:
    """Yield each function's place and its length in lines, docstring not counted."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            docstring = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
            yield (
                f"{module.relative_to(ROOT)}:{node.lineno} {node.name}",
                (node.end_lineno or 0) - node.lineno + 1 - docstring,
            )


def test_nothing_grows_too_big(capsys: pytest.CaptureFixture[str]) -> None:
    """Modules and functions stay below the hard limits; those that come close are reported."""
    sizes = [(str(path.relative_to(ROOT)), len(path.read_text().splitlines()), MODULE_LINES) for path in _modules()]
    sizes += [(place, size, FUNCTION_LINES) for path in _modules() for place, size in _function_sizes(path)]
    near = [f"{place}: {size} of {limit} lines" for place, size, limit in sizes if limit * NEAR <= size <= limit]
    if near:
        with capsys.disabled():
            print("\nclose to the limit:", *near, sep="\n  ")
    assert [f"{place}: {size} lines" for place, size, limit in sizes if size > limit] == []
