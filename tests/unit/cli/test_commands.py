"""Groups: flags before sub-commands, aliases, one line for every failure."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from fairlead_api.errors import ApiError, Forbidden, Unauthorized
from fairlead_cli import commands, main, workspaces
from fairlead_cli.commands import leading_last
from fairlead_cli.failure import Failure, explain
from fairlead_cli.session import duration_s


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        (["--kubeconfig", "f", "use", "a"], ["use", "--kubeconfig", "f", "a"]),
        (["--context=c", "-w", "x", "tree"], ["tree", "--context=c", "-w", "x"]),
        (["use", "--context", "c"], ["use", "--context", "c"]),
        (["--kubeconfig", "f"], ["--kubeconfig", "f"]),
        ([], []),
    ],
)
def test_flags_stand_anywhere(given: list[str], understood: list[str]) -> None:
    """Kubectl's flags may stand before the sub-command."""
    assert leading_last(given) == understood


def test_a_missing_kubeconfig_is_one_line() -> None:
    """An error of the machinery is told in one line, and the exit code is 1."""
    result = CliRunner().invoke(workspaces.main, [".", "--kubeconfig", "/does/not/exist"])
    assert (result.exit_code, result.output) == (1, "Error: cannot read /does/not/exist: No such file or directory\n")


def test_no_kubeconfig_at_all_says_where_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has just started the server is told of its kubeconfig."""
    monkeypatch.setenv("KUBECONFIG", "/does/not/exist")
    result = CliRunner().invoke(workspaces.main, ["."])
    assert result.exit_code == 1
    assert result.output.startswith("Error: there is no kubeconfig · /does/not/exist · export KUBECONFIG=")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unauthorized("Unauthorized"), "they have expired, or are another server's · name another --context"),
        (Forbidden('... cannot list resource "x": access denied'), "kubectl ws tree"),
        (Forbidden("no right"), "no right"),
    ],
)
def test_what_is_not_allowed_says_why(error: ApiError, words: str) -> None:
    """Expired credentials and workspaces that cannot be entered are told with what to do; the exit code is 4."""
    failure = explain(error)
    assert failure is not None
    assert words in failure.message
    assert failure.exit_code == 4


def test_debug_shows_everything() -> None:
    """With --debug the error itself comes out."""
    result = CliRunner().invoke(workspaces.main, ["--debug", ".", "--kubeconfig", "/does/not/exist"])
    assert type(result.exception).__name__ == "KubeconfigError"


def test_wrong_usage_is_code_2() -> None:
    """An unknown flag is wrong usage."""
    assert CliRunner().invoke(workspaces.main, ["use", "--nonsense"]).exit_code == 2


@pytest.mark.parametrize("table", [main.COMMANDS, workspaces.COMMANDS])
def test_every_command_of_a_table_loads(table: dict[str, str]) -> None:
    """No table names what is not there."""
    group = commands.LazyGroup(table=table)
    for name in table:
        assert group.get_command(None, name) is not None  # type: ignore[arg-type]  # the context is not used


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200), ("7", 7)])
def test_durations(text: str, seconds: float) -> None:
    """Durations are Go's, or bare seconds."""
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "3x", "1m3", "-1s"])
def test_bad_durations(text: str) -> None:
    """What is none is wrong usage."""
    with pytest.raises(Failure, match="duration") as caught:
        duration_s(text)
    assert caught.value.exit_code == 2
