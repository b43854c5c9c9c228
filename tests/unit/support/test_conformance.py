"""What the conformance run makes of the output of ``e2e.test``."""

from __future__ import annotations

import pytest

from tests.conformance import suite

PASSED = "Ran 1 of 7451 Specs in 3.1 seconds\nSUCCESS! -- 1 Passed | 0 Failed | 0 Pending | 7450 Skipped\nPASS\n"
FAILED = (
    "  [FAILED] expected 2 events\n  In [It] at: watch.go:1\n"
    "Ran 1 of 7451 Specs in 3.1 seconds\nFAIL! -- 0 Passed | 1 Failed | 0 Pending | 7450 Skipped\n"
)
NONE = "Ran 0 of 7451 Specs in 0.0 seconds\nSUCCESS! -- 0 Passed | 0 Failed | 0 Pending | 7451 Skipped\nPASS\n"
SKIPPED = "Ran 1 of 7451 Specs in 3.1 seconds\nSUCCESS! -- 0 Passed | 0 Failed | 0 Pending | 7451 Skipped\nPASS\n"


@pytest.mark.parametrize(
    ("code", "output", "reason"),
    [
        (0, PASSED, ""),
        (1, FAILED, "expected 2 events"),
        (0, NONE, "0 tests have this name"),
        (0, SKIPPED, "exit code 0"),
        (None, "still waiting", "took longer than its limit"),
        (2, "panic: no such flag", "0 tests have this name"),
    ],
)
def test_only_a_test_that_ran_and_passed_has_passed(code: int | None, output: str, reason: str) -> None:
    """Success with nothing run, or with the test skipped, is no success."""
    result = suite.judge("a test", code, output, 3.0)
    assert (result.passed, result.reason) == (not reason, reason)


def test_the_list_names_each_test_once() -> None:
    """A line that is there twice would count twice."""
    names = suite.listed()
    assert len(names) == len(set(names)) >= 149
    assert all("[Conformance]" in name for name in names)


def test_the_summary_names_what_failed() -> None:
    """By name, and counts what is listed."""
    results = [suite.Result("a", passed=True, seconds=1), suite.Result("b", passed=False, seconds=1, reason="why")]
    assert suite.summary(results) == "FAIL b\n     why\nconformance: 1 of 2 listed tests pass"
