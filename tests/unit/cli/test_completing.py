"""What the shell is told while somebody types."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead_cli import kcp, plugin, workspaces
from fairlead_cli.commands import LazyGroup
from fairlead_cli.completing import answer


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody can be asked."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("group", "words", "candidates"),
    [
        (plugin.main, ["cluster", "un"], ["uncordon"]),
        (plugin.main, ["cluster", "list", "--out"], ["--output"]),
        (plugin.main, ["cluster", "list", "-o", ""], ["json", "yaml", "wide", "name"]),
        (kcp.main, ["workload", "s"], ["sync"]),
        (kcp.main, ["ws", "cur"], ["current"]),
        (workspaces.main, ["tr"], ["tree"]),
        (workspaces.main, [], ["create", "create-context", "current", "delete", "tree", "use"]),
    ],
)
def test_candidates(group: LazyGroup, words: list[str], candidates: list[str]) -> None:
    """Sub-commands, flags and their values come from the commands themselves; the last line ends the list."""
    *lines, directive = answer(group, words).splitlines()
    assert [line.partition("\t")[0] for line in lines] == candidates
    assert directive == ":4"


def test_without_a_server_nothing_is_said() -> None:
    """Names nobody can tell are no error, and no file either; a flag that takes a file leaves files to the shell."""
    assert answer(plugin.main, ["cluster", "drain", ""]) == ":4"
    assert answer(plugin.main, ["cluster", "list", "--kubeconfig", ""]) == ":0"
