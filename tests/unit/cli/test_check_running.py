"""Order, fatal checks, trying again, what errors become; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import looptime
import pytest

from fairlead_api.errors import Forbidden, InternalError
from fairlead_cli.checking.model import Category, Check, Finding, Level, Report, Spec
from fairlead_cli.checking.running import run
from fairlead_cli.failure import Failure

Work = Callable[[], Awaitable[Finding | None]]


def raising(error: Exception) -> Work:
    async def work() -> None:
        raise error

    return work


def finding(found: Finding | None) -> Work:
    async def work() -> Finding | None:
        return found

    return work


def check(id_: str, work: Work, *, fatal: bool = False, severity: Level = Level.ERROR, timeout_s: float = 30) -> Check:
    return Check(Spec(id_, "c", id_, severity, fatal, timeout_s), work)


def play(*checks: Check, wait_s: float = 0, forget: Callable[[], None] = lambda: None) -> tuple[Report, float]:
    """Run checks of one category; return the report and how long it took."""
    report = Report()

    async def categories() -> AsyncIterator[Category]:
        yield Category("c", "", checks, forget)

    async def go() -> float:
        await run(categories(), report, wait_s=wait_s)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(start=0)) as runner:
        return report, runner.run(go())


def levels(report: Report) -> dict[str, str]:
    return {one.spec.id: one.level.value for section in report.sections for one in section.results}


def test_a_fatal_error_ends_its_category() -> None:
    """A warning of a fatal check does not; what was not tried says why."""
    report, _ = play(
        check("a", finding(Finding("hm", level=Level.WARNING)), fatal=True),
        check("b", finding(Finding("no")), fatal=True),
        check("c", finding(None)),
    )
    assert levels(report) == {"a": "warning", "b": "error", "c": "skipped"}
    assert report.sections[0].results[2].text == "not tried: b failed"
    assert report.is_stopped("c")
    assert not report.success


def test_an_error_is_tried_again_while_there_is_time() -> None:
    """It succeeds at the fourth try, with everything read anew each time; no time is waited for after that."""
    tries: list[str] = []

    async def work() -> Finding | None:
        tries.append("try")
        return None if tries.count("try") == 4 else Finding("not yet")

    report, took_s = play(check("a", work), wait_s=60, forget=lambda: tries.append("forget"))
    assert levels(report) == {"a": "success"}
    assert tries == ["try", "forget", "try", "forget", "try", "forget", "try"]
    assert took_s == pytest.approx(3)


def test_the_wait_is_shared_and_ends() -> None:
    """Ten seconds for all checks together; warnings are never waited for."""
    report, took_s = play(
        check("a", finding(Finding("hm")), severity=Level.WARNING),
        check("b", finding(Finding("no"))),
        check("c", finding(Finding("no"))),
        wait_s=10,
    )
    assert levels(report) == {"a": "warning", "b": "error", "c": "error"}
    assert took_s == pytest.approx(10)


def test_a_check_that_hangs_is_an_error() -> None:
    """After its own time."""

    async def hang() -> None:
        await asyncio.Event().wait()

    report, took_s = play(check("a", hang, timeout_s=7))
    assert levels(report) == {"a": "error"}
    assert report.sections[0].results[0].text == "no answer within 7 s"
    assert took_s == pytest.approx(7)


@pytest.mark.parametrize(
    ("error", "level", "text"),
    [
        (Forbidden("nodes is forbidden"), "warning", "not verified: nodes is forbidden"),
        (InternalError("disk full"), "error", "disk full"),
        (Failure("no", "saw", "fix"), "error", "no · saw · fix"),
    ],
)
def test_what_errors_say(error: Exception, level: str, text: str) -> None:
    """Who may not look has not verified; never a success."""
    report, _ = play(check("a", raising(error)))
    assert (levels(report)["a"], report.sections[0].results[0].text) == (level, text)


def test_a_defect_is_no_finding() -> None:
    """It ends the command."""
    with pytest.raises(ZeroDivisionError):
        play(check("a", raising(ZeroDivisionError())))
