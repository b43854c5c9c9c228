"""Runs checks in order: a fatal error ends its category, an error is tried again while there is time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from fairlead_cli.checking.model import Category, Check, Finding, Level, Report, Result, Section, not_verified
from fairlead_cli.failure import Failure, explain

PAUSE_S = 1.0
"""Between two tries."""


class Listener:
    """Hears how far it is; does nothing with it."""

    def begun(self, section: Section) -> None:
        """Hear that a category begins."""

    def waiting(self, result: Result) -> None:
        """Hear that a check failed and is tried again."""

    def ended(self, result: Result) -> None:
        """Hear a check's result."""


async def run(
    categories: AsyncIterator[Category], report: Report, *, wait_s: float, listener: Listener | None = None
) -> None:
    """
    Run all checks of all categories.

    Args:
        categories: Asked for the next one when the one before is done; it may look at the report meanwhile.
        report: Filled.
        wait_s: For how long from now on errors are tried again; warnings never are.
        listener: Told of progress.
    """
    deadline_s = asyncio.get_running_loop().time() + wait_s
    listener = listener or Listener()
    async for category in categories:
        section = Section(category.name, category.subject)
        report.sections.append(section)
        listener.begun(section)
        ended_by = ""
        for check in category.checks:
            if ended_by:
                result = Result(check.spec, Level.SKIPPED, f"not tried: {ended_by} failed")
            else:
                result = await _settled(category, check, deadline_s, listener.waiting)
                if check.spec.fatal and result.level is Level.ERROR:
                    ended_by = check.spec.id
            section.results.append(result)
            listener.ended(result)


async def _settled(category: Category, check: Check, deadline_s: float, waiting: Callable[[Result], None]) -> Result:
    """Return the first result that is no error, or the last one when the time is over."""
    loop = asyncio.get_running_loop()
    while True:
        result = await _tried(check)
        if result.level is not Level.ERROR or loop.time() + PAUSE_S > deadline_s:
            return result
        waiting(result)
        await asyncio.sleep(PAUSE_S)
        category.forget()


async def _tried(check: Check) -> Result:
    spec = check.spec
    try:
        async with asyncio.timeout(spec.timeout_s):
            finding = await check.work()
    except TimeoutError:
        finding = Finding(f"no answer within {spec.timeout_s:g} s")
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        finding = told
    if finding is None:
        return Result(spec, Level.SUCCESS)
    return Result(spec, finding.level or spec.severity, finding.text, finding.fix)


def _told(error: Exception) -> Finding | None:
    """Return what an error of a server, a connection or a file says of a check; None for a defect of ours."""
    from fairlead_api.errors import Forbidden  # noqa: PLC0415 - help is fast

    if isinstance(error, Forbidden):
        return not_verified(str(error), "run the check as a user who may look at this")
    failure = explain(error)
    return None if failure is None else _finding(failure)


def _finding(failure: Failure) -> Finding:
    return Finding(failure.message)
