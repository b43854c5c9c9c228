"""What the conformance run makes of the output of ``e2e.test``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import suite

LISTS = Path(suite.__file__).parent

PASSED = "Ran 1 of 7451 Specs in 3.1 seconds\nSUCCESS! -- 1 Passed | 0 Failed | 0 Pending | 7450 Skipped\nPASS\n"
FAILED = (
    "  [FAILED] expected 2 events\n  In [It] at: watch.go:1\n"
    "Ran 1 of 7451 Specs in 3.1 seconds\nFAIL! -- 0 Passed | 1 Failed | 0 Pending | 7450 Skipped\n"
)
NONE = "Ran 0 of 7451 Specs in 0.0 seconds\nSUCCESS! -- 0 Passed | 0 Failed | 0 Pending | 7451 Skipped\nPASS\n"
LATE = (
    "  [FAILED] A suite timeout occurred and then the following failure was recorded in the node before it exited:\n"
    "  no job was started\n  In [It] at: cronjob.go:1\n" + FAILED.partition("watch.go:1\n")[2]
)
SKIPPED_ITSELF = "  [SKIPPED] [It] needs two nodes\n  In [It] at: a.go:1\n"
SKIPPED = "Ran 1 of 7451 Specs in 3.1 seconds\nSUCCESS! -- 0 Passed | 0 Failed | 0 Pending | 7451 Skipped\nPASS\n"


@pytest.mark.parametrize(
    ("code", "output", "reason"),
    [
        (0, PASSED, ""),
        (1, FAILED, "expected 2 events"),
        (0, NONE, "0 tests have this name"),
        (0, SKIPPED, "exit code 0"),
        (0, SKIPPED_ITSELF + SKIPPED, "skipped: [It] needs two nodes"),
        (1, LATE, "not done in its limit: no job was started"),
        (1, FAILED.replace("expected", "e" * 400), "e" * 300 + "..."),
        (None, "still waiting", "took longer than its limit"),
        (2, "panic: no such flag", "0 tests have this name"),
    ],
)
def test_only_a_test_that_ran_and_passed_has_passed(code: int | None, output: str, reason: str) -> None:
    """Success with nothing run, or with the test skipped, is no success."""
    result = suite.judge("a test", code, output, 3.0)
    assert (result.passed, result.reason) == (not reason, reason)


@pytest.mark.parametrize(
    ("name", "least", "is_conformance"), [("listed", 149, True), ("extra", 1, False), ("workspace", 1, None)]
)
def test_a_list_names_each_test_once(name: str, least: int, is_conformance: bool | None) -> None:
    """A line that is there twice would count twice; what is part of the conformance suite stands with its like."""
    names = suite.read_list(LISTS / f"{name}.txt")
    assert len(names) == len(set(names)) >= least
    assert is_conformance is None or all(("[Conformance]" in each) == is_conformance for each in names)


def test_a_workspace_runs_nothing_that_no_cluster_is_asked_for() -> None:
    """Its list is a part of the others."""
    known = {each for name in ("listed", "extra") for each in suite.read_list(LISTS / f"{name}.txt")}
    assert set(suite.read_list(LISTS / "workspace.txt")) <= known


def test_the_summary_names_what_failed(tmp_path: Path) -> None:
    """By name and with its log, and counts what is listed."""
    log = tmp_path / "b.log"
    failed = suite.Result("b", passed=False, seconds=1, reason="why", log=log)
    results = [suite.Result("a", passed=True, seconds=1), failed]
    assert suite.summary(results) == f"FAIL b\n     why\n     {log}\nconformance: 1 of 2 listed tests pass"


def test_the_output_of_a_test_is_kept_when_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then: the log is what one looks into afterwards."""
    written = {"good": PASSED, "bad": FAILED}
    monkeypatch.setattr(suite, "_command", lambda _target, names, _limit: ["printf", "%s", written[names[0]]])
    target = suite.Target(tmp_path / "kubeconfig", "context")
    told: list[suite.Result] = []
    results = suite.run(target, ["good", "bad"], tmp_path / "logs", limit_s=10, jobs=2, told=told.append)
    assert [result.log for result in results] == [None, tmp_path / "logs" / "bad.log"]
    assert [log.read_text() for log in (tmp_path / "logs").iterdir()] == [FAILED]
    assert len(told) == 2


def test_who_passed_among_others_is_read_from_the_report() -> None:
    """By the longest name, since labels follow it; what was skipped or failed is not there."""
    cases = {
        "[It] a [sig]": "passed",
        "[It] a [Slow] [sig]": "skipped",
        "[It] b [c]": "passed",
        "[It] d [sig]": "failed",
    }
    lines = "".join(f'<testcase name="{name}" status="{status}"/>' for name, status in cases.items())
    report = f"<testsuites><testsuite>{lines}</testsuite></testsuites>"
    assert suite.passed_names(report, ["a", "a [Slow]", "b", "b [c]", "d"]) == ["a", "b [c]"]
