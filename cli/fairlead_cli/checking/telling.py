"""How results are shown: linkerd's table as they come, only what is wrong, or JSON at the end."""

from __future__ import annotations

import os
import sys

import click

from fairlead_cli.checking.model import Level, Report, Result, Section
from fairlead_cli.checking.running import Listener
from fairlead_cli.output import Steps, document

_MARKS = {
    Level.SUCCESS: ("√", "+", "green"),
    Level.WARNING: ("‼", "!", "yellow"),
    Level.ERROR: ("×", "x", "red"),  # noqa: RUF001 - linkerd's mark
}


def mark(level: Level, *, plain: bool = False, coloured: bool = False) -> str:
    """Return the mark of a level; ``plain`` is for terminals that know ASCII alone."""
    fancy, ascii_, colour = _MARKS[level]
    text = ascii_ if plain else fancy
    return click.style(text, fg=colour) if coloured else text


def lines_of(result: Result, shown: str) -> list[str]:
    """Return the lines of a result; ``shown`` is its mark."""
    lines = [f"{shown} {result.spec.description}"]
    if result.level is not Level.SUCCESS:
        lines.append(f"    {result.text}")
        lines += [f"    to mend it: {result.fix}"] if result.fix else []
        lines.append(f"    see {result.spec.hint} for hints")
    return lines


class Table(Listener):
    """
    Prints results as they come.

    Args:
        short: Leave out what is well.
    """

    def __init__(self, *, short: bool) -> None:
        self._short = short
        self._steps = Steps()
        self._heading: Section | None = None
        self._any = False
        self._plain = not (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
        dumb = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._coloured = sys.stdout.isatty() and not dumb

    def begun(self, section: Section) -> None:
        """Keep the heading until there is something below it."""
        self._heading = section

    def waiting(self, result: Result) -> None:
        """Say on standard error what is waited for."""
        self._steps.live(f"waiting: {result.spec.description}: {result.text}")

    def ended(self, result: Result) -> None:
        """Print a result; what was not tried is told by the one that ended its category."""
        if result.level is Level.SKIPPED or (self._short and result.level is Level.SUCCESS):
            return
        if self._heading is not None:
            blank = [""] if self._any else []
            title = self._heading.title
            click.echo("\n".join([*blank, title, "-" * len(title)]))
            self._heading = None
        self._any = True
        click.echo("\n".join(lines_of(result, self._mark(result.level))))

    def verdict(self, report: Report) -> None:
        """Print the last line."""
        if self._any:
            click.echo()
        click.echo(f"Status check results are {self._mark(Level.SUCCESS if report.success else Level.ERROR)}")

    def _mark(self, level: Level) -> str:
        return mark(level, plain=self._plain, coloured=self._coloured)


def as_json(report: Report) -> str:
    """Return the document of ``-o json``."""
    return document(report.to_json(), "json")
